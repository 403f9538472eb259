"""QUIC by its outside: rates, and how acknowledgments grow. Acknowledgments here are as long as their gaps make them."""

import numpy as np
import pytest

from analyzer.limiter.datagrams import fit
from analyzer.tables import SERIES, Table

RTT = 0.08


def series(came, acks, *, capture="client"):
    """A download: `came` are (time, bytes of payload), `acks` (time, bytes); the first round trip tells where we stand."""
    near, far = (0.001, RTT) if capture == "client" else (RTT, 0.001)
    hello = [(0.0, 1200, True), (far, 1200, False), (far + near, 120, True)]
    rows = hello + [(t, n, False) for t, n in came] + [(t, n, True) for t, n in acks]
    rows.sort()
    t, size, up = (np.array(column) for column in zip(*rows, strict=True))
    n = len(rows)
    return Table(
        SERIES,
        {
            "flow": np.zeros(n, np.int64), "ts": (1e18 + t * 1e9).astype(np.int64), "up": up.astype(bool),
            "seq": np.zeros(n, np.int64), "payload_len": size.astype(np.int32), "kind": np.zeros(n, np.int8),
            "ack": np.zeros(n, np.int64), "tsval": np.full(n, -1),
        },
    )  # fmt: skip


def policed(rate=64_000, depth=40_000, seconds=15.0, seed=1):
    """What a sender that ever probes above the rate gets through, and the acknowledgments of it."""
    random = np.random.default_rng(seed)
    t, level, came, acks, missing = 0.2, float(depth), [], [], 0
    while t < seconds:
        gap = random.choice([0.002, 0.01, 0.03]) if t > 0.5 else 0.002  # at first as fast as the line
        level, t = min(depth, level + rate * gap), t + gap
        for _ in range(random.integers(0, 3)):
            if level >= 1280:
                level -= 1280
                came.append((t, 1252))
                acks.append((t + 0.0005, 34 + 2 * min(missing, 6)))
                missing = max(0, missing - 1)
            else:
                missing += 1
    return came, acks


def paced(rate=64_000, burst=40_000, seconds=15.0):
    """An application's own pace after a first burst: nothing is missing."""
    head = [(0.2 + 1e-4 * k, 1252) for k in range(burst // 1280)]
    came = head + [(t, 1252) for t in np.arange(0.3, seconds, 1280 / rate)]
    return came, [(t + 0.0005, 34) for t, _ in came]


def test_a_policer_is_a_burst_a_rate_and_longer_acknowledgments():
    envelope, limit = fit(series(*policed()), False)
    assert envelope.rate == pytest.approx(64_000, rel=0.03)
    assert envelope.depth == pytest.approx(40_000, rel=0.15)
    assert envelope.widened > 0.1
    assert limit.action == "police" and len(limit.own) > 10


@pytest.mark.parametrize("seed", range(5))
def test_any_sender_does(seed):
    assert fit(series(*policed(seed=seed)), False) is not None


def test_an_applications_own_pace_loses_nothing():
    assert fit(series(*paced()), False) is None


def test_losses_without_a_rate_are_no_limit():
    came, acks = policed()
    came = [(t * (1 + 0.4 * np.sin(t)), n) for t, n in came]
    assert fit(series(came, acks), False) is None


def test_near_the_sender_what_was_lost_cannot_be_told():
    assert fit(series(*policed(), capture="server"), False) is None


def test_five_seconds_are_needed():
    assert fit(series(*policed(seconds=4.0)), False) is None


@pytest.mark.parametrize("came", [[], [(1.0, 1252)]])
def test_next_to_nothing_is_nothing(came):
    assert fit(series(came, []), False) is None


def test_an_empty_series_is_nothing():
    assert fit(Table.empty(SERIES), False) is None
