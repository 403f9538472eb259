"""Throttling: a service's packets are dropped (policing) or held back (shaping) above some rate, so that it crawls.

On the wire
    A *policer* is a token bucket: bursts pass until it is empty, then what exceeds the rate is dropped. Between any two
    drops the bytes that passed are rate times time, nothing waits, and bursts leave as bursts. A *shaper* is a queue
    that drains at the rate: round trips grow by the queue and packets leave evenly. Russia's limit on Twitter in 2021
    was policing at 130 to 150 kbit/s on the name in the ClientHello (Xue et al.).

Mechanism and attribution are two questions. One flow, or a service's flows together, can prove a token bucket; that it
was meant for the service is shown only by what other flows of the same client reached in the same minutes. A limit that
all share is the access line's or the plan's.

What it cannot see
    A shaper is told from an ordinary bottleneck by controls alone, and so is a policer from a plan's limit, the
    server's or the client's. Flows that never asked for more than they got show no limit. Near a slow receiver, where a
    sender repeats one packet until it passes, nothing seems lost. QUIC shows no sequence numbers: it is judged near the
    receiver only, and only beside faster controls. That acknowledgments are missing at a server shows nobody's doing by
    itself: modems thin them out. Packets that the capture itself lost, and losses after the last
    packet seen, are invisible, and so is a constant delay: a far server is as slow.

References
    Flach et al., "An Internet-Wide Analysis of Traffic Policing", SIGCOMM 2016, doi 10.1145/2934872.2934873
    Xue et al., "Throttling Twitter", IMC 2021, doi 10.1145/3487552.3487858
    Kakhki et al., "Identifying Traffic Differentiation in Mobile Networks", IMC 2015, doi 10.1145/2815675.2815691
    RFC 2697 (single-rate meter: the token bucket), RFC 3522 (Eifel), RFC 6298
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from analyzer.limiter import attribution, crawl, hosts, segments
from analyzer.limiter.acks import ALIKE, missing_acks
from analyzer.limiter.attribution import APART, SHARED, Judged, Unlucky
from analyzer.limiter.bucket import Bucket
from analyzer.limiter.crawl import Crawling
from analyzer.limiter.datagrams import Envelope
from analyzer.limiter.leg import Leg, leg
from analyzer.limiter.mechanism import fits
from analyzer.limiter.numbers import kbps, measured_of, word
from analyzer.limiter.resends import resent
from analyzer.limiter.units import BULK, PART, SECONDS, Side, foreign, seed_of, sides
from analyzer.signature import Finding, Finished, Knowledge, Method, Rule, Seen, Wants, Witness
from analyzer.tables import Cut, Table, Vantage

METHOD = "throttling"

TCP = 6
ONLY_ASKS = 0.1  # of the server's bytes: a client that sends no more than that mostly acknowledges
NAMED = 8  # flows named in a subject, frames in a proof


def _rule(name, leans, strength, family, says, blind, source, action=None) -> Rule:
    return Rule(f"throttle.{name}", leans, strength, family, says, blind, source, action)


POLICER_BUCKET = _rule(
    "policer_bucket", "interference", "strong", "volume",
    "Packets were dropped whenever a token bucket of one rate was empty and never waited: a policer.",
    "Whose limit it is: a plan's at either end looks the same. Of one that begins late, the bucket holds all that passed before.",
    "Flach et al., SIGCOMM 2016; RFC 2697",
    "police",
)  # fmt: skip
SEGMENT_TEST = _rule(
    "segment_test", "interference", "strong", "volume",
    "The published policing test calls at least one response of this flow policed, and its losses fell on an empty bucket.",
    "Needs a capture on the sender's side; misses several flows behind one policer (12 % found).",
    "Flach et al., SIGCOMM 2016, section 3",
    "police",
)  # fmt: skip
SHAPER_QUEUE = _rule(
    "shaper_queue", "neutral", "supporting", "timing",
    "Packets waited in a queue that drained at one rate.",
    "Every bottleneck is such a queue, the home router's first of all; only faster controls make it a shaper.",
    "RFC 2475 (shapers); Cardwell et al., BBR, ACM Queue 2016 (the bottleneck's queue)",
    "shape",
)  # fmt: skip
QUEUE_NOT_SHARED = _rule(
    "queue_not_shared", "interference", "strong", "volume",
    "Packets waited in a queue that drained at one rate, also while nobody else used the line, and the line passes more.",
    "A bottleneck near the server, or on the way to it alone, is such a queue too.",
    "RFC 2475 (shapers); conservation of bytes through one queue",
    "shape",
)  # fmt: skip
RANDOM_LOSS = _rule(
    "random_loss", "interference", "supporting", "volume",
    "At least one packet in thirty of these flows is lost by no rule that shows: no bucket, no queue.",
    "A bad link to this server or its network does the same.",
    "RFC 5681; Xue et al., IMC 2021, on telling loss from policing",
    "random_loss",
)  # fmt: skip
MORE_LOSS = _rule(
    "more_loss_than_controls", "interference", "strong", "control",
    "Others as far away lost nothing, or almost nothing, in the same seconds.",
    "A bad link to this server or its network.",
    "Fisher's exact test over seconds with and without a loss",
)  # fmt: skip
DATAGRAM_BUCKET = _rule(
    "datagram_bucket", "interference", "supporting", "volume",
    "After a first burst this QUIC flow kept to one rate, and its acknowledgments grew as they do when packets are missing.",
    "An application that paces itself over a bad link to its server; needs a capture on the receiver's side.",
    "RFC 2697 (the token bucket); RFC 9000 section 19.3 (ranges of an ACK frame)",
    "police",
)  # fmt: skip
ACKS_MISSING = _rule(
    "acks_missing", "interference", "supporting", "volume",
    "Of the packets that this client numbered, at least three in ten never came, and of the server's far fewer were lost.",
    "A bad uplink, a modem that thins acknowledgments out, a client that numbers all its connections together.",
    "net4people/bbs 382 (YouTube in Russia, 2024); RFC 6864 (the identification field), RFC 3449 (thinned acknowledgments)",
    "ack_drop",
)  # fmt: skip
ACKS_UNHEARD = _rule(
    "acks_unheard", "interference", "supporting", "volume",
    "The server sends again what this client acknowledged long before: at least one in four acknowledgments never came.",
    "A bad uplink of the client; seen at the client only.",
    "net4people/bbs 382 (YouTube in Russia, 2024); RFC 6298 (when data are sent again)",
    "ack_drop",
)  # fmt: skip
CRAWLS = _rule(
    "crawls", "interference", "supporting", "volume",
    "Each transfer comes at a few hundred bytes a second and loses at least one packet in five.",
    "A very bad link to this server or its network.",
    "Xue et al., IMC 2022, SNI-III",
    "police",
)  # fmt: skip
SLOWER = _rule(
    "slower_than_controls", "interference", "strong", "control",
    "Other flows of the same client passed more than twice this limit in the same minutes and took nothing from it.",
    "Limits near the server, unless a control has the same address.",
    "Conservation of bytes through one limiter; Wilcoxon's rank-sum test, exact",
)  # fmt: skip
SHARED_BY_ALL = _rule(
    "shared_by_all", "genuine", "strong", "control",
    "Other flows of the same client run into the same limit: it is the access line's or the plan's.",
    "Several services that are slowed to one rate.",
    "Conservation of bytes through one limiter",
)  # fmt: skip
RULES = (
    POLICER_BUCKET, SEGMENT_TEST, SHAPER_QUEUE, QUEUE_NOT_SHARED, DATAGRAM_BUCKET, RANDOM_LOSS, MORE_LOSS, ACKS_MISSING,
    ACKS_UNHEARD, CRAWLS, SLOWER, SHARED_BY_ALL,
)  # fmt: skip


def _bulky(flows: Table) -> np.ndarray:
    """Flows that can be fitted, with headers that are the network's own."""
    bulky = (flows.new_up >= BULK) | (flows.new_down >= np.where(flows.vantage == Vantage.SERVER, PART, BULK))
    honest = flows.cut & (Cut.PROXIED | Cut.ONE_DIRECTION) == 0
    return bulky & honest & (flows.proto == TCP) & (flows.end - flows.start >= SECONDS * 1e9)


