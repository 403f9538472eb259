"""What comes after a reset: a host that has reset a connection has no socket left to talk from."""

from __future__ import annotations

from analyzer.serial import ahead
from analyzer.signature import Finding, Method
from analyzer.tables import TCP_ACK, TCP_FIN, TCP_SYN, Kind
from signatures.rst_injection.talk import MS, NDSS, RACES_PROVE, Race, about, forged, in_ms

SAME_SYN = 1000 * MS  # later, a SYN/ACK answers a repeated SYN (RFC 6298 §2.1)
CHALLENGE_WITHIN = 5 * MS  # a kernel answers in microseconds

SERVER_TALKS_ON = forged(
    "server_talks_on", "conclusive", "order",
    "The server talked on after 'its' reset. A host that has reset a connection has no socket left to talk from.",
    "Injectors that drop the server's packets too.",
    f"{NDSS}, RST_SEQ_DATA; 0 | 6",
)  # fmt: skip
CLIENT_TALKS_ON = forged(
    "client_talks_on", "conclusive", "order",
    "Away from the client, the client is seen talking on after 'its' reset: somebody else sent that reset.",
    "Captures made at the client, where a local tool could do the same.",
    f"{NDSS}, RST_SEQ_DATA, in the other direction",
)  # fmt: skip
LATE_ANSWER = forged(
    "late_genuine_answer", "conclusive", "order",
    "The server's own answer to the request arrived after the reset that was to replace it.",
    "Injectors that drop the answer.",
    "net4people/bbs #285; captures of 2017 to 2025",
)  # fmt: skip
CHALLENGED = forged(
    "challenge_then_alive", "conclusive", "order",
    "The reset missed the exact sequence number, was challenged, and the sender went on in sequence.",
    "Resets with the exact number.",
    "RFC 5961 §3.2",
)  # fmt: skip
BEFORE_SYNACK = forged(
    "before_synack", "strong", "order",
    "One SYN was answered twice: by a reset, and then by the server's SYN/ACK.",
    "A SYN that was repeated can meet two machines; not judged then.",
    f"{NDSS}, SYN_RST; net4people/bbs #285",
)  # fmt: skip

RULES = (SERVER_TALKS_ON, CLIENT_TALKS_ON, LATE_ANSWER, CHALLENGED, BEFORE_SYNACK)


def contradicted(race: Race) -> list[Finding]:
    """The side in whose name the reset was sent is alive."""
    return [*talks_on(race), *_answers(race), *_challenge(race), *_greets(race)]


def talks_on(race: Race) -> list[Finding]:
    """It sends what it had not sent before, closes, or acknowledges more than before."""
    reset, whole = race.reset, race.talk.whole
    acks = [p.ack for p in race.before if p.tcp_flags & TCP_ACK]
    acked = max(acks, key=lambda ack: ahead(ack, reset.ack), default=None)
    speaks = [
        p
        for p in race.later
        if ahead(p.seq, reset.seq) >= 0  # what stands before its number was sent before it, however late it comes
        and (
            p.kind == Kind.NEW
            or p.tcp_flags & TCP_FIN
            or (whole and p.tcp_flags & TCP_ACK and acked is not None and ahead(p.ack, acked) > 0)
        )
    ]
    if not speaks:
        return []
    one = min(speaks, key=lambda p: p.frame)
    rule = CLIENT_TALKS_ON if reset.up else SERVER_TALKS_ON
    return [about(rule, reset, {"after_ms": in_ms(one.ts - reset.ts)}, one, RACES_PROVE)]


def _answers(race: Race) -> list[Finding]:
    """The server's first answer, which the reset was to replace."""
    reset = race.reset
    answers = [p for p in race.later if p.payload_len and p.kind == Kind.NEW]
    if not answers or reset.up or reset.heard or reset.asked < 0:
        return []
    return [about(LATE_ANSWER, reset, {"after_ms": in_ms(answers[0].ts - reset.ts)}, answers[0], RACES_PROVE)]


def _challenge(race: Race) -> list[Finding]:
    """A pure ACK at once, and then the other side in sequence."""
    reset = race.reset
    for p in race.peer:
        if 0 < p.ts - reset.ts <= CHALLENGE_WITHIN and p.tcp_flags == TCP_ACK and not p.payload_len:
            if ahead(reset.seq, p.ack) == 0:
                continue  # the exact number would have ended it: an ordinary ACK that crossed the reset
            after = [q for q in race.later if q.payload_len and q.seq == p.ack]
            if after:
                measured = {"challenge_after_ms": in_ms(p.ts - reset.ts), "off_by_bytes": ahead(reset.seq, p.ack)}
                return [about(CHALLENGED, reset, measured, after[0], RACES_PROVE)]
    return []


def _greets(race: Race) -> list[Finding]:
    """The SYN that was reset is answered after all."""
    reset, flow = race.reset, race.talk.flow
    greeted = [p for p in race.after if p.tcp_flags & TCP_SYN and p.ts - reset.ts <= SAME_SYN]
    if not greeted or flow.syns != 1 or reset.up or any(p.tcp_flags & TCP_SYN for p in race.before):
        return []
    address = Method("rst", "ip_address", "on_path", flow.server)  # a SYN shows nothing else
    return [about(BEFORE_SYNACK, reset, {"synack_after_ms": in_ms(greeted[0].ts - reset.ts)}, greeted[0], address)]
