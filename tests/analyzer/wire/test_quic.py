"""Initials sealed by aioquic, the vectors of RFC 9001 and RFC 9369, and hellos in pieces over datagrams in any order."""

from itertools import permutations

import pytest
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import encode_quic_retry, encode_quic_version_negotiation
from hypothesis import given
from hypothesis import strategies as st

from analyzer.wire import NEVER, NOT_YET, Parse
from analyzer.wire.client_hello import ClientHello
from analyzer.wire.quic import MAX_DATAGRAMS, InitialReader, initial_keys, looks_like_initial
from analyzer.wire.quic_frames import parse_frames
from analyzer.wire.quic_packets import PacketType, parse_datagram
from tests.analyzer.wire.hellos import chrome, crypto, initial

DCID = bytes.fromhex("8394c8f03e515708")  # of RFC 9001 §A and RFC 9369 §A
V2 = 0x6B3343CF
RFC_FRAMES = bytes.fromhex(
    "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c0"
    "00000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e0005000501"
    "00000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304"
    "000d0010000e0403050306030203080408050806002d00020101001c00024001003900320408ffffffffffffffff05048000ffff07"
    "048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff"
)
RFC_SERVER = {
    1: "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4c"
    "f73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7a"
    "af2f58891850abbdca3d20398c276456cbc42158407dd074ee",
    V2: "dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d9b89237bbf8726301791535823003"
    "5f7fd3945d88965cf17f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2c984c707f0a0812d8cd5a6881ea"
    "f21ceda98f4bd23f6fe1a3e2c43edd9ce7ca84bed8521e2e140",
}


def read(*datagrams: bytes, up: bool = True) -> InitialReader:
    reader = InitialReader()
    for datagram in datagrams:
        reader.feed(datagram, up)
    return reader


def name(reader: InitialReader) -> str | None:
    return reader.hello.sni if isinstance(reader.hello, ClientHello) else None


def test_keys_of_the_rfc():
    """RFC 9001 §A.1."""
    (client,), (server,) = initial_keys(1, DCID, up=True), initial_keys(1, DCID, up=False)
    assert client.key.hex() == "1f369613dd76d5467730efcbe3b1a22d"
    assert client.iv.hex() == "fa044b2f42a3fd3b46fb255c"
    assert client.hp.hex() == "9f50449e04a0e810283a1e9933adedd2"
    assert server.key.hex() == "cf3a5331653c364c88f0f379b6067e37"
    assert server.iv.hex() == "0ac1493ca1905853b0bba03e"
    assert server.hp.hex() == "c206b8d9b9f0f37644430b490eeaa314"


@pytest.mark.parametrize(
    ("draft", "key"), [(23, "af7fd7efebd21878ff66811248983694"), (29, "175257a31eb09dea9366d8bb79ad80ba")]
)
def test_keys_of_the_drafts(draft, key):
    """draft-ietf-quic-tls-23 and -29, §A.1."""
    (client,) = initial_keys(0xFF000000 + draft, DCID, up=True)
    assert client.key.hex() == key


@pytest.mark.parametrize(("version", "draft"), [(0xFACEB001, 22), (0xFACEB002, 27), (0xFACEB00E, 27)])
def test_versions_of_mvfst_have_the_keys_of_their_drafts(version, draft):
    assert initial_keys(version, DCID, up=True) == initial_keys(0xFF000000 + draft, DCID, up=True) != ()


@pytest.mark.parametrize(
    ("version", "begins", "ends"),
    [
        (1, "c000000001088394c8f03e5157080000449e7b9aec34", "e221af44860018ab0856972e194cd934"),
        (V2, "d76b3343cf088394c8f03e5157080000449ea0c95e82", "a18b2faa745b6fe189cf772a9f84cbfc"),
    ],
)
def test_client_initial_of_the_rfc(version, begins, ends):
    """RFC 9001 §A.2 and RFC 9369 §A.2: sealing is deterministic, so the published ends stand for the whole packet."""
    datagram = initial(RFC_FRAMES, DCID, 2, version=version)
    assert len(datagram) == 1200
    assert datagram.hex().startswith(begins)
    assert datagram.hex().endswith(ends)
    reader = read(datagram)
    assert name(reader) == "example.com"
    assert (reader.version, reader.dcid) == (version, DCID)
    assert looks_like_initial(datagram)


@pytest.mark.parametrize("version", [1, V2])
def test_server_initial_of_the_rfc(version):
    """RFC 9001 §A.3 and RFC 9369 §A.3."""
    reader = read(initial(RFC_FRAMES, DCID, 2, version=version))
    reader.feed(bytes.fromhex(RFC_SERVER[version])[:-1] + b"\0", up=False)
    assert not reader.server_initial
    reader.feed(bytes.fromhex(RFC_SERVER[version]), up=False)
    assert reader.server_initial


def test_aioquic_both_ways():
    client = QuicConnection(configuration=QuicConfiguration(server_name="web.whatsapp.com", alpn_protocols=["h3"]))
    client.connect(("192.0.2.1", 443), now=0.0)
    reader = read(*(data for data, _ in client.datagrams_to_send(now=0.0)))
    assert name(reader) == "web.whatsapp.com"
    assert isinstance(reader.hello, ClientHello)
    assert reader.hello.alpn == ("h3",)
    assert reader.hello.quic
    assert reader.dcid == client.original_destination_connection_id


