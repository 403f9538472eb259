"""Axes: ticks are round, few, and inside."""

from __future__ import annotations

import pytest

from analyzer.plot.scale import Scale, clock_ticks, decades, round_ticks


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 412), (3, 3.4), (-5, 5), (0, 1e9), (0.001, 0.0093)])
@pytest.mark.parametrize("most", [3, 5, 8])
def test_ticks_are_inside_and_few(low, high, most):
    for ticks in (round_ticks(low, high, most), clock_ticks(low, high, most)):
        assert len(ticks) <= most + 1
        assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)


def test_ticks_are_round():
    assert round_ticks(0, 412, 5) == [0, 100, 200, 300, 400]
    assert clock_ticks(0, 412, 8) == [0, 60, 120, 180, 240, 300, 360]
    assert decades(128, 24_000) == [1000, 10_000]


def test_nothing_to_show_is_no_error():
    assert round_ticks(5, 5, 4) == [5]
    assert Scale(5, 5, 0, 100)(5) == 0
    assert Scale(1, 1000, 0, 90, log=True)(0) == 0  # below the axis stands on it


def test_a_logarithmic_scale_gives_each_power_the_same_room():
    scale = Scale(1, 1000, 0, 90, log=True)
    assert [round(scale(value)) for value in (1, 10, 100, 1000)] == [0, 30, 60, 90]
