import itertools
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.exact import fisher, holm, rank_sum, stratified_fisher, tally, wilson


@pytest.mark.parametrize(
    ("a", "b", "p"), [(3, 3, 0.050), (3, 4, 0.029), (3, 5, 0.018), (4, 4, 0.014), (2, 10, 0.015), (3, 10, 0.0035)]
)
def test_all_fail_against_all_fine_is_one_way_in_all(a, b, p):
    assert fisher(a, a, 0, b) == pytest.approx(1 / comb(a + b, a)) == pytest.approx(p, rel=0.03)


def test_no_difference_is_no_evidence():
    assert fisher(0, 5, 0, 5) == 1
    assert fisher(5, 5, 5, 5) == 1
    assert fisher(0, 3, 4, 4) == 1


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_fisher_counts_permutations(failed, fine, control_failed, control_fine):
    fates = [1] * (failed + control_failed) + [0] * (fine + control_fine)
    tried = failed + fine
    ways = [sum(pick) >= failed for pick in map(list, itertools.combinations(fates, tried))]
    assert fisher(failed, tried, control_failed, control_failed + control_fine) == pytest.approx(sum(ways) / len(ways))


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6), st.integers(0, 6))
def test_one_stratum_is_fisher(failed, fine, control_failed, control_fine):
    table = (failed, failed + fine, control_failed, control_failed + control_fine)
    assert stratified_fisher([table]) == pytest.approx(fisher(*table))


def test_strata_add_up_where_each_alone_is_too_small():
    assert fisher(2, 2, 0, 2) > 0.1
    assert stratified_fisher([(2, 2, 0, 2)] * 3) == pytest.approx((1 / 6) ** 3)
    # a wider outage at one address is no name effect there
    assert stratified_fisher([(2, 2, 2, 2)] * 3) == 1


def test_rank_sum_by_hand():
    assert rank_sum([1, 2, 3], [4, 5, 6]) == pytest.approx(1 / 20)
    assert rank_sum([4, 5, 6], [1, 2, 3]) == 1
    assert rank_sum([1, 1], [1, 1]) == 1


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.lists(st.integers(0, 4), min_size=1, max_size=4))
def test_rank_sum_counts_permutations(low, high):
    both = low + high
    rank = {v: sum(w < v for w in both) + (both.count(v) + 1) / 2 for v in both}
    seen = sum(rank[v] for v in low)
    picks = [sum(rank[v] for v in pick) <= seen + 1e-9 for pick in itertools.combinations(both, len(low))]
    assert rank_sum(low, high) == pytest.approx(sum(picks) / len(picks))


def test_holm_keeps_order_and_pays_for_every_look():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_wilson_matches_published_values():
    low, high = wilson(0, 10)
    assert low == 0 and high == pytest.approx(0.2775, abs=1e-3)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(81, 263) == pytest.approx((0.255, 0.366), abs=1e-3)  # Newcombe 1998, table I


def test_a_tally_adds_up_the_strata():
    told = tally(0.012345, [(3, 3, 0, 4), (2, 3, 1, 2)])
    assert told == {"p": 0.0123, "failed": 5, "tried": 6, "others_tried": 6, "others_fine": 5}
