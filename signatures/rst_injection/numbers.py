"""Sequence and acknowledgment numbers that the host itself would not have chosen."""

from __future__ import annotations

from analyzer.serial import ahead
from analyzer.signature import Finding, Method, Witness
from analyzer.tables import TCP_ACK, TCP_RST, Vantage
from signatures.rst_injection.talk import MS, NDSS, RACES_PROVE, SHOWN, Race, Talk, about, end, forged

LADDER_WITHIN = 2000 * MS  # NDSS 2009, RST_SEQ_CHANGE
UNSENT = 2  # bytes; one beyond is a FIN that was not captured

BEHIND_DATA = forged(
    "seq_behind_data", "strong", "order",
    "The reset's number lies before bytes already received, and the sender was active afterwards: not its own reset.",
    "Forgers that keep up with the stream.",
    f"{NDSS}, DATA_SEQ_RST with guards; 0 | 12",
)  # fmt: skip
LADDER = forged(
    "seq_ladder", "strong", "order",
    "Several resets guess ahead in the sequence, to hit although data is on its way.",
    "Injectors that send one reset.",
    f"{NDSS}, RST_SEQ_CHANGE; Clayton et al. 2006; 0 | 50",
)  # fmt: skip
BEYOND_SENT = forged(
    "ack_beyond_sent", "strong", "content",
    "The reset acknowledges bytes that the other side never sent.",
    "Flows with gaps in the capture.",
    f"{NDSS}, RST_ACK_CHANGE, with the ACK flag only",
)  # fmt: skip
UNSENT_ACKED = forged(
    "ack_of_unsent", "conclusive", "content",
    "The client acknowledges bytes that this server never sent, and the server shows that it sent none.",
    "Without the server's contradiction, capture loss looks the same.",
    "0 | 23",
)  # fmt: skip

RULES = (BEHIND_DATA, LADDER, BEYOND_SENT, UNSENT_ACKED)


def impossible(race: Race) -> list[Finding]:
    """Numbers behind what was received, ahead of what was sent, or guessed."""
    reset, found = race.reset, []
    if race.behind and race.alive:
        found.append(about(BEHIND_DATA, reset, {"bytes_behind": race.behind}, race.alive[0], RACES_PROVE))
    ends = [end(p) for p in race.peer if p.frame < reset.frame]
    sent = max(ends, key=lambda last: ahead(last, reset.ack), default=None)
    if reset.tcp_flags & TCP_ACK and sent is not None and race.talk.whole and ahead(reset.ack, sent) >= UNSENT:
        found.append(about(BEYOND_SENT, reset, {"bytes_beyond": ahead(reset.ack, sent)}))
    return found + _ladder(race)


def _ladder(race: Race) -> list[Finding]:
    """A later reset stands beyond all that its side has sent, and all that the other has acknowledged."""
    reset = race.reset
    acks = [p.ack for p in race.peer if p.tcp_flags & TCP_ACK]
    ends = [end(p) for p in race.before]
    for r in race.unspoken[1:]:
        if r.ts - reset.ts > LADDER_WITHIN or ahead(r.seq, reset.seq) <= 2:
            continue
        if all(ahead(r.seq, last) > 0 for last in ends) and all(ahead(r.seq, ack) > 2 for ack in acks):
            steps = [ahead(q.seq, reset.seq) for q in race.unspoken]
            return [about(LADDER, reset, {"steps_bytes": steps[:SHOWN]}, resets=race.witnesses(race.unspoken))]
    return []


def unsent(talk: Talk) -> list[Finding]:
    """Away from the client: its ACK lies beyond everything that the server sent, and the server contradicts it."""
    flow, written = talk.flow, None
    agreed = False  # the client has acknowledged something that this server did send
    for n, p in enumerate(talk.packets):
        if not p.up:
            if not p.tcp_flags & TCP_RST and (written is None or ahead(end(p), written) > 0):
                written = end(p)
            continue
        if written is None or not p.tcp_flags & TCP_ACK or p.tcp_flags & TCP_RST:
            continue
        beyond = ahead(p.ack, written)
        if beyond < UNSENT:
            agreed |= beyond == 0
            continue
        for q in talk.packets[n + 1 :]:
            denies = q.tcp_flags & (TCP_RST | TCP_ACK) == TCP_RST and q.seq == p.ack
            stays = not q.tcp_flags & TCP_RST and q.seq == written
            # At the server's own end its kernel says so at once (RFC 5961 §5.2); elsewhere, and with data, that order
            # may be the capture's.
            at_once = flow.vantage == Vantage.SERVER and not q.payload_len
            if not q.up and (denies or (stays and q.ts - p.ts > (0 if at_once else talk.guard))):
                measured = {"bytes_beyond": beyond}
                roles = (Witness(p.frame, "contradicts"), Witness(q.frame, "baseline"))
                method = Method("rst" if flow.rsts_up else "forged_data", position="on_path")
                if not agreed and not flow.new_down:  # it shook hands with somebody else
                    method = Method("forged_synack", "ip_address", "on_path", flow.server)
                return [Finding(UNSENT_ACKED, f"flow {flow.flow}", (flow.flow,), q.ts, measured, roles, method)]
    return []
