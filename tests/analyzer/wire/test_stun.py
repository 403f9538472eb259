"""STUN against the sample messages of RFC 5769, and over TCP in both framings."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from analyzer.wire import NEVER, NOT_YET, Parse
from analyzer.wire.stun import ALLOCATE, BINDING, ERROR, REQUEST, SUCCESS, Stun, is_stun, parse_stun, split_tcp
from tests.analyzer.wire.hellos import vector

# RFC 5769 §2.1 to §2.3
REQUEST_SAMPLE = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b1"
    "51263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
IPV4_SAMPLE = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f599"
    "fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
IPV6_SAMPLE = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5"
    "bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)


def stun(kind: int, attributes: bytes = b"") -> bytes:
    return struct.pack(">HHI12s", kind, len(attributes), 0x2112A442, bytes(12)) + attributes


def read(data: bytes) -> Stun:
    found = parse_stun(data)
    assert isinstance(found, Stun)
    return found


def test_request_of_the_rfc():
    found = read(REQUEST_SAMPLE)
    assert (found.cls, found.method, found.end) == (REQUEST, BINDING, len(REQUEST_SAMPLE))
    assert found.software == "STUN test client"
    assert found.username == "evtj:h6vY"
    assert [number for number, _ in found.attributes] == [0x8022, 0x24, 0x8029, 0x06, 0x08, 0x8028]
    assert found.realm is None
    assert not found.malformed


def test_responses_of_the_rfc():
    assert read(IPV4_SAMPLE).cls == SUCCESS
    assert read(IPV4_SAMPLE).mapped == ("192.0.2.1", 32853)
    assert read(IPV6_SAMPLE).mapped == ("2001:db8:1234:5678:11:2233:4455:6677", 32853)


def test_a_refused_allocation():
    found = read(stun(0x0113, b"\0\x09\0\x04\0\0\4\1" + b"\0\x14\0\x07org\x1b.io\0"))
    assert (found.cls, found.method, found.error, found.realm) == (ERROR, ALLOCATE, 401, "org\\x1b.io")
    assert found.relayed is None


def test_not_yet_until_the_last_byte():
    assert {parse_stun(REQUEST_SAMPLE[:n]) for n in range(len(REQUEST_SAMPLE))} == {NOT_YET}
    assert read(REQUEST_SAMPLE + b"more") == read(REQUEST_SAMPLE)


def test_never():
    assert parse_stun(b"\x80" + REQUEST_SAMPLE[1:]) is NEVER
    assert parse_stun(REQUEST_SAMPLE[:3] + b"\x01") is NEVER
    assert parse_stun(REQUEST_SAMPLE[:4] + b"\0") is NEVER


def test_attributes_past_the_end():
    found = read(stun(1, b"\0\6\0\x40abcd"))
    assert found.malformed
    assert found.attributes == ()


def test_is_stun():
    assert is_stun(REQUEST_SAMPLE)
    assert not is_stun(REQUEST_SAMPLE[:-1])
    assert not is_stun(REQUEST_SAMPLE + b"x")
    assert not is_stun(b"")


def test_over_tcp_between_channel_data():
    channel = b"\x40\0" + vector(b"media", 2) + bytes(3)
    stream = stun(3) + channel + stun(4) + channel + IPV4_SAMPLE
    assert split_tcp(stream) == [stun(3), stun(4), IPV4_SAMPLE]
    assert split_tcp(stream[:-1]) == [stun(3), stun(4)]
    assert split_tcp(stun(3) + b"\xff" * 8 + stun(4)) == [stun(3)]


def test_over_ice_tcp():
    stream = vector(stun(1), 2) + vector(b"\x80media", 2) + vector(IPV4_SAMPLE, 2)
    assert split_tcp(stream) == [stun(1), IPV4_SAMPLE]


@given(st.binary(max_size=200), st.sampled_from([b"", REQUEST_SAMPLE[:8], IPV4_SAMPLE[:24], b"\0\x14" + stun(1)]))
def test_any_bytes_are_an_answer(tail, head):
    found = parse_stun(head + tail)
    assert isinstance(found, (Stun, Parse))
    if isinstance(found, Stun):
        assert found.end <= len(head + tail)
        assert isinstance(found.mapped, (tuple, type(None)))
        assert isinstance(found.error, (int, type(None)))
    assert all(is_stun(part) for part in split_tcp(head + tail))


@given(st.lists(st.tuples(st.integers(0, len(IPV6_SAMPLE) - 1), st.integers(0, 255)), max_size=5))
def test_a_mutated_message_is_an_answer(changes):
    data = bytearray(IPV6_SAMPLE)
    for at, value in changes:
        data[at] = value
    assert isinstance(parse_stun(bytes(data)), (Stun, Parse))
