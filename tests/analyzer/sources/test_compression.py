import bz2
import gzip
import hashlib
import lzma
import random

import pytest

from analyzer import limits
from analyzer.errors import CaptureError
from analyzer.sources import compression, open_source
from tests.analyzer.sources.build import PACKETS, Packet, pcap, pcapng
from tests.analyzer.sources.reading import read

zstd = pytest.importorskip("backports.zstd")


def packed_with_checksum(data: bytes) -> bytes:  # as the zstd program does
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


PACKERS = {"gzip": gzip.compress, "zstd": packed_with_checksum, "xz": lzma.compress, "bzip2": bz2.compress}
EACH = pytest.mark.parametrize("name", PACKERS)

COUNT = 4000  # more than one block of bzip2
NOISE = random.Random(1)
LONG = pcap([Packet(PACKETS[0].ts + i, NOISE.randbytes(400)) for i in range(COUNT)])


@EACH
@pytest.mark.parametrize("capture", [pcap(), pcapng(), LONG], ids=["pcap", "pcapng", "long"])
def test_what_is_inside_is_read(name, capture):
    packed = PACKERS[name](capture)
    frames, info = read(packed)
    assert frames == read(capture)[0]
    assert (info.compression, info.cut_why) == (name, None)
    assert info.sha256 == hashlib.sha256(packed).hexdigest() and info.bytes_read == len(packed)


@EACH
@pytest.mark.parametrize("padding", [b"", bytes(512)])
def test_members_follow_each_other(name, padding):
    parts = (LONG[:50_000], LONG[50_000:50_001], LONG[50_001:])
    frames, info = read(b"".join(PACKERS[name](part) for part in parts) + padding)
    assert frames == read(LONG)[0] and info.cut_why is None


@EACH
def test_cut_compressed_data_are_read_up_to_the_cut(name):
    packed = PACKERS[name](LONG)
    frames, info = read(packed[: len(packed) * 3 // 4])
    assert frames == read(LONG)[0][: len(frames)] and info.cut_why == f"the {name} data end early"
    assert COUNT // 2 < len(frames) < COUNT * 4 // 5
    assert info.cut_at_byte == 24 + 416 * len(frames)


@EACH
def test_damaged_compressed_data_are_read_up_to_the_damage(name):
    packed = bytearray(PACKERS[name](LONG))
    at = len(packed) * 3 // 4
    packed[at : at + 64] = b"\xff" * 64
    frames, info = read(bytes(packed))
    # Formats notice damage at once or when a checksum does not fit; what came before it is there in any case.
    assert len(frames) > COUNT // 2
    assert frames[: COUNT // 2] == read(LONG)[0][: COUNT // 2]
    assert info.cut_why and info.cut_at_byte == 24 + 416 * len(frames)


def test_a_gzip_with_a_wrong_checksum_gives_all_its_packets():
    packed = bytearray(gzip.compress(pcap()))
    packed[-8] ^= 1
    frames, info = read(bytes(packed))
    assert frames == read(pcap())[0] and "damaged" in info.cut_why


@EACH
def test_what_follows_and_is_something_else_is_said(name):
    frames, info = read(PACKERS[name](pcap()) + b"something else")
    assert len(frames) == 4 and info.cut_why == f"what follows the {name} data is something else"


@EACH
def test_a_bomb_ends_at_the_limit(name, monkeypatch):
    monkeypatch.setattr(limits, "MAX_EXPANSION", 100_000)
    frames, info = read(PACKERS[name](LONG))
    assert len(frames) == (100_000 - 24) // 416 and "more than 100000 bytes" in info.cut_why


def test_steps_are_bounded(monkeypatch):
    packed = gzip.compress(bytes(50 << 20))
    stream, _ = compression.expanded(compression.Input(packed))
    view = memoryview(bytearray(8 << 20))
    assert 0 < stream.readinto(view) <= compression._STEP_BYTES


@EACH
def test_nothing_inside(name):
    with pytest.raises(CaptureError, match=f"the {name} data hold nothing"):
        open_source(PACKERS[name](b""))
    with pytest.raises(CaptureError, match=f"the {name} data"):
        open_source(PACKERS[name](pcap())[:5])


@EACH
def test_not_a_capture_inside(name):
    with pytest.raises(CaptureError, match=r"begin with 41 41 41 41"):
        open_source(PACKERS[name](b"A" * 100))
    with pytest.raises(CaptureError, match="once more, with gzip"):
        open_source(PACKERS[name](gzip.compress(pcap())))


def test_lz4_where_it_is_installed():
    frame = pytest.importorskip("lz4.frame")
    assert read(frame.compress(LONG))[0] == read(LONG)[0]


def test_lz4_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lz4.frame", None)
    with pytest.raises(CaptureError, match="install the lz4 package"):
        open_source(b"\x04\x22\x4d\x18" + bytes(20))


def test_a_zstd_frame_without_data_is_passed_over():
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    assert read(zstd.compress(LONG[:1000]) + skippable + zstd.compress(LONG[1000:]))[0] == read(LONG)[0]
