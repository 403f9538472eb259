"""What was seen, where a verdict names no method."""

import re

import pytest

import signatures
from analyzer import api
from analyzer.report import Words, markdown
from analyzer.report.outcomes import outcomes
from tests.conversation import Conversation, packets_of, pcap_of

NAME, HOST = "web.whatsapp.com", "157.240.0.60"


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """One name, two tries: each sent its hello and got nothing but a reset."""
    talks = [Conversation(NAME, HOST, at=20_000 * n, rtt=200).open().hello().reset(after=200, ttl=60) for n in range(2)]
    path = tmp_path_factory.mktemp("outcomes") / "cut.pcap"
    path.write_bytes(pcap_of(packets_of(*talks)))
    return api.analyze(path, signatures.load())


def test_how_they_ended_is_said_with_packets_and_a_filter(result):
    (verdict,) = [v for v in result.answers if v.target == NAME]
    assert (verdict.state, verdict.methods) == ("impaired", ())
    seen = outcomes(result, verdict, Words())
    assert seen.said == ["2 connections: asked, not answered, reset from the server's side (packets 1-5, 6-10)"]
    assert seen.filters == ["tcp.stream in {0,1}", "frame.number in {5,10}"]
    text = markdown.render(result, Words())
    assert seen.said[0] in text
    assert re.search(r"```text\ntcp.stream in \{0,1\}\n```", text)
