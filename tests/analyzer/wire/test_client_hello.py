"""Each hello is read whole and byte by byte, in one record and in many; hostile bytes are only ever an answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.wire import NEVER, NOT_YET, Parse
from analyzer.wire.client_hello import ClientHello, ServerName, parse_client_hello, parse_handshake, peek_server_name
from tests.analyzer.wire.hellos import CHROME_CIPHERS, CHROME_ORDER, chrome, hello, records, server_name, vector

NAME = b"web.whatsapp.com"
SSL2_SPECS = bytes.fromhex("0000040000050000 0a 010080 0700c0 000039")


def sslv2(specs: bytes = SSL2_SPECS, version: bytes = b"\3\1", challenge: int = 16) -> bytes:
    body = b"\1" + version + len(specs).to_bytes(2, "big") + b"\0\0" + challenge.to_bytes(2, "big") + specs
    body += bytes(challenge)
    return (0x8000 | len(body)).to_bytes(2, "big") + body


def test_says_what_was_offered():
    found = parse_client_hello(records(chrome()))
    assert isinstance(found, ClientHello)
    assert found.sni == "web.whatsapp.com"
    assert found.version == 0x0303
    assert found.versions == (0x5A5A, 0x0304, 0x0303)
    assert found.random == bytes(range(32))
    assert found.ciphers == CHROME_CIPHERS
    assert found.extensions == CHROME_ORDER
    assert found.alpn == ("h2", "http/1.1")
    assert found.groups == (0x4A4A, 29, 23, 24)
    assert found.key_shares == ((29, 32),)
    assert found.length == len(chrome()) - 4
    assert not found.ech


@pytest.mark.parametrize("size", [1, 3, 100, 1 << 14])
def test_not_yet_until_the_last_byte(size):
    stream = records(chrome(), size)
    answers = [parse_client_hello(stream[:n]) for n in range(len(stream))]
    assert set(answers) == {NOT_YET}
    found = parse_client_hello(stream)
    assert isinstance(found, ClientHello)
    assert found.end == len(stream)


@pytest.mark.parametrize("size", [1, 7, 97, 1 << 14])
def test_the_trigger_byte_is_the_last_of_the_name(size):
    stream = records(chrome(NAME), size)
    found = parse_client_hello(stream)
    assert isinstance(found, ClientHello)
    assert found.sni_end is not None
    assert peek_server_name(stream[: found.sni_end]) == ServerName("web.whatsapp.com", found.sni_end)
    assert {peek_server_name(stream[:n]) for n in range(found.sni_end)} == {NOT_YET}
    assert stream[found.sni_end - 1 : found.sni_end] == b"m"


def test_what_follows_the_hello_is_not_its():
    stream = records(chrome() + b"\x0b\0\0\0")
    found = parse_client_hello(stream + b"more")
    assert isinstance(found, ClientHello)
    assert found.end == len(stream) - 4


def test_a_hello_without_a_name():
    found = parse_client_hello(records(hello()))
    assert isinstance(found, ClientHello)
    assert (found.sni, found.sni_end) == (None, None)
    assert peek_server_name(records(hello())) is NEVER


def test_the_longest_session_id():
    found = parse_client_hello(records(hello([server_name(NAME)], session_id=bytes(32))))
    assert isinstance(found, ClientHello)
    assert (found.session_id_len, found.sni) == (32, "web.whatsapp.com")


def test_ech_is_seen_whether_real_or_grease():
    found = parse_client_hello(records(hello([server_name(b"public.example"), (0xFE0D, bytes(64))])))
    assert isinstance(found, ClientHello)
    assert found.ech


def test_a_post_quantum_share_makes_two_segments_of_it():
    found = parse_client_hello(records(chrome(share=1216)))
    assert isinstance(found, ClientHello)
    assert found.key_shares == ((29, 1216),)
    assert found.end > 1460


def test_a_hostile_name_becomes_harmless_text():
    found = parse_client_hello(records(hello([server_name(b"a\x1b[2J\xff\\.example")])))
    assert isinstance(found, ClientHello)
    assert found.sni == "a\\x1b[2J\\xff\\\\.example"


def test_sslv2_hello_is_recognised_and_names_nobody():
    stream = sslv2()
    assert {parse_client_hello(stream[:n]) for n in range(len(stream))} == {NOT_YET}
    found = parse_client_hello(stream + b"more")
    assert isinstance(found, ClientHello)
    assert found.sslv2
    assert found.sni is None
    assert found.version == 0x0301
    assert found.ciphers == (0x0004, 0x0005, 0x000A, 0x0039)
    assert found.end == len(stream)
    assert parse_client_hello(sslv2(challenge=40)) is NEVER


@pytest.mark.parametrize(
    "stream",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x02\x00",
        b"\x16\x03\x05",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\xff\xff",
        b"\x17\x03\x03\x00\x20",
        records(b"\x02" + chrome()[1:]),
        records(chrome()[:100]) + records(b"\2\x28", kind=21),
        records(hello(session_id=bytes(33))),
        records(hello()[:-2] + b"\xff\xff"),  # extensions past the end
    ],
)
def test_never(stream):
    assert parse_client_hello(stream) is NEVER


def test_bare_handshake_bytes():
    message = chrome()
    assert {parse_handshake(message[:n], quic=True) for n in range(len(message))} == {NOT_YET}
    found = parse_handshake(message, quic=True)
    assert isinstance(found, ClientHello)
    assert found.ja4.startswith("q13d")
    assert message[: found.sni_end].endswith(NAME)


@given(st.binary(max_size=400))
def test_any_bytes_are_an_answer(data):
    for stream in (data, b"\x16\x03\x01\x01\x00" + data, records(b"\1" + vector(b"\3\3" + data, 3)), b"\x80" + data):
        assert isinstance(parse_client_hello(stream), (ClientHello, Parse))
        assert isinstance(peek_server_name(stream), (ServerName, Parse))


@given(st.integers(1, 60), st.lists(st.tuples(st.integers(0, 330), st.integers(0, 255)), max_size=6))
def test_a_mutated_hello_is_an_answer_and_never_stays_never(size, changes):
    stream = bytearray(records(chrome(), size))
    for at, value in changes:
        stream[at % len(stream)] = value
    refused = False
    for end in range(0, len(stream) + 1, 11):
        answer = parse_client_hello(bytes(stream[:end]))
        assert isinstance(answer, (ClientHello, Parse))
        assert not refused or answer is NEVER
        refused = answer is NEVER
        if isinstance(answer, ClientHello):
            assert len(answer.ja4) == 36
            assert len(answer.ja3) == 32
            early = peek_server_name(bytes(stream[:end]))
            assert early == (ServerName(answer.sni, answer.sni_end) if answer.sni else NEVER)
