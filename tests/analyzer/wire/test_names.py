"""Text of hostile bytes is printable and leads back to the bytes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.wire.names import plausible_hostname, text


def back(shown: str) -> bytes:
    """The bytes that `text` was made of."""
    parts = re.split(r"(\\\\|\\x[0-9a-f]{2})", shown)
    unescaped = (b"\\" if p == "\\\\" else bytes.fromhex(p[2:]) if p.startswith("\\x") else p.encode() for p in parts)
    return b"".join(unescaped)


@given(st.binary(max_size=255) | st.text(max_size=60).map(str.encode))
def test_printable_and_reversible(data):
    shown = text(data)
    assert shown.isprintable()
    assert back(shown) == data


@given(st.binary(max_size=1000))
def test_bounded(data):
    assert text(data) == text(data[:255])
    assert len(text(data)) <= 4 * 255


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"example.org", "example.org"),
        (b"\x1b[31m", "\\x1b[31m"),
        (b"a\\x00", "a\\\\x00"),
        ("münchen".encode(), "münchen"),
        ("\u202eevil".encode(), "\\xe2\\x80\\xaeevil"),
        (b"\xff\n", "\\xff\\x0a"),
    ],
)
def test_text(data, shown):
    assert text(data) == shown


@pytest.mark.parametrize(
    "name", ["example.org", "a.b.c.", "_dmarc.example.org", "xn--p1ai", "localhost", "1.org", "a" * 63]
)
def test_plausible(name):
    assert plausible_hostname(name)


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "-a.org", "a-.org", "10.0.0.1", "a b.org", "a" * 64, "a." * 127 + "a", "é.org", "a\n"]
)
def test_implausible(name):
    assert not plausible_hostname(name)
