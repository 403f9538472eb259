"""DNS messages (RFC 1035), with what tells a forged answer from a resolver's own.

Forgers are careless with what they do not need: the case of the question (0x20), the OPT record that was asked for,
counts that fit the records. So an answer is kept even where the message goes wrong after it, and the fault is noted:
`malformed` is itself a finding. Only what cannot be a DNS message at all is `NEVER`.
"""

from functools import lru_cache
from socket import AF_INET6, inet_ntoa, inet_ntop
from struct import Struct, error
from typing import Literal, NamedTuple

from analyzer.wire import NEVER, Parse
from analyzer.wire.names import text

A, NS, CNAME, SOA, PTR, AAAA, OPT = 1, 2, 5, 6, 12, 28, 41

MAX_RECORDS = 256  # read of one message; a TCP answer may claim 65,535 in each section
MAX_QUESTIONS = 16  # one is usual (RFC 9619 says at most one), mDNS asks several
MAX_LABEL = 63  # RFC 1035 §2.3.4
MAX_NAME = 253  # RFC 1035 §3.1: 255 octets, less the first length and the root
MAX_STEPS = 256  # labels and pointers of one name: 127 labels fit, each with a pointer before it
MAX_TCP = 64  # messages taken from one stream

_CLASSES = frozenset((1, 3, 4, 254, 255))  # IN, CH, HS, NONE, ANY
_NAMED = frozenset((NS, CNAME, PTR))
_FAULTS = (IndexError, ValueError, error)  # of reading past the end, and of names that cannot be
_EDE = 15  # RFC 8914 §2
_HEADER = Struct(">6H")
_QUESTION = Struct(">2H")
_RECORD = Struct(">2HIH")


class Question(NamedTuple):
    """What was asked: the name in lower case, to compare with, and as it was sent (0x20)."""

    name: str
    sent: str
    type: int


class Answer(NamedTuple):
    """A record of the answer section: an address, a name in lower case, or the length of any other data."""

    name: str
    type: int
    ttl: int
    value: str | int


