import pytest

from analyzer.limiter.segments import confirmed, policed
from tests.analyzer.limiter.emulated import Network
from tests.analyzer.limiter.path import Loss, Policer, Queue
from tests.analyzer.limiter.through import legs


def one_leg(path, *, capture="server", rtt=0.08, total=1_500_000, until=40.0, **limits):
    net = Network(rtt, capture=capture)
    net.download(total, path, **limits)
    return legs(net, until=until)[0]


@pytest.mark.parametrize(("rate", "depth"), [(64_000, 20_000), (64_000, 60_000), (250_000, 100_000)])
def test_the_published_test_finds_a_policer_near_the_sender(rate, depth):
    one = one_leg([Policer(rate, depth)], total=25 * rate)
    found, judged = policed(one.stream, one.offered)
    assert len(found) == judged == 1
    assert found[0].rate == pytest.approx(rate * 1448 / 1500, rel=0.05)
    assert [segment for segment, _ in confirmed(one)] == found


def test_it_says_nothing_near_the_receiver():
    assert confirmed(one_leg([Policer(64_000, 20_000)], capture="client")) == []


@pytest.mark.parametrize("path", [[Queue(64_000, 60_000)], [Queue(64_000, 15_000)], [Loss(0.02, 2)], [Loss(0.1, 2)]])
def test_queues_and_random_loss_are_not_confirmed(path):
    assert confirmed(one_leg(path)) == []


def test_what_passes_as_published_without_demand_is_not_confirmed():
    """An application's own 400 kbit/s and 3 % random loss: the published test calls one of these four policed."""
    passed = []
    for seed in (1, 2, 3, 4):
        one = one_leg([Loss(0.03, seed)], total=1_000_000, app_rate=50_000)
        passed += policed(one.stream, one.offered)[0]
        assert confirmed(one) == []
    assert passed


def test_few_losses_are_not_judged():
    one = one_leg([Loss(0.005, 1)], total=500_000)
    assert policed(one.stream, one.offered) == ([], 0)
