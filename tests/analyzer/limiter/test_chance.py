import numpy as np
import pytest

from analyzer.limiter.chance import Seconds, memoryless, seconds, unlucky
from tests.analyzer.limiter.emulated import Network
from tests.analyzer.limiter.path import Loss, Outage, Policer, Queue
from tests.analyzer.limiter.through import legs


def one_leg(path, *, capture="client", total=500_000, until=40.0):
    net = Network(0.08, capture=capture)
    net.download(total, path)
    return legs(net, until=until)[0]


@pytest.mark.parametrize("capture", ["client", "server"])
@pytest.mark.parametrize("share", [0.05, 0.15, 0.3])
def test_random_loss_has_no_memory(capture, share):
    assert memoryless(one_leg([Loss(share, 5)], capture=capture, total=300_000), 1)


@pytest.mark.parametrize("path", [[Policer(64_000, 30_000)], [Queue(64_000, 60_000)], [Loss(0.005, 5)], []])
def test_limits_and_rare_losses_are_something_else(path):
    assert not memoryless(one_leg(path, capture="server", total=1_000_000), 1)


def test_an_outage_is_a_few_seconds_and_not_a_hundred_packets():
    one = one_leg([Queue(50_000, 30_000), Outage(3.0, 5.0)], total=1_000_000)
    when, bad = seconds([one], 10)
    assert len(when) > 10
    assert bad[(when < when[0] + 3) | (when > when[0] + 8)].sum() <= bad.sum()


def test_the_exact_test_by_hand():
    """All of 4 bad against none of 4: 1 in C(8, 4)."""
    own = Seconds(np.arange(4), np.ones(4, bool))
    p, counts = unlucky(own, Seconds(np.arange(4), np.zeros(4, bool)))
    assert counts == (4, 4, 0, 4)
    assert p == pytest.approx(1 / 70)


def test_only_seconds_among_the_bad_ones_are_compared():
    own = Seconds(np.arange(10), np.arange(10) >= 8)
    assert unlucky(own, Seconds(np.arange(8), np.zeros(8, bool))) is None


def test_without_losses_nothing_is_tested():
    quiet = Seconds(np.arange(9), np.zeros(9, bool))
    assert unlucky(quiet, quiet) is None
    assert not len(seconds([], 1).when)
