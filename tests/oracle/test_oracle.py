"""The analyzer and tshark see the same, and where they differ there is a reason: on invented traffic, and on real captures."""

import shutil
import zlib
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, TCPerror
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.utils import wrpcap

from analyzer.api import demo_capture
from tests.oracle import ours, theirs
from tests.oracle.__main__ import SUFFIXES, captures, compare, main, summary
from tests.oracle.compare import CLASSES, differences
from tests.oracle.view import TCP as TCP_NUMBER
from tests.oracle.view import Stream, View

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

OF_EACH = 40  # real captures of which one is compared: all of them take a quarter of an hour
MOST_BYTES = 1 << 20
SHIFTED = 0.01  # share of conversations that may have another number: tshark's dissectors invent some, 71 of 21,448


def test_the_example_is_the_same_for_both():
    there = theirs.view(demo_capture())
    assert len(there.streams) > 10 and there.names and there.questions
    assert differences(ours.view(demo_capture()), there) == []


def test_numbers_agree_around_quotes_and_tunnels(tmp_path: Path):
    here, server, router = "10.0.0.2", "192.0.2.9", "198.51.100.7"
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    outside = link / IP(src=router, dst=here) / UDP(sport=777, dport=4789) / VXLAN(vni=5)
    quoted = IPerror(src=here, dst=server, ttl=1) / TCPerror(sport=2, dport=443, flags="S")
    packets = [
        link / IP(src=here, dst=server) / TCP(sport=1, dport=443, flags="S", seq=5),
        link / IP(src=router, dst=here) / ICMP(type=11) / quoted,
        outside / link / IP(src=here, dst=server) / UDP(sport=1001, dport=9000) / b"x",
        outside / link / IP(src=here, dst=server) / ICMP(),
        link / IP(src=here, dst=server) / TCP(sport=3, dport=443, flags="S"),
        link / IP(src=here, dst=server) / TCP(sport=2, dport=443, flags="S"),
        link / IP(src=here, dst=server) / TCP(sport=1, dport=443, flags="S", seq=5_000_000),
        link / IP(src=here, dst=server) / UDP(sport=1002, dport=9000) / b"x",
    ]
    wrpcap(str(tmp_path / "a.pcap"), packets)
    there = theirs.view(tmp_path / "a.pcap")
    here_ = ours.view(tmp_path / "a.pcap")
    assert {key: here_.streams[key].packets for key in here_.streams} == {
        (6, 0): 1, (6, 1): 1, (6, 2): 1, (6, 3): 1, (17, 1): 1, (17, 2): 1,
    }  # fmt: skip
    found = differences(here_, there)
    assert {(d.about, d.cls) for d in found} == {("tcp", "quoted")}


def test_every_difference_is_told():
    whole = View(1, {(6, 0): Stream(1, 1, "a")}, {(1, 6, "example.org")}, {"example.org": 1}, {1: {1}})
    whole.layers = {1: "eth:ip:tcp"}
    found = differences(View(), whole)
    assert [d.about for d in found] == ["packets", "tcp", "sni", "dns", "resent"]
    assert {d.cls for d in found} <= CLASSES.keys()
    other = View(1, {(6, 1): Stream(1, 1, "b")}, whole.names, whole.questions, whole.resent)
    assert [d.about for d in differences(other, whole)] == ["stream", "community_id"]


def test_the_command_sums_up_a_folder(tmp_path: Path, capsys):
    shutil.copy(demo_capture(), tmp_path / "demo.pcap")
    (tmp_path / "notes.txt").write_text("no capture")
    (tmp_path / "broken.pcap").write_text("no capture either")
    assert main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "2 captures, of which tshark reads 1" in out
    assert out.count("1 of 1") == 8 and "unexplained" not in out
    assert main([]) == 2


def test_real_captures(real_captures: Path):
    folders = [real_captures / name for name in ("benign", "interference", "torture")]
    some = [
        p for p in captures(folders) if zlib.crc32(p.name.encode()) % OF_EACH == 0 and p.stat().st_size < MOST_BYTES
    ]
    assert len(some) > 20 and all(path.suffix in SUFFIXES for path in some)
    found = [compare(path) for path in some]
    everything = [difference for one in found for difference in one.differences]
    assert [d for d in everything if d.cls == "unexplained" or d.about == "packets"] == []
    conversations = sum(one.subjects.get("stream", 0) for one in found)
    shifted = sum(d.about == "stream" for d in everything)
    assert shifted <= max(1, SHIFTED * conversations)
    assert TCP_NUMBER == 6 and len(list(summary(found, 1))) > 9
