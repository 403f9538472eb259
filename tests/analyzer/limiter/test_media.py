"""Calls that number their packets: losses, token buckets, queues; and bytes that only look like RTP."""

import struct

import numpy as np
import pytest

from analyzer.limiter.media import media, policed
from analyzer.signature import Segment
from tests.analyzer.limiter.path import Loss, Policer, Queue

EVERY, PAYLOAD = 0.02, 132
SIZE = PAYLOAD + 28


def call(*path, packets=250, first=65_500, jitter=0.0, source=7, seed=1):
    """What came of a call of 64 kbit/s: one packet every 20 ms, numbered on, over a path."""
    random = np.random.default_rng(seed)
    came = []
    for k in range(packets):
        t = k * EVERY
        for element in path:
            t = element.transit(t, SIZE) if t is not None else None
        if t is not None:
            late = t + random.uniform(0, jitter)
            head = struct.pack(">BBHII", 0x80, 111, (first + k) % 65_536, (4_294_960_000 + 960 * k) % 2**32, source)
            came.append(Segment(k + 1, round((late + 1e9) * 1e9), 0, head + bytes(PAYLOAD - 12)))
    return sorted(came, key=lambda piece: piece.ts)


def test_numbers_that_are_missing_are_losses():
    heard = media(call(Loss(0.3, 3)))
    sent = len(heard.offered)
    assert heard.lossy
    assert heard.share == pytest.approx(0.3, abs=0.08)
    assert sent - heard.offered.lost.sum() == len(call(Loss(0.3, 3)))
    assert np.diff(heard.offered.t).min() >= 0


def test_packets_out_of_order_or_twice_are_not():
    pieces = call(jitter=0.05)
    assert media(sorted(pieces + pieces[10:20], key=lambda piece: piece.ts)).share == 0


@pytest.mark.parametrize(("kbps", "depth"), [(20, 3_000), (32, 1_000), (40, 6_000)])
def test_a_token_bucket_is_fitted_with_its_rate_and_depth(kbps, depth):
    found = policed(media(call(Policer(kbps * 125, depth), jitter=0.004)), 1)
    assert found.rate * 8 / 1e3 == pytest.approx(kbps, rel=0.05)
    assert found.rate_low <= found.rate <= found.rate_high
    assert found.depth == pytest.approx(depth, abs=2 * SIZE)


def test_packets_that_were_cut_are_as_large_as_is_said():
    pieces = [piece._replace(data=piece.data[:40]) for piece in call(Policer(2_500, 3_000))]
    assert policed(media(pieces, SIZE), 1).rate == pytest.approx(2_500, rel=0.05)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_losses_without_a_rule_are_no_policer(share, seed):
    heard = media(call(Loss(share, seed)))
    assert not heard.lossy or policed(heard, 1) is None


@pytest.mark.parametrize("seed", range(10))
def test_neither_are_losses_in_bursts(seed):
    heard = media(call(Loss(0.2, seed, burst=4)))
    assert not heard.lossy or policed(heard, 1) is None


@pytest.mark.parametrize("depth", [500, 2_000, 8_000])
def test_nor_a_full_queue_behind_which_packets_wait(depth):
    heard = media(call(Queue(2_500, depth)))
    assert not heard.lossy or policed(heard, 1) is None


def test_what_is_too_little_or_not_numbered():
    assert media([]) is None
    assert media(call(packets=20)) is None
    random = np.random.default_rng(1)
    noise = [Segment(k, k * 20_000_000, 0, bytes([0x80, 111]) + random.bytes(130)) for k in range(100)]
    same = [piece._replace(data=piece.data[:8] + b"\0\0\0\7" + piece.data[12:]) for piece in noise]
    assert media(noise) is None
    assert media(same) is None
    still = [piece._replace(data=b"\x80o\0\1\0\0\0\1\0\0\0\7" + bytes(120)) for piece in noise]
    assert media(still) is None


@pytest.mark.parametrize("seed", range(200))
def test_hostile_numbers_never_cost_more_than_their_packets(seed):
    """Any numbers and clocks, in any order: no exception, and never more packets than a hundred for each that came."""
    random = np.random.default_rng(seed)
    n = int(random.integers(25, 64))
    number = np.cumsum(random.integers(-3, random.choice([3, 40, 400, 40_000]), n)) % 65_536
    stamp = np.cumsum(random.integers(-1, random.choice([2, 2_000, 2**31]), n)) % 2**32
    time = np.cumsum(random.integers(-1, random.choice([2, 10**7, 10**12]), n))
    pieces = [
        Segment(k, int(time[k]), 0, struct.pack(">BBHII", 0x80, 0, int(number[k]), int(stamp[k]), 1)) for k in range(n)
    ]
    heard = media(pieces)
    if heard is not None:
        assert len(heard.offered) <= 100 * n
        policed(heard, seed)
