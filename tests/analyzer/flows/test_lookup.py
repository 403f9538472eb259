"""Frames lead to the conversations that tshark puts them in."""

from __future__ import annotations

import shutil
import subprocess

import pytest

import analyzer
import signatures
from analyzer.api import demo_capture
from analyzer.flows import lookup

FLOWS = analyzer.analyze(None, signatures.load()).flow_table


def found(frame: int) -> tuple[int, int] | None:
    """(protocol, stream) of the conversation of a frame."""
    with analyzer.open_capture() as source:
        row = lookup.by_frame(FLOWS, source.blocks(), frame)
    return None if row is None else (int(FLOWS.proto[row]), int(FLOWS.stream[row]))


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_every_frame_is_in_tshark_s_stream():
    fields = ["-e", "frame.number", "-e", "tcp.stream", "-e", "udp.stream"]
    command = ["tshark", "-n", "-r", str(demo_capture()), "-T", "fields", "-E", "separator=,", *fields]
    lines = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    assert len(lines) == 456
    for line in lines[::7]:
        frame, tcp, udp = line.split(",")
        assert found(int(frame)) == ((lookup.TCP, int(tcp)) if tcp else (lookup.UDP, int(udp)))


def test_numbers_of_other_captures_lead_nowhere():
    assert found(457) is None
    assert lookup.by_number(FLOWS, len(FLOWS)) is None
    assert lookup.by_stream(FLOWS, lookup.TCP, 10_000) is None


def test_streams_are_counted_by_protocol():
    tcp, udp = lookup.by_stream(FLOWS, lookup.TCP, 0), lookup.by_stream(FLOWS, lookup.UDP, 0)
    assert (FLOWS.proto[tcp], FLOWS.proto[udp]) == (lookup.TCP, lookup.UDP)
    assert lookup.by_number(FLOWS, int(FLOWS.flow[tcp])) == tcp