class Message(NamedTuple):
    """One message."""

    id: int
    flags: int  # the header's second word
    rcode: int  # extended by OPT where there is one (RFC 6891 §6.1.3)
    questions: tuple[Question, ...]
    answers: tuple[Answer, ...]
    soa: bool  # in the authority section: an NXDOMAIN from a real resolver has one (RFC 2308 §3)
    opt: bool
    ede: tuple[int, ...]  # extended errors: 15, 16, 17 say blocked, censored, filtered
    malformed: bool  # something after the questions is not what the counts say
    trailing: int  # bytes after the last record
    zone: str | None = None  # whose SOA that is: the zone that denies the name

    @property
    def qr(self) -> bool:
        """A response."""
        return bool(self.flags & 0x8000)

    @property
    def opcode(self) -> int:
        """0 is an ordinary query."""
        return self.flags >> 11 & 15

    @property
    def aa(self) -> bool:
        """An authoritative answer; few resolvers say so, some forgers do."""
        return bool(self.flags & 0x0400)

    @property
    def tc(self) -> bool:
        """Truncated: the client will ask again over TCP."""
        return bool(self.flags & 0x0200)

    @property
    def rd(self) -> bool:
        """Recursion desired."""
        return bool(self.flags & 0x0100)

    @property
    def ra(self) -> bool:
        """Recursion available."""
        return bool(self.flags & 0x0080)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses answered, at the end of whatever chain of names."""
        return tuple(a.value for a in self.answers if isinstance(a.value, str) and a.type in (A, AAAA))


def parse_message(payload: bytes) -> Message | Literal[Parse.NEVER]:
    """The message in a datagram, or behind the length of a stream."""
    if len(payload) < 12:
        return NEVER
    number, flags, asked, answered, authority, additional = _HEADER.unpack_from(payload)
    if asked > MAX_QUESTIONS or (flags >> 11 & 15) > 6 or (asked == 0 and not flags & 0x8000):
        return NEVER
    questions: list[Question] = []
    known: dict[int, str] = {}
    position = 12
    try:
        for _ in range(asked):
            sent, position = _name(payload, position, known)
            kind, asked_class = _QUESTION.unpack_from(payload, position)
            if asked_class & 0x7FFF not in _CLASSES:  # the first bit is mDNS's (RFC 6762 §5.4)
                return NEVER
            position += 4
            questions.append(Question(sent.lower(), sent, kind))
    except _FAULTS:
        return NEVER
    answers: list[Answer] = []
    soa, opt, rcode = False, False, flags & 15
    zone: str | None = None
    ede: tuple[int, ...] = ()
    total = answered + authority + additional
    malformed = total > MAX_RECORDS
    try:
        for index in range(min(total, MAX_RECORDS)):
            name, position = _name(payload, position, known)
            kind, _, ttl, size = _RECORD.unpack_from(payload, position)
            position += 10
            end = position + size
            if end > len(payload):
                raise ValueError
            if index < answered:
                answers.append(Answer(name.lower(), kind, ttl, _value(payload, kind, position, size, known)))
            elif index < answered + authority:
                if kind == SOA and not soa:
                    soa, zone = True, name.lower()
            elif kind == OPT:
                opt, rcode = True, ttl >> 24 << 4 | flags & 15
                ede = _extended_errors(payload, position, end)
            position = end
    except _FAULTS:
        malformed = True
    if malformed and not questions and not answers:
        return NEVER
    trailing = 0 if malformed else len(payload) - position
    return Message(
        number, flags, rcode, tuple(questions), tuple(answers), soa, opt, ede, malformed, trailing, zone
    )  # by position: this is the hot path of a capture of a resolver


def split_tcp(stream: bytes) -> list[bytes]:
    """The whole messages at the start of a stream (RFC 7766 §8)."""
    found: list[bytes] = []
    position = 0
    while position + 2 <= len(stream) and len(found) < MAX_TCP:
        end = position + 2 + (stream[position] << 8 | stream[position + 1])
        if end > len(stream):
            break
        found.append(stream[position + 2 : end])
        position = end
    return found


def _name(payload: bytes, position: int, known: dict[int, str]) -> tuple[str, int]:
    """A name as sent, and the offset after it.

    Most names are one pointer to a name that was read before (`known` holds those by offset), or one without pointers
    that many messages carry.
    """
    length = payload[position]
    if length >= 0xC0:
        name = known.get((length & 0x3F) << 8 | payload[position + 1])
        if name is not None:
            return name, position + 2
    else:
        end = payload.find(0, position)
        name = _whole_name(payload[position:end]) if end >= 0 else None
        if name is not None:
            known[position] = name
            return name, end + 1
    return _name_in_parts(payload, position, known)


@lru_cache(1 << 12)
def _whole_name(labels: bytes) -> str | None:
    """The name of labels that hold no zero and no pointer; None if they do not end where `labels` does."""
    position, found = 0, []
    while position < len(labels):
        length = labels[position]
        if length > MAX_LABEL:
            return None
        position += 1 + length
        found.append(labels[position - length : position])
    return _joined(found) if position == len(labels) <= MAX_NAME + 1 else None


def _name_in_parts(payload: bytes, position: int, known: dict[int, str]) -> tuple[str, int]:
    """The same along its pointers; each must lead back (RFC 1035 §4.1.4), so that none can loop."""
    start, after, lowest = position, 0, position
    labels = []
    for _ in range(MAX_STEPS):
        length = payload[position]
        if not length:
            break
        if length >= 0xC0:
            target = (length & 0x3F) << 8 | payload[position + 1]
            after = after or position + 2
            if target >= lowest or target < 12:
                raise ValueError
            lowest = position = target
            continue
        if length > MAX_LABEL:
            raise ValueError
        position += 1 + length
        labels.append(payload[position - length : position])
    else:
        raise ValueError
    if sum(map(len, labels)) + len(labels) > MAX_NAME + 1:
        raise ValueError
    name = known[start] = _joined(labels)
    return name, after or position + 1


def _joined(labels: list[bytes]) -> str:
    joined = b".".join(labels)
    if joined.count(b".") >= len(labels) > 0:  # a dot inside a label must not look like one between labels
        return ".".join(text(label).replace(".", "\\x2e") for label in labels)
    return text(joined) or "."


def _value(payload: bytes, kind: int, position: int, size: int, known: dict[int, str]) -> str | int:
    if kind == A and size == 4:
        return inet_ntoa(payload[position : position + 4])
    if kind == AAAA and size == 16:
        return inet_ntop(AF_INET6, payload[position : position + 16])
    if kind in _NAMED:
        return _name(payload, position, known)[0].lower()
    return size


def _extended_errors(payload: bytes, position: int, end: int) -> tuple[int, ...]:
    """EDE codes among the options of an OPT record."""
    found = []
    while position + 4 <= end:
        code, size = _QUESTION.unpack_from(payload, position)
        if code == _EDE and size >= 2 and position + 6 <= end:
            found.append(payload[position + 4] << 8 | payload[position + 5])
        position += 4 + size
    return tuple(found)
