"""TLS framing: records, and handshake messages laid over them (RFC 8446 §5.1, the same since SSL 3.0).

A handshake message may begin and end anywhere in a record and stretch over many, so a message and its place in the
stream are two things: `Places` leads from one back to the other, and from there to the frame that carried a byte.
"""

from analyzer.wire import NEVER, Parse

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23

MAX_PLAINTEXT = 1 << 14  # RFC 8446 §5.1
MAX_RECORD = MAX_PLAINTEXT + 2048  # RFC 5246 §6.2.3: what encryption may add, of all versions the most
RECORD_HEADER = 5
MESSAGE_HEADER = 4  # handshake type and length
CLIENT_HELLO = 1
SMALLEST_HELLO = MESSAGE_HEADER + 2 + 32 + 1 + 2 + 1  # with every vector empty
SERVER_HELLO = 2
HANDSHAKE_RECORD = b"\x16\x03"  # how a record of handshake messages begins
MAX_PREAMBLE = 1 << 10  # bytes of talk before TLS: an SMTP greeting and EHLO, an HTTP CONNECT, a PROXY header
MAX_HELLO = 1 << 18  # ciphers and extensions of 2^16 bytes each, and the fixed parts, with room

Places = list[tuple[int, int]]  # (offset in the messages, offset in the stream) of each fragment


def could_be_record(header: bytes, most: int = MAX_RECORD) -> bool:
    """Whether up to five bytes can begin a record of at most `most` bytes."""
    return (
        (not header or CHANGE_CIPHER_SPEC <= header[0] <= APPLICATION_DATA)
        and (len(header) < 2 or header[1] == 3)
        and (len(header) < 3 or header[2] <= 4)
        and (len(header) < 5 or 0 < (header[3] << 8 | header[4]) <= most)
    )


def looks_like_tls(first: bytes) -> bool:
    """Whether a stream's first bytes are a TLS record; at least its type and version must be there to say so."""
    return len(first) >= 3 and could_be_record(first[:RECORD_HEADER])


def behind_preamble(stream: bytes, hello: int) -> int | None:
    """Where TLS begins after some other talk: STARTTLS (RFC 2595, 3207), HTTP CONNECT, PostgreSQL's SSLRequest, SOCKS.

    `hello` is the handshake message that must come first there, `CLIENT_HELLO` or `SERVER_HELLO`.
    """
    at = stream.find(HANDSHAKE_RECORD, 1, MAX_PREAMBLE)
    while at >= 0:
        record = stream[at : at + RECORD_HEADER + 1]
        if len(record) > RECORD_HEADER and record[5] == hello and could_be_record(record[:RECORD_HEADER]):
            return at
        at = stream.find(HANDSHAKE_RECORD, at + 1, MAX_PREAMBLE)
    return None


def could_be_hello(message: bytes) -> bool:
    """Whether handshake bytes, few as they may be, can begin a ClientHello."""
    return (
        (not message or message[0] == CLIENT_HELLO)
        and (len(message) < MESSAGE_HEADER or SMALLEST_HELLO <= message_size(message) <= MAX_HELLO)
        and (len(message) < 5 or message[4] == 3)
    )


def message_size(message: bytes | bytearray) -> int:
    """Bytes of a handshake message with its header; while that is not complete, the header alone."""
    return MESSAGE_HEADER + int.from_bytes(message[1:4], "big") if len(message) >= MESSAGE_HEADER else MESSAGE_HEADER


def place(offset: int, places: Places) -> int:
    """Where a byte of a message stood in the stream."""
    start, at = next(fragment for fragment in reversed(places) if fragment[0] <= offset)
    return at + offset - start


def place_after(end: int, places: Places) -> int:
    """Where a part of a message ended in the stream: after its last byte, not after the next record's header."""
    return place(end - 1, places) + 1


def gather_hello(stream: bytes) -> tuple[bytes, Places] | Parse:
    """Handshake bytes of a client's first records as far as its hello goes; `NEVER` when they cannot be one."""
    message, position = b"", 0
    pieces: list[bytes] = []
    places: Places = []
    have, need = 0, MESSAGE_HEADER
    while have < need and position < len(stream):
        header = stream[position : position + RECORD_HEADER]
        if header[0] != HANDSHAKE or not could_be_record(header, MAX_PLAINTEXT):
            return NEVER
        if len(header) < RECORD_HEADER:
            break
        position += RECORD_HEADER
        size = header[3] << 8 | header[4]
        piece = stream[position : position + size]
        if piece:
            places.append((have, position))
            pieces.append(piece)
        if have <= MESSAGE_HEADER:  # the length and the version's first byte may only now have come in
            message = b"".join(pieces)
            if not could_be_hello(message):
                return NEVER
            need = message_size(message)
        have += len(piece)
        position += size
    return (b"".join(pieces) if len(pieces) > 1 else message)[:need], places
