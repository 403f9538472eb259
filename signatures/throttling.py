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
    sender repeats one packet until it passes, nothing seems lost. QUIC and other UDP are controls here and not fitted:
    their packets carry no sequence numbers to see losses by. Packets that the capture itself lost, and losses after the
    last packet seen, are invisible.

References
    Flach et al., "An Internet-Wide Analysis of Traffic Policing", SIGCOMM 2016, doi 10.1145/2934872.2934873
    Xue et al., "Throttling Twitter", IMC 2021, doi 10.1145/3487552.3487858
    Kakhki et al., "Identifying Traffic Differentiation in Mobile Networks", IMC 2015, doi 10.1145/2815675.2815691
    RFC 2697 (single-rate meter: the token bucket), RFC 3522 (Eifel), RFC 6298
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from types import SimpleNamespace
from typing import Any

import numpy as np

from analyzer.exact import rank_sum
from analyzer.limiter import attribution, segments
from analyzer.limiter.attribution import APART, SHARED, Held, Judged, Unlucky
from analyzer.limiter.leg import Leg, leg
from analyzer.limiter.units import BULK, SECONDS, Side, sides
from analyzer.signature import Finding, Finished, Knowledge, Method, Rule, Seen, Wants, Witness
from analyzer.tables import Cut, Kind, Table

METHOD = "throttling"

TCP = 6
COMPARED = 12  # flows a side in the exact test: the work grows with their product, the p-value hardly falls further
LOCAL = tuple(
    map(
        ip_network,
        (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "169.254.0.0/16",
            "127.0.0.0/8",
            "fc00::/7",
            "fe80::/10",
            "::1/128",
        ),
    )
)  # RFC 1918, 3927, 4193, 4291
NAMED = 8  # flows named in a subject, frames in a proof


def _rule(name, leans, strength, family, says, blind, source, action=None) -> Rule:
    return Rule(f"throttle.{name}", leans, strength, family, says, blind, source, action)


