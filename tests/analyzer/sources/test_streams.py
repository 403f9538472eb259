"""However bytes arrive, and wherever they end, the frames are the same; and nothing but a `CaptureError` is raised."""

import itertools
import os
import random
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzer import kernels, limits
from analyzer.errors import CaptureError
from analyzer.sources import open_source
from tests.analyzer.sources import build
from tests.analyzer.sources.build import BIG, PACKETS, Packet, pcap, pcapng
from tests.analyzer.sources.reading import Trickle, read, unpack

MIXED = (
    build.section(BIG)
    + build.interface(BIG, options=build.clock(9, 5, BIG))
    + build.enhanced(PACKETS[0], BIG)
    + build.block(4, bytes(9), BIG)
    + build.simple(b"simple", 6, BIG)
    + build.statistics(0, BIG, dropped=1)
    + pcapng()
    + build.obsolete(PACKETS[3])
)
CAPTURES = {"pcap": pcap(), "big pcap": pcap(order=BIG), "pcapng": pcapng(), "mixed": MIXED}
EACH = pytest.mark.parametrize("name", CAPTURES)


@EACH
def test_cut_at_every_byte(name):
    whole = CAPTURES[name]
    expected = read(whole)[0]
    before = 0
    for size in range(len(whole)):
        try:
            frames, info = read(whole[:size])
        except CaptureError:
            assert size < 28 and before == 0  # only where not even the header is whole
            continue
        assert frames == expected[: len(frames)] and len(frames) >= before
        assert info.cut_at_byte is None or info.cut_at_byte < size
        before = len(frames)
    assert before == len(expected) - (name != "mixed" or 1)


@EACH
@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 29, 1000])
def test_any_split_gives_the_same_frames(name, size):
    whole = CAPTURES[name]
    interfaces = read(whole)[1].interfaces
    for data in (whole, whole[:-3]):
        frames, split = read(Trickle(data, itertools.repeat(size)))
        assert frames == read(data)[0]
        assert split.cut_at_byte == read(data)[1].cut_at_byte and split.interfaces == interfaces
        assert split.sha256 is None


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(sorted(CAPTURES)), st.integers())
def test_random_splits_give_the_same_frames(name, seed):
    chance = random.Random(seed)
    sizes = iter(lambda: chance.choice((1, 5, 30, 300)), None)
    assert read(Trickle(CAPTURES[name], sizes))[0] == read(CAPTURES[name])[0]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(limits, "MAX_FRAME_BYTES", 300)
    monkeypatch.setattr("analyzer.sources.window._OPTIONS_BYTES", 100)
    monkeypatch.setattr(limits, "BLOCK_BYTES", 400)
    monkeypatch.setattr(limits, "INTERPRETED_BYTES", 64)


@EACH
def test_blocks_and_carry_over(name, small_blocks):
    whole = CAPTURES[name]
    with open_source(whole) as source:
        blocks = [(unpack(block), len(block.data)) for block in source.blocks()]
    frames = [frame for block, _ in blocks for frame in block]
    assert [(f.data, f.number) for f in frames] == [
        (data, i + 1)
        for i, data in enumerate(
            ([b"first", b"simple"] if name == "mixed" else [])
            + [packet.data for packet in PACKETS]
            + ([PACKETS[3].data] if name == "mixed" else [])
        )
    ]
    assert len(blocks) > 1 and all(size <= 400 for _, size in blocks)


def test_blocks_begin_small_and_stay_bounded():
    data = pcap([Packet(PACKETS[0].ts, bytes(84))] * 400_000)
    with open_source(data) as source:
        sizes = [len(block.data) for block in source.blocks()]
    assert sizes[0] <= limits.INTERPRETED_BYTES and max(sizes) <= limits.BLOCK_BYTES
    assert len(sizes) < 10 and sum(sizes) == len(data) - 24


def test_columns_are_what_kernels_are_compiled_for():
    with open_source(MIXED) as source:
        for block in source.blocks():
            assert all(column.flags.c_contiguous and column.flags.writeable for column in block)
            kinds = [column.dtype.name for column in block]
            assert kinds == ["uint8", *["int64"] * 4, *["int32"] * 2, "int64", "int32"]
            assert ((block.offset >= 0) & (block.offset + block.caplen <= len(block.data))).all()


@pytest.mark.parametrize("capture", [pcap(PACKETS * 3), pcapng(PACKETS * 3)], ids=["pcap", "pcapng"])
def test_a_slow_pipe_is_read_as_it_comes(capture):
    reading, writing = os.pipe()
    half = len(capture) - 200  # inside the last packet
    go_on = threading.Event()

    def write():
        with open(writing, "wb", buffering=0) as pipe:
            pipe.write(capture[:half])
            go_on.wait(10)
            pipe.write(capture[half:])

    writer = threading.Thread(target=write)
    writer.start()
    with open(reading, "rb") as pipe, open_source(pipe) as source:
        begun = time.monotonic()
        blocks = source.blocks()
        first = unpack(next(blocks))
        assert len(first) == 11 and time.monotonic() - begun < 5  # before the writer has gone on
        go_on.set()
        rest = [frame for block in blocks for frame in unpack(block)]
    writer.join()
    assert first + rest == read(capture)[0]
    assert source.info.sha256 is None and source.info.cut_why is None


@EACH
def test_compiled_and_interpreted_agree(name):
    for data in (CAPTURES[name], CAPTURES[name][:-5]):
        with kernels.forced("interpreted"):
            interpreted = read(data)
        with kernels.forced("compiled"):
            assert read(data) == interpreted


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(CAPTURES)),
    st.lists(st.tuples(st.integers(0, 500), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4),
)
def test_damaged_captures_never_crash(name, changes):
    data = bytearray(CAPTURES[name])
    for at, what in changes:
        data[at : at + len(what)] = what
    outcomes = []
    for form in ("interpreted", "compiled"):
        with kernels.forced(form):
            try:
                frames, info = read(bytes(data))
            except CaptureError as error:
                outcomes.append(str(error))
                continue
        assert all(0 <= frame.ts <= 1 << 62 and frame.origlen >= len(frame.data) for frame in frames)
        assert [frame.number for frame in frames] == sorted({frame.number for frame in frames})
        assert sum(len(frame.data) for frame in frames) <= len(data) and info.frames == len(frames)
        outcomes.append((frames, info))
    assert outcomes[0] == outcomes[1]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([0, 4, 24, 28, 48]), st.binary(max_size=200))
def test_anything_after_the_beginning_of_a_header(size, rest):
    for whole in CAPTURES.values():
        try:
            read(whole[:size] + rest)
        except CaptureError as error:
            assert "\n" not in str(error)