WANTS = Wants(_bulky, series=True)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """Limiters that single flows show."""
    findings = []
    for i, flow in enumerate(done.flows.rows()):
        series = done.series(i)
        for up in (False, True):
            if (flow.new_up if up else flow.new_down) >= BULK:
                one = leg(series, up, ":" in flow.server)
                findings += _alone(flow, one, up, _resends(done.rows(i), up))
        if flow.vantage == Vantage.SERVER and flow.new_up < ONLY_ASKS * flow.new_down:
            findings += _unheard(flow, done.rows(i))
    return findings


def _unheard(flow: SimpleNamespace, rows: Table) -> list[Finding]:
    """Acknowledgments that were lost, and of the data far less."""
    found = missing_acks(rows, flow.packets_up - flow.rsts_up)
    if found is None or flow.resent_down > ALIKE * found.lost / found.sent * flow.packets_down:
        return []
    measured = {"sent": found.sent, "missing": found.lost, "missing_share": round(found.lost / found.sent, 3)}
    witnesses = [Witness(frame, "missing_after") for frame in found.frames[:NAMED]]
    return [_finding(ACKS_MISSING, f"flow {flow.flow}", (flow.flow,), flow.start / 1e9, measured, witnesses)]


def _alone(flow: SimpleNamespace, one: Leg, up: bool, witnesses: list[Witness]) -> list[Finding]:
    subject, flows, findings = f"flow {flow.flow}", (flow.flow,), []
    held = attribution.limited(one, (0,), seed_of(flow.client, flow.client_port, flow.server, flow.start))
    if held is not None:
        rule = POLICER_BUCKET if held.polices else SHAPER_QUEUE
        measured = measured_of(held, up, flow.start)
        findings.append(_finding(rule, subject, flows, held.first, measured, witnesses))
    found = segments.confirmed(one)
    if found:
        rate, low, high, depth = (
            float(np.median([getattr(bucket, what) for _, bucket in found]))
            for what in ("rate", "rate_low", "rate_high", "depth")
        )
        measured = {
            "rate_kbps": kbps(rate), "rate_low_kbps": kbps(low), "rate_high_kbps": kbps(high),
            "bucket_bytes": round(depth), "at_least": depth < rate * one.rtt,
            "segments_policed": len(found), "direction": word(up), "onset_s": round(found[0][0].first, 3),
        }  # fmt: skip
        first = one.origin + found[0][0].first
        findings.append(_finding(SEGMENT_TEST, subject, flows, first, measured, witnesses))
    return findings


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Limiters that a service's flows share, and whose they are."""
    findings: list[Finding] = []
    controls = foreign(seen, known)
    told: set[int] = set()  # rows whose slowness is explained already
    for side in sides(seen):
        for unlucky in attribution.unheard(side, controls):
            findings += _loses(side, unlucky, ACKS_UNHEARD)
            told.update(side.rows[list(unlucky.flows)].tolist())
    for up in (False, True):
        for crawling in crawl.crawling(seen, controls, up):
            if told.isdisjoint(crawling.rows.tolist()):
                findings += _crawls(seen, crawling, up)
                told.update(crawling.rows.tolist())
    for side in sides(seen):
        held = attribution.limits(side)
        for judged in attribution.judge(side, held, controls):
            findings += _about(side, judged)
        for unlucky in attribution.unlucky(side, held, controls):
            if told.isdisjoint(side.rows[list(unlucky.flows)].tolist()):
                findings += _loses(side, unlucky, RANDOM_LOSS)
    for shared in hosts.between(seen):
        flows, start = tuple(seen.attempts.flow[shared.rows].tolist()), int(seen.attempts.start[shared.rows[0]])
        measured = measured_of(shared.held, shared.up, start)
        witnesses = _resent(seen, flows, shared.up)
        findings.append(
            _finding(POLICER_BUCKET, _subject(flows, shared.up), flows, shared.held.first, measured, witnesses)
        )
    return findings


