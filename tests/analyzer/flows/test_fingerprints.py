"""JA3 of conversations: only where it is asked for, and the same as tshark's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import signatures
from analyzer.api import analyze, demo_capture
from tests.conversation import Conversation, pcap_of
from tests.quic_talk import QuicTalk


def ja3(*packets) -> list[str | None]:
    result = analyze(pcap_of([packet for some in packets for packet in some]), signatures.load(), with_ja3=True)
    return [result.ja3.get(flow) for flow in result.flow_table.flow.tolist()]


def test_name_and_transport_do_not_matter():
    first, second, over_quic = ja3(
        Conversation("a.example.org").works().packets,
        Conversation("another.example.org", at=1000).works().packets,
        QuicTalk("a.example.org", at=2000).works().packets,
    )
    assert first == second == over_quic and len(first) == 32


def test_nothing_without_a_whole_hello():
    talk = Conversation("a.example.org").open().hello(segment=100)
    assert ja3(talk.packets[:-1]) == [None]


def test_nothing_unasked():
    assert analyze(None, signatures.load()).ja3 == {}


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_says_the_same():
    wanted = "tcp.stream", "udp.stream", "tls.handshake.ja3"
    command = [
        "tshark",
        "-n",
        "-r",
        str(Path(demo_capture())),
        "-Y",
        wanted[-1],
        "-Tfields",
        *(f"-e{w}" for w in wanted),
    ]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    theirs = {
        (6, int(tcp)) if tcp else (17, int(udp)): hello for tcp, udp, hello in (line.split("\t") for line in lines)
    }
    result = analyze(None, signatures.load(), with_ja3=True)
    flows = {flow.flow: (flow.proto, flow.stream) for flow in result.flow_table.rows()}
    assert {flows[flow]: hello for flow, hello in result.ja3.items()} == theirs != {}
