"""The oracle's view: one run of tshark over the capture."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.oracle.view import TCP, UDP, Stream, View

FIELDS = (
    "frame.number", "frame.len", "frame.protocols", "tcp.stream", "udp.stream", "communityid", "tcp.len", "tcp.hdr_len",
    "tls.handshake.extensions_server_name", "dns.qry.name", "_ws.malformed", "ip.fragment.overlap",
    "tcp.analysis.retransmission", "tcp.analysis.fast_retransmission", "tcp.analysis.spurious_retransmission",
    "tcp.analysis.out_of_order", "tcp.analysis.keep_alive", "tcp.analysis.zero_window_probe",
)  # fmt: skip
STREAMS = {TCP: "tcp.stream", UDP: "udp.stream"}
RESENT = FIELDS[12:15]
SHORTEST_TCP, LONGEST_IP = 20, 0xFFFF  # bytes: of a TCP header; of an IP packet, as its header can say
OPTIONS = ("-n", "--enable-protocol", "communityid", "-o", "tcp.reassemble_out_of_order:TRUE")


def view(capture: Path, seconds: float = 600) -> View:
    """What tshark sees."""
    command = ["tshark", *OPTIONS, "-r", str(capture), "-T", "fields", *(f"-e{name}" for name in FIELDS)]
    ran = subprocess.run(command, capture_output=True, timeout=seconds)
    found = View()
    seen: Counter[tuple[int, int]] = Counter()
    for line in ran.stdout.decode("utf-8", "replace").split("\n"):
        cells = line.split("\t")
        if len(cells) == len(FIELDS):
            _frame(found, seen, dict(zip(FIELDS, cells, strict=True)))
    found.streams = {key: stream._replace(packets=seen[key]) for key, stream in found.streams.items()}
    if ran.returncode:
        said = ran.stderr.decode("utf-8", "replace").strip().splitlines()
        found.failed = said[-1] if said else f"exit code {ran.returncode}"
    return found


def _frame(found: View, seen: Counter[tuple[int, int]], cell: dict[str, str]) -> None:
    frame, layers = int(cell["frame.number"]), sys.intern(cell["frame.protocols"])
    found.packets += 1
    found.layers[frame] = layers
    short = any(size < SHORTEST_TCP for size in _numbers(cell["tcp.hdr_len"]))
    if cell["_ws.malformed"] or cell["ip.fragment.overlap"] or short or int(cell["frame.len"]) > LONGEST_IP:
        found.damaged.add(frame)
    for proto, name in STREAMS.items():
        for number in _numbers(cell[name]):
            seen[proto, number] += 1
            found.streams.setdefault((proto, number), Stream(frame, 0, cell["communityid"] or None))
    inner = TCP if layers.rfind(":tcp") > layers.rfind(":udp") else UDP
    numbers = _numbers(cell[STREAMS[inner]])
    if not numbers:
        return
    first = found.streams[inner, numbers[-1]].first_frame
    found.names.update((first, inner, name) for name in _texts(cell["tls.handshake.extensions_server_name"]))
    if ":dns" in layers:  # the field is shared with mDNS, LLMNR and NetBIOS
        for name in _texts(cell["dns.qry.name"]):
            found.questions.setdefault(name, frame)
    said = [name.rpartition(".")[2].replace("_", " ") for name in FIELDS[12:] if cell[name]]
    if said:
        empty = ["no payload"] if cell["tcp.len"].split(",")[-1] == "0" else []
        found.remarks[frame] = ", ".join([*said, *empty])
    if any(cell[name] for name in RESENT):
        found.resent.setdefault(first, set()).add(frame)


def _numbers(cell: str) -> list[int]:
    """Of the conversations that a frame is in, the innermost last."""
    return [int(number) for number in cell.split(",") if number]


def _texts(cell: str) -> set[str]:
    return {name.lower().rstrip(".") for name in cell.split(",")} - {""}