def test_a_post_quantum_hello_in_any_order_of_datagrams_and_frames():
    message = chrome(share=1216)
    part = -(-len(message) // 6)
    frames = [crypto(i, message[i : i + part]) for i in range(0, len(message), part)]
    pieces = [frames[1] + b"\1" + frames[4], frames[5] + bytes(9) + frames[0], frames[3] + frames[2] + frames[2]]
    datagrams = [initial(piece, DCID, n) for n, piece in enumerate(pieces)]
    for order in permutations(datagrams):
        reader = InitialReader()
        assert [reader.feed(datagram, up=True) for datagram in order[:-1]] == [NOT_YET, NOT_YET]
        reader.feed(order[-1], up=True)
        assert name(reader) == "web.whatsapp.com"


def test_byte_by_byte_in_frames():
    message = chrome()
    reader = read(initial(b"".join(crypto(i, message[i : i + 1]) for i in range(len(message) - 1)), DCID))
    assert reader.hello is NOT_YET
    reader.feed(initial(crypto(len(message) - 1, message[-1:]), DCID, 1), up=True)
    assert name(reader) == "web.whatsapp.com"


def test_coalesced_packets():
    message = chrome()
    first = initial(crypto(0, message[:200]), DCID, 0, size=0)
    second = initial(crypto(200, message[200:]), DCID, 1, size=0)
    assert name(read(first + second)) == "web.whatsapp.com"
    assert [p.type for p in parse_datagram(first + second + b"\x40rest")] == [PacketType.INITIAL] * 2


def test_the_connection_id_changes_but_the_keys_stay():
    message = chrome()
    first = initial(crypto(0, message[:200]), DCID, 0)
    second = initial(crypto(200, message[200:]), b"server's", 1, keys_from=DCID)
    reader = read(first, second)
    assert name(reader) == "web.whatsapp.com"
    assert reader.dcid == DCID


def test_after_a_retry_connection_id_and_keys_change():
    reader = read(initial(crypto(0, chrome()[:200]), DCID))
    retry = encode_quic_retry(1, b"server's", b"", DCID, b"token")
    reader.feed(retry, up=False)
    reader.feed(initial(crypto(0, chrome()), b"server's", 1, token=b"token"), up=True)
    assert reader.retry
    assert name(reader) == "web.whatsapp.com"
    assert reader.dcid == b"server's"


def test_another_connection_begins_anew():
    reader = read(initial(crypto(0, chrome(b"a.example")[:200]), DCID))
    reader.feed(initial(crypto(0, chrome(b"longer.example")), b"another1"), up=True)
    assert name(reader) == "longer.example"
    assert reader.dcid == b"another1"


def test_version_negotiation():
    reader = read(encode_quic_version_negotiation(b"", DCID, [1, V2]), up=False)
    assert reader.version_negotiation is not None
    assert {1, V2} <= set(reader.version_negotiation)
    assert reader.hello is NOT_YET


def test_connection_close_says_why():
    refusal = b"\x02\x00\x00\x00\x00" + b"\x1c" + b"\x41\x70" + b"\x06" + b"\x0a" + b"no\x1bservice"
    reader = read(initial(crypto(0, chrome()), DCID))
    reader.feed(initial(refusal, b"", keys_from=DCID, up=False), up=False)
    assert reader.close is not None
    assert (reader.close.code, reader.close.alert, reader.close.reason) == (0x170, 112, "no\\x1bservice")
    assert not reader.close.up


def test_a_decoy_before_the_initial_decides_nothing():
    reader = read(b"decoy", initial(crypto(0, chrome()), DCID))
    assert name(reader) == "web.whatsapp.com"


def test_a_reserved_version_is_opened():
    datagram = initial(crypto(0, chrome()), DCID, version=1)
    assert initial_keys(0x0A0A0A0A, DCID, up=True)[0] == initial_keys(1, DCID, up=True)[0]
    assert initial_keys(0x51303530, DCID, up=True) == ()
    assert looks_like_initial(datagram)


def test_never_after_the_last_datagram_that_is_tried():
    reader = InitialReader()
    assert [reader.feed(b"\xc0junk", up=True) for _ in range(MAX_DATAGRAMS)] == [NOT_YET] * (MAX_DATAGRAMS - 1) + [
        NEVER
    ]
    assert reader.feed(initial(crypto(0, chrome()), DCID), up=True) is NEVER


def test_never_when_the_crypto_stream_is_something_else_or_too_long():
    assert read(initial(crypto(0, b"\2" + chrome()[1:]), DCID)).hello is NEVER
    assert read(initial(crypto(1 << 20, b"far"), DCID)).hello is NEVER


def test_a_datagram_cut_by_the_capture_is_not_opened():
    datagram = initial(crypto(0, chrome()), DCID)
    assert {read(datagram[:n]).hello for n in range(0, len(datagram), 7)} == {NOT_YET}


@given(st.lists(st.tuples(st.binary(max_size=80), st.booleans()), max_size=10))
def test_any_datagrams_are_an_answer(datagrams):
    reader = InitialReader()
    for tail, up in datagrams:
        assert isinstance(reader.feed(tail, up), Parse)
        assert isinstance(reader.feed(b"\xc0\0\0\0\1" + tail, up), Parse)


@given(st.binary(max_size=300))
def test_any_frames_are_an_answer(payload):
    reader = read(initial(payload, DCID, size=40))
    assert isinstance(reader.hello, Parse)
    assert all(data for _, data in parse_frames(payload).crypto)


@given(st.integers(0, 1199), st.integers(1, 255))
def test_one_wrong_byte_and_nothing_opens(at, change):
    datagram = bytearray(initial(crypto(0, chrome()), DCID))
    datagram[at] ^= change
    assert name(read(bytes(datagram))) is None
