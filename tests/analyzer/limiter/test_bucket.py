import numpy as np
import pytest

from analyzer.limiter.bucket import fit
from analyzer.limiter.leg import pool
from analyzer.limiter.loss import Offered
from analyzer.limiter.mechanism import fits, polices
from tests.analyzer.limiter.emulated import Network
from tests.analyzer.limiter.path import Jitter, Loss, Policer, Queue
from tests.analyzer.limiter.through import legs

BOTH_ENDS = pytest.mark.parametrize("capture", ["client", "server"])
LINE = 2_500_000  # bytes per second of an ordinary line


def one_leg(capture, path, *, rtt=0.08, total=1_500_000, until=40.0, **limits):
    net = Network(rtt, capture=capture)
    net.download(total, path, **limits)
    return legs(net, until=until)[0]


@BOTH_ENDS
@pytest.mark.parametrize("bbr", [False, True], ids=["loss-based", "bbr"])
@pytest.mark.parametrize(
    ("kbps", "depth", "rtt"), [(150, 60_000, 0.2), (512, 20_000, 0.08), (512, 60_000, 0.08), (2000, 100_000, 0.08)]
)
def test_a_policer_is_fitted_from_either_end(capture, kbps, depth, rtt, bbr):
    rate = kbps * 125
    one = one_leg(capture, [Queue(LINE, 250_000), Policer(rate, depth)], rtt=rtt, total=25 * rate + depth, bbr=bbr)
    bucket = fit(one.offered, one.rtt, seed=1)
    assert polices(bucket, one)
    assert bucket.rate == pytest.approx(rate, rel=0.03)
    assert bucket.depth == pytest.approx(depth, rel=0.15)
    assert bucket.rate_low <= bucket.rate <= bucket.rate_high


@pytest.mark.parametrize("up", [False, True])
def test_packets_that_wait_for_their_token_near_the_receiver_are_counted_instead(up):
    """At 150 kbit/s the level says nothing (AUC near chance): that the count never strays must do."""
    net = Network(0.2, capture="server" if up else "client")
    (net.upload if up else net.download)(500_000, [Queue(LINE, 250_000), Policer(18_750, 20_000)], bbr=True)
    one = legs(net, up, until=30.0)[0]
    bucket = fit(one.offered, one.rtt, seed=1)
    assert bucket.wander < 0.015
    assert polices(bucket, one)
    assert bucket.rate == pytest.approx(18_750, rel=0.02)


@BOTH_ENDS
@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("burst", [1, 4, 15])
def test_random_loss_fits_no_bucket(capture, share, burst):
    for seed in range(4):
        one = one_leg(capture, [Queue(LINE, 250_000), Loss(share, seed, burst)])
        bucket = fit(one.offered, one.rtt, seed=1)
        assert bucket is None or not fits(bucket), (seed, bucket)


@BOTH_ENDS
@pytest.mark.parametrize(
    "how", [{"app_rate": 60_000}, {"app_rate": 60_000, "chunk": 12_000}, {"paced": 60_000}, {"window": 6_000}]
)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.03, 0.1])
def test_a_rate_of_the_application_is_no_bucket_even_with_losses(capture, how, share):
    for seed in (1, 2):
        one = one_leg(capture, [Queue(LINE, 250_000), Loss(share, seed)], total=1_200_000, until=20.0, **how)
        bucket = fit(one.offered, one.rtt, seed=1)
        assert bucket is None or not fits(bucket), (seed, bucket)


@BOTH_ENDS
@pytest.mark.parametrize("path", [[Jitter(0.02, 1, 0.3)], [Jitter(0.003, 2)], []], ids=["reorders", "jitters", "clean"])
def test_without_loss_there_is_nothing_to_fit(capture, path):
    one = one_leg(capture, path)
    assert not one.offered.lost.any()
    assert fit(one.offered, one.rtt, seed=1) is None


@BOTH_ENDS
def test_a_full_queue_drops_the_same_packets_but_holds_the_others(capture):
    one = one_leg(capture, [Queue(125_000, 60_000)], total=3_000_000)
    bucket = fit(one.offered, one.rtt, seed=1)
    assert bucket is None or not polices(bucket, one)


@BOTH_ENDS
def test_flows_behind_one_policer_fit_it_together(capture):
    """Alone each sees losses that the others caused (Flach et al.: 12 % found)."""
    shared = Policer(64_000, 50_000)
    net = Network(0.08, capture=capture)
    for at in (0.0, 0.7, 1.5):
        net.download(600_000, [Queue(LINE, 250_000), shared], at=at)
    parts = legs(net, until=30.0)
    together = pool(parts)
    bucket = fit(together.offered, together.rtt, seed=1)
    assert bucket.rate == pytest.approx(64_000, rel=0.03)
    alone = [fit(one.offered, one.rtt, seed=1) for one in parts]
    assert all(one is None or not fits(one) or one.rate < 0.8 * 64_000 for one in alone)


def test_the_interval_is_the_seeds_own():
    one = one_leg("server", [Policer(64_000, 20_000)])
    first, again, other = (fit(one.offered, one.rtt, seed) for seed in (1, 1, 2))
    assert first == again
    assert other.rate == first.rate and (other.rate_low, other.rate_high) != (0, 0)


@pytest.mark.parametrize("losses", [0, 1])
def test_too_few_losses_are_no_fit(losses):
    t = np.arange(100) / 50
    lost = np.zeros(100, bool)
    lost[:losses] = True
    assert fit(Offered(t, np.full(100, 1500), lost, True, losses), 0.05, 1) is None


def test_packets_at_one_instant_do_not_divide_by_zero():
    lost = np.zeros(50, bool)
    lost[::5] = True
    assert fit(Offered(np.zeros(50), np.full(50, 1500), lost, True, 10), 0.0, 1) is None
