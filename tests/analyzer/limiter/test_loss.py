"""Losses where the capture stands, on streams written down by hand and on emulated ones whose drops are known."""

import numpy as np
import pytest

from analyzer.limiter.loss import arrived, sent
from analyzer.limiter.stream import MSS, Stream, split
from tests.analyzer.limiter.emulated import Network
from tests.analyzer.limiter.path import Jitter, Loss
from tests.analyzer.limiter.through import legs


def stream(packets, acks=(), before=0.0, behind=0.1):
    """Packets as (time, number of the first segment, segments)."""
    t, start, count = (np.array(column) for column in zip(*packets, strict=True))
    ack_t, acked = (np.array(column) for column in zip(*acks, strict=True)) if acks else (np.empty(0), np.empty(0))
    return Stream(
        t.astype(float),
        start * MSS,
        (start + count) * MSS,
        ack_t.astype(float),
        acked * MSS,
        np.empty(0),
        before,
        behind,
        52,
    )


class TestNearTheSender:
    def test_what_was_sent_again_had_been_lost(self):
        seen = sent(stream([(0.0, 0, 1), (0.0, 1, 1), (0.0, 2, 1), (0.3, 1, 1)], [(0.1, 1), (0.4, 3)]))
        assert seen.lost.tolist() == [False, True, False, False]

    def test_a_resend_acknowledged_too_soon_was_not_needed(self):
        """Eifel (RFC 3522): the ACK came 20 ms after it, on a path of 100 ms."""
        seen = sent(stream([(0.0, 0, 1), (0.0, 1, 1), (0.35, 1, 1)], [(0.1, 1), (0.37, 2)]))
        assert not seen.lost.any()
        assert seen.resent == 1

    def test_a_resend_that_was_sent_again_was_lost_too(self):
        seen = sent(stream([(0.0, 0, 1), (0.3, 0, 1), (0.9, 0, 1)], [(1.0, 1)]))
        assert seen.lost.tolist() == [True, True, False]

    def test_frames_of_an_offloading_card_are_taken_apart(self):
        """64 kB in one frame; of it one packet was lost."""
        seen = sent(stream([(0.0, 0, 40), (0.3, 7, 1)], [(0.1, 7), (0.4, 40)]))
        assert len(seen) == 41
        assert np.flatnonzero(seen.lost).tolist() == [7]

    def test_one_resend_over_several_originals_counts_each(self):
        seen = sent(stream([(0.0, 0, 1), (0.0, 1, 1), (0.3, 0, 2)], [(0.4, 2)]))
        assert seen.lost.tolist() == [True, True, False, False]


class TestNearTheReceiver:
    def test_a_hole_filled_late_was_lost(self):
        seen = arrived(stream([(0.0, 0, 1), (0.01, 2, 1), (0.13, 1, 1)], before=0.1, behind=0.0))
        assert seen.lost.tolist() == [False, True, False, False]

    def test_a_hole_filled_soon_was_reordered(self):
        seen = arrived(stream([(0.0, 0, 1), (0.01, 2, 1), (0.05, 1, 1)], before=0.1, behind=0.0))
        assert not seen.lost.any()

    def test_a_hole_never_filled_is_the_captures_loss_or_the_end(self):
        seen = arrived(stream([(0.0, 0, 1), (0.01, 2, 1)], before=0.1, behind=0.0))
        assert not seen.lost.any()

    def test_a_hole_of_many_packets_is_many_losses(self):
        seen = arrived(stream([(0.0, 0, 1), (0.01, 5, 1), (0.2, 1, 4)], before=0.1, behind=0.0))
        assert seen.lost.sum() == 4

    def test_a_hole_of_a_gigabyte_is_not_believed(self):
        seen = arrived(stream([(0.0, 0, 1), (0.01, 700_000, 1), (0.2, 1, 1)], before=0.1, behind=0.0))
        assert len(seen) < 100


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("capture", ["client", "server"])
def test_emulated_drops_are_found_at_both_ends(capture, up):
    class Counting(Loss):
        dropped = 0

        def transit(self, t, size):
            after = super().transit(t, size)
            Counting.dropped += after is None
            return after

    Counting.dropped = 0
    net = Network(0.08, capture=capture)
    (net.upload if up else net.download)(1_000_000, [Counting(0.03, 7)])
    one = legs(net, up)[0]
    assert one.offered.at_sender == (up == (capture == "client"))
    assert one.offered.lost.sum() == pytest.approx(Counting.dropped, abs=3)


@pytest.mark.parametrize("capture", ["client", "server"])
def test_reordering_is_no_loss(capture):
    net = Network(0.08, capture=capture)
    net.download(1_000_000, [Jitter(0.02, 3, 0.3)])
    assert not legs(net)[0].offered.lost.any()


def test_taking_frames_apart_keeps_every_byte():
    t, start, end = np.array([0.0, 1.0]), np.array([0, 100_000]), np.array([65_000, 100_100])
    _, first, last = split(t, start, end)
    assert (last - first).sum() == 65_100
    assert (last - first).max() <= MSS


@pytest.mark.parametrize("capture", ["client", "server"])
def test_a_mirror_port_that_shows_packets_twice_changes_nothing(capture):
    def captured():
        net = Network(0.08, capture=capture)
        net.download(400_000, [Loss(0.05, 3)])
        return net

    (once,) = legs(captured())
    net = captured()
    run = net.run

    def twice(until):
        run(until)
        net.frames += [(t + 20e-6, data, size) for t, data, size in net.frames]
        return net._frames()

    net.run = twice
    (mirrored,) = legs(net)
    assert mirrored.offered.lost.sum() == once.offered.lost.sum() > 0
    assert mirrored.offered.size.sum() == once.offered.size.sum()
