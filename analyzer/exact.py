"""Exact tests for small counts: a capture holds five attempts, not five thousand, and a normal approximation lies there.

Every p-value here is one-sided, conditional on the margins, and computed by counting, so that a reader can redo it with
a pencil: three failures of three against three successes of three is 1 in 20.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, sqrt

Counts = tuple[int, int, int, int]  # failed, tried, control_failed, control_tried


def tally(p: float, strata: Sequence[Counts]) -> dict[str, float | int]:
    """What a finding says of a test: its p-value, and the counts of all strata together."""
    failed, tried, others_failed, others_tried = (sum(column) for column in zip(*strata, strict=True))
    return {
        "p": float(f"{p:.3g}"), "failed": failed, "tried": tried,
        "others_tried": others_tried, "others_fine": others_tried - others_failed,
    }  # fmt: skip


def fisher(failed: int, tried: int, control_failed: int, control_tried: int) -> float:
    """Probability that at least `failed` of the `tried` fail if failing had nothing to do with being one of them.

    Fisher's exact test, one-sided; the same as a permutation test over attempts.
    """
    everything, failures = tried + control_tried, failed + control_failed
    most = min(tried, failures)
    ways = sum(comb(tried, k) * comb(control_tried, failures - k) for k in range(failed, most + 1))
    return ways / comb(everything, failures)


def stratified_fisher(strata: Sequence[Counts]) -> float:
    """The same over several (failed, tried, control_failed, control_tried), permuting inside each: one per server address.

    The null distribution is the convolution of the strata's hypergeometric ones (Cochran–Mantel–Haenszel, exact form).
    """
    counts = [1]  # counts[k]: ways in which k of the tried fail
    observed, total = 0, 1
    for failed, tried, control_failed, control_tried in strata:
        failures = failed + control_failed
        here = [
            comb(tried, k) * comb(control_tried, failures - k) if failures - k <= control_tried else 0
            for k in range(min(tried, failures) + 1)
        ]
        merged = [0] * (len(counts) + len(here) - 1)
        for i, ways in enumerate(counts):
            for k, more in enumerate(here):
                merged[i + k] += ways * more
        counts = merged
        observed += failed
        total *= comb(tried + control_tried, failures)
    return sum(counts[observed:]) / total


def rank_sum(low: Sequence[float], high: Sequence[float]) -> float:
    """Probability that `low` ranks as low among all as it does, or lower, if the labels meant nothing.

    Wilcoxon's rank-sum test by exact enumeration; ties take their mean rank (doubled here, so that ranks stay whole).
    At most some tens of values: the work grows with their product.
    """
    order = sorted([*low, *high])
    doubled: dict[float, int] = {}
    for value in order:
        if value not in doubled:
            first = order.index(value)
            doubled[value] = 2 * first + order.count(value) + 1
    observed = sum(doubled[value] for value in low)
    ways: list[dict[int, int]] = [{0: 1}] + [{} for _ in low]
    for value in order:
        rank = doubled[value]
        for size in range(len(low), 0, -1):
            for total, count in ways[size - 1].items():
                ways[size][total + rank] = ways[size].get(total + rank, 0) + count
    return sum(count for total, count in ways[len(low)].items() if total <= observed) / comb(len(order), len(low))


def holm(values: Sequence[float]) -> list[float]:
    """p-values adjusted for having looked at all of them (Holm 1979), in the order given."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    adjusted, worst = [0.0] * len(values), 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, values[i] * (len(values) - rank)))
        adjusted[i] = worst
    return adjusted


def wilson(hits: int, tried: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (0, 1) when nothing was tried."""
    if not tried:
        return 0.0, 1.0
    share = hits / tried
    middle = share + z * z / (2 * tried)
    spread = z * sqrt(share * (1 - share) / tried + z * z / (4 * tried * tried))
    scale = 1 + z * z / tried
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