def _about(side: Side, judged: Judged) -> list[Finding]:
    held, a = judged.held, side.attempts
    flows = tuple(a.flow[list(held.flows)].tolist())
    subject, measured = _subject(flows, side.up), measured_of(held, side.up, int(a.start[held.flows[0]]))
    findings = []
    if isinstance(held.seen, Bucket) and (len(flows) > 1 or not fits(held.seen)):  # the others `detect` has named
        witnesses = _resent(side.seen, flows, side.up)
        findings.append(_finding(POLICER_BUCKET, subject, flows, held.first, measured, witnesses))
    if judged.says == SHARED and held.polices:
        measured |= attribution.compared(side, judged)
        findings.append(_finding(SHARED_BY_ALL, subject, flows, held.first, measured))
    if judged.says == APART:
        measured |= attribution.compared(side, judged)
        witnesses = [Witness(frame, "baseline") for frame in side.seen.attempts.frame[judged.faster][:NAMED].tolist()]
        trigger, detail = attribution.trigger(side, judged)
        if isinstance(held.seen, Envelope):
            findings.append(_finding(DATAGRAM_BUCKET, subject, flows, held.first, measured))
        elif not held.polices:
            findings.append(_finding(QUEUE_NOT_SHARED, subject, flows, held.first, measured, witnesses))
        method = Method(held.limit.action, trigger, "in_path", detail)
        findings.append(_finding(SLOWER, subject, flows, held.first, measured, witnesses, method))
    return findings


