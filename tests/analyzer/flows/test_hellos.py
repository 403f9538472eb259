"""The quick way through hellos says what the careful one says, or leaves the hello to it."""

import random
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import kernels
from analyzer.flows.hellos import FOUND, Hellos
from analyzer.flows.identify import read_tcp
from analyzer.wire.client_hello import ClientHello, parse_client_hello
from tests.analyzer.wire.hellos import chrome, hello, records, server_name

ORDINARY = records(chrome(b"web.whatsapp.com"))


def found_in(*streams: bytes, reader: Hellos | None = None) -> list[tuple[int, ...]]:
    sizes = np.array([len(stream) for stream in streams], np.int64)
    begin = np.cumsum(sizes) - sizes
    return (reader or Hellos()).read(np.frombuffer(b"".join(streams), np.uint8).copy(), begin, begin + sizes)


def agrees(stream: bytes, reader: Hellos) -> bool:
    """Whether the quick way was taken; it must then agree with the careful one."""
    (found,) = found_in(stream, reader=reader)
    if not found[FOUND]:
        return False
    quick, careful = reader.hello(found, stream), parse_client_hello(stream)
    assert isinstance(careful, ClientHello)
    assert (quick.alpn, quick.ja4) == (",".join(careful.alpn) or None, careful.ja4)
    assert (quick.name is None) == (careful.sni is None)
    return True


def test_an_ordinary_hello():
    reader = Hellos()
    assert agrees(ORDINARY, reader) and agrees(ORDINARY + b"more", reader)
    (found,) = found_in(ORDINARY, reader=reader)
    assert reader.hello(found, ORDINARY).name == b"web.whatsapp.com"


def test_random_and_name_do_not_make_another_kind():
    streams = [records(chrome(name)) for name in (b"a.example", b"bb.example")]
    streams.append(streams[0][:11] + bytes(32) + streams[0][43:])
    assert len({found[3:] for found in found_in(*streams)}) == 1


def test_the_order_of_extensions_does_not_either_and_their_set_does():
    extensions = [server_name(b"example.org"), *((kind, b"") for kind in (5, 18, 23, 35))]
    shuffled = random.Random(1).sample(extensions, len(extensions))
    one, other, fewer = (records(hello(extensions=e)) for e in (extensions, shuffled, extensions[:-1]))
    keys = [found[3:] for found in found_in(one, other, fewer)]
    assert keys[0] == keys[1] != keys[2]
    assert parse_client_hello(one).ja4 == parse_client_hello(other).ja4 != parse_client_hello(fewer).ja4


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        ORDINARY[:-1],
        records(chrome(), size=100),
        b"\x17" + ORDINARY[1:],
        ORDINARY[:43] + b"\x21" + ORDINARY[44:],
        records(hello(extensions=[server_name(b"a.example"), server_name(b"b.example")])),
    ],
    ids=["nothing", "cut", "two records", "data", "session id", "two names"],
)
def test_what_is_not_plain_is_left_to_the_careful_way(stream):
    assert not agrees(stream, Hellos())


@given(st.integers(0, len(ORDINARY) - 1), st.integers(0, 255), st.integers(0, len(ORDINARY)))
def test_damaged_hellos(at, value, size):
    damaged = bytearray(ORDINARY)
    damaged[at] = value
    agrees(bytes(damaged), Hellos())
    agrees(bytes(damaged[:size]), Hellos())


@given(st.lists(st.tuples(st.integers(0, 70), st.binary(max_size=12)), max_size=8), st.lists(st.integers(0, 0xFFFF)))
def test_any_extensions_and_ciphers(extensions, ciphers):
    reader = Hellos()
    stream = records(hello(extensions=extensions, ciphers=ciphers[:50] or [0x1301]))
    agrees(stream, reader)
    agrees(stream, reader)


def test_interpreted_and_compiled_agree():
    reader = Hellos()
    with kernels.forced("compiled"):
        quick = found_in(ORDINARY, reader=reader)
    assert quick == found_in(ORDINARY, reader=reader)


HEAD = bytes(32) + b"\x00" + struct.pack(">HBH", 0x1301, 0, 0)


@pytest.mark.parametrize("behind", [b"\x14\x03\x03\x00\x01\x01", b"\x17\x03\x03\x00\x05hello", b"", b"\x16\x03\x03"])
@pytest.mark.parametrize("size", [len(HEAD), 5])
def test_answers_are_the_same_with_a_look_and_read_in_full(behind, size):
    body = b"\x03\x03" + HEAD[:size]
    answer = records(b"\x02" + len(body).to_bytes(3, "big") + body) + behind
    assert read_tcp(ORDINARY, answer).answer == ("server_hello" if size == len(HEAD) else "data")
