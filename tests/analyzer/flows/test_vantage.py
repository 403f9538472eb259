"""Where a capture was made, flow by flow: over all cases the answer is the right one or none."""

from __future__ import annotations

from collections import Counter

import pytest

from analyzer.tables import Vantage
from tests.golden import Case, cases
from tests.lab.phone import DEVICE, DEVICE6

MOST_WRONG = (
    2  # flows in a thousand: where the first datagram is not in the file, the ends are taken the other way round
)


def told(case: Case) -> Counter[Vantage]:
    flows = case.result.flow_table
    assert flows is not None
    return Counter(Vantage(vantage) for vantage in flows.vantage.tolist())


@pytest.mark.parametrize(("vantage", "right"), [("client", Vantage.CLIENT), ("server", Vantage.SERVER)])
def test_the_end_that_captured_is_named_or_none(vantage, right):
    found = sum((told(case) for case in cases() if case.about["vantage"] == vantage), Counter())
    known = sum(found.values()) - found[Vantage.UNKNOWN]
    assert (known - found[right]) * 1000 <= MOST_WRONG * known
    assert known >= 0.95 * sum(found.values())


@pytest.mark.parametrize("case", [case for case in cases() if case.about["vantage"] == "phone"], ids=lambda c: c.name)
def test_a_phone_is_the_client(case):
    assert told(case).keys() <= {Vantage.CLIENT, Vantage.UNKNOWN}
    assert {DEVICE, DEVICE6}.issuperset(case.result.flow_table.client.tolist())
