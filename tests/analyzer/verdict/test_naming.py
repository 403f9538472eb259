"""Witnesses of a method: what each packet is, where rules disagree on it."""

from __future__ import annotations

import pytest

import signatures
from analyzer.signature import Finding, Rule, Witness, agreed
from tests.conversation import Conversation, analyze

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
FORGED = b"HTTP/1.1 302 Found\r\nLocation: http://stop.example/\r\n\r\n"


def finding(strength: str, *witnesses: tuple[int, str]) -> Finding:
    rule = Rule(f"test.{strength}", "interference", strength, "content", "", "", "")
    return Finding(rule, "flow 0", (0,), 0, witnesses=tuple(Witness(*w) for w in witnesses))


@pytest.mark.parametrize(
    ("said", "agreed_on"),
    [
        ((("strong", (5, "forged"), (8, "forged")), ("conclusive", (8, "contradicts"))), [(5, "forged"), (8, "contradicts")]),
        ((("conclusive", (8, "forged")), ("strong", (8, "contradicts"))), [(8, "forged")]),
        ((("supporting", (8, "baseline")), ("supporting", (8, "forged"))), [(8, "forged")]),
        ((("weak", (8, "forged")), ("strong", (8, "baseline"), (4, "trigger"))), [(8, "baseline"), (4, "trigger")]),
        ((("strong", (4, "trigger")), ("strong", (4, "baseline"))), [(4, "trigger"), (4, "baseline")]),
    ],
)  # fmt: skip
def test_the_most_certain_rule_decides(said, agreed_on):
    assert agreed([finding(*one) for one in said]) == [Witness(*w) for w in agreed_on]


def test_no_packet_of_a_method_is_both_forged_and_genuine():
    """Both answers lack the timestamps that were agreed on; which one is the server's is known by their contents."""
    talk = Conversation("example.org", dport=80, timestamps=True).open().request()
    talk.down("PA", FORGED, after=5, forged=True, timestamps=False, ttl=61).down("PA", OK, after=75, timestamps=False)
    (method,) = analyze(talk, loaded=signatures.load()).answers[0].methods
    assert set(method.rules) >= {"http.no_timestamps", "http.overlap_differs"}
    roles = {w.frame: w.role for w in method.witnesses if w.role in ("forged", "contradicts")}
    assert roles == {5: "forged", 6: "contradicts"}
    assert len(roles) == sum(w.role in ("forged", "contradicts") for w in method.witnesses)
