import numpy as np
import pytest

from analyzer.limiter import delay
from analyzer.limiter.bucket import fit
from analyzer.limiter.mechanism import plateau, queue_rate
from analyzer.tables import SERIES, Table
from tests.analyzer.limiter.emulated import Network
from tests.analyzer.limiter.path import Loss, Policer, Queue
from tests.analyzer.limiter.through import legs

BOTH_ENDS = pytest.mark.parametrize("capture", ["client", "server"])


def one_leg(capture, path, *, rtt=0.08, total=1_000_000, until=60.0, **limits):
    net = Network(rtt, capture=capture)
    net.download(total, path, **limits)
    return legs(net, until=until)[0]


@BOTH_ENDS
@pytest.mark.parametrize(("kbps", "queue"), [(150, 60_000), (512, 60_000), (2000, 200_000)])
def test_a_queue_and_its_rate_are_seen_from_either_end(capture, kbps, queue):
    """Near the receiver by the sender's own clock in the timestamps, near the sender by round trips."""
    one = one_leg(capture, [Queue(kbps * 125, queue)], total=kbps * 125 * 20)
    assert delay.queued(one.waits, one.rtt, kbps * 125)
    assert queue_rate(one, fit(one.offered, one.rtt, 1)) == pytest.approx(kbps * 125, rel=0.02)


@BOTH_ENDS
@pytest.mark.parametrize(("kbps", "rtt"), [(150, 0.08), (256, 0.2)])
def test_a_sender_that_keeps_the_queue_short_still_fills_it(capture, kbps, rtt):
    """BBR holds one round trip's worth, which at slow rates is long."""
    one = one_leg(capture, [Queue(kbps * 125, 100_000)], rtt=rtt, total=kbps * 125 * 20, bbr=True)
    assert queue_rate(one, None) == pytest.approx(kbps * 125, rel=0.03)


@BOTH_ENDS
@pytest.mark.parametrize("path", [[], [Loss(0.05, 3)], [Policer(64_000, 30_000)]], ids=["clean", "loss", "policer"])
def test_without_a_queue_nothing_waits(capture, path):
    one = one_leg(capture, path, until=25.0)
    assert delay.queued(one.waits, one.rtt, 64_000) is not True


@BOTH_ENDS
def test_a_paced_sender_is_even_and_waits_for_nothing(capture):
    one = one_leg(capture, [], total=1_000_000, paced=64_000)
    assert plateau(one.out_t, one.out) is not None
    assert queue_rate(one, None) is None


def test_too_few_samples_say_nothing():
    assert delay.queued(np.full(delay.SAMPLES - 1, 1.0), 0.05, 1e6) is None


def test_drifting_clocks_are_no_queue():
    """Half an hour with a crystal 60 ppm off is 108 ms."""
    series = series_of(np.arange(0, 1800, 0.5), drift=60e-6)
    _, waits = delay.stamped(series, False)
    assert len(waits) and waits.max() < 0.001


def test_a_queue_is_seen_beside_drifting_clocks():
    t = np.arange(0, 60, 0.1)
    series = series_of(t, wait=np.where(t > 10, 0.3, 0.0), drift=60e-6)
    _, waits = delay.stamped(series, False)
    assert np.quantile(waits, 0.25) == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("hertz", [100, 250, 1000])
def test_the_senders_clock_is_one_of_few(hertz):
    t = np.arange(0, 20, 0.05)
    _, waits = delay.stamped(series_of(t, wait=np.where(t > 5, 0.2, 0.0), hertz=hertz), False)
    assert np.median(waits) == pytest.approx(0.2, abs=0.015)


def test_a_clock_of_no_known_tick_says_nothing():
    assert not len(delay.stamped(series_of(np.arange(0, 20, 0.05), hertz=480), False)[0])


def series_of(t, wait=0.0, hertz=1000, drift=0.0):
    n = len(t)
    return Table(
        SERIES,
        {
            "flow": np.zeros(n, np.int64),
            "ts": ((t + wait) * 1e9).astype(np.int64),
            "up": np.zeros(n, bool),
            "seq": np.arange(n) * 1448,
            "payload_len": np.full(n, 1448, np.int32),
            "kind": np.ones(n, np.int8),
            "ack": np.ones(n, np.int64),
            "tsval": (4_294_900_000 + t * hertz * (1 + drift)).astype(np.int64) % 2**32,  # wraps on the way
        },
    )
