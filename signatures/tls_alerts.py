"""Forged TLS alerts: a handshake ended by seven bytes in clear that the server did not write.

**How it shows.** The alert acknowledges the hello sooner than that server can answer; or the server's own ServerHello
still arrives for the same place in the stream, and no server says both. A genuine refusal takes a round trip and comes
from the same distance as everything else of that server.

**What it cannot see.** Alerts after the keys are made, which are encrypted; a machine in the path near the server that
drops the real answer. A proxy that greets in the server's name answers sooner too, so without a round trip of data
that this server itself acknowledged the timing is no proof. Alerts without timestamps are judged in forged_data.

**References.** RFC 8446 §6, RFC 5246 §7.2, RFC 6066 §3 (112 for unknown names); speed of the path as in rst_injection;
Bock et al., FOCI 2020, on Iran's protocol filter.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from analyzer.controls import groups_of
from analyzer.signature import Finding, Finished, Knowledge, Method, Rule, Seen, Wants, Witness
from analyzer.tables import TCP_SYN, Cut, Stage, Table, Vantage

METHOD = "tls_alerts"

MS = 1_000_000
HALF, HALF_MARGIN = 0.5, 5 * MS  # no detour halves the path and saves 5 ms as well
SOONER, SOONER_MARGIN = 0.8, 3 * MS  # the least of few samples may be a fifth too long
SAMPLES = 2  # of round trips, one of them of data
SAME_PACKET = (
    MS  # the alert is what acknowledged the hello: not sent before it was read, nor by a proxy that had read it
)
ANSWERED_TOO_WITHIN = 5000 * MS  # later, it is another conversation on the same ports
LATER = 0.25  # of the round trip: the real answer comes after the forged one, or the two are one flight of the server

_ALERT, _HANDSHAKE = b"\x15\x03", b"\x16\x03"
_FATAL = b"\x00\x02\x02"  # length two, level fatal (RFC 8446 §6)


def _rule(
    name: str, strength: str, family: str, says: str, blind: str, source: str, leans: str = "interference"
) -> Rule:
    return Rule(
        f"alert.{name}", leans, strength, family, says, blind, source, "tls_alert" if leans == "interference" else None
    )


ANSWERED_TOO = _rule(
    "answered_too", "conclusive", "order",
    "After the alert that ends the handshake the server's own ServerHello arrived for the same place in the stream.",
    "Injectors that drop the answer.",
    "RFC 8446 §6: after a fatal alert nothing follows",
)  # fmt: skip
TOO_FAST = _rule(
    "too_fast", "conclusive", "timing",
    "The alert answers the hello in less than half the shortest time to that server and back.",
    "Machines near the server; paths of a few milliseconds; proxies that greet in the server's name.",
    "Speed of the path, as rst.faster_than_path",
)  # fmt: skip
SOONER_THAN_PATH = _rule(
    "sooner_than_path", "strong", "timing",
    "The alert answers the hello sooner than that server was ever able to answer.",
    "Machines in the last fifth of the path; proxies that greet in the server's name.",
    "Speed of the path, as rst.sooner_than_path",
)  # fmt: skip
FROM_SERVER = _rule(
    "from_server", "supporting", "none",
    "The alert took a full round trip and came from the server's own distance: the server refused by itself.",
    "A forger near the server, or one that waits.",
    "RFC 6066 §3: servers reject names they do not know",
    leans="genuine",
)  # fmt: skip
RULES = (ANSWERED_TOO, TOO_FAST, SOONER_THAN_PATH, FROM_SERVER)


_NOT_WHOLE = Cut.MIDWAY | Cut.ONE_DIRECTION | Cut.PROXIED


def _alerted(flows: Table) -> np.ndarray:
    judged = (flows.proto == 6) & (flows.cut & _NOT_WHOLE == 0) & (flows.synacks > 0) & (flows.new_down > 0)
    judged &= (flows.protocol == "tls") & (flows.vantage != Vantage.SERVER)
    at = np.flatnonzero(judged)
    judged[at] = [str(answer).startswith("alert ") for answer in flows.answer[at].tolist()]
    return judged


WANTS = Wants(_alerted, packets=True, heads=True)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """Alerts that the server contradicts, and alerts that look like its own."""
    found = []
    for i, flow in enumerate(done.flows.rows()):
        alert, *later = done.segments(i, False)
        if alert.data[:2] != _ALERT or alert.data[3:6] != _FATAL:
            continue
        guard = int(LATER * max(flow.syn_rtt, 0))
        denied = [p for p in later if p.seq == alert.seq and p.data[:2] == _HANDSHAKE]
        denied = [p for p in denied if guard < p.ts - alert.ts <= ANSWERED_TOO_WITHIN]
        if denied:
            witnesses = (Witness(alert.frame, "forged"), Witness(denied[0].frame, "contradicts"))
            measured = {"after_ms": _ms(denied[0].ts - alert.ts)}
            found.append(_found(ANSWERED_TOO, flow, denied[0].ts, measured, witnesses, "on_path"))
        else:
            found += _own(flow, done.rows(i), alert.frame)
    return found


def _own(flow: SimpleNamespace, packets: Table, frame: int) -> list[Finding]:
    """An alert after a full round trip, from where the SYN/ACK came from."""
    own = [p for p in packets.rows() if p.icmp < 0 and p.tcp_flags >= 0]
    greeting = next((p for p in own if not p.up and p.tcp_flags & TCP_SYN), None)
    alert = next((p for p in own if p.frame == frame), None)
    if greeting is None or alert is None or flow.syn_rtt < 0:
        return []
    took = alert.ts - flow.first_up_data
    alike = greeting.ttl == alert.ttl and (greeting.tsval < 0) == (alert.tsval < 0)
    if not alike or took < SOONER * flow.syn_rtt:
        return []
    measured = {"alert_after_ms": _ms(took), "syn_rtt_ms": _ms(flow.syn_rtt), "ttl": alert.ttl}
    witnesses = (Witness(alert.frame, "baseline"), Witness(greeting.frame, "baseline"))
    return [_found(FROM_SERVER, flow, alert.ts, measured, witnesses)]


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Alerts held to how soon their address can answer."""
    a = seen.attempts
    a = a[(a.proto == 6) & (a.stage == Stage.ANSWERED) & (a.first_up_data >= 0) & (a.synacks > 0) & (a.resent_up == 0)]
    a = a[(a.vantage != Vantage.SERVER) & (a.cut & _NOT_WHOLE == 0)]
    said = {number: seen.text(number) or "" for number in np.unique(a.answer).tolist()}
    clear = [number for number, word in said.items() if word.startswith("alert ") and word != "alert encrypted"]
    a = a[np.isin(a.answer, clear)]
    endpoints = seen.endpoints[np.isin(seen.endpoints.server, a.server) & ~np.isin(seen.endpoints.flow, a.flow)]
    found = []
    for rows in groups_of(a, np.ones(len(a), bool), "server"):
        alerted = a[rows]
        there = endpoints[(endpoints.server == alerted.server[0]) & (endpoints.rtt >= 0)]
        own = alerted.syn_rtt[alerted.syn_rtt >= 0]  # its ACKs may be the forger's, its SYN/ACK not
        samples = np.concatenate((there.rtt, own))
        if len(samples) >= SAMPLES and there.rtt_from_data.any():
            found += _timed(alerted, int(samples.min()), len(samples))
    return found


