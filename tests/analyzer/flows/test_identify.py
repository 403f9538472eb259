"""Protocols and names of whole conversations, with all that looks at them quickly before they are read."""

from __future__ import annotations

from scapy.layers.dns import DNS, DNSQR, DNSRR

import signatures
from tests.conversation import Conversation, analyze

LOADED = signatures.load()


def test_a_long_question_over_tcp_is_read():
    key = DNSRR(rrname="key.example", type=249, rdata=bytes(2900))  # TKEY (RFC 2930): more than a packet holds
    message = bytes(DNS(id=7, qd=DNSQR(qname="key.example", qtype=249), ar=key))
    talk = Conversation(dport=53).open()
    stream = len(message).to_bytes(2, "big") + message
    for at in range(0, len(stream), 1400):
        talk.up("PA", stream[at : at + 1400])
    flow = next(analyze(talk, loaded=LOADED).flow_table.rows())
    assert (flow.protocol, flow.qname) == ("dns", "key.example")


def test_a_protocol_without_words_is_other():
    talk = Conversation(dport=5222).open().up("PA", b"\xef" * 40).down("PA", b"\xf0" * 40)
    flow = next(analyze(talk, loaded=LOADED).flow_table.rows())
    assert (flow.protocol, flow.answer) == ("other", "data")
