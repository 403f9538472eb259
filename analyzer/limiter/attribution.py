"""Whose limit it is: the limits that a service's flows run into, held against the other flows of the same client.

Other flows in the same minutes that passed more than the limit allows, without taking anything from it, are not behind
it: then it is not the line's. Flows that take what the limited ones lose, or run into the same rate, are behind it too.
Everything else says nothing: without a control the cause of a limit stays unknown.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from analyzer.exact import rank_sum
from analyzer.limiter import acks, chance, compare, datagrams
from analyzer.limiter.bucket import Bucket, fit
from analyzer.limiter.compare import Comparison, Limit
from analyzer.limiter.datagrams import Envelope
from analyzer.limiter.delay import QUEUE_SECONDS, SAMPLES
from analyzer.limiter.leg import Leg, pool
from analyzer.limiter.mechanism import EPOCHS, alike, nearly, polices, queue_rate, unheld
from analyzer.limiter.units import UDP_PROTOCOL, Side, rates, unit_of
from analyzer.tables import Cut

NEAR = 60_000_000_000  # ns around the limited time in which others tell of the same line
FLOWS = 2  # of a unit, and as many controls, before losses are compared
AS_FAR = 0.5  # of the round trip that a control's must at least be for its losses to be compared
COMPARED = 12  # transfers a side in the exact test: the work grows with their product
CONTROL = 20_000  # bytes of a transfer that is a control: less says nothing of a rate
APART, SHARED, UNKNOWN = "apart", "shared", "unknown"


class Held(NamedTuple):
    """A limit at work on some flows of a side (by their index in it)."""

    limit: Limit
    flows: tuple[int, ...]
    seen: Bucket | Envelope | float  # what shows it; for a queue the 25th percentile of the waits, in seconds
    first: float  # seconds since 1970: first loss, or first packet of a queue
    rtt: float  # seconds

    @property
    def polices(self) -> bool:
        return self.limit.action == "police"


class Unlucky(NamedTuple):
    """Flows of one unit that lose packets by no rule, and far more often than the others."""

    flows: tuple[int, ...]
    share: float  # of their packets lost
    p: float
    counts: tuple[int, int, int, int]  # bad seconds, seconds; and of the controls
    first: float  # seconds since 1970
    controls: np.ndarray  # indices in the side


class Judged(NamedTuple):
    """A limit, and what the others say about it."""

    held: Held
    comparison: Comparison
    faster: np.ndarray  # rows of the attempts table: controls that cannot have passed it
    controls: np.ndarray  # rows: all controls
    says: str  # apart, shared or unknown


def limited(one: Leg, flows: tuple[int, ...], seed: int) -> Held | None:
    """The limit that a leg shows, if it shows one."""
    return _limited(one, flows, fit(one.offered, one.rtt, seed))


def _limited(one: Leg, flows: tuple[int, ...], found: Bucket | None) -> Held | None:
    if found is not None and polices(found, one):
        return _policed(one, flows, found)
    rate = queue_rate(one, found)
    if rate is None:
        return None
    wait = float(np.quantile(one.waits, 0.25))
    return Held(compare.held(one, rate), flows, wait, one.origin + float(one.wait_t[0]), one.rtt)


def _policed(one: Leg, flows: tuple[int, ...], bucket: Bucket) -> Held:
    first = one.origin + float(one.offered.t[one.offered.lost][0])
    return Held(compare.policed(one, bucket), flows, bucket, first, one.rtt)


def limits(side: Side) -> list[Held]:
    """The limits of each unit: its flows' own, or one that they share."""
    held: list[Held] = []
    for unit in np.unique(side.unit[side.fitted]).tolist():
        found = _alone(side, np.flatnonzero(side.fitted & (side.unit == unit)).tolist())
        members = np.flatnonzero(side.tcp & (side.unit == unit) & (side.fitted | (side.lost > 0))).tolist()
        wanting = [i for i in members if _pressed(side.leg(i))]
        if len(wanting) > 1 and len(found) < len(wanting):  # one limit for all of them, of which each sees a part
            together = limited(pool([side.leg(i) for i in wanting]), tuple(wanting), side.seed(wanting[0]))
            found = [together] if together is not None else found
        held += found
    return held + _datagrams(side)


