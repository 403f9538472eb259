"""Forged data: bytes in the connection that the server never sent.

**How it shows.** For the same bytes of the stream two different contents arrive, the forged one and the server's own;
or a segment lacks the TCP timestamps that this connection agreed on; or the answer comes over another distance than
everything else of this server: another machine made it.

**What it cannot see.** A machine in the path that answers in the server's place, copies distance and options, and drops
the real answer. Who it is, and what for: see http_blocking for what the bytes say.

**References.** RFC 9293 §3.10 and RFC 7323 §3.2 (a segment without timestamps was not made by a socket that negotiated
them); Nebuchadnezzar and QUANTUM INSERT studies, Fox-IT 2015. "x |" counts flows that fire in open benign captures.
"""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np

from analyzer.serial import ahead
from analyzer.signature import Finding, Finished, Knowledge, Method, Rule, Segment, Wants, Witness
from analyzer.tables import TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, Cut, Kind, Table, Vantage, greatest, least

METHOD = "forged_data"

DIFFER = 8  # bytes that differ; fewer can be a keep-alive byte or damage
ONE_COUNTER = 64  # IP-IDs that one machine uses up between two packets of a conversation
ONE_ANSWER = 5_000_000_000  # ns; what comes later than this for the same bytes is another conversation
TTL_APART = 3  # routes shift by a hop or two

