"""What the benchmark reads: a capture of millions of packets, written once and kept beside the build.

With `BENCH_CAPTURES=FOLDER`, every capture below that folder, one after the other, and again from other addresses until
there are enough packets. Without, invented traffic: waves of DNS, web pages, QUIC, downloads and cut connections whose
packets interleave, some 30 packets a flow. `python -m tests.bench.mix OUT PACKETS [FOLDER]` writes one.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from analyzer.capture_writer import CaptureWriter
from analyzer.decode import Frames
from analyzer.errors import CaptureError
from analyzer.sources import open_source
from tests.analyzer.wire.hellos import chrome, crypto, initial
from tests.conversation import EPOCH, RAW_IP, Conversation, datagram

Packets = list[tuple[float, bytes]]

WAVE_PACKETS = 160_000
WAVE = 60_000_000_000  # ns over which the flows of a wave begin
ETHERNET = 1
NAMES = "web.whatsapp.com", "web.telegram.org", "en.wikipedia.org", "www.youtube.com", "example.org"
COPIES = {"dns": 500, "web": 200, "quic": 80, "download": 16, "cut": 20}  # of each name in a wave


def synthetic(path: Path, wanted: int) -> None:
    """Writes waves of invented traffic until there are `wanted` packets."""
    share = min(1.0, wanted / WAVE_PACKETS)
    kinds = [(talk, max(1, round(share * copies))) for kind, copies in COPIES.items() for talk in _talks(kind)]
    written, wave = 0, 0
    with CaptureWriter(path) as out:
        while written < wanted:
            frames = _wave(kinds, wave)
            out.write(frames)
            written, wave = written + len(frames.offset), wave + 1


def _talks(kind: str) -> Iterator[Packets]:
    for name in NAMES:
        talk = Conversation(name, sport=40000)
        match kind:
            case "dns":
                query = b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + b"".join(
                    bytes([len(x)]) + x for x in name.encode().split(b".")
                )
                question, answer = query + b"\0\0\1\0\1", b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\x09"
                reply = question[:2] + b"\x81\x80\0\1\0\1" + question[8:] + answer
                yield [
                    datagram("10.0.0.2", "192.0.2.53", 40000, 53, question, 0),
                    datagram("192.0.2.53", "10.0.0.2", 53, 40000, reply, 9),
                ]
            case "web":
                yield talk.open().hello(share=1216).answer().chat(8).close().packets
            case "quic":
                hello = initial(crypto(0, chrome(name.encode())), b"\1" * 8)
                packets = [datagram("10.0.0.2", "192.0.2.9", 40000, 443, hello, 0)]
                for i in range(30):
                    packets.append(datagram("192.0.2.9", "10.0.0.2", 443, 40000, b"\x40" + bytes(1199), 40 + i))
                    packets.append(datagram("10.0.0.2", "192.0.2.9", 40000, 443, b"\x40" + bytes(39), 40.5 + i))
                yield packets
            case "download":
                talk.open().hello(share=1216).answer()
                for _ in range(400):
                    talk.down("A", b"\x17" * 1400, after=0.8).down("A", b"\x17" * 1400, after=0.1).up()
                yield talk.close().packets
            case "cut":
                yield talk.open().hello(share=1216).reset().down(after=60).packets


def _wave(kinds: list[tuple[Packets, int]], wave: int) -> Frames:
    """Copies of the conversations, each with a client of its own, in the order of their packets' times."""
    data, offset, size, ts = [], [], [], []
    clients, base = itertools.count(wave << 12), 0
    for talk, copies in kinds:
        rng = np.random.default_rng(next(clients))
        sizes = np.array([len(packet) for _, packet in talk], np.int64)
        starts = np.cumsum(sizes) - sizes
        rows = np.tile(np.frombuffer(b"".join(packet for _, packet in talk), np.uint8), (copies, 1))
        client = np.array([0x0A000000 + (next(clients) & 0xFFFFFF) for _ in range(copies)], ">u4")
        up = np.array(
            [packet[12] == 10 for _, packet in talk]
        )  # the client's address is the source, or else the target
        for at, own in zip(starts.tolist(), up.tolist(), strict=True):
            where = at + (12 if own else 16)
            rows[:, where : where + 4] = client.view(np.uint8).reshape(-1, 4)
        at_ms = np.array([at for at, _ in talk])
        begin = EPOCH + wave * WAVE + rng.integers(0, WAVE, copies)
        data.append(rows.reshape(-1))
        offset.append((base + np.arange(copies)[:, None] * rows.shape[1] + starts).reshape(-1))
        size.append(np.tile(sizes, copies))
        ts.append((begin[:, None] + (at_ms * 1e6).astype(np.int64)).reshape(-1))
        base += rows.size
    order = np.argsort(np.concatenate(ts), kind="stable")
    n = len(order)
    return Frames(
        data=np.concatenate(data),
        offset=np.concatenate(offset)[order],
        caplen=np.concatenate(size)[order],
        origlen=np.concatenate(size)[order],
        ts=np.concatenate(ts)[order],
        link=np.full(n, RAW_IP, np.int32),
        iface=np.zeros(n, np.int32),
        number=np.arange(1, n + 1, dtype=np.int64),
    )


def real(path: Path, wanted: int, folder: Path) -> None:
    """Writes the captures below a folder one after the other, again and again, until there are `wanted` packets."""
    captures = sorted(place for place in folder.rglob("*") if place.suffix in (".pcap", ".pcapng", ".cap"))
    written = clock = 0
    with CaptureWriter(path) as out:
        for turn in itertools.count():
            before = written
            for capture in captures:
                first = None
                for frames in _blocks(capture):
                    first = frames.ts[0] if first is None else first
                    moved = frames._replace(ts=np.maximum(frames.ts - first, 0) + EPOCH + clock)
                    _readdress(moved, turn)
                    out.write(moved)
                    written += len(frames.offset)
                    latest = int(moved.ts.max()) - EPOCH
                clock = min(latest, clock + WAVE) + 1 if first is not None else clock
                if written >= wanted:
                    return
            if written == before:
                raise CaptureError(f"no packets below {folder}")


def _blocks(capture: Path) -> Iterator[Frames]:
    try:
        with open_source(capture) as source:
            yield from (frames for frames in source.blocks() if len(frames.offset))
    except CaptureError:
        return


def _readdress(frames: Frames, turn: int) -> None:
    """Gives bare and Ethernet-borne IP packets other addresses in each turn, the same ones for both directions."""
    if not turn:
        return
    some = (frames.caplen >= 54) & ((frames.link == ETHERNET) | (frames.link == RAW_IP))
    framed = frames.link[some] == ETHERNET
    at = frames.offset[some] + 14 * framed
    version = frames.data[at] >> 4
    ethertype = frames.data[at - 2].astype(np.int64) << 8 | frames.data[at - 1]
    for number, name, places in ((4, 0x0800, (13, 17)), (6, 0x86DD, (13, 29))):  # a byte of source and target
        mine = at[(version == number) & (~framed | (ethertype == name))]
        for place in places:
            frames.data[mine + place] ^= np.uint8(turn & 0xFF)


if __name__ == "__main__":
    place, number, *folders = sys.argv[1:]
    if folders:
        real(Path(place), int(number), Path(folders[0]))
    else:
        synthetic(Path(place), int(number))
