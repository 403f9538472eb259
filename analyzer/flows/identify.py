"""The words half of the flows table: which protocol, which names were spoken, which service it was, and how that is known.

Names come in this order: what the client itself said in the clear (SNI, Host), then a DNS answer at a lower frame to the
same client, then strict byte patterns, then a dedicated address prefix. The row says which (`identified_by`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from analyzer.flows import refusals
from analyzer.flows.app_watch import AppWatch
from analyzer.flows.dns_watch import DnsWatch
from analyzer.flows.finished import TCP, FinishedFlows
from analyzer.flows.hellos import FOUND, Hellos
from analyzer.signature import Knowledge, Label, Payload, Segment
from analyzer.wire import NEVER, NOT_YET, dns, http, quic, stun
from analyzer.wire.certificate import signers
from analyzer.wire.client_hello import MAX_SESSION_ID, ClientHello, parse_client_hello, peek_server_name
from analyzer.wire.names import text
from analyzer.wire.server_flight import parse_server_flight
from analyzer.wire.tls import (
    APPLICATION_DATA, CHANGE_CIPHER_SPEC, CLIENT_HELLO, HANDSHAKE, HANDSHAKE_RECORD, MAX_PREAMBLE, MESSAGE_HEADER, RECORD_HEADER, SERVER_HELLO,
    behind_preamble, looks_like_tls,
)  # fmt: skip

_DNS_PORTS = (53,)
_LONG_HEADER = 0xC0  # form and fixed bits (RFC 9000 §17.2)
_BODILESS = (204, 304)  # answers without a body, whatever length they give (RFC 9110 §8.6)
_EARLY = 4  # datagrams: 0-RTT packets may overtake the Initial


class Words(NamedTuple):
    """What the kept payload of one flow says."""

    protocol: str | None = None
    sni: str | None = None
    host: str | None = None
    qname: str | None = None
    alpn: str | None = None
    ja4: str | None = None
    answer: str | None = None
    issuer: str | None = None
    redirect: str | None = None
    refusal: str | None = None
    expects: int = -1  # bytes of the whole HTTP answer
    quic: int = -1


class Identifier:
    """Fills the text columns of finished flows."""

    def __init__(self, known: Knowledge, dns_watch: DnsWatch, apps: AppWatch):
        self.known = known
        self.dns = dns_watch
        self.apps = apps
        self._hellos = Hellos()
        self._label_name = lru_cache(_NAMES)(known.label_name)

    def identify(self, done: FinishedFlows) -> None:
        flows = done.flows
        spoke = ((flows.bytes_up > 0) | (flows.bytes_down > 0)).tolist()
        ends = zip(
            flows.client.tolist(),
            flows.server.tolist(),
            flows.server_port.tolist(),
            flows.proto.tolist(),
            flows.first_frame.tolist(),
            strict=True,
        )
        hellos = self._hellos.read(*done.first_bytes(True))
        said: list[Words] = []
        known: list[tuple[str | None, ...]] = []
        apps = self.apps or None
        for i, ((client, server, port, proto, frame), (up, down)) in enumerate(zip(ends, done.streams(), strict=True)):
            words = _NOTHING
            if hellos[i][FOUND]:
                words = self._plain_tls(hellos[i], bytes(up), bytes(down))
            elif proto == TCP and port not in _DNS_PORTS and _says_nothing_known(up, down):
                words = _OTHER[len(down) > 0]
            elif spoke[i]:
                up, down = bytes(up), bytes(down)
                words = read_tcp(up, down) if proto == TCP else read_udp(done, i, up, down, port)
            said.append(words)
            dns_name = self.dns.name_of(client, server, frame)
            label, name = self._label(words, dns_name, up, down, proto, server, port)
            app = None
            if apps is not None:
                app = apps.app_of(proto, *done.ends(i))
                label = self._by_app(app, label)
            if label is None:
                known.append((name or server, None, None, None, app, dns_name))
            else:
                target = name or f"{label.service}/{label.role or 'other'}"
                known.append((target, label.service, label.role, label.by, app, dns_name))
        for names, rows in ((Words._fields, said), (_KNOWN, known)):
            for name, values in zip(names, zip(*rows, strict=True), strict=True):
                flows.columns[name] = np.array(values, _DTYPE.get(name, object))
        expects = flows.columns.pop("expects")
        owed = np.maximum(expects - flows.new_down, 0)
        flows.columns["left_down"] = np.where(expects >= 0, owed, flows.left_down)

    def _plain_tls(self, found: tuple[int, ...], up: bytes, down: bytes) -> Words:
        """The words of a stream that begins with an ordinary hello, without reading it all again."""
        hello = self._hellos.hello(found, up)
        return _greeted(up, down, _name_of(hello.name) if hello.name else None, hello.alpn, hello.ja4)

    def _by_app(self, app: str | None, label: Label | None) -> Label | None:
        """What the device says of the app outdoes every name: apps probe each other's hosts."""
        own = self.known.label_app(app) if app else None
        if own is None:
            return label
        return Label(own.service, label.role, "app") if label and label.service == own.service else own

    def _label(self, words: Words, dns_name, up, down, proto, server, port) -> tuple[Label | None, str | None]:
        """(service label, name that verdicts speak about)."""
        spoken = words.sni or words.host
        name = spoken or (dns_name if words.protocol != "dns" else None)
        label = None
        if spoken:
            label = self._label_name(spoken)
        if label is None and words.protocol in _ON_THEIR_OWN:
            label = self.known.label_bytes(up, down, proto, server, port)
        if label is None and name and not spoken:
            label = self._label_name(name)
            label = label and Label(label.service, label.role, "dns")
        if label is None and name is None:
            label = self.known.label_address(server, port, proto)
        return label, name


