import struct

import pytest

from analyzer.errors import CaptureError
from tests.analyzer.sources.build import BIG, LITTLE, PACKETS, Packet, pcap
from tests.analyzer.sources.reading import read

EXPECTED = [
    (1_700_000_000_123_456_000, b"first", 5),
    (1_700_000_000_123_457_000, b"the second one", 1500),
    (1_700_000_001_000_000_000, b"", 0),
    (1_700_000_002_999_999_000, bytes(range(256)), 256),
]


def times_bytes_lengths(frames):
    return [(frame.ts, frame.data, frame.origlen) for frame in frames]


@pytest.mark.parametrize("order", [LITTLE, BIG])
def test_microseconds_in_both_byte_orders(order):
    frames, info = read(pcap(order=order))
    assert times_bytes_lengths(frames) == EXPECTED
    assert [frame.number for frame in frames] == [1, 2, 3, 4]
    assert (info.format, info.frames, info.cut_why) == ("pcap", 4, None)
    assert info.interfaces[0].snaplen == 65535


@pytest.mark.parametrize("order", [LITTLE, BIG])
def test_nanoseconds_in_both_byte_orders(order):
    packets = [Packet(1_700_000_000_123_456_789, b"x"), Packet(1_700_000_000_999_999_999, b"y")]
    frames, _ = read(pcap(packets, order, magic=0xA1B23C4D, per_second=10**9))
    assert [frame.ts for frame in frames] == [packet.ts for packet in packets]


def test_link_type_without_the_bits_that_tell_of_check_sequences():
    frames, info = read(pcap(link=0x24000001))
    assert {frame.link for frame in frames} == {1} and info.interfaces[0].link == 1


def test_lengths_in_the_order_of_old_versions():
    assert times_bytes_lengths(read(pcap(version=(2, 1), swapped=True))[0]) == EXPECTED
    # Version 2.3 was written both ways; the shorter length is the captured one.
    assert times_bytes_lengths(read(pcap(version=(2, 3), swapped=True))[0]) == EXPECTED
    assert times_bytes_lengths(read(pcap(version=(2, 3)))[0]) == EXPECTED


def test_aix_writes_interface_types_and_nanoseconds():
    frames, _ = read(pcap([Packet(5_000_000_007, b"x")], BIG, version=(2, 2), link=6, per_second=10**9))
    assert frames[0].ts == 5_000_000_007 and frames[0].link == 1


@pytest.mark.parametrize("order", [LITTLE, BIG])
@pytest.mark.parametrize(
    ("magic", "extra"),
    [
        (0xA1B2CD34, "IHBB"),
        (0xA1B2CD34, "IHBBBBBB"),
        (0xA1B2C3D4, "IHBB"),
    ],
    ids=["patch of 1999-10", "patch of 1999-09", "patch of 1999-04"],
)
def test_patched_records_are_told_by_what_is_in_them(order, magic, extra):
    fields = struct.pack(order + extra, *(3, 0x0800, *(0 for _ in extra[2:])))
    assert times_bytes_lengths(read(pcap(order=order, magic=magic, extra=fields))[0]) == EXPECTED


def test_nokia_records_are_told_by_what_is_in_them():
    assert times_bytes_lengths(read(pcap(extra=struct.pack("<I", 0x9FBFB601)))[0]) == EXPECTED


def test_a_frame_longer_than_the_snapshot_length_is_read():
    frames, info = read(pcap(snaplen=4))
    assert times_bytes_lengths(frames) == EXPECTED and info.cut_why is None


def test_a_frame_is_never_shorter_on_the_wire_than_in_the_file():
    assert read(pcap([Packet(0, b"some bytes", 0)]))[0][0].origlen == 10


def test_times_of_the_whole_range_stay_in_it():
    packets = [Packet(0, b""), Packet((2**32 - 1) * 10**6 + 999_999, b"")]
    assert [frame.ts for frame in read(pcap(packets))[0]] == [0, (2**32 - 1) * 10**9 + 999_999_000]
    wild = struct.pack("<IIII", 2**32 - 1, 2**32 - 1, 0, 0)
    assert 0 <= read(pcap([]) + wild)[0][0].ts <= 1 << 62


def test_a_header_without_packets_is_an_empty_capture():
    frames, info = read(pcap([]))
    assert frames == [] and info.cut_why is None and info.frames == 0


def test_an_impossible_first_packet_is_an_error_and_a_later_one_a_cut():
    impossible = struct.pack("<IIII", 1, 1, 0xFFFFFFF0, 0xFFFFFFF0) + b"abc"
    with pytest.raises(CaptureError, match=r"a packet of 4294967280 bytes.*at byte 24"):
        read(pcap([]) + impossible)
    frames, info = read(pcap() + impossible)
    assert times_bytes_lengths(frames) == EXPECTED
    assert info.cut_at_byte == len(pcap()) and "4294967280" in info.cut_why


def test_the_longest_frame_that_is_possible_is_read():
    ts = PACKETS[0].ts
    frames, info = read(pcap([Packet(ts, b"x"), Packet(ts, bytes(1 << 18)), Packet(ts, b"y")]))
    assert [len(frame.data) for frame in frames] == [1, 1 << 18, 1] and info.cut_why is None


def test_an_unknown_version_is_refused():
    with pytest.raises(CaptureError, match=r"version 1\.0"):
        read(pcap(version=(1, 0)))


def test_a_cut_names_the_byte_where_the_incomplete_record_begins():
    whole = pcap()
    frames, info = read(whole[:-1])
    assert times_bytes_lengths(frames) == EXPECTED[:3]
    assert info.cut_at_byte == len(whole) - 256 - 16 and "middle of a record" in info.cut_why
