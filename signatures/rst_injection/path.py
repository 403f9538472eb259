"""How soon a reset came and from how far, held to the other packets of the address in whose name it was sent."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from analyzer.signature import Finding, Witness
from analyzer.tables import Table
from signatures.rst_injection.talk import MS, RESTED, SHOWN, TTL_APART, Race, about, forged, in_ms

TTL_SPREAD = 1  # of the ordinary packets that are to be a baseline
HALF, HALF_MARGIN = 0.5, 5 * MS  # 0 | 26: no detour halves the path and saves 5 ms as well
SOONER, SOONER_MARGIN = 0.8, 3 * MS  # 0 | 35 at RTT - 5 ms; the least of few samples may be a fifth too long
SAMPLES = 2  # of round trips, and of SYN/ACKs of equal TTL

FASTER = forged(
    "faster_than_path", "conclusive", "timing",
    "The reset acknowledges the request in less than half the shortest time to that server and back.",
    "Machines near the server; paths of a few milliseconds.",
    "Speed of the path; 0 | 26",
)  # fmt: skip
SOONER_THAN_PATH = forged(
    "sooner_than_path", "strong", "timing",
    "The reset acknowledges the request sooner than that server was ever able to answer.",
    "Machines in the last fifth of the path.",
    "Speed of the path; 0 | 35",
)  # fmt: skip
TTL_DIFFERS = forged(
    "ttl_differs", "supporting", "header",
    "The reset came over another distance than every other packet of that address in this capture.",
    "Forgers that copy the TTL; addresses with hosts at several distances (not judged).",
    "0 | 105",
)  # fmt: skip

RULES = (FASTER, SOONER_THAN_PATH, TTL_DIFFERS)


def timing(reset: SimpleNamespace, at_server: Table) -> list[Finding]:
    """Whether it is sooner than the server was ever able to answer; `at_server`: tables.ENDPOINTS of that server."""
    timed = at_server[at_server.rtt >= 0]
    if not reset.covers or not reset.asked_once or len(timed) < SAMPLES:
        return []
    rtt, took = int(timed.rtt.min()), reset.ts - reset.asked
    measured = {"reset_after_ms": in_ms(took), "least_rtt_ms": in_ms(rtt), "rtt_samples": len(timed)}
    if sooner_than_half(took, timed.rtt):
        return [about(FASTER, reset, measured)]
    if timed.rtt_from_data.any() and took < min(SOONER * rtt, rtt - SOONER_MARGIN):
        return [about(SOONER_THAN_PATH, reset, measured)]
    return []


def sooner_than_half(took: int, rtts: np.ndarray) -> bool:
    """Whether it came sooner than half the least round trip; not where none is known."""
    rtt = int(rtts.min()) if len(rtts) else 0
    return took < HALF * rtt and rtt - took > HALF_MARGIN


def distance(reset: SimpleNamespace, at_server: Table) -> list[Finding]:
    """Whether it came from farther or nearer than all that the server sent."""
    plain = at_server[at_server.ordinary > 0]
    greeted = at_server[at_server.ttl_synack >= 0]
    distances = [*plain.ttl_low.tolist(), *plain.ttl_high.tolist(), *greeted.ttl_synack.tolist()]
    if not distances or min(abs(reset.ttl - ttl) for ttl in distances) < TTL_APART:
        return []
    steady = plain.ordinary.sum() >= SAMPLES and plain.ttl_high.max() - plain.ttl_low.min() <= TTL_SPREAD
    if not steady:  # before the server has said anything, its SYN/ACKs must do, and then the reset must be early too
        timed = greeted.rtt[greeted.rtt >= 0]
        early = reset.covers and len(timed) and reset.ts - reset.asked < SOONER * timed.min()
        if len(plain) or len(greeted) < SAMPLES or len(set(greeted.ttl_synack.tolist())) > 1 or not early:
            return []
    frames = [*plain.frame[:1].tolist(), *greeted.frame_synack[:1].tolist()]
    found = about(TTL_DIFFERS, reset, {"reset_ttl": reset.ttl, "server_ttls": sorted(set(distances))[:SHOWN]})
    return [_beside(found, [frame for frame in frames if frame >= 0])]


def distance_of_client(race: Race) -> list[Finding]:
    """Away from the client: whether the client's reset came from farther or nearer than its packets of that connection."""
    reset = race.reset
    usual = race.usual
    if not reset.up or not usual or max(usual) - min(usual) > TTL_SPREAD or max(reset.pause, reset.idle) >= RESTED:
        return []
    if min(abs(reset.ttl - ttl) for ttl in usual) < TTL_APART:
        return []
    found = about(TTL_DIFFERS, reset, {"reset_ttl": reset.ttl, "client_ttls": sorted(usual)})
    return [_beside(found, [race.before[0].frame])]


def _beside(found: Finding, ordinary: list[int]) -> Finding:
    """A finding with the frames of ordinary packets that it was held to."""
    return replace(found, witnesses=(*found.witnesses, *(Witness(frame, "baseline") for frame in ordinary)))