POLICER_BUCKET = _rule(
    "policer_bucket", "interference", "strong", "volume",
    "Packets were dropped whenever a token bucket of one rate was empty and never waited: a policer.",
    "Says that there is a rate limit, not whose: a plan's limit at either end looks the same without controls.",
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
RULES = (POLICER_BUCKET, SEGMENT_TEST, SHAPER_QUEUE, QUEUE_NOT_SHARED, RANDOM_LOSS, MORE_LOSS, SLOWER, SHARED_BY_ALL)


def _bulky(flows: Table) -> np.ndarray:
    """Flows that can be fitted, with headers that are the network's own."""
    bulky = (flows.new_up >= BULK) | (flows.new_down >= BULK)
    honest = flows.cut & (Cut.PROXIED | Cut.ONE_DIRECTION) == 0
    return bulky & honest & (flows.proto == TCP) & (flows.end - flows.start >= SECONDS * 1e9)


WANTS = Wants(_bulky, series=True)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """Limiters that single flows show."""
    findings = []
    for i, flow in enumerate(done.flows.rows()):
        for up in (False, True):
            if (flow.new_up if up else flow.new_down) >= BULK:
                one = leg(done.series(i), up, ":" in flow.server)
                findings += _alone(flow, one, up, _resends(done.rows(i), up))
    return findings


def _alone(flow: SimpleNamespace, one: Leg, up: bool, witnesses: list[Witness]) -> list[Finding]:
    subject, flows, findings = f"flow {flow.flow}", (flow.flow,), []
    held = attribution.limited(one, (0,), attribution.seed_of(flow))
    if held is not None:
        rule = POLICER_BUCKET if held.bucket is not None else SHAPER_QUEUE
        findings.append(_finding(rule, subject, flows, one, _measured(held, up), witnesses))
    found = segments.confirmed(one)
    if found:
        measured = {
            "rate_kbps": _kbps(float(np.median([bucket.rate for _, bucket in found]))), "segments_policed": len(found),
            "direction": _word(up),
        }  # fmt: skip
        findings.append(_finding(SEGMENT_TEST, subject, flows, one, measured, witnesses))
    return findings


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Limiters that a service's flows share, and whose they are."""
    findings: list[Finding] = []
    foreign: np.ndarray | None = None
    for side in sides(seen):
        held = attribution.limits(side)
        foreign = _foreign(seen, known) if foreign is None else foreign
        for judged in attribution.judge(side, held, foreign):
            findings += _about(side, judged)
        for unlucky in attribution.unlucky(side, held, foreign):
            findings += _loses(side, unlucky)
    return findings


def _about(side: Side, judged: Judged) -> list[Finding]:
    held, a = judged.held, side.attempts
    flows = tuple(a.flow[list(held.flows)].tolist())
    subject = _subject(flows, side.up)
    measured = _measured(held, side.up)
    findings = []
    if len(flows) > 1 and held.bucket is not None:
        findings.append(_finding(POLICER_BUCKET, subject, flows, held.leg, measured, ()))
    if judged.says == SHARED and held.bucket is not None:
        findings.append(_finding(SHARED_BY_ALL, subject, flows, held.leg, measured | _compared(side, judged), ()))
    if judged.says == APART:
        measured |= _compared(side, judged)
        witnesses = [Witness(frame, "baseline") for frame in side.seen.attempts.frame[judged.faster][:NAMED].tolist()]
        method = Method(held.limit.action, *_trigger(side, judged))
        if held.bucket is None:
            findings.append(_finding(QUEUE_NOT_SHARED, subject, flows, held.leg, measured, witnesses))
        findings.append(_finding(SLOWER, subject, flows, held.leg, measured, witnesses, method))
    return findings


def _loses(side: Side, unlucky: Unlucky) -> list[Finding]:
    flows = tuple(side.attempts.flow[list(unlucky.flows)].tolist())
    bad, tried, others_bad, others_tried = unlucky.counts
    measured = {
        "loss_share": round(unlucky.share, 4), "p": float(f"{unlucky.p:.3g}"), "bad_s": bad, "tried_s": tried,
        "controls_bad_s": others_bad, "controls_tried_s": others_tried, "controls": len(unlucky.controls),
        "direction": _word(side.up),
    }  # fmt: skip
    witnesses = [Witness(frame, "baseline") for frame in side.attempts.frame[unlucky.controls][:NAMED].tolist()]
    subject, ts = _subject(flows, side.up), round(unlucky.first * 1e9)
    method = Method("random_loss", position="in_path")
    return [
        Finding(RANDOM_LOSS, subject, flows, ts, measured, (), method),
        Finding(MORE_LOSS, subject, flows, ts, measured, tuple(witnesses), method),
    ]


def _subject(flows: tuple[int, ...], up: bool) -> str:
    return f"flows {' '.join(map(str, flows[:NAMED]))} {_word(up)}"


def _finding(
    rule: Rule, subject: str, flows, one: Leg, measured: dict, witnesses, method: Method | None = None
) -> Finding:
    """The time is that of the first loss or wait: when the limit was first run into."""
    lost = one.offered.t[one.offered.lost]
    onset = lost[0] if len(lost) else one.offered.t[0]
    if method is None and rule.action:
        method = Method(rule.action, "none_seen", "in_path")
    return Finding(rule, subject, flows, round((one.origin + float(onset)) * 1e9), measured, tuple(witnesses), method)


def _measured(held: Held, up: bool) -> dict[str, Any]:
    limit, found = held.limit, held.bucket
    measured: dict[str, Any] = {"rate_kbps": _kbps(limit.rate), "direction": _word(up), "rtt_ms": _ms(held.leg.rtt)}
    if found is None:
        wait = float(np.quantile(held.leg.waits, 0.25))
        return measured | {"queue_ms": _ms(wait), "queue_bytes": round(limit.rate * wait)}
    first = held.leg.offered.t[held.leg.offered.lost][0]
    return measured | {
        "rate_low_kbps": _kbps(found.rate_low),
        "rate_high_kbps": _kbps(found.rate_high),
        "bucket_bytes": round(found.depth),
        "at_least": found.depth < found.rate * held.leg.rtt,  # TCP cannot use up a bucket smaller than its window
        "losses": found.losses,
        "loss_epochs": found.epochs,
        "loss_share": round(found.loss_share, 4),
        "slope_spread_share": round(found.spread, 4),
        "auc": round(found.auc, 3),
        "first_loss_s": round(float(first), 3),
    }


def _compared(side: Side, judged: Judged) -> dict[str, Any]:
    """How the others fared, with the chance that flows picked blindly differ as much."""
    own = attribution.rates(side.attempts[np.array(judged.held.flows)], side.up)
    theirs = attribution.rates(side.seen.attempts[judged.controls], side.up)
    slow, fast = (np.sort(size / seconds)[::-1][:COMPARED] for size, seconds in (own, theirs))
    compared: dict[str, Any] = {"controls": len(judged.controls), "controls_faster": len(judged.faster)}
    if len(fast):
        compared |= {
            "controls_kbps": _kbps(float(np.median(fast))),
            "p": float(f"{rank_sum(slow.tolist(), fast.tolist()):.3g}"),
        }
    if np.isfinite(judged.comparison.slope):
        compared["taken_by_controls_share"] = round(judged.comparison.slope, 3)
    return compared


def _trigger(side: Side, judged: Judged) -> tuple[str, str, str | None]:
    """The name is what was recognised where another name at the same address passed."""
    a, text = side.seen.attempts, side.seen.text
    mine, fast = side.attempts[np.array(judged.held.flows)], a[judged.faster]
    names = np.unique(mine.name)
    here = np.isin(fast.server, mine.server) & np.isin(fast.port, mine.port) & (fast.name >= 0)
    if len(names) != 1 or names[0] < 0 or not (here & (fast.name != names[0])).any():
        return "none_seen", "in_path", None
    word = {"http": "http_host"}.get(text(mine.protocol[0]) or "", "sni")
    return word, "in_path", text(names[0])


def _foreign(seen: Seen, known: Knowledge) -> np.ndarray:
    """Attempts that may be controls: not with a domestic service, whose way is another, nor inside the local network."""
    a = seen.attempts
    numbers, where = np.unique(a.service, return_inverse=True)
    domestic = np.array([known.is_domestic(seen.text(number)) for number in numbers.tolist()], bool)[where.reshape(-1)]
    servers, where = np.unique(a.server, return_inverse=True)
    local = np.array([_local(seen.text(number)) for number in servers.tolist()], bool)[where.reshape(-1)]
    return ~domestic & ~local


def _local(address: str | None) -> bool:
    return address is not None and any(
        ip_address(address) in net for net in LOCAL if net.version == ip_address(address).version
    )


def _resends(rows: Table, up: bool) -> list[Witness]:
    """Frames of the first resends: what was dropped before them."""
    resent = (rows.up == up) & ((rows.kind == Kind.RESENT) | (rows.kind == Kind.SPURIOUS))
    return [Witness(frame, "missing_after") for frame in rows.frame[resent][:NAMED].tolist()]


def _kbps(rate: float) -> float:
    return round(rate * 8 / 1e3, 1)


def _ms(seconds: float) -> float:
    return round(1e3 * seconds, 1)


def _word(up: bool) -> str:
    return "up" if up else "down"
