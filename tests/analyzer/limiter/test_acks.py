import numpy as np
import pytest

from analyzer.limiter.acks import known, missing, missing_acks, unheard
from analyzer.tables import PACKETS, SERIES, Kind, Table


def rows(ids, flags=16):
    """A flow in which the client's packets carry these numbers, each after one of the server's."""
    n = 2 * len(ids)
    up = np.arange(n) % 2 == 1
    ipid = np.where(up, np.repeat(ids, 2), 0)
    values = {
        "frame": np.arange(1, n + 1),
        "up": up,
        "ipid": ipid,
        "tcp_flags": np.full(n, flags),
        "icmp": np.full(n, -1),
    }
    return Table(PACKETS, {c.name: values.get(c.name, np.zeros(n, c.dtype)) for c in PACKETS})


def test_numbers_that_are_missing_are_packets_that_are():
    found = missing_acks(rows(np.arange(100, 160, 3)), 20)
    assert (found.sent, found.lost) == (58, 38)
    assert found.frames[0] == 4


def test_the_counter_may_wrap():
    found = missing_acks(rows(np.arange(65_500, 65_600, 3) % 65_536), 34)
    assert (found.sent, found.lost) == (100, 66)


@pytest.mark.parametrize(
    "ids",
    [
        np.arange(100, 140), np.zeros(40, int), np.full(40, -1), np.random.default_rng(1).integers(0, 65_536, 40),
        np.arange(0, 4000, 100), np.arange(100, 112, 3), np.array([], int),
    ],
    ids=["all-came", "zero", "ipv6", "random", "outages", "too-few", "none"],
)  # fmt: skip
def test_nothing_missing_or_another_habit(ids):
    assert missing_acks(rows(ids), len(ids)) is None


def test_packets_that_overtake_each_other_are_not_missing():
    ids = np.arange(100, 140)
    ids[[20, 21]] = ids[[21, 20]]
    assert missing_acks(rows(ids), 40) is None


def test_a_counter_that_is_rarely_gapped_is_a_lossy_uplink():
    ids = np.cumsum(np.where(np.arange(40) % 8 == 7, 2, 1))
    assert missing_acks(rows(ids), len(ids)) is None


def test_rows_that_were_not_kept_came_all_the_same():
    """Of 200 packets in a row only the first and the last are kept: nothing is missing between them."""
    kept = rows(np.concatenate((np.arange(100, 120), np.arange(292, 300))))
    assert missing_acks(kept, 200) is None
    assert missing_acks(kept, 80).lost == 120


def download(resent_at):
    """A packet every 0.1 s, acknowledged at once, and the first of them sent again at these times; the path takes 0.1 s."""
    came = [(0.1 * k, False, 1000 * k, Kind.NEW) for k in range(20)] + [(t, False, 0, Kind.SPURIOUS) for t in resent_at]
    acks = [(t + 0.001, True, 1000 * min(int(t * 10) + 1, 20), Kind.NEW) for t, _, _, _ in came]
    t, up, number, kind = (np.array(column) for column in zip(*sorted(came + acks), strict=True))
    columns = {
        "ts": (t * 1e9).astype(np.int64), "up": up, "seq": 1 + np.where(up, 0, number), "kind": kind,
        "ack": 1 + np.where(up, number, 0), "payload_len": np.where(up, 0, 1000),
    }  # fmt: skip
    return Table(SERIES, {c.name: columns.get(c.name, np.zeros(len(t), c.dtype)).astype(c.dtype) for c in SERIES})


def test_what_is_sent_again_long_after_it_was_acknowledged_was_not_heard():
    """At 0.65 s the server did not know of any ACK that left by 0.45 s; those after the last resend are unknown."""
    sent, lost = unheard(download([0.65]), False, 0.1)
    assert lost.sum() == 5 and sent[lost].max() < 0.45
    assert len(known(sent, lost)[0]) == 5
    assert not missing(lost, 0, 20)
    assert missing(unheard(download([0.65, 1.85]), False, 0.1)[1], 0, 20)


def test_a_resend_that_crossed_the_acknowledgment_tells_nothing():
    assert not unheard(download([0.1]), False, 0.1)[1].any()
    assert not unheard(download([]), False, 0.1)[1].any()


def test_where_data_are_lost_too_it_is_the_path():
    lost = unheard(download([0.65, 1.85]), False, 0.1)[1]
    assert not missing(lost, 8, 20)
