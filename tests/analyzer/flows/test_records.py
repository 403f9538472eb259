"""What an answer still lacks: of a TLS record, of an HTTP body."""

import pytest

from tests.conversation import SERVER_HELLO, Conversation, Loaded, Names, analyze

LOADED = Loaded((), Names(), "", "")
RECORD = b"\x17\3\3\x10\0" + bytes(4096)


def flow(*talks):
    return analyze(*talks, loaded=LOADED).flow_table.row(0)


def tls(*pieces):
    talk = Conversation("example.org").open().hello().answer(SERVER_HELLO)
    for piece in pieces:
        talk.down("A", piece, after=1)
    return flow(talk)


@pytest.mark.parametrize(
    ("pieces", "left"),
    [
        ([], 0), ([RECORD], 0), ([RECORD[:1000]], 3101), ([RECORD[:1000], RECORD[1000:]], 0),
        ([RECORD + RECORD[:6]], 4095), ([RECORD[:1000], RECORD[1000:] + RECORD[:500]], 3601),
        ([RECORD + RECORD[:3], RECORD[3:]], -1),  # a header in two pieces is not put together
        ([b"no record at all"], -1),
    ],
)  # fmt: skip
def test_records_are_followed(pieces, left):
    assert tls(*pieces).left_down == left


def test_a_gap_at_a_header_ends_it():
    talk = Conversation("example.org").open().hello().answer(SERVER_HELLO)
    seq = talk.peer
    talk.down("A", RECORD[100:], seq=seq + 100).down("A", RECORD[:100], seq=seq, after=1)
    assert flow(talk).left_down == -1


@pytest.mark.parametrize(
    ("request_line", "answer", "left"),
    [
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + bytes(200), 300),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + bytes(200), 0),
        ("GET", b"HTTP/1.1 200 OK\r\n\r\n" + bytes(200), -1),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", -1),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", -1),
    ],
)
def test_bodies_are_counted(request_line, answer, left):
    talk = Conversation("example.org", dport=80).open()
    talk.up("PA", f"{request_line} / HTTP/1.1\r\nHost: example.org\r\n\r\n".encode()).answer(answer)
    assert flow(talk).left_down == left
