"""Throttling: a service's packets are dropped (policing) or held back (shaping) above some rate, so that it crawls.

On the wire
    A *policer* is a token bucket: bursts pass until it is empty, then what exceeds the rate is dropped. Between any two
    drops the bytes that passed are rate times time, nothing waits, and bursts leave as bursts. A *shaper* is a queue
    that drains at the rate: round trips grow by the queue and packets leave evenly. Russia's limit on Twitter in 2021
    was policing at 130 to 150 kbit/s on the name in the ClientHello (Xue et al.).

Mechanism and attribution are two questions. One flow can prove a token bucket; that it was meant for a service is shown
only by what other flows of the same client reached in the same minutes. A limit that all share is the access line's or
the plan's.

What it cannot see
    A shaper is told from an ordinary bottleneck by controls alone, and so is a policer from a plan's limit, the
    server's or the client's. Flows that never asked for more than they got show no limit. QUIC and other UDP are not
    fitted: their packets carry no sequence numbers to see losses by. Packets that the capture itself lost, and losses
    after the last packet seen, are invisible.

References
    Flach et al., "An Internet-Wide Analysis of Traffic Policing", SIGCOMM 2016, doi 10.1145/2934872.2934873
    Xue et al., "Throttling Twitter", IMC 2021, doi 10.1145/3487552.3487858
    Kakhki et al., "Identifying Traffic Differentiation in Mobile Networks", IMC 2015, doi 10.1145/2815675.2815691
    RFC 2697 (single-rate meter: the token bucket), RFC 3522 (Eifel), RFC 6298
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np

from analyzer.limiter import delay, mechanism, segments
from analyzer.limiter.bucket import Bucket, fit
from analyzer.limiter.leg import Leg, leg
from analyzer.signature import Finding, Finished, Knowledge, Method, Rule, Wants, Witness
from analyzer.tables import Cut, Kind, Table

METHOD = "throttling"

BULK = 100_000  # bytes of payload in one direction: below, no rate can be fitted [lab]
TCP = 6

POLICER_BUCKET = Rule(
    "throttle.policer_bucket",
    leans="interference",
    strength="strong",
    family="volume",
    says="Packets were dropped whenever a token bucket of one rate was empty and never waited: a policer.",
    blind="Says that there is a rate limit, not whose: a plan's limit at either end looks the same without controls.",
    source="Flach et al., SIGCOMM 2016; RFC 2697",
    action="police",
)
SEGMENT_TEST = Rule(
    "throttle.segment_test",
    leans="interference",
    strength="strong",
    family="volume",
    says="The published policing test calls at least one response of this flow policed.",
    blind="Needs a capture on the sender's side; misses several flows behind one policer (12 % found).",
    source="Flach et al., SIGCOMM 2016, section 3",
    action="police",
)
SHAPER_QUEUE = Rule(
    "throttle.shaper_queue",
    leans="neutral",
    strength="supporting",
    family="timing",
    says="Packets waited in a queue that drained at one rate.",
    blind="Every bottleneck is such a queue, the home router's first of all; only faster controls make it a shaper.",
    source="RFC 2475 (shapers); Cardwell et al., BBR, ACM Queue 2016 (the bottleneck's queue)",
    action="shape",
)
RULES = (POLICER_BUCKET, SEGMENT_TEST, SHAPER_QUEUE)


def _limited(flows: Table) -> np.ndarray:
    """Flows bulky enough to be fitted, with headers that are the network's own."""
    bulky = (flows.new_up >= BULK) | (flows.new_down >= BULK)
    return bulky & (flows.proto == TCP) & (flows.cut & (Cut.PROXIED | Cut.ONE_DIRECTION) == 0)


WANTS = Wants(_limited, series=True)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """Limiters that single flows show."""
    findings = []
    for i in range(len(done.flows)):
        flow = done.flows.row(i)
        series = done.series(i)
        for up in (False, True):
            if (flow.new_up if up else flow.new_down) < BULK:
                continue
            one = leg(series, up, ":" in flow.server)
            rows = done.rows(i)
            subject, flows = f"flow {flow.flow}", (flow.flow,)
            seed = crc32(f"{flow.client} {flow.client_port} {flow.server} {flow.server_port} {up}".encode())
            findings += _mechanisms(one, up, subject, flows, seed, _resends(rows, up))
    return findings


def _mechanisms(one: Leg, up: bool, subject: str, flows: tuple[int, ...], seed: int, witnesses) -> list[Finding]:
    findings = []
    found = fit(one.offered, one.rtt, seed)
    direction = "up" if up else "down"
    if found is not None:
        if mechanism.polices(found, one):
            measured = _bucket(found, one) | {"direction": direction}
            findings.append(_finding(POLICER_BUCKET, subject, flows, one, measured, witnesses))
    if one.stream is not None and one.offered.at_sender:
        policed, judged = segments.policed(one.stream, one.offered)
        if policed:
            rates = [segment.rate for segment in policed]
            measured = {
                "rate_kbps": round(float(np.median(rates)) * 8 / 1e3, 1),
                "segments_policed": len(policed),
                "segments_judged": judged,
                "direction": direction,
            }
            findings.append(_finding(SEGMENT_TEST, subject, flows, one, measured, witnesses))
    rate = mechanism.plateau(one.out_t, one.out)
    if rate is not None and delay.queued(one.waits, one.rtt, rate):
        wait = float(np.quantile(one.waits, 0.25))
        measured = {
            "rate_kbps": round(rate * 8 / 1e3, 1),
            "queue_ms": round(1e3 * wait, 1),
            "queue_bytes": round(rate * wait),
            "rtt_ms": round(1e3 * one.rtt, 1),
            "direction": direction,
        }
        findings.append(_finding(SHAPER_QUEUE, subject, flows, one, measured, ()))
    return findings


def _finding(rule: Rule, subject: str, flows: tuple[int, ...], one: Leg, measured: dict, witnesses) -> Finding:
    lost = one.offered.t[one.offered.lost]
    last = lost[-1] if len(lost) else one.offered.t[-1]
    method = Method(rule.action, "none_seen", "in_path") if rule.action else None
    return Finding(rule, subject, flows, round((one.origin + float(last)) * 1e9), measured, tuple(witnesses), method)


def _bucket(found: Bucket, one: Leg) -> dict[str, Any]:
    return {
        "rate_kbps": round(found.rate * 8 / 1e3, 1),
        "rate_low_kbps": round(found.rate_low * 8 / 1e3, 1),
        "rate_high_kbps": round(found.rate_high * 8 / 1e3, 1),
        "bucket_bytes": round(found.depth),
        "losses": found.losses,
        "loss_epochs": found.epochs,
        "loss_share": round(found.loss_share, 4),
        "slope_spread_share": round(found.spread, 4),
        "auc": round(found.auc, 3),
        "rtt_ms": round(1e3 * one.rtt, 1),
        "onset_s": round(float(one.offered.t[one.offered.lost][0]), 3),
    }


def _resends(rows: Table, up: bool) -> list[Witness]:
    """Frames of the first resends: what was dropped before them."""
    resent = (rows.up == up) & ((rows.kind == Kind.RESENT) | (rows.kind == Kind.SPURIOUS))
    return [Witness(frame, "missing_after") for frame in rows.frame[resent][:8].tolist()]
