"""Answers of resolvers, of forgers, and of nobody."""

import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.wire import NEVER, Parse
from analyzer.wire.dns import AAAA, CNAME, A, Answer, Message, Question, parse_message, split_tcp
from tests.analyzer.wire.hellos import vector
from tests.analyzer.wire.payloads import transport

HOST = b"\3wWw\x08whatsapp\3com\0"
QUESTION = HOST + b"\0\1\0\1"
POINTER = b"\xc0\x0c"  # to the question's name


def header(counts: tuple[int, int, int, int], flags: int = 0x8180) -> bytes:
    return struct.pack(">6H", 0xABCD, flags, *counts)


def record(name: bytes, kind: int, data: bytes, ttl: int = 60) -> bytes:
    return name + struct.pack(">HHI", kind, 1, ttl) + vector(data, 2)


def message(payload: bytes) -> Message:
    found = parse_message(payload)
    assert isinstance(found, Message)
    return found


ALIAS = b"\7mmx-cdn\x08WhatsApp\3net\0"
ANSWER = (
    header((1, 3, 0, 1))
    + QUESTION
    + record(POINTER, CNAME, ALIAS)
    + record(b"\xc0\x2e", A, b"\x9d\xf0\x00\x3c")
    + record(
        b"\xc0\x2e", AAAA, bytes.fromhex("2a03288 0f00c 0000 0000 0000 0000 0167".replace(" ", "")).ljust(16, b"\0")
    )
    + b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
)


def test_an_answer():
    found = message(ANSWER)
    assert (found.id, found.rcode, found.opcode) == (0xABCD, 0, 0)
    assert (found.qr, found.aa, found.tc, found.rd, found.ra) == (True, False, False, True, True)
    assert found.questions == (Question("www.whatsapp.com", "wWw.whatsapp.com", A),)
    assert found.answers[:2] == (
        Answer("www.whatsapp.com", CNAME, 60, "mmx-cdn.whatsapp.net"),
        Answer("mmx-cdn.whatsapp.net", A, 60, "157.240.0.60"),
    )
    assert found.addresses[0] == "157.240.0.60"
    assert len(found.addresses) == 2
    assert (found.opt, found.soa, found.malformed, found.trailing) == (True, False, False, 0)


def test_nxdomain_of_a_real_resolver_has_an_soa():
    soa = record(POINTER, 6, ALIAS + POINTER + bytes(20))
    found = message(header((1, 0, 1, 0), 0x8183) + QUESTION + soa)
    assert (found.rcode, found.soa, found.answers) == (3, True, ())


def test_extended_errors_and_codes():
    option = struct.pack(">HHH", 15, 6, 16) + b"law."
    opt = b"\0\0\x29\x04\xd0\x01\0\0\0" + vector(b"\0\3\0\1x" + option, 2)
    found = message(header((1, 0, 0, 1), 0x8185) + QUESTION + opt)
    assert found.ede == (16,)
    assert found.rcode == 1 << 4 | 5


def test_other_data_by_its_length():
    assert message(header((1, 1, 0, 0)) + QUESTION + record(POINTER, 16, b"\4text")).answers[0].value == 5


def test_the_root_and_a_dot_inside_a_label():
    assert message(header((1, 0, 0, 0), 0x0100) + b"\0\0\2\0\1").questions[0].name == "."
    assert message(header((1, 0, 0, 0), 0x0100) + b"\3a.b\3com\0\0\1\0\1").questions[0].name == "a\\x2eb.com"


def test_every_cut_is_noted_or_never():
    for n in range(len(ANSWER)):
        found = parse_message(ANSWER[:n])
        assert found is NEVER if n < 12 + len(QUESTION) else isinstance(found, Message) and found.malformed


def test_a_pointer_forward_is_a_fault():
    """RFC 1035 §4.1.4 points to a prior occurrence; only so can no chain of pointers loop."""
    assert parse_message(header((1, 0, 0, 0)) + b"\xc0\x12\0\1\0\1" + HOST) is NEVER


def test_answers_before_a_fault_are_kept():
    forged = header((1, 1, 0, 1)) + QUESTION + record(POINTER, A, b"\x0a\x0a\x22\x22") + b"\0\0\x29"
    found = message(forged)
    assert found.addresses == ("10.10.34.34",)
    assert found.malformed


def test_trailing_bytes_are_counted():
    assert message(ANSWER + b"xyz").trailing == 3


@pytest.mark.parametrize(
    "name",
    [
        b"\xc0\x0c",
        b"\1a\xc0\x0c",
        b"\xc0\xff",
        b"\xc0\x00",
        b"\x40a\0",
        b"\x3f" + bytes(10),
        (b"\x3f" + b"a" * 63) * 4 + b"\0",
    ],
)
def test_names_that_cannot_be(name):
    assert parse_message(header((1, 0, 0, 0)) + name + b"\0\1\0\1") is NEVER


@pytest.mark.parametrize(
    "payload",
    [b"", bytes(11), bytes(40), header((17, 0, 0, 0)) + QUESTION * 17, header((1, 0, 0, 0), 0x3800) + QUESTION,
     header((1, 0, 0, 0)) + HOST + b"\0\1\x77\x77"],
)  # fmt: skip
def test_never(payload):
    assert parse_message(payload) is NEVER


def test_pointers_cost_little():
    """A chain of pointers, each to the one before, and as many records that begin at its end."""
    chain = b"".join(struct.pack(">H", 0xC000 | 12 + len(QUESTION) + 2 * i - 2) for i in range(1, 5000))
    blob = record(POINTER, 16, b"\0\0" + chain)
    last = struct.pack(">H", 0xC000 | 12 + len(QUESTION) + 12 + len(chain))
    payload = header((1, 255, 0, 0)) + QUESTION + blob + record(last, 16, b"") * 254
    started = time.perf_counter()
    assert isinstance(parse_message(payload), Message)
    assert time.perf_counter() - started < 0.2


def test_over_tcp():
    stream = vector(ANSWER, 2) + vector(b"", 2) + vector(ANSWER[:40], 2)
    assert split_tcp(stream) == [ANSWER, b"", ANSWER[:40]]
    found = [len(split_tcp(stream[:n])) for n in range(len(stream))]
    assert found == sorted(found)
    assert max(found) == 2


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer(data):
    for payload in (data, header((1, 9, 9, 9)) + data, header((1, 9, 9, 9)) + QUESTION + data):
        assert isinstance(parse_message(payload), (Message, Parse))
    assert all(isinstance(part, bytes) for part in split_tcp(data))


@given(st.lists(st.tuples(st.integers(0, len(ANSWER) - 1), st.integers(0, 255)), max_size=5))
def test_a_mutated_answer_is_an_answer(changes):
    payload = bytearray(ANSWER)
    for at, value in changes:
        payload[at] = value
    found = parse_message(bytes(payload))
    assert isinstance(found, (Message, Parse))
    if isinstance(found, Message):
        assert all(question.sent.isprintable() for question in found.questions)


def test_real_answers_are_read_whole(real_captures):
    """Every response of an ordinary capture is a message without a fault."""
    datagrams = [bytes(udp.data) for flow, udp in transport(real_captures / "benign/ndpi__dns.pcap") if flow[1] == 53]
    assert datagrams
    for payload in datagrams:
        found = message(payload)
        assert not found.malformed
        assert found.questions