def _loses(side: Side, unlucky: Unlucky, rule: Rule) -> list[Finding]:
    flows = tuple(side.attempts.flow[list(unlucky.flows)].tolist())
    bad, tried, others_bad, others_tried = unlucky.counts
    measured = {
        "loss_share": round(unlucky.share, 4), "p": float(f"{unlucky.p:.3g}"), "bad_s": bad, "tried_s": tried,
        "controls_bad_s": others_bad, "controls_tried_s": others_tried, "controls": len(unlucky.controls),
        "direction": word(side.up), "onset_s": round(unlucky.first - int(side.attempts.start[unlucky.flows[0]]) / 1e9, 3),
    }  # fmt: skip
    witnesses = [Witness(frame, "baseline") for frame in side.attempts.frame[unlucky.controls][:NAMED].tolist()]
    again = _resent(side.seen, flows, side.up) if rule is RANDOM_LOSS else []  # of the others, acknowledgments are lost
    subject, method = _subject(flows, side.up), Method(rule.action or "random_loss", position="in_path")
    return [
        _finding(rule, subject, flows, unlucky.first, measured, again),
        _finding(MORE_LOSS, subject, flows, unlucky.first, measured, witnesses, method),
    ]


def _crawls(seen: Seen, crawling: Crawling, up: bool) -> list[Finding]:
    mine, others = seen.attempts[crawling.rows], seen.attempts[crawling.controls]
    flows = tuple(mine.flow.tolist())
    measured = {
        "payload_kbps": round(crawling.rate * 8 / 1e3, 2), "p": float(f"{crawling.p:.3g}"), "flows": len(flows),
        "controls": len(others), "direction": word(up),
    }  # fmt: skip
    method = Method("police" if crawling.alike else "random_loss", position="in_path")
    witnesses = [Witness(frame, "baseline") for frame in others.frame[:NAMED].tolist()]
    subject, first = _subject(flows, up), float(mine.start.min()) / 1e9
    return [
        _finding(CRAWLS, subject, flows, first, measured, _resent(seen, flows, up), method),
        _finding(SLOWER, subject, flows, first, measured, witnesses, method),
    ]


def _finding(
    rule: Rule,
    subject: str,
    flows: tuple[int, ...],
    first: float,
    measured: dict[str, Any],
    witnesses: Sequence[Witness] = (),
    method: Method | None = None,
) -> Finding:
    """Its time is when the limit was first run into, which is what a reader looks for."""
    if method is None and rule.action:
        method = Method(rule.action, position="in_path")
    return Finding(rule, subject, flows, round(first * 1e9), measured, tuple(witnesses), method)


def _resends(rows: Table, up: bool) -> list[Witness]:
    """The first segments that were sent again, because the copies before them were dropped."""
    return [Witness(frame, "resent") for frame in resent(rows, up)]


def _resent(seen: Seen, flows: Sequence[int], up: bool) -> list[Witness]:
    """The same of several flows: the first of them all."""
    frames = sorted(frame for flow in flows for frame in seen.resent(flow, up))
    return [Witness(frame, "resent") for frame in frames[:NAMED]]


def _subject(flows: tuple[int, ...], up: bool) -> str:
    return f"flows {' '.join(map(str, flows[:NAMED]))} {word(up)}"
