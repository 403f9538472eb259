"""What a packet and a flow cost by how many there are: `python -m tests.bench.scale`.

Two kinds of invented TCP traffic, flows side by side by the hundred: frames of 500 bytes in flows of 30 packets, and flows of
five small ones. Each is analysed from a file in a process of its own, start-up included.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.bench.__main__ import measured

LINKTYPE_ETHERNET = 1
SIDE_BY_SIDE = 100
PART = 100_000  # packets written at once
HEADERS = 14 + 20 + 20
FIN, SYN, ACK = 1, 2, 16

_RECORD = np.dtype([
    ("sec", "<u4"), ("usec", "<u4"), ("caplen", "<u4"), ("origlen", "<u4"),
    ("mac", "V12"), ("type", ">u2"), ("version", "u1"), ("tos", "u1"), ("total", ">u2"), ("ipid", ">u2"), ("frag", ">u2"),
    ("ttl", "u1"), ("proto", "u1"), ("ipsum", ">u2"), ("src", ">u4"), ("dst", ">u4"),
    ("sport", ">u2"), ("dport", ">u2"), ("seq", ">u4"), ("ack", ">u4"), ("offset", "u1"), ("flags", "u1"), ("win", ">u2"),
    ("sum", ">u2"), ("urgent", ">u2"),
])  # fmt: skip


def write(path: Path, flows: int, packets: int, size: int) -> None:
    """A pcap of `flows` conversations of `packets` frames of `size` bytes: greeting, data from the server, goodbye."""
    record = np.dtype([*((name, _RECORD[name]) for name in _RECORD.names or ()), ("data", f"V{size - HEADERS}")])
    step = np.arange(packets)
    up = (step != 1) & ((step < 3) | (step >= packets - 1))
    data = np.where((step >= 3) & (step < packets - 1), size - HEADERS, 0)
    flags = np.where(step == 0, SYN, np.where(step == 1, SYN | ACK, np.where(step >= packets - 1, FIN | ACK, ACK)))
    down = 1 + np.concatenate(([0], np.cumsum(np.where(up, 0, data))[:-1]))  # the server's next byte before each step
    with path.open("wb") as out:
        out.write(
            np.array([(0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, LINKTYPE_ETHERNET)], "<u4,<u2,<u2,<u4,<u4,<u4,<u4").tobytes()
        )
        at_once = max(1, PART // packets // SIDE_BY_SIDE) * SIDE_BY_SIDE
        for first in range(0, flows, at_once):
            flow = np.arange(first, min(first + at_once, flows))
            group, place = np.divmod(flow, SIDE_BY_SIDE)
            which = np.lexsort((np.tile(place, packets), np.repeat(step, len(flow)), np.tile(group, packets)))
            j, f = np.repeat(step, len(flow))[which], np.tile(flow, packets)[which]
            client, server = 0x0A000000 + f // 20_000, 0xC6336400 + f % 200
            port = 20_000 + f % 20_000
            time = 200 * (first * packets + np.arange(len(f)))  # µs
            rows = np.zeros(len(f), record)
            rows["sec"], rows["usec"] = 1_700_000_000 + time // 1_000_000, time % 1_000_000
            rows["caplen"] = rows["origlen"] = size
            rows["type"], rows["version"], rows["total"] = 0x0800, 0x45, 40 + data[j]
            rows["ttl"], rows["proto"], rows["offset"], rows["win"] = np.where(up[j], 64, 52), 6, 0x50, 64_000
            rows["src"], rows["dst"] = np.where(up[j], client, server), np.where(up[j], server, client)
            rows["sport"], rows["dport"] = np.where(up[j], port, 443), np.where(up[j], 443, port)
            rows["seq"] = np.where(up[j], np.minimum(j, 1), np.where(j == 1, 0, down[j]))
            rows["ack"] = np.where(up[j], np.where(j == 0, 0, down[j]), 1)
            rows["flags"] = flags[j]
            out.write(rows.tobytes())


def main() -> None:
    sizes = [("500 bytes, 30 a flow", n // 30, 30, 500) for n in (20_000, 200_000, 2_000_000)]
    sizes += [("100 bytes, 5 a flow", n // 5, 5, 100) for n in (10_000, 100_000, 1_000_000, 5_000_000, 10_000_000)]
    print(f"{'frames':22} {'packets':>11} {'flows':>10} {'s':>7} {'packets/s':>11} {'peak':>9}")
    for name, flows, packets, size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "scale.pcap"
            write(path, flows, packets, size)
            command = [sys.executable, "-m", "analyzer", "analyze", "--json", str(path)]
            # The better of two: the first to read a file that was just written pays for the writing.
            run = min((measured(command) for _ in range(2)), key=lambda one: one.seconds)
        total = flows * packets
        print(
            f"{name:22} {total:11,} {flows:10,} {run.seconds:7.2f} {total / run.seconds:11,.0f} {run.peak:6,.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