def _alone(side: Side, members: list[int]) -> list[Held]:
    """The limits that single flows show, and those that two of them together make sure of, having one rate."""
    found: dict[int, Held] = {}
    doubtful: dict[int, Bucket] = {}
    for i in members:
        one = side.leg(i)
        bucket = fit(one.offered, one.rtt, side.seed(i))
        held = _limited(one, (i,), bucket)
        if held is not None:
            found[i] = held
        elif bucket is not None and nearly(bucket) and unheld(one, bucket):
            doubtful[i] = bucket
    known = {i: one.limit.rate for i, one in found.items() if one.polices} | {i: b.rate for i, b in doubtful.items()}
    for i, bucket in doubtful.items():
        if any(alike(bucket.rate, rate) for other, rate in known.items() if other != i):
            found[i] = _policed(side.leg(i), (i,), bucket)
    return list(found.values())


def _datagrams(side: Side) -> list[Held]:
    """The limits of single UDP flows."""
    held = []
    for i in np.flatnonzero(side.attempts.proto == UDP_PROTOCOL).tolist():
        found = datagrams.fit(side.seen.series(int(side.attempts.flow[i])), side.up)
        if found is not None:
            held.append(Held(found[1], (i,), found[0], found[0].onset, 0.0))
    return held


def _pressed(one: Leg) -> bool:
    """Whether it lost something or waited."""
    return bool(one.offered.lost.any()) or (len(one.waits) >= SAMPLES and np.quantile(one.waits, 0.25) > QUEUE_SECONDS)


def judge(side: Side, held: list[Held], foreign: np.ndarray) -> list[Judged]:
    """Each limit against the flows of other units.

    Parameters
    ----------
    foreign : bool array over all attempts
        Whether an attempt may serve as control: not domestic, not inside the local network.
    """
    judged = []
    for one in held:
        unit = side.unit[one.flows[0]]
        others = side.unit != unit
        comparison = compare.compare(one.limit, side.passed(others))
        controls = _controls(side, one.limit, unit, foreign)
        faster = controls[_outran(side, one.limit, controls)]
        rivals = [other for other in held if side.unit[other.flows[0]] != unit and other.polices]
        judged.append(Judged(one, comparison, faster, controls, _says(one, comparison, faster, rivals)))
    return judged


def unlucky(side: Side, held: list[Held], foreign: np.ndarray) -> list[Unlucky]:
    """Units with losses of their own, where nothing limits them."""
    limited_units = {int(side.unit[one.flows[0]]) for one in held}
    whole = side.tcp & (side.attempts.cut & Cut.GAP == 0)
    lossy = whole & (side.lost >= EPOCHS) & ~side.stopped
    found = []
    for unit in np.unique(side.unit[lossy]).tolist():
        members = np.flatnonzero(lossy & (side.unit == unit)).tolist()
        if unit in limited_units or len(members) < FLOWS:
            continue
        by_chance = [i for i in members if chance.memoryless(side.leg(i), side.seed(i))]
        controls = _comparable(side, by_chance, unit, foreign)
        if len(by_chance) < FLOWS or len(controls) < FLOWS:
            continue
        legs = [side.leg(i) for i in by_chance]
        theirs = chance.seconds([side.leg(i) for i in controls], chance.PACKETS)
        tested = chance.unlucky(chance.seconds(legs, chance.OWN_PACKETS), theirs)
        share = float(np.concatenate([one.offered.lost for one in legs]).mean())
        if tested is not None and chance.sure(share, tested[0]):
            first = min(one.origin + float(one.offered.t[one.offered.lost][0]) for one in legs)
            found.append(Unlucky(tuple(by_chance), share, *tested, first, np.array(controls)))
    return found


