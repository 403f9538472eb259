"""What a method is at each vantage: held against lines as a box writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab import capture_file
from tests.lab.packet import ACK, FIN, PSH, RST, SYN, TCP, UDP, ip_frame, tcp_segment
from tests.lab.traces import Traces, left

CLIENT, SERVER = ("198.51.100.23", 40000), ("157.240.0.60", 443)
TLS = (TCP, *CLIENT, *SERVER)
DNS, QUIC, CALL = ((UDP, *CLIENT, "8.8.8.8", port) for port in (53, 443, 3478))


def line(what: str, up: bool, flags: int = 0, length: int = 600) -> dict:
    return {"what": what, "up": up, "flags": flags, "length": length}


@pytest.mark.parametrize(
    ("lines", "ends", "word", "client", "server"),
    [
        ([line("forged", False, RST)], TLS, "rst", "rst", ""),
        ([line("forged", True, RST | ACK)], TLS, "rst", "", "rst"),
        ([line("forged", False, PSH), line("forged", True, RST)], TLS, "blockpage", "blockpage", "rst"),
        ([line("forged", False, PSH), line("dropped", True)], TLS, "blockpage", "blockpage", "drop"),
        ([line("forged", True, FIN | ACK)], TLS, "fin", "", "fin"),
        ([line("forged", True, PSH)], TLS, "rst", "", "forged_data"),
        ([line("taken", False), line("rewritten", False, RST)], TLS, "rst", "rst", "drop"),
        ([line("dropped", True)], TLS, "drop", "drop", "drop"),
        ([line("dropped", False, PSH)], TLS, "delayed_drop", "delayed_drop", "delayed_drop"),
        ([line("dropped", False, SYN | ACK, 60)], TLS, "drop", "drop", "drop"),
        ([line("dropped", False, ACK, 52)], TLS, "drop", "drop", ""),  # nobody misses an acknowledgment
        ([line("held", False)], QUIC, "shape", "shape", "shape"),
        ([line("dropped", False)], CALL, "drop", "drop", ""),
        ([line("dropped", True)], CALL, "drop", "drop", "drop"),
        ([line("forged", False)], DNS, "forged_dns", "forged_dns", ""),
    ],
)
def test_a_method_is_at_an_end_what_came_or_failed_to_come_there(
    lines: list, ends: tuple, word: str, client: str, server: str
):
    assert (left(lines, ends, word, "client"), left(lines, ends, word, "server")) == (client, server)


def capture(folder: Path, *resets_at: int) -> Path:
    """A server's capture with resets of the client; the box forged a FIN for the client alone at second 1."""
    ends = {"client": CLIENT, "server": SERVER}
    log = [
        {"rule": 0, "flow": 0, "at": 1.0, **line("forged", False, FIN)},
        {"what": "flow", "flow": 0, "proto": TCP, **ends},
        {"what": "summary", "began_ns": 0},
    ]
    (folder / "box.jsonl").write_text("\n".join(map(json.dumps, log)))
    (folder / "scenario.json").write_text(json.dumps({"rules": [{"trigger": "sni", "position": "on_path"}]}))
    segment = tcp_segment(CLIENT, SERVER, RST, 1, 0, 0, b"", b"")
    frame = ip_frame(bytes(12), CLIENT[0], SERVER[0], TCP, segment, 60, 0, True)
    capture_file.write(folder / "server.pcap", [capture_file.Record(at, frame, len(frame)) for at in resets_at])
    return folder / "server.pcap"


def row(**more: str) -> dict[str, str]:
    return {
        "protocol": "tcp", "client": CLIENT[0], "client_port": "40000", "server": SERVER[0], "server_port": "443",
        "trigger": "sni", "position": "on_path", "action": "fin", "server_packets": "5", "client_packets": "9",
    } | more  # fmt: skip


def test_a_client_that_was_made_to_forget_resets(tmp_path: Path):
    assert Traces(capture(tmp_path, 2 * 10**9), "server").action(row()) == "rst"
    assert Traces(capture(tmp_path, 10**8), "server").action(row()) == ""  # before anything was forged
    assert Traces(capture(tmp_path), "server").action(row()) == ""


def test_what_never_arrived_or_was_done_by_the_end_itself(tmp_path: Path):
    traces = Traces(capture(tmp_path), "server")
    assert traces.action(row(server_packets="0")) == ""
    assert traces.action(row(trigger="dns_name", position="endpoint", action="forged_dns")) == "forged_dns"
