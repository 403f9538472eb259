"""TLS behind some other talk: the hello is found, whatever was said before it and on whatever port."""

from __future__ import annotations

import pytest

from analyzer.flows.identify import read_tcp
from tests.analyzer.wire.hellos import chrome, records
from tests.conversation import SERVER_HELLO

HELLO = records(chrome(b"mail.example.org"))
SMTP = (b"EHLO me\r\nSTARTTLS\r\n", b"220 mail ESMTP\r\n250-mail\r\n250 STARTTLS\r\n220 go ahead\r\n")
TALKS = {
    "SMTP": SMTP,
    "IMAP": (b"a1 STARTTLS\r\n", b"* OK IMAP4rev1\r\na1 OK begin\r\n"),
    "HTTP CONNECT": (
        b"CONNECT mail.example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"HTTP/1.1 200 Connection established\r\n\r\n",
    ),
    "PostgreSQL": (b"\0\0\0\x08\x04\xd2\x16\x2f", b"S"),
    "SOCKS5": (b"\5\1\0\5\1\0\3\x10mail.example.org\x01\xbb", b"\5\0\5\0\0\1\0\0\0\0\0\0"),
    "nothing": (b"", b""),
}


@pytest.mark.parametrize("talk", TALKS)
def test_the_name_behind_it_is_read(talk):
    up, down = TALKS[talk]
    words = read_tcp(up + HELLO, down + SERVER_HELLO)
    assert (words.protocol, words.sni, words.answer) == ("tls", "mail.example.org", "server_hello")


@pytest.mark.parametrize("talk", ["SMTP", "IMAP", "PostgreSQL", "SOCKS5"])
def test_until_the_hello_comes_it_is_not_tls(talk):
    assert read_tcp(*TALKS[talk]).protocol != "tls"


@pytest.mark.parametrize(
    "up",
    [
        SMTP[0] + HELLO[:5] + b"\2" + HELLO[6:],  # another message of the handshake
        SMTP[0] + b"\x16\3\1" + bytes(200),  # a record of nothing
        b"x" * 4096 + HELLO,  # too far on to be a preamble
    ],
)
def test_what_only_resembles_a_hello_names_nobody(up):
    assert read_tcp(up, b"").sni is None
