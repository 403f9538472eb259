"""Two captures together, in words: clocks are ahead or behind, never by less than nothing."""

from __future__ import annotations

import pytest

from analyzer.pair import Paired
from analyzer.pair.clock import Clock
from analyzer.report import Words
from analyzer.report.ends import pairing
from tests.analyzer.report import results


@pytest.mark.parametrize(
    ("offset", "says"),
    [
        (12e6, "The server's clock is 12.0 ms ahead; the way takes 0.0 ms."),
        (-12e6, "The server's clock is 12.0 ms behind; the way takes 0.0 ms."),
        (-0.0, "The two clocks agree; the way takes 0.0 ms."),
    ],
)
def test_a_clock_is_ahead_or_behind(offset, says):
    done = Paired(results.empty(), Clock(offset, one_way=-1e3), connections=2, packets=40)
    assert says in pairing(done, Words())
