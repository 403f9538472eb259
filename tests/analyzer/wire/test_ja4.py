"""JA4 against vectors published by its authors and by Suricata, JA3 against its authors' documentation."""

import pytest

from analyzer.wire.client_hello import ClientHello, parse_client_hello, parse_handshake
from analyzer.wire.ja4 import ja3, ja4
from tests.analyzer.wire.hellos import CHROME_JA4, chrome, hello, records, vector
from tests.analyzer.wire.payloads import streams, transport

TLS10_CIPHERS = (
    0x0039, 0x0038, 0x0035, 0x0016, 0x0013, 0x000A, 0x0033, 0x0032, 0x002F, 0x009A, 0x0099, 0x0096, 0x0005, 0x0004,
    0x0015, 0x0012, 0x0009, 0x0014, 0x0011, 0x0008, 0x0006, 0x0003, 0x00FF,
)  # fmt: skip


def test_the_example_of_the_specification():
    found = parse_client_hello(records(chrome()))
    assert isinstance(found, ClientHello)
    assert found.ja4 == CHROME_JA4
    assert found.ja4 is found.ja4


def test_one_extension_and_no_signature_algorithms():
    """FoxIO's expected output for socks-https-example.pcap: the name alone is sent, so nothing is hashed."""
    assert ja4(False, 0x0301, (), TLS10_CIPHERS, (0,), (), b"") == "t10d230100_6a57a6f57151_000000000000"


def test_grease_is_nowhere():
    plain = ja4(False, 0x0303, (0x0304,), (0x1301,), (0, 43), (0x0403,), b"h2")
    greased = ja4(False, 0x0303, (0xFAFA, 0x0304), (0x0A0A, 0x1301), (0x1A1A, 0, 43), (0x2A2A, 0x0403), b"h2")
    assert plain == greased


def test_lookalikes_of_grease_count():
    assert ja4(False, 0x0303, (), (0x0A1A,), (), (), b"").startswith("t12i0100")


@pytest.mark.parametrize(
    ("alpn", "ends"),
    [
        (b"", "00"), (b"h", "hh"), (b"h2", "h2"), (b"http/1.1", "h1"), (b"\xab", "ab"), (b"\xab\xcd", "ad"),
        (b"0\xab", "3b"), (b"01\xab\xcd", "3d"), (b"0\xab\xcd1", "01"),
    ],
)  # fmt: skip
def test_alpn_ends(alpn, ends):
    assert ja4(False, 0x0303, (), (), (), (), alpn)[8:10] == ends


@pytest.mark.parametrize(
    ("version", "code"),
    [(0x0304, "13"), (0x0303, "12"), (0x0302, "11"), (0x0301, "10"), (0x0300, "s3"), (0x0002, "s2"), (0x7777, "00")],
)
def test_versions(version, code):
    assert ja4(False, version, (), (), (), (), b"")[1:3] == code


def test_counts_stop_at_99():
    assert ja4(False, 0x0303, (), tuple(range(200)), tuple(range(150)), (), b"")[4:8] == "9999"


def test_no_ciphers_and_no_extensions():
    assert ja4(True, 0x0303, (), (), (), (), b"") == "q12i000000_000000000000_000000000000"


def test_ja3():
    """The two examples of github.com/salesforce/ja3."""
    ciphers = (47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4)
    assert ja3(769, ciphers, (0, 10, 11), (23, 24, 25), b"\0") == "ada70206e40642a3e4461f35503241d5"
    assert ja3(769, (4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99), (), (), b"") == "de350869b8c85de67a350c8d186f11e6"


def test_ja3_leaves_grease_out():
    message = hello([(0x1A1A, b""), (10, vector(b"\x2a\x2a\0\x1d", 2))], ciphers=(0x0A0A, 0x1301))
    found = parse_handshake(message)
    assert isinstance(found, ClientHello)
    assert found.ja3 == ja3(0x0303, (0x1301,), (10,), (29,), b"")


def test_what_suricata_expects_of_its_own_captures(real_captures):
    tls = streams(real_captures / "benign/sv__ja4-tls--input.pcap").values()
    found = {h.ja4 for h in map(parse_client_hello, tls) if isinstance(h, ClientHello)}
    assert "t12i1810s1_27d4652c4487_06a4338d0495" in found


def test_what_suricata_expects_of_quic(real_captures):
    from analyzer.wire.quic import InitialReader

    found = []
    for _, datagram in transport(real_captures / "benign/sv__ja4-quic--input.pcap"):
        answer = InitialReader().feed(bytes(datagram.data), up=True)
        if isinstance(answer, ClientHello):
            found.append(answer.ja4)
    assert found == ["q13d0310h3_55b375c5d22e_cd85d2d88918"] * 11
