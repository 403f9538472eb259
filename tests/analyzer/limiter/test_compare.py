"""What others passed, held against a limit, on numbers that can be redone with a pencil."""

import numpy as np
import pytest

from analyzer.limiter.compare import Limit, Passed, agree, compare, exceeds, outran

RATE = 20_000.0  # bytes per second
T = np.arange(0.0, 60.0, 1.0)


def limit(own, rate=RATE, depth=20_000.0):
    return Limit("police", rate, depth, T, T + 1.0, own)


def others(taken):
    """Bytes of the others in each second, in packets."""
    t, size = [], []
    for second, amount in zip(T, taken, strict=True):
        packets = int(amount // 1000)
        t += [second + (k + 0.5) / packets for k in range(packets)]
        size += [1000.0] * packets
    return Passed.of(np.array(t), np.array(size))


BUSY = np.where((T % 10) < 3, 60_000.0, 0.0)


def test_what_others_take_from_it_makes_the_limit_shared():
    taken = np.minimum(BUSY, 15_000.0)
    found = compare(limit(RATE - taken), others(taken))
    assert found.slope == pytest.approx(1.0, abs=0.01)
    assert found.shared and not found.apart


def test_what_others_take_beside_it_makes_it_its_own():
    found = compare(limit(np.full(60, RATE)), others(BUSY))
    assert found.slope == pytest.approx(0.0, abs=0.01)
    assert found.apart and not found.shared
    assert found.fastest == 60_000
    assert found.limited_alone(RATE)


def test_noise_of_a_packet_does_not_hide_either():
    noise = np.random.default_rng(5).integers(-1500, 1501, 60)
    assert compare(limit(RATE + noise), others(BUSY)).apart
    taken = np.minimum(BUSY, 15_000.0)
    assert compare(limit(RATE - taken + noise), others(taken)).shared


def test_steady_others_are_no_experiment():
    """A limit shared with one steady download looks like two limits: nothing is said."""
    found = compare(limit(np.full(60, RATE / 2)), others(np.full(60, 10_000.0)))
    assert np.isnan(found.slope)
    assert not found.shared and not found.apart
    assert not found.limited_alone(RATE / 2)


def test_others_that_never_came_are_no_experiment():
    found = compare(limit(np.full(60, RATE)), Passed.of(np.empty(0), np.empty(0)))
    assert not found.shared and not found.apart
    assert found.limited_alone(RATE)


def test_a_limit_that_is_not_reached_alone_was_not_limited_alone():
    found = compare(limit(np.where(BUSY > 0, RATE, 2 * RATE)), others(BUSY))
    assert not found.limited_alone(RATE)


@pytest.mark.parametrize(
    ("size", "seconds", "faster"),
    [(500_000, 1.0, True), (60_000, 0.1, False), (1_000_000, 30.0, False), (2_000_000, 30.0, True)],
)
def test_a_transfer_that_no_bucket_of_three_seconds_explains(size, seconds, faster):
    """3 s of 20 kB/s are 60 kB, and twice the rate is 40 kB/s."""
    assert outran(limit(np.full(60, RATE)), np.array([size]), np.array([seconds]))[0] == faster


def test_a_deep_bucket_allows_more_at_once():
    assert not outran(limit(np.full(60, RATE), depth=400_000.0), np.array([500_000]), np.array([1.0]))[0]


def test_any_part_of_a_transfer_counts():
    """500 kB within a second, in a minute of silence: on the whole slower than the limit."""
    t = np.concatenate(([0.0], np.linspace(30, 31, 500), [60.0]))
    burst = Passed.of(t, np.full(len(t), 1000.0))
    assert exceeds(limit(np.full(60, RATE)), burst)
    assert not outran(limit(np.full(60, RATE)), np.array([burst.total[-1]]), np.array([60.0]))[0]
    assert not exceeds(limit(np.full(60, RATE)), Passed.of(T, np.full(60, RATE)))


def test_rates_within_a_tenth_are_one():
    a, b, c = (limit(np.full(60, RATE), rate=rate) for rate in (20_000.0, 21_900.0, 23_000.0))
    assert agree(a, b) and not agree(a, c)