_UNSEEN = re.compile(rb"<(script|style|head)\b.{0,8192}?</\1>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(rb"<[^>]{0,1024}>")

OVERLAP = Rule(
    "http.overlap_differs", "interference", "conclusive", "content",
    "Two different contents came for the same bytes of the answer: one of them was not sent by the server.",
    "Machines in the path that drop the server's own answer.",
    "RFC 9293 §3.10; Fox-IT, detecting QUANTUM INSERT, 2015",
    action="forged_data",
)  # fmt: skip
NO_TIMESTAMPS = Rule(
    "http.no_timestamps", "interference", "strong", "header",
    "An answer lacks the timestamps that both ends agreed on: another machine made it.",
    "Forgers that continue the server's timestamps; connections without the option.",
    "RFC 7323 §3.2 (MUST); 0 of 800 |",
    action="forged_data",
)  # fmt: skip
FROM_ELSEWHERE = Rule(
    "http.answer_from_elsewhere", "interference", "supporting", "header",
    "The answer came over another distance than the SYN/ACK and every other packet of this server without content.",
    "Forgers that copy the TTL; hosts behind a machine that greets for them (their other packets tell).",
    "0 of 1,297 flows |; pages of CenTrace captures, 2022",
    action="forged_data",
)  # fmt: skip

RULES = (OVERLAP, NO_TIMESTAMPS, FROM_ELSEWHERE)


def _answered(flows: Table) -> np.ndarray:
    judged = (flows.proto == 6) & (flows.cut & (Cut.MIDWAY | Cut.ONE_DIRECTION | Cut.PROXIED) == 0)
    answered = (flows.new_down > 0) | (flows.fin_down >= 0)
    return judged & (flows.synacks > 0) & answered & (flows.vantage != Vantage.SERVER)


WANTS = Wants(_answered, packets=True, heads=True)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """What each flow's answers say about who made them."""
    findings = []
    flows, packets = done.flows, done.packets
    for i in np.flatnonzero(done.overlapping(False)).tolist():
        findings += _overlap(flows.row(i), done.segments(i, False), done.rows(i))
    own = ~packets.up & (packets.icmp < 0) & (packets.tcp_flags >= 0) & (packets.tcp_flags & TCP_RST == 0)
    agreed = (packets.tsval >= 0) & (packets.tcp_flags >= 0) & (packets.tcp_flags & TCP_SYN != 0)
    odd = done.has(agreed & packets.up) & done.has(agreed & ~packets.up)
    if odd.any():
        odd &= done.has(own & (packets.tsval < 0) & (packets.kind != Kind.KEEPALIVE))
    for i in np.flatnonzero(odd).tolist():
        findings += _timestamps(flows.row(i), list(done.rows(i).rows()), done.segments(i, False))
    spoken = np.array([protocol in ("http", "tls") for protocol in flows.protocol.tolist()])
    rows = np.flatnonzero(own & spoken[done.which])
    low, high = (each(done.which[rows], packets.ttl[rows], len(flows), -1) for each in (least, greatest))
    for i in np.flatnonzero(high - low >= TTL_APART).tolist():
        findings += _elsewhere(flows.row(i), list(done.rows(i).rows()), done.segments(i, False))
    return findings


def _overlap(flow: SimpleNamespace, pieces: list[Segment], rows: Table) -> list[Finding]:
    """Two copies of the same bytes that differ."""
    packets: dict[int, SimpleNamespace] = {}
    once = {(piece.seq, piece.data): piece for piece in reversed(pieces)}  # a mere copy contradicts nothing
    pieces = [piece for piece in reversed(once.values()) if len(piece.data) >= DIFFER]  # and so a thousand at most
    if len(pieces) < 2:
        return []
    start = np.array([ahead(piece.seq, pieces[0].seq) for piece in pieces], np.int64)
    end = start + np.array([len(piece.data) for piece in pieces], np.int64)
    both = np.minimum(end[:, None], end) - np.maximum(start[:, None], start) >= DIFFER
    for n, m in np.argwhere(np.tril(both, -1)).tolist():
        late, early = pieces[n], pieces[m]
        shift = ahead(late.seq, early.seq)
        a, b = early.data[max(shift, 0) :], late.data[max(-shift, 0) :]
        shared = min(len(a), len(b))
        if shared < DIFFER or late.ts - early.ts > ONE_ANSWER or a[:shared] == b[:shared]:
            continue
        differ = int(np.count_nonzero(np.frombuffer(a, np.uint8, shared) != np.frombuffer(b, np.uint8, shared)))
        if differ < DIFFER:
            continue
        packets = packets or {p.frame: p for p in rows.rows()}
        if early.frame not in packets or late.frame not in packets:
            continue
        if _one_machine(packets[early.frame], packets[late.frame]):
            continue
        forged, genuine = _whose(packets, flow, early, late)
        method = Method(_done(forged.data, packets[forged.frame]), "none_seen", "on_path")
        measured = {
            "bytes_in_both": shared, "bytes_unlike": differ, "apart_ms": round((late.ts - early.ts) / 1e6, 3),
            "ttl_forged": packets[forged.frame].ttl, "ttl_genuine": packets[genuine.frame].ttl,
        }  # fmt: skip
        witnesses = [Witness(flow.asked_frame, "trigger")] * (flow.asked_frame >= 0)
        witnesses += [Witness(forged.frame, "forged"), Witness(genuine.frame, "contradicts")]
        return [_found(OVERLAP, flow, late.ts, measured, witnesses, method)]
    return []


def _one_machine(early: SimpleNamespace, late: SimpleNamespace) -> bool:
    """The same distance and one running IP-ID counter: a tunnel or proxy contradicts itself, nobody was raced."""
    step = (late.ipid - early.ipid) & 0xFFFF
    return early.ttl == late.ttl and 0 < step <= ONE_COUNTER and (early.tsval < 0) == (late.tsval < 0)


def _whose(packets: dict, flow: SimpleNamespace, early: Segment, late: Segment) -> tuple[Segment, Segment]:
    """(forged, genuine): the one less like the server's SYN/ACK; when both are alike, the first, which won the race."""
    synack = next((p for p in packets.values() if not p.up and p.tcp_flags & TCP_SYN), None)

    def unlike(piece: Segment) -> tuple[bool, int]:
        p = packets[piece.frame]
        return (synack is not None and synack.tsval >= 0 and p.tsval < 0, abs(p.ttl - synack.ttl) if synack else 0)

    return (late, early) if unlike(late) > unlike(early) else (early, late)


def _timestamps(flow: SimpleNamespace, packets: list, pieces: list[Segment]) -> list[Finding]:
    syn = [p for p in packets if p.tcp_flags >= 0 and p.tcp_flags & TCP_SYN and p.icmp < 0]
    if {p.up for p in syn if p.tsval >= 0} != {True, False} or any(p.tsval < 0 for p in syn):
        return []  # not agreed on by every SYN and SYN/ACK of the flow
    body = [p for p in packets if not p.up and p.icmp < 0 and not p.tcp_flags & (TCP_SYN | TCP_RST)]
    bare = [p for p in body if p.tsval < 0 and p.tcp_flags & TCP_ACK and (p.payload_len or p.tcp_flags & TCP_FIN)]
    others = [p for p in packets if p.icmp < 0 and p.tsval >= 0 and not p.tcp_flags & TCP_SYN]
    if not bare or not others or len(bare) == len(body) > 2:
        return []  # a proxy that never carries the option on is not a forger of one answer
    data = {piece.frame: piece.data for piece in pieces}
    action = next((_done(data[p.frame], p) for p in bare if p.frame in data), "fin")
    witnesses = [Witness(flow.asked_frame, "trigger")] * (flow.asked_frame >= 0)
    witnesses += [Witness(p.frame, "forged") for p in bare[:4]] + [Witness(others[0].frame, "baseline")]
    measured = {"segments_without": len(bare), "segments_with": len(body) - len(bare)}
    return [_found(NO_TIMESTAMPS, flow, bare[0].ts, measured, witnesses, Method(action, "none_seen", "unknown"))]


def _done(data: bytes, packet: SimpleNamespace) -> str:
    """What was done with some forged bytes: a page, an alert, a goodbye with a few words, or anything else put in."""
    if data[:2] == b"\x15\x03":
        return "tls_alert"
    if data[:5] == b"HTTP/" or data[:1] == b"<":
        return "forged_data" if _only_script(data) else "blockpage"
    return "fin" if packet.tcp_flags & TCP_FIN else "forged_data"


def _only_script(data: bytes) -> bool:
    """A page that has a program and nothing to read or show: it is there to be run, not to tell anybody anything."""
    body = data.partition(b"\r\n\r\n")[2] or data
    rest = _UNSEEN.sub(b"", body)
    return b"<script" in body and b"<iframe" not in body and not _TAG.sub(b"", rest).strip()


def _elsewhere(flow: SimpleNamespace, packets: list, pieces: list[Segment]) -> list[Finding]:
    """The first answer held to where the server's packets without content came from."""
    own = [p for p in packets if not p.up and p.icmp < 0 and p.tcp_flags >= 0 and not p.tcp_flags & TCP_RST]
    answer = next((p for p in own if p.payload_len), None)
    plain = [p for p in own if not p.payload_len]
    if answer is None or not any(p.tcp_flags & TCP_SYN for p in plain):
        return []
    if any(abs(p.ttl - answer.ttl) < TTL_APART for p in plain):
        return []
    data = {piece.frame: piece.data for piece in pieces}
    witnesses = [Witness(flow.asked_frame, "trigger")] * (flow.asked_frame >= 0)
    witnesses += [Witness(answer.frame, "forged"), *(Witness(p.frame, "baseline") for p in plain[:3])]
    measured = {"answer_ttl": answer.ttl, "server_ttls": sorted({p.ttl for p in plain})[:8]}
    method = Method(_done(data.get(answer.frame, b""), answer), "none_seen", "unknown")
    return [_found(FROM_ELSEWHERE, flow, answer.ts, measured, witnesses, method)]


def _found(rule: Rule, flow: SimpleNamespace, ts: int, measured: dict, witnesses: list, method: Method) -> Finding:
    return Finding(rule, f"flow {flow.flow}", (flow.flow,), ts, measured, tuple(witnesses), method)
