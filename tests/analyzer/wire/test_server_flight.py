"""What servers send in clear: choices, chains, alerts; whole, byte by byte, and with something foreign in between."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.wire import NEVER, NOT_YET, Parse
from analyzer.wire.server_flight import (
    Alert,
    ApplicationData,
    Certificates,
    ChangeCipherSpec,
    Flight,
    Message,
    ServerHello,
    client_alerts,
    parse_server_flight,
)
from analyzer.wire.tls import looks_like_tls
from tests.analyzer.wire.hellos import chrome, records, vector

RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
TLS13 = (43, b"\3\4")
SHARE = (51, b"\0\x1d\0\x20" + bytes(32))
ALPN = (16, vector(vector(b"h2", 1), 2))
CCS = b"\x14\3\3\0\1\1"
LEAF, ISSUER = b"leaf" * 100, b"issuer" * 50


def server_hello(*extensions: tuple[int, bytes], random: bytes = bytes(32), cipher: int = 0x1301) -> bytes:
    body = b"\3\3" + random + vector(bytes(32), 1) + struct.pack(">HB", cipher, 0)
    body += vector(b"".join(struct.pack(">H", kind) + vector(data, 2) for kind, data in extensions), 2)
    return b"\2" + vector(body, 3)


def certificates(*chain: bytes) -> bytes:
    return b"\x0b" + vector(vector(b"".join(vector(der, 3) for der in chain), 3), 3)


def data(*sizes: int) -> bytes:
    return b"".join(records(bytes(size), kind=23) for size in sizes)


def flight(stream: bytes) -> Flight:
    found = parse_server_flight(stream)
    assert isinstance(found, Flight)
    return found


def test_tls13():
    stream = records(server_hello(TLS13, SHARE)) + CCS + data(100, 200)
    hello, ccs, rest = flight(stream).items
    assert isinstance(hello, ServerHello)
    assert (hello.version, hello.cipher, hello.group, hello.retry) == (0x0304, 0x1301, 29, False)
    assert isinstance(ccs, ChangeCipherSpec)
    assert rest == ApplicationData(at=len(stream) - 310, records=2, claimed=300, present=300)
    assert flight(stream).broken_at is None
    assert flight(stream).end == len(stream)


@pytest.mark.parametrize("size", [7, 100, 1 << 14])
def test_tls12(size):
    stream = records(server_hello(ALPN) + certificates(LEAF, ISSUER) + b"\x0c\0\0\2xx\x0e\0\0\0", size)
    stream += CCS + records(bytes(40)) + data(50)
    found = flight(stream)
    assert [type(item) for item in found.items] == [
        ServerHello, Certificates, Message, Message, ChangeCipherSpec, Message, ApplicationData,
    ]  # fmt: skip
    assert found.hello is not None
    assert found.hello.version == 0x0303
    assert found.hello.alpn == "h2"
    assert found.certificates is not None
    assert found.certificates.chain == (LEAF, ISSUER)
    assert found.certificates.whole
    assert [item.type for item in found.items if isinstance(item, Message)] == [12, 14, None]
    assert [item.at for item in found.items] == sorted({item.at for item in found.items})


def test_the_retry_is_not_the_hello():
    found = flight(
        records(server_hello(TLS13, (51, b"\0\x18"), random=RETRY)) + CCS + records(server_hello(TLS13, SHARE))
    )
    assert found.retry is not None
    assert found.retry.group == 24
    assert found.hello is not None
    assert found.hello.group == 29


def test_each_thing_comes_with_its_last_byte():
    stream = records(server_hello(ALPN) + certificates(LEAF)) + records(b"\2\x70", kind=21)
    for n in range(len(stream)):
        answer = parse_server_flight(stream[:n])
        assert answer is NOT_YET or (isinstance(answer, Flight) and answer.broken_at is None and not answer.alerts)
        if n < 5 + len(server_hello(ALPN)):
            assert answer is NOT_YET
    assert [alert.name for alert in flight(stream).alerts] == ["unrecognized_name"]


def test_a_leaf_is_kept_when_the_chain_is_cut():
    stream = records(server_hello() + certificates(LEAF, ISSUER))
    assert flight(stream[:-10]).certificates == Certificates(5 + len(server_hello()), (LEAF,), whole=False)


def test_alerts_in_clear_and_encrypted():
    stream = records(server_hello()) + records(b"\2\x28", kind=21) + CCS + records(bytes(26), kind=21)
    first, second = flight(stream).alerts
    assert (first.level, first.description, first.name) == (2, 40, "handshake_failure")
    assert (second.level, second.description, second.name) == (None, None, None)


def test_an_alert_alone():
    assert flight(records(b"\2\x46", kind=21)).items == (Alert(0, 2, 70),)


def test_client_alerts():
    assert client_alerts(records(chrome()) + records(b"\2\x30", kind=21))[0].name == "unknown_ca"
    assert client_alerts(b"GET / HTTP/1.1") == ()


def test_foreign_bytes_in_the_stream_are_located():
    hello = records(server_hello(TLS13))
    assert flight(hello + b"HTTP/1.1 302 Found\r\n").broken_at == len(hello)


@pytest.mark.parametrize("stream", [b"HTTP/1.1 403", b"\x16\3\1\0\0", b"\x13\3\3", records(b"\2\0\0\1x")])
def test_never(stream):
    assert parse_server_flight(stream) is NEVER


def test_nothing_is_not_yet():
    assert parse_server_flight(b"") is NOT_YET


def test_looks_like_tls():
    assert looks_like_tls(records(chrome()))
    assert looks_like_tls(data(50))
    assert not looks_like_tls(b"\x16\3")
    assert not looks_like_tls(b"\x16\4\1\0\5")
    assert not looks_like_tls(b"SSH-2.0")


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"\x16\3\3\1\0", b"\x15\3\3\0\2", b"\x16\3\3\0\x50\2\0\0\x4c\3\3"])
)
def test_any_bytes_are_an_answer(tail, head):
    assert isinstance(parse_server_flight(head + tail), (Flight, Parse))
    assert isinstance(client_alerts(head + tail), tuple)


@given(st.integers(5, 90), st.lists(st.tuples(st.integers(0, 800), st.integers(0, 255)), max_size=5))
def test_a_mutated_flight_is_an_answer(size, changes):
    stream = bytearray(records(server_hello(ALPN) + certificates(LEAF, ISSUER), size) + CCS + data(30))
    for at, value in changes:
        stream[at] = value
    assert isinstance(parse_server_flight(bytes(stream)), (Flight, Parse))
