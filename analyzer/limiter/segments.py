"""The policing test of Flach et al., "An Internet-Wide Analysis of Traffic Policing", SIGCOMM 2016, as published.

doi 10.1145/2934872.2934873; their code: USC-NSL/policing-detection. It judges one response at a time, from the sender's
side: estimate the rate between first and last loss, let a bucket fill at it from the first loss, and ask whether losses
fell when it was empty and passes when it was not. It was built to name few falsely (37 of 205,652 shaped chunks), finds
one flow behind one policer, and misses several that share one (12 %): `bucket` on pooled flows is for those.
"""

from __future__ import annotations

from bisect import insort
from typing import NamedTuple

import numpy as np

from analyzer.limiter.bucket import Bucket, fit
from analyzer.limiter.delay import samples
from analyzer.limiter.leg import Leg
from analyzer.limiter.loss import Offered
from analyzer.limiter.mechanism import held
from analyzer.limiter.stream import Stream

# These constants are the paper's (their lab sweep); §3 and `policing_detector.py`.
LATE_LOSS_BYTES = 2_000_000
NEGATIVE_FILL = 0.75  # round trips by which the bucket may have been in debt at the first loss
LEAST = 15  # losses, and passes
LOSS_SLICES = 3  # distinct round-trip slices with a loss
LOSS_OUTLIER, LOSS_OUTLIERS = 2.0, 0.10  # round trips' worth of tokens; share of losses
PASS_OUTLIER, PASS_OUTLIERS = 0.75, 0.03
DELAYED = 1.3, 0.020, 0.20  # times the 10th percentile, seconds at least; share of losses
CUTOFFS = 0, 2  # losses left out at either end: the test may pass with either
# And ours, for what the paper's sweep did not hold:
SEPARATED, WANDERS = 0.80, 0.50  # AUC of the bucket's level at least, wander of its level at losses at most


class Segment(NamedTuple):
    """A response that is policed by the published test."""

    start: float  # seconds
    first: float  # its first loss that counts
    stop: float
    rate: float  # bytes of payload per second between its first and last loss
    losses: int
    passes: int


def confirmed(leg: Leg) -> list[tuple[Segment, Bucket]]:
    """Policed responses whose losses also fell on an empty bucket, and whose packets did not wait.

    As published, the test has no gate on demand and little on delay: an application's own rate with random losses passes
    it in 1 of 25 runs of ours, a deep queue in 1 of 20. There the bucket says nothing of what is lost (AUC 0.5), or
    packets waited.
    """
    if leg.stream is None or not leg.offered.at_sender:
        return []
    found = []
    for segment in policed(leg.stream, leg.offered)[0]:
        inside = (leg.offered.t >= segment.start) & (leg.offered.t <= segment.stop)
        bucket = fit(leg.offered.only(inside), leg.rtt, 0)
        if bucket is None or bucket.auc < SEPARATED or bucket.wander > WANDERS:
            continue
        if held(leg, bucket.rate, bucket.depth) is False:
            found.append((segment, bucket))
    return found


def policed(stream: Stream, sent: Offered) -> tuple[list[Segment], int]:
    """(responses that the test calls policed, responses that had losses enough to be judged)."""
    bounds = np.unique(np.concatenate(([-np.inf], stream.asked_t, [np.inf])))
    edges = np.searchsorted(sent.t, bounds)
    sample_t, sample = samples(stream)
    found, judged = [], 0
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if sent.lost[low:high].sum() < LEAST:
            continue
        judged += 1
        part = slice(low, high)
        t, size, lost = sent.t[part], sent.size[part] - stream.headers, sent.lost[part]
        inside = (sample_t >= t[0]) & (sample_t <= t[-1])
        for cutoff in CUTOFFS:
            verdict = _judge(t, size, lost, sample_t[inside], sample[inside], cutoff)
            if verdict is not None:
                found.append(verdict)
                break
    return found, judged


def _judge(
    t: np.ndarray, size: np.ndarray, lost: np.ndarray, sample_t: np.ndarray, sample: np.ndarray, cutoff: int
) -> Segment | None:
    everywhere = np.flatnonzero(lost)
    bounded = everywhere[cutoff : len(everywhere) - cutoff]
    if len(bounded) < 2 or not len(sample):
        return None
    first, last = bounded[0], bounded[-1]
    rtt, sent_before = float(np.median(sample)), size[:first].sum()
    if t[last] <= t[first] or sent_before > LATE_LOSS_BYTES:
        return None
    passed = np.where(lost, 0, size)
    rate = passed[first:last].sum() / (t[last] - t[first])
    if rate <= 0 or sent_before - rate * (t[first] - t[0]) < -NEGATIVE_FILL * rtt * rate:
        return None
    level = rate * (t[first:] - t[first]) - np.cumsum(passed[first:]) + passed[first:]
    losses, passes = level[lost[first:]], level[~lost[first:]]
    slices = np.unique(((t[first:][lost[first:]] - t[first]) / rtt).astype(int))
    if len(losses) < LEAST or len(passes) < LEAST or len(slices) < LOSS_SLICES:
        return None
    middle = np.median(losses)
    if losses.mean() >= passes.mean() or middle >= np.median(passes):
        return None
    if (np.abs(losses - middle) > LOSS_OUTLIER * rtt * rate).mean() > LOSS_OUTLIERS:
        return None
    if (passes - middle < -PASS_OUTLIER * rtt * rate).mean() > PASS_OUTLIERS:
        return None
    if _delayed(t[first:][lost[first:]], sample_t, sample) > DELAYED[2]:
        return None
    return Segment(float(t[0]), float(t[first]), float(t[-1]), float(rate), len(losses), len(passes))


def _delayed(loss_t: np.ndarray, sample_t: np.ndarray, sample: np.ndarray) -> float:
    """Share of losses that a raised round trip came before: a queue was full, not a bucket empty."""
    # Of the samples before a loss the last is left out, as published: its ACK was delayed because the loss came next.
    before = np.searchsorted(sample_t, loss_t, "right") - 2
    times, least, _ = DELAYED
    ordered: list[float] = []
    high = at = 0
    for i in before[before >= 0].tolist():
        while at <= i:
            insort(ordered, float(sample[at]))
            at += 1
        tenth, median = ordered[len(ordered) // 10], ordered[len(ordered) // 2]
        high += sample[i] >= median and sample[i] > times * tenth and sample[i] >= least
    return high / len(loss_t)
