"""The benchmark's captures are what they claim to be: every packet and flow in them is counted once."""

import subprocess
from pathlib import Path

import analyzer
import signatures
from analyzer.api import demo_capture
from tests.bench import mix


def test_invented_traffic_has_as_many_packets_for_tshark_as_for_the_analyzer(tmp_path: Path):
    path = tmp_path / "mix.pcapng"
    mix.synthetic(path, 4_000)
    coverage = analyzer.analyze(path, signatures.load()).coverage
    fields = ["tshark", "-n", "-r", str(path), "-T", "fields", "-e", "tcp.stream", "-e", "udp.stream"]
    lines = subprocess.run(fields, check=True, capture_output=True, text=True).stdout.splitlines()
    assert coverage.packets == len(lines) >= 4_000
    assert coverage.flows == len(set(lines))
    assert coverage.packets_bad == 0


def test_captures_come_again_from_other_addresses(tmp_path: Path):
    once, thrice = (tmp_path / name for name in ("once.pcapng", "thrice.pcapng"))
    packets = analyzer.analyze(None, signatures.load()).coverage.packets
    mix.real(once, 1, demo_capture().parent)
    mix.real(thrice, 2 * packets + 1, demo_capture().parent)
    one, three = (analyzer.analyze(path, signatures.load()).coverage for path in (once, thrice))
    assert (one.packets, three.packets) == (packets, 3 * packets)
    assert three.flows == 3 * one.flows