def _timed(a: Table, rtt: int, samples: int) -> list[Finding]:
    took = a.first_down_data - a.first_up_data
    covers = (a.data_rtt >= 0) & (np.abs(a.data_rtt - took) <= SAME_PACKET)
    soon = covers & (took < min(SOONER * rtt, rtt - SOONER_MARGIN))
    found = []
    for one, wait in zip(a[soon].rows(), took[soon].tolist(), strict=True):
        rule = TOO_FAST if wait < HALF * rtt and rtt - wait > HALF_MARGIN else SOONER_THAN_PATH
        measured = {"alert_after_ms": _ms(wait), "least_rtt_ms": _ms(rtt), "rtt_samples": samples}
        witnesses = (Witness(one.asked_frame, "trigger"),)
        found.append(_found(rule, one, one.first_down_data, measured, witnesses))
    return found


def _ms(ns: int) -> float:
    return round(ns / MS, 3)


def _found(
    rule: Rule,
    flow: SimpleNamespace,
    ts: int,
    measured: dict,
    witnesses: tuple[Witness, ...],
    position: str = "unknown",
) -> Finding:
    method = Method(rule.action, position=position) if rule.action else None
    return Finding(rule, f"flow {flow.flow}", (flow.flow,), ts, measured, witnesses, method)