def unheard(side: Side, foreign: np.ndarray) -> list[Unlucky]:
    """Units whose receiver's acknowledgments do not come through, though the data do, and those of others do."""
    found = []
    for unit in np.unique(side.unit[side.tcp & side.again]).tolist():
        told = {i: side.told(i) for i in np.flatnonzero(side.tcp & side.again & (side.unit == unit)).tolist()}
        mine = [i for i, (_, lost) in told.items() if acks.missing(lost, int(side.holes[i]), int(side.packets[i]))]
        controls = _comparable(side, mine, unit, foreign)
        if len(mine) < FLOWS or len(controls) < FLOWS:
            continue
        own = chance.marked([acks.known(*told[i]) for i in mine], 1)
        tested = chance.unlucky(own, chance.marked([side.told(i) for i in controls], chance.OWN_PACKETS))
        lost = np.concatenate([told[i][1] for i in mine])
        if tested is not None and chance.sure(float(lost.mean()), tested[0]):
            first = min(float(when[gone][0]) for when, gone in (told[i] for i in mine))
            found.append(Unlucky(tuple(mine), float(lost.mean()), *tested, first, np.array(controls)))
    return found


def _comparable(side: Side, own: list[int], unit: int, foreign: np.ndarray) -> list[int]:
    """TCP flows of other units whose servers are about as far away: long paths lose more."""
    a = side.attempts
    far = a.syn_rtt[own]
    far = far[far >= 0]
    if not len(far):
        return []
    near = side.tcp & (side.unit != unit) & foreign[side.rows] & (a.cut & Cut.GAP == 0)
    near &= a.syn_rtt >= AS_FAR * np.median(far)
    return np.flatnonzero(near).tolist()


def _says(held: Held, comparison: Comparison, faster: np.ndarray, rivals: list[Held]) -> str:
    rate = held.limit.rate
    if comparison.shared:
        return SHARED
    alone = comparison.limited_alone(rate)
    aside = comparison.apart and comparison.fastest >= rate
    if (aside and (alone or held.polices)) or (len(faster) and alone):
        return APART
    if held.polices and any(compare.agree(held.limit, other.limit) for other in rivals):
        return SHARED
    return UNKNOWN


def _controls(side: Side, limit: Limit, unit: int, foreign: np.ndarray) -> np.ndarray:
    """Transfers of the same client in the same minutes and direction that belong to something else."""
    a = side.seen.attempts
    size = a.new_up if side.up else a.new_down
    near = (a.start <= limit.stop.max() * 1e9 + NEAR) & (a.end >= limit.start.min() * 1e9 - NEAR)
    mine = a.client == side.attempts.client[0]
    return np.flatnonzero(near & mine & foreign & (size >= CONTROL) & (unit_of(a) != unit))


def compared(side: Side, judged: Judged) -> dict[str, Any]:
    """How the others fared, with the chance that flows picked blindly differ as much (values by name and unit)."""
    own = rates(side.attempts[np.array(judged.held.flows)], side.up)
    theirs = rates(side.seen.attempts[judged.controls], side.up)
    slow, fast = (np.sort(size / seconds)[::-1][:COMPARED] for size, seconds in (own, theirs))
    found: dict[str, Any] = {"controls": len(judged.controls), "controls_faster": len(judged.faster)}
    if len(fast):
        found["controls_kbps"] = round(float(np.median(fast)) * 8 / 1e3, 1)
        found["p"] = float(f"{rank_sum(slow.tolist(), fast.tolist()):.3g}")
    if np.isfinite(judged.comparison.slope):
        found["taken_by_controls_share"] = round(judged.comparison.slope, 3)
    return found


def trigger(side: Side, judged: Judged) -> tuple[str, str | None]:
    """(what was recognised, its text): the name, where another name at the same address was faster."""
    a, text = side.seen.attempts, side.seen.text
    mine, fast = side.attempts[np.array(judged.held.flows)], a[judged.faster]
    names = np.unique(mine.name)
    here = np.isin(fast.server, mine.server) & np.isin(fast.port, mine.port) & (fast.name >= 0)
    if len(names) != 1 or names[0] < 0 or not (here & (fast.name != names[0])).any():
        return "none_seen", None
    return "http_host" if text(mine.protocol[0]) == "http" else "sni", text(names[0])


def _outran(side: Side, limit: Limit, controls: np.ndarray) -> np.ndarray:
    """Controls that cannot have passed the limit: by their whole, or, where their packets are known, by any part."""
    size, seconds = rates(side.seen.attempts[controls], side.up)
    faster = compare.outran(limit, size, seconds)
    for at in np.flatnonzero(~faster & np.isin(controls, side.rows)).tolist():
        faster[at] = compare.exceeds(limit, side.passed(side.rows == controls[at]))
    return faster
