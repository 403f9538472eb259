"""`interference inspect`: one conversation in words, by any of its numbers."""

from __future__ import annotations

import re
import shutil

import pytest
from scapy.layers.inet import TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from analyzer import tables
from analyzer.report import conversation, coverage
from analyzer.signature import LEANS
from tests.analyzer.cli.command import DEMO, call


def inspect(*how: str) -> str:
    ran = call("inspect", DEMO, "-c", "0", *how)
    assert (ran.code, ran.err) == (0, "")
    return ran.out


def test_says_why_it_ended_and_what_speaks_for_what():
    said = inspect("--flow", "6")
    assert said.startswith("Flow 6: tcp, 10.0.0.2:50420 → 157.240.0.60:443\n")
    assert "A reset (RST) that came from the server's side." in said
    assert "WhatsApp (web: web.whatsapp.com) is blocked by name" in said
    for_it, against = said.index("Speaks for interference"), said.index("Speaks for an ordinary cause")
    assert for_it < said.index("rst.server_talks_on") < against < said.index("rst.after_close")
    assert re.search(r"least_rtt_ms \d", said)  # measured values
    assert "packets 32, 33, 34: forged" in said


def test_a_conversation_that_went_well_has_nothing_against_it():
    said = inspect("--stream", "4")
    assert "It was closed the ordinary way (FIN)." in said
    assert "Speaks for" not in said


@pytest.mark.parametrize("frame", [27, 31, 32, 36, 37])  # SYN, hello, forged reset, the server's answer, its echo
def test_a_frame_leads_to_its_conversation(frame):
    assert inspect("--frame", str(frame)).startswith("Flow 6: ")


def test_streams_are_tshark_s_of_each_protocol():
    assert inspect("--stream", "1") == inspect("--stream", "tcp:1")
    assert inspect("--stream", "tcp:1").startswith("Flow 6: tcp")
    assert inspect("--stream", "udp:1").startswith("Flow 1: udp")
    assert inspect("--stream", "tcp:1", "--lang", "ru").startswith("Поток 6: tcp")


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ([], "which conversation?"),
        (["--flow", "1", "--frame", "1"], "which conversation?"),
        (["--frame", "99999"], "frame 99999 is no TCP or UDP conversation of this capture"),
        (["--flow", "99999"], "flow 99999 is no TCP or UDP conversation"),
        (["--stream", "udp:99999"], "stream udp:99999 is no TCP or UDP conversation"),
        (["--stream", "sctp:1"], "give a number, tcp:NUMBER or udp:NUMBER"),
        (["--stream", "one"], "give a number, tcp:NUMBER or udp:NUMBER"),
    ],
)
def test_wrong_usage(how, why):
    ran = call("inspect", DEMO, *how)
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err


def test_standard_input_cannot_be_read_twice():
    assert call("inspect", "-", "--flow", "1").code == 2


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_dissects_the_frame():
    ran = call("inspect", DEMO, "--frame", "32")
    assert (ran.code, ran.err) == (0, "")
    dissection = ran.out.partition("\nPacket ")[2]
    assert "Connection reset (RST)" in dissection and "Stream index: 1" in dissection
    assert "Packet " not in dissection  # that one alone


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_dissects_the_first_packets_of_a_flow():
    assert call("inspect", DEMO, "--flow", "6", "-c", "3").out.count("\nPacket ") == 3


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_unasked_only_the_packet_that_tells_most_is_dissected_and_a_line_says_how_to_see_all():
    ran = call("inspect", DEMO, "--flow", "6")
    assert ran.out.count("\nPacket ") == 1 and "Connection reset (RST)" in ran.out.partition("\nPacket ")[2]
    assert ran.err == "interference: 1 of 11 packets is dissected; -c 11 shows all\n"
    assert call("inspect", DEMO, "--flow", "6", "-c", "11").out.count("\nPacket ") == 11


def test_without_tshark_one_line_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    ran = call("inspect", DEMO, "--flow", "6")
    assert ran.code == 0
    assert "rst.server_talks_on" in ran.out
    assert ran.err.count("\n") == 1 and "without dissection: tshark is not installed" in ran.err


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (conversation.STAGES, tables.Stage),
        (conversation.ENDS, tables.End),
        (conversation.CUTS, tables.Cut),
        (conversation.LEANS, LEANS),
        (coverage.TUNNELS, [kind.name.lower() for kind in tables.Tunnel if kind]),
    ],
)
def test_every_word_of_the_flows_table_can_be_said(said, words):
    assert set(said) == set(words)


def test_what_stands_behind_an_address_of_nat64_is_said(tmp_path):
    asked = Ether() / IPv6(src="2001:db8::2", dst="64:ff9b::959a:a733") / TCP(sport=50001, dport=443, flags="S")
    file = tmp_path / "nat64.pcap"
    wrpcap(str(file), [asked])
    assert "through NAT64 with 149.154.167.51" in call("inspect", str(file), "--flow", "0", "-c", "0").out
