"""Files of one rotated capture, read as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.errors import CaptureError
from analyzer.sources.chain import Chain
from tests.analyzer.sources.build import Packet, pcap

SECOND = 10**6


def packets(first: int, count: int) -> list[Packet]:
    return [Packet((1_700_000_000 + first + i) * SECOND, bytes([first + i]) * 20) for i in range(count)]


@pytest.fixture
def rotated(tmp_path: Path) -> list[Path]:
    """x.pcap, x.pcap1, x.pcap2, as `tcpdump -C` leaves them; the last one without packets."""
    parts = [packets(0, 3), packets(3, 2), []]
    paths = [tmp_path / name for name in ("x.pcap", "x.pcap1", "x.pcap2")]
    for path, part in zip(paths, parts, strict=True):
        path.write_bytes(pcap(part))
    return paths


def read(chain: Chain) -> list[tuple[int, bytes]]:
    seen = []
    with chain:
        for frames in chain.blocks():
            for i in range(len(frames.ts)):
                at = int(frames.offset[i])
                seen.append((int(frames.number[i]), frames.data[at : at + int(frames.caplen[i])].tobytes()))
    return seen


def test_frames_are_numbered_on_in_the_order_of_time(rotated):
    expected = [(i + 1, bytes([i]) * 20) for i in range(5)]
    assert read(Chain(rotated)) == expected
    assert read(Chain(rotated[::-1])) == expected


def test_says_what_it_was_made_of(rotated):
    chain = Chain(rotated)
    read(chain)
    assert chain.info.name == "x.pcap and 1 more"  # the empty one adds nothing
    assert (chain.info.format, chain.info.frames, chain.info.cut_why) == ("pcap", 5, None)
    assert chain.info.bytes_read == rotated[0].stat().st_size + rotated[1].stat().st_size
    assert chain.info.sha256 is None


def test_captures_taken_side_by_side_are_no_rotation(rotated):
    rotated[1].write_bytes(pcap(packets(0, 2)))
    rotated[0].write_bytes(pcap(packets(0, 9)))
    with pytest.raises(CaptureError, match=r"begins before the file ahead of it ends"):
        read(Chain(rotated))


def test_an_unusable_file_is_named_and_not_left_out(rotated):
    rotated[1].write_bytes(b"\xff\xd8\xff\xe0 a picture")
    with pytest.raises(CaptureError, match=r"^x\.pcap1: not a packet capture"):
        Chain(rotated)


def test_a_cut_file_is_named(rotated):
    whole = rotated[0].read_bytes()
    rotated[0].write_bytes(whole[:-3])
    chain = Chain(rotated)
    assert [number for number, _ in read(chain)] == [1, 2, 3, 4]
    assert chain.info.cut_why is not None and chain.info.cut_why.startswith("x.pcap: ")


def test_nothing_in_any_file_is_nothing_captured(rotated):
    for path in rotated:
        path.write_bytes(pcap([]))
    assert read(Chain(rotated)) == []