_NOTHING = Words()
_OTHER = Words("other"), Words("other", answer="data")  # unanswered, answered
# With which bytes a stream of a protocol that is read here can begin: TLS records, HTTP methods, and the
# length of a DNS message, of which questions that fill a packet have the longest.
_RECORDS = frozenset(range(CHANGE_CIPHER_SPEC, APPLICATION_DATA + 1))
_BEGINNINGS = _RECORDS.union(range(6), b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ON_THEIR_OWN = ("other", "stun")  # protocols whose bytes may tell a service; TLS, QUIC, HTTP and DNS are everybody's
_SEALED = (bytes((CHANGE_CIPHER_SPEC,)), bytes((APPLICATION_DATA,)))
SMALLEST_SERVER_HELLO = 2 + 32 + 1 + 2 + 1  # version, random, empty session id, cipher, compression
SMALLEST_ANSWER = RECORD_HEADER + MESSAGE_HEADER + SMALLEST_SERVER_HELLO
_SESSION_ID_AT = RECORD_HEADER + MESSAGE_HEADER + 34
_KNOWN = "target", "service", "role", "identified_by", "app", "dns_name"
_DTYPE = {"quic": np.int64, "expects": np.int64}
_NAMES = 1 << 14  # remembered as text


def _says_nothing_known(up: Payload, down: Payload) -> bool:
    """A quick yes to most TCP streams of other protocols, before their bytes are copied."""
    first = up or down
    if not first or first[0] in (_BEGINNINGS if up else _RECORDS):
        return False
    return HANDSHAKE_RECORD not in bytes(up[:MAX_PREAMBLE])


def read_tcp(up: bytes, down: bytes) -> Words:
    """The words of a TCP stream's first bytes."""
    if looks_like_tls(up) or (not up and looks_like_tls(down)):
        return _read_tls(up, down)
    tls_at = behind_preamble(up, CLIENT_HELLO)
    if tls_at is not None:
        words = _read_tls(up[tls_at:], down[behind_preamble(down, SERVER_HELLO) or len(down) :])
        if words.sni or words.ja4:
            return words if words.answer or not down else words._replace(answer="data")
    request = http.parse_request(up) if up else NEVER
    if request is not NEVER:
        answered = _http_answer(up, down)
        if request and request.method == "HEAD":
            answered = answered._replace(expects=-1)
        return answered._replace(host=_without_port(request.host) if request else None)
    message = dns.split_tcp(up)
    if message:
        question = dns.parse_message(message[0])
        if question is not NEVER and question.questions:
            return Words("dns", qname=_host(question.questions[0].name), answer=_dns_answer(dns.split_tcp(down)))
    return _OTHER[bool(down)] if up or down else _NOTHING


def _host(name: str | None) -> str | None:
    """Names compare without case and without the root's dot."""
    return name.lower().rstrip(".") or None if name else None


@lru_cache(_NAMES)
def _name_of(raw: bytes) -> str | None:
    """A name as the hello spells it, as the flows table does."""
    return _host(text(raw))


def _without_port(host: str | None) -> str | None:
    if host and host.rpartition(":")[2].isdigit() and not host.endswith("]"):
        host = host.rpartition(":")[0]
    return _host(host)


def _read_tls(up: bytes, down: bytes) -> Words:
    hello = parse_client_hello(up)
    if isinstance(hello, ClientHello):
        return _greeted(up, down, _host(hello.sni), ",".join(hello.alpn) or None, hello.ja4)
    answer, issuer = _tls_answer(down)
    if hello is NOT_YET:
        # Enough came for the name although not for the rest: the tail may be what was dropped.
        name = peek_server_name(up)
        return Words("tls", sni=_host(name.name) if name else None, answer=answer, issuer=issuer)
    return Words("tls", answer=answer, issuer=issuer)


def _greeted(up: bytes, down: bytes, sni: str | None, alpn: str | None, ja4: str | None) -> Words:
    """The words of a TLS stream whose hello was read."""
    answer, issuer = _tls_answer(down)
    refusal = refusals.of_certificate(up) if answer == "server_hello" else None
    return Words("tls", sni=sni, alpn=alpn, ja4=ja4, answer=answer, issuer=issuer, refusal=refusal)


def _tls_answer(down: bytes) -> tuple[str | None, str | None]:
    """(first answer word, who signed the server's certificate)."""
    if not down:
        return None, None
    if down[0] == APPLICATION_DATA:  # begun before the capture
        return "data", None
    if _hello_then_sealed(down):
        return "server_hello", None
    flight = parse_server_flight(down)
    if not flight:
        return "data", None
    if flight.hello or flight.retry:
        return "server_hello", signers(flight.certificates.chain) if flight.certificates else None
    if flight.alerts:
        return f"alert {flight.alerts[0].name or 'encrypted'}", None
    return "data", None


def _hello_then_sealed(down: bytes) -> bool:
    """A ServerHello in a record of its own and nothing in clear behind it: TLS 1.3, and sessions that go on."""
    if len(down) < SMALLEST_ANSWER or down[0] != HANDSHAKE or down[5] != SERVER_HELLO or down[9] != 3:
        return False
    size, end = down[7] << 8 | down[8], RECORD_HEADER + (down[3] << 8 | down[4])
    whole = down[6] == 0 and RECORD_HEADER + MESSAGE_HEADER + size == end and down[_SESSION_ID_AT] <= MAX_SESSION_ID
    return whole and size >= SMALLEST_SERVER_HELLO + down[_SESSION_ID_AT] and down[end : end + 1] in _SEALED


def _http_answer(up: bytes, down: bytes) -> Words:
    response = http.parse_response(down) if down else NEVER
    if not response:
        return Words("http", answer="data" if down else None)
    redirect = _without_port(http.host_of(response.location or "")) if 300 <= response.status < 400 else None
    length = response.content_length
    expects = -1 if length is None or response.status in _BODILESS else response.body_at + length
    refusal = refusals.of_requests(up, down, response.status)
    return Words("http", answer=f"http {response.status}", redirect=redirect, refusal=refusal, expects=expects)


def _dns_answer(messages: list[bytes]) -> str | None:
    answer = dns.parse_message(messages[0]) if messages else NEVER
    return None if answer is NEVER else f"dns {answer.rcode}"


def read_udp(done: FinishedFlows, i: int, up: bytes, down: bytes, port: int) -> Words:
    """The words of a UDP conversation's first datagrams."""
    sent = done.segments(i, True)
    if port in _DNS_PORTS:
        question = dns.parse_message(sent[0].data) if sent else NEVER
        if question is not NEVER and question.questions:
            return Words(
                "dns",
                qname=_host(question.questions[0].name),
                answer=_dns_answer([s.data for s in done.segments(i, False)]),
            )
    if (
        up
        and up[0] & _LONG_HEADER == _LONG_HEADER
        and any(quic.looks_like_initial(piece.data) for piece in sent[:_EARLY])
    ):
        return _read_quic(sent, done.segments(i, False))
    if any(stun.is_stun(piece.data) for piece in sent[:_EARLY]):
        return Words("stun", answer="data" if down else None)
    return Words("other", answer="data" if down else None)


def _read_quic(sent: list[Segment], came: list[Segment]) -> Words:
    reader = quic.InitialReader()
    pieces = [(piece.frame, True, piece.data) for piece in sent]
    pieces += [(piece.frame, False, piece.data) for piece in came]
    for _, up, data in sorted(pieces, key=lambda piece: piece[0]):
        reader.feed(data, up)
    hello = reader.hello
    answer = "server_hello" if reader.server_initial else "data" if any(piece.data for piece in came) else None
    version = -1 if reader.version is None else reader.version
    if not hello:
        return Words("quic", answer=answer, quic=version)
    return Words(
        "quic", sni=_host(hello.sni), alpn=",".join(hello.alpn) or None, ja4=hello.ja4, answer=answer, quic=version
    )
