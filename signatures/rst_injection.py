"""RST injection: a machine that is not the other end tears the connection down in its name.

**How it shows.** A machine beside the path sees copies of packets and can only add some; its reset races what the real
end sends, and the race leaves traces: the real end talks on, its answer still arrives, the reset is sooner than the
path allows, or repeats with sequence numbers guessed ahead. A machine in the path may drop the rest and leaves timing
and header traces only.

**What it cannot see.** A forger that copies TTL and IP-ID and drops everything after; packets rewritten into resets
(they carry the server's own header and timing); who owns the machine. A reset by a load balancer, a CDN edge or a
firewall at the server is also "not from that host": only controls tell interference by name from those.

**References.** Weaver, Sommer, Paxson, *Detecting Forged TCP Reset Packets*, NDSS 2009; RFC 9293 §3.10.7 and RFC 5961
§3.2 on what resets must look like; Clayton, Murdoch, Watson, *Ignoring the Great Firewall of China*, 2006. Figures
"benign | interference" are flows that fire in 561 benign captures (58,671 flows) and 120 with interference.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from analyzer.addresses import Place, place
from analyzer.serial import ahead
from analyzer.signature import Finding, Finished, Knowledge, Method, Rule, Seen, Wants, Witness
from analyzer.tables import TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, Cut, Kind, Stage, Vantage
from signatures.knowledge.injectors import match

METHOD = "rst_injection"

MS = 1_000_000
REORDERED_WITHIN, REORDERED_SHARE = 3 * MS, 0.25  # packets overtake each other by no more (NDSS 2009, section 3)
SAME_SYN = 1000 * MS  # later, a SYN/ACK answers a repeated SYN (RFC 6298 §2.1)
LADDER_WITHIN = 2000 * MS  # NDSS 2009, RST_SEQ_CHANGE
TTL_APART = 3  # routes shift by a hop or two; 0 | 105 and 0 | 51 at three
TTL_SPREAD = 1  # of the ordinary packets that are to be a baseline
BURST, BURST_WITHIN = 3, 20 * MS  # 0 | 60
MIXED_WITHIN = 50 * MS  # 1 | 8
CHALLENGE_WITHIN = 5 * MS  # a kernel answers in microseconds
UNSENT = 2  # bytes; one beyond is a FIN that was not captured
HALF, HALF_MARGIN = 0.5, 5 * MS  # 0 | 26: no detour halves the path and saves 5 ms as well
SOONER, SOONER_MARGIN = 0.8, 3 * MS  # 0 | 35 at RTT - 5 ms; the least of few samples may be a fifth too long
RESTED = 3000 * MS  # a pause after which a NAT or a balancer near the client may answer for what it has forgotten
INITIAL_TTLS, AT_ONCE = (64, 128, 255), 2 * MS  # what hosts send; no access link answers sooner
SAMPLES = 2  # of round trips, and of SYN/ACKs of equal TTL

_NDSS = "Weaver, Sommer, Paxson, NDSS 2009"


def _forged(name: str, strength: str, family: str, says: str, blind: str, source: str) -> Rule:
    return Rule(f"rst.{name}", "interference", strength, family, says, blind, source, action="rst")


SERVER_TALKS_ON = _forged(
    "server_talks_on", "conclusive", "order",
    "The server talked on after 'its' reset. A host that has reset a connection has no socket left to talk from.",
    "Injectors that drop the server's packets too.",
    f"{_NDSS}, RST_SEQ_DATA; 0 | 6",
)  # fmt: skip
CLIENT_TALKS_ON = _forged(
    "client_talks_on", "conclusive", "order",
    "Away from the client, the client is seen talking on after 'its' reset: somebody else sent that reset.",
    "Captures made at the client, where a local tool could do the same.",
    f"{_NDSS}, RST_SEQ_DATA, in the other direction",
)  # fmt: skip
LATE_ANSWER = _forged(
    "late_genuine_answer", "conclusive", "order",
    "The server's own answer to the request arrived after the reset that was to replace it.",
    "Injectors that drop the answer.",
    "net4people/bbs #285; captures of 2017 to 2025",
)  # fmt: skip
CHALLENGED = _forged(
    "challenge_then_alive", "conclusive", "order",
    "The reset missed the exact sequence number, was challenged, and the sender went on in sequence.",
    "Resets with the exact number.",
    "RFC 5961 §3.2",
)  # fmt: skip
FASTER = _forged(
    "faster_than_path", "conclusive", "timing",
    "The reset acknowledges the request in less than half the shortest time to that server and back.",
    "Machines near the server; paths of a few milliseconds.",
    "Speed of the path; 0 | 26",
)  # fmt: skip
SOONER_THAN_PATH = _forged(
    "sooner_than_path", "strong", "timing",
    "The reset acknowledges the request sooner than that server was ever able to answer.",
    "Machines in the last fifth of the path.",
    "Speed of the path; 0 | 35",
)  # fmt: skip
BEFORE_SYNACK = _forged(
    "before_synack", "strong", "order",
    "One SYN was answered twice: by a reset, and then by the server's SYN/ACK.",
    "A SYN that was repeated can meet two machines; not judged then.",
    f"{_NDSS}, SYN_RST; net4people/bbs #285",
)  # fmt: skip
BEHIND_DATA = _forged(
    "seq_behind_data", "strong", "order",
    "The reset's number lies before bytes already received, and the sender was active afterwards: not its own reset.",
    "Forgers that keep up with the stream.",
    f"{_NDSS}, DATA_SEQ_RST with guards; 0 | 12",
)  # fmt: skip
LADDER = _forged(
    "seq_ladder", "strong", "order",
    "Several resets guess ahead in the sequence, to hit although data is on its way.",
    "Injectors that send one reset.",
    f"{_NDSS}, RST_SEQ_CHANGE; Clayton et al. 2006; 0 | 50",
)  # fmt: skip
TTLS_DISAGREE = _forged(
    "ttl_disagree", "strong", "header",
    "Resets of one side of one connection came over different distances, before either side had closed.",
    "Forgers with one TTL. After a FIN, a host and its edge may both reset: not judged then.",
    "0 | 51",
)  # fmt: skip
BEYOND_SENT = _forged(
    "ack_beyond_sent", "strong", "content",
    "The reset acknowledges bytes that the other side never sent.",
    "Flows with gaps in the capture.",
    f"{_NDSS}, RST_ACK_CHANGE, with the ACK flag only",
)  # fmt: skip
UNSENT_ACKED = _forged(
    "ack_of_unsent", "conclusive", "content",
    "The client acknowledges bytes that this server never sent, and the server shows that it sent none.",
    "Without the server's contradiction, capture loss looks the same.",
    "0 | 23",
)  # fmt: skip
UNLIKE_KINDS = _forged(
    "unlike_kinds", "supporting", "header",
    "A bare reset and an RST/ACK came together: one TCP stack sends one kind.",
    "After a FIN both kinds are common; not judged then.",
    "1 | 8",
)  # fmt: skip
BURST_OF = _forged(
    "burst", "supporting", "header",
    "Three or more resets within milliseconds, while ordinary packets come once.",
    "Late segments after a close earn a reset each; not judged then.",
    "0 | 60",
)  # fmt: skip
BARE_WITH_WINDOW = _forged(
    "bare_with_window", "supporting", "header",
    "A reset without ACK carries a window, where today's systems send zero.",
    "Old systems.",
    "Linux tcp_v4_send_reset; 3 | 124",
)  # fmt: skip
TTL_DIFFERS = _forged(
    "ttl_differs", "supporting", "header",
    "The reset came over another distance than every other packet of that address in this capture.",
    "Forgers that copy the TTL; addresses with hosts at several distances (not judged).",
    "0 | 105",
)  # fmt: skip
HEADER_COPIED = _forged(
    "header_copied", "supporting", "header",
    "The reset carries the IP-ID and the window of the packet that it answers.",
    "Either alone happens by chance.",
    "Captures of 2017 to 2024",
)  # fmt: skip
KNOWN_INJECTOR = Rule(
    "rst.known_injector", "neutral", "weak", "none",
    "The resets carry constants that one machine is described with: consistent with it, and no proof of it.",
    "Machines that are not described; anybody who sends the same constants.",
    "signatures/data/injectors, each with its own source",
    action="rst",
)  # fmt: skip
CLIENT_GONE = _forged(
    "client_gone", "supporting", "header",
    "Seen from the server, the client's machine denies a connection that it had just opened and never closed.",
    "Clients that crash, and closes that were lost on the way.",
    "Linux tcp_v4_send_reset: no ACK flag where no socket is left, ACK where a program aborts",
)  # fmt: skip
FROM_DEVICE = Rule(
    "rst.from_device", "genuine", "strong", "none",
    "The reset was made on the capturing device, or in the router next to it: it crossed no hop and took no time.",
    "A forger with that very TTL that is as near.",
    "IP: every router takes one off the TTL, and every link takes time",
)  # fmt: skip
AFTER_CLOSE = Rule(
    "rst.after_close", "genuine", "supporting", "none",
    "The reset came after a side had closed or reset the connection: an ordinary farewell.",
    "An injector that waits for the close.",
    "RFC 9293 §3.6.1, §3.10.7; 207 benign flows end so without timestamps alone",
)  # fmt: skip
REFUSED = Rule(
    "rst.refused", "genuine", "supporting", "none",
    "The connection was refused as a closed port does it: one RST/ACK to the SYN, not sooner than half the usual RTT.",
    "A machine in the path that refuses the same way; hosts on the internet that stand right beside the capture.",
    "RFC 9293 §3.10.7.1",
)  # fmt: skip

RULES = (
    SERVER_TALKS_ON, CLIENT_TALKS_ON, LATE_ANSWER, CHALLENGED, FASTER, SOONER_THAN_PATH, BEFORE_SYNACK, BEHIND_DATA,
    LADDER, TTLS_DISAGREE, BEYOND_SENT, UNSENT_ACKED, UNLIKE_KINDS, BURST_OF, BARE_WITH_WINDOW, TTL_DIFFERS, HEADER_COPIED,
    CLIENT_GONE, KNOWN_INJECTOR, FROM_DEVICE, AFTER_CLOSE, REFUSED,
)  # fmt: skip
_RACES_PROVE = Method("rst", position="on_path")  # both the injected and the genuine packet arrived


def _with_resets(flows) -> np.ndarray:
    # Of the server alone only one thing is judged: that it begins to answer after 'its' reset.
    known = (flows.cut & Cut.ONE_DIRECTION == 0) | ((flows.packets_up == 0) & (flows.synacks > 0))
    honest = (flows.proto == 6) & (flows.cut & Cut.PROXIED == 0) & known
    far = (flows.vantage == Vantage.SERVER) | (flows.vantage == Vantage.MIDDLE)
    return honest & ((flows.rsts_down > 0) | (flows.rsts_up > 0) | (far & (flows.cut & Cut.GAP != 0)))


WANTS = Wants(_with_resets, packets=True)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """What the packets of one flow say about its resets."""
    findings: list[Finding] = []
    flows = done.flows
    first = done.resets[done.resets.nth == 0]
    position = np.searchsorted(flows.flow, first.flow)
    for reset, i in zip(first.rows(), position.tolist(), strict=True):
        flow = flows.row(i)
        if flow.cut & Cut.ONE_DIRECTION:
            # A client that had closed would not show: it has not, where the server had not even begun to answer.
            races = _races(_Talk(flow, done.rows(i), reset.up), reset) if not reset.heard and not reset.closed else []
            findings += [found for found in races if found.rule is SERVER_TALKS_ON]
        elif reset.closed or (reset.peer_closed and not reset.up):
            if flow.service or flow.sni or flow.host:
                findings.append(_found(AFTER_CLOSE, reset, {}))
        elif reset.up and flow.vantage in (Vantage.CLIENT, Vantage.UNKNOWN):
            continue  # what leaves the capturing machine is its own doing
        elif flow.synacks:
            if _denies(reset):
                findings.append(_found(CLIENT_GONE, reset, {"after_ms": _ms(reset.ts - reset.asked)}))
            findings += _races(_Talk(flow, done.rows(i), reset.up), reset)
    far = (flows.vantage == Vantage.SERVER) | (flows.vantage == Vantage.MIDDLE)
    for i in np.flatnonzero(far & (flows.cut & Cut.GAP != 0) & (flows.synacks > 0)).tolist():
        findings += _unsent(flows.row(i), _Talk(flows.row(i), done.rows(i), True))
    return findings


def _denies(reset: SimpleNamespace) -> bool:
    """A machine answers for a socket that it no longer has; each late segment earns it one such reset more."""
    return bool(reset.up and not reset.tcp_flags & TCP_ACK and reset.asked >= 0 and reset.heard)


class _Talk:
    """One flow's own packets in order, as plain values."""

    def __init__(self, flow: SimpleNamespace, rows, of_client: bool):
        self.flow = flow
        self.packets = [p for p in rows[rows.icmp < 0].rows() if p.tcp_flags >= 0]
        rtts = (flow.ack_gap, flow.data_rtt_down) if of_client else (flow.syn_rtt, flow.data_rtt)
        self.rtt = next((rtt for rtt in rtts if rtt >= 0), 0)
        self.whole = not flow.cut & (Cut.ROWS | Cut.GAP)  # every packet of it is here
        self.guard = max(REORDERED_WITHIN, int(REORDERED_SHARE * self.rtt))


def _races(talk: _Talk, reset: SimpleNamespace) -> list[Finding]:
    """Tests on the first reset of one side, while neither side had closed."""
    own = [p for p in talk.packets if p.up == reset.up]
    peer = [p for p in talk.packets if p.up != reset.up]
    before = [p for p in own if p.frame < reset.frame]
    after = []
    for p in talk.packets:  # up to a new connection on the same ports
        if p.frame > reset.frame:
            if p.tcp_flags & TCP_SYN and p.up:
                break
            if p.up == reset.up:
                after.append(p)
    resets = [reset, *(p for p in after if p.tcp_flags & TCP_RST)]
    alive = [p for p in after if not p.tcp_flags & (TCP_RST | TCP_SYN)]
    written = max((_end(p) for p in before if p.payload_len), key=lambda end: ahead(end, reset.seq), default=None)
    behind = 0 if written is None else max(0, ahead(written, reset.seq))
    found = []

    sent = max((_end(p) for p in peer if p.frame < reset.frame), key=lambda end: ahead(end, reset.ack), default=None)
    acked = max((p.ack for p in before if p.tcp_flags & TCP_ACK), key=lambda ack: ahead(ack, reset.ack), default=None)
    # A true abort carries the sender's next number, so a reset from behind cannot have been overtaken by what follows,
    # and what stands before its number was sent before it, however late it comes.
    later = alive if behind else [p for p in alive if p.ts - reset.ts > talk.guard]
    speaks = [
        p
        for p in later
        if ahead(p.seq, reset.seq) >= 0
        and (
            p.kind == Kind.NEW
            or p.tcp_flags & TCP_FIN
            or (talk.whole and p.tcp_flags & TCP_ACK and acked is not None and ahead(p.ack, acked) > 0)
        )
    ]
    if speaks:
        one = min(speaks, key=lambda p: p.frame)
        rule = CLIENT_TALKS_ON if reset.up else SERVER_TALKS_ON
        found.append(_found(rule, reset, {"after_ms": _ms(one.ts - reset.ts)}, one, _RACES_PROVE))
    answers = [p for p in later if p.payload_len and p.kind == Kind.NEW]
    if answers and not reset.up and not reset.heard and reset.asked >= 0:
        found.append(_found(LATE_ANSWER, reset, {"after_ms": _ms(answers[0].ts - reset.ts)}, answers[0], _RACES_PROVE))
    found += _challenge(reset, peer, later)
    greeted = [p for p in after if p.tcp_flags & TCP_SYN and p.ts - reset.ts <= SAME_SYN]
    if greeted and talk.flow.syns == 1 and not reset.up and not any(p.tcp_flags & TCP_SYN for p in before):
        measured = {"synack_after_ms": _ms(greeted[0].ts - reset.ts)}
        address = Method("rst", "ip_address", "on_path", talk.flow.server)  # a SYN shows nothing else
        found.append(_found(BEFORE_SYNACK, reset, measured, greeted[0], address))

    if behind and alive:
        found.append(_found(BEHIND_DATA, reset, {"bytes_behind": behind}, alive[0], _RACES_PROVE))
    if reset.tcp_flags & TCP_ACK and sent is not None and talk.whole and ahead(reset.ack, sent) > 1:
        found.append(_found(BEYOND_SENT, reset, {"bytes_beyond": ahead(reset.ack, sent)}))
    return found + _habits(talk, reset, resets, before, peer) + _candidate(reset, own, after)


def _challenge(reset: SimpleNamespace, peer: list, later: list) -> list[Finding]:
    """A pure ACK at once, and then the other side in sequence."""
    for p in peer:
        if 0 < p.ts - reset.ts <= CHALLENGE_WITHIN and p.tcp_flags == TCP_ACK and not p.payload_len:
            if ahead(reset.seq, p.ack) == 0:
                continue  # the exact number would have ended it: an ordinary ACK that crossed the reset
            after = [q for q in later if q.payload_len and q.seq == p.ack]
            if after:
                measured = {"challenge_after_ms": _ms(p.ts - reset.ts), "off_by_bytes": ahead(reset.seq, p.ack)}
                return [_found(CHALLENGED, reset, measured, after[0], _RACES_PROVE)]
    return []


def _habits(talk: _Talk, reset: SimpleNamespace, resets: list, before: list, peer: list) -> list[Finding]:
    """What the resets of this side look like among themselves, until the other side has closed too."""
    found = []
    over = min((p.frame for p in peer if p.frame > reset.frame and p.tcp_flags & (TCP_FIN | TCP_RST)), default=None)
    unspoken = [r for r in resets if over is None or r.frame < over]  # after a FIN, host and edge may both reset
    acks = [p.ack for p in peer if p.tcp_flags & TCP_ACK]
    ends = [_end(p) for p in before]
    for r in unspoken[1:]:
        step = ahead(r.seq, reset.seq)
        if r.ts - reset.ts > LADDER_WITHIN or step <= 2:
            continue
        if all(ahead(r.seq, end) > 0 for end in ends) and all(ahead(r.seq, ack) > 2 for ack in acks):
            steps = [ahead(q.seq, reset.seq) for q in unspoken]
            found.append(_found(LADDER, reset, {"steps_bytes": steps[:8]}, None, None, unspoken[:8]))
            break
    ttls = [r.ttl for r in unspoken]
    if max(ttls) - min(ttls) >= TTL_APART:
        found.append(_found(TTLS_DISAGREE, reset, {"ttls": ttls[:8]}, None, None, unspoken[:8]))
    # Where no socket is left, each packet that was still on its way earns a bare reset with that packet's ACK number.
    earned = {p.ack for p in peer if p.tcp_flags & TCP_ACK}
    unspoken = [r for r in unspoken if r is reset or r.tcp_flags & TCP_ACK or (talk.whole and r.seq not in earned)]
    near = [r for r in unspoken if r.ts - reset.ts <= MIXED_WITHIN]
    if len({bool(r.tcp_flags & TCP_ACK) for r in near}) == 2:
        found.append(_found(UNLIKE_KINDS, reset, {"resets": len(near)}, None, None, near[:8]))
    quick = [r for r in unspoken if r.ts - reset.ts <= BURST_WITHIN]
    doubled = any(p.dup_of >= 0 and not p.tcp_flags & TCP_RST for p in talk.packets)
    if len(quick) >= BURST and not doubled:
        found.append(_found(BURST_OF, reset, {"resets": len(quick)}, None, None, quick[:8]))
    usual = {p.ttl for p in before}
    steady = reset.up and usual and max(usual) - min(usual) <= TTL_SPREAD and max(reset.pause, reset.idle) < RESTED
    if steady and min(abs(reset.ttl - ttl) for ttl in usual) >= TTL_APART:  # of servers, `across` knows more
        found.append(_found(TTL_DIFFERS, reset, {"reset_ttl": reset.ttl, "client_ttls": sorted(usual)}, before[-1]))
    if not reset.tcp_flags & TCP_ACK and reset.win:
        found.append(_found(BARE_WITH_WINDOW, reset, {"window": reset.win}))
    trigger = next((p for p in peer if p.frame == reset.asked_frame), None)
    if trigger and reset.ipid > 0 and (reset.ipid, reset.win) == (trigger.ipid, trigger.win) and reset.win:
        found.append(_found(HEADER_COPIED, reset, {"ip_id": reset.ipid, "window": reset.win}))
    return found


def _candidate(reset: SimpleNamespace, own: list, after: list) -> list[Finding]:
    """The described machine whose constants the resets of this side carry."""
    resets = [p for p in own if p.frame == reset.frame] + [p for p in after if p.tcp_flags & TCP_RST]
    known = match(resets)
    if known is None:
        return []
    measured = {"injector": known.name, "described_in": known.source}
    witnesses = tuple(Witness(r.frame, "forged") for r in resets[:8])
    return [Finding(KNOWN_INJECTOR, f"flow {reset.flow}", (reset.flow,), reset.ts, measured, witnesses)]


def _unsent(flow: SimpleNamespace, talk: _Talk) -> list[Finding]:
    """Away from the client: its ACK lies beyond everything that the server sent, and the server contradicts it."""
    written = None
    agreed = False  # the client has acknowledged something that this server did send
    for n, p in enumerate(talk.packets):
        if not p.up:
            if not p.tcp_flags & TCP_RST and (written is None or ahead(_end(p), written) > 0):
                written = _end(p)
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


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Resets held to what else came from their address: how soon it can answer, and from how far."""
    resets = seen.resets
    resets = resets[(resets.nth == 0) & ~resets.closed & ~resets.peer_closed & ~resets.up & (resets.pause < RESTED)]
    flows = seen.attempts[np.searchsorted(seen.attempts.flow, resets.flow)]
    honest = flows.cut & (Cut.PROXIED | Cut.ONE_DIRECTION) == 0
    resets, flows = resets[honest], flows[honest]
    endpoints = seen.endpoints[seen.endpoints.proto == 6]  # by server
    begins, ends = (np.searchsorted(endpoints.server, resets.server, side).tolist() for side in ("left", "right"))
    to_syn = (flows.stage == Stage.SYN) & (resets.tcp_flags & TCP_ACK != 0) & (flows.rsts_down <= flows.syns)
    beside = (flows.vantage == Vantage.CLIENT) & np.isin(resets.ttl, INITIAL_TTLS) & (resets.idle <= AT_ONCE)
    for i in np.flatnonzero(to_syn & beside).tolist():  # where no host on the internet is
        to_syn[i] = place(seen.text(resets.server[i]) or "") in (Place.PRIVATE, Place.SINK)
    found = []
    for reset, begin, end, refused in zip(resets.rows(), begins, ends, to_syn.tolist(), strict=True):
        at_server = endpoints[begin:end]
        if refused and not _sooner_than_half(reset.idle, at_server.rtt[at_server.rtt >= 0]):
            found.append(_found(REFUSED, reset, {"rst_after_syn_ms": _ms(reset.idle)}))
        if begin == end:
            continue
        if _of_device(reset, at_server):
            found.append(_found(FROM_DEVICE, reset, {"after_ms": _ms(reset.ts - reset.asked), "reset_ttl": reset.ttl}))
            continue
        found += _timing(reset, at_server) + _distance(reset, at_server)
    return found


def _sooner_than_half(took: int, rtts: np.ndarray) -> bool:
    """Whether it came sooner than half the least round trip; not where none is known."""
    rtt = int(rtts.min()) if len(rtts) else 0
    return took < HALF * rtt and rtt - took > HALF_MARGIN


def _of_device(reset: SimpleNamespace, at_server) -> bool:
    """A TTL that no router has touched, where the server's packets come with another, and no time to go anywhere."""
    if reset.ttl not in INITIAL_TTLS or reset.asked < 0 or reset.ts - reset.asked > AT_ONCE:
        return False
    others = {
        *at_server.ttl_low[at_server.ordinary > 0].tolist(),
        *at_server.ttl_synack[at_server.ttl_synack >= 0].tolist(),
    }
    return bool(others) and reset.ttl not in others


def _timing(reset: SimpleNamespace, at_server) -> list[Finding]:
    timed = at_server[at_server.rtt >= 0]
    if not reset.covers or not reset.asked_once or len(timed) < SAMPLES:
        return []
    rtt, took = int(timed.rtt.min()), reset.ts - reset.asked
    measured = {"reset_after_ms": _ms(took), "least_rtt_ms": _ms(rtt), "rtt_samples": len(timed)}
    if _sooner_than_half(took, timed.rtt):
        return [_found(FASTER, reset, measured)]
    if timed.rtt_from_data.any() and took < min(SOONER * rtt, rtt - SOONER_MARGIN):
        return [_found(SOONER_THAN_PATH, reset, measured)]
    return []


def _distance(reset: SimpleNamespace, at_server) -> list[Finding]:
    plain = at_server[at_server.ordinary > 0]
    greeted = at_server[at_server.ttl_synack >= 0]
    distances = [*plain.ttl_low.tolist(), *plain.ttl_high.tolist(), *greeted.ttl_synack.tolist()]
    if not distances or min(abs(reset.ttl - ttl) for ttl in distances) < TTL_APART:
        return []
    steady = plain.ordinary.sum() >= SAMPLES and plain.ttl_high.max() - plain.ttl_low.min() <= TTL_SPREAD
    if not steady:  # before the server has said anything, its SYN/ACKs must do, and then the reset must be early too
        timed = greeted.rtt[greeted.rtt >= 0]
        early = reset.covers and len(timed) and reset.ts - reset.asked < SOONER * timed.min()
        if len(plain) or len(greeted) < SAMPLES or len(set(greeted.ttl_synack.tolist())) > 1 or not early:
            return []
    frames = [*plain.frame[:1].tolist(), *greeted.frame_synack[:1].tolist()]
    found = _found(TTL_DIFFERS, reset, {"reset_ttl": reset.ttl, "server_ttls": sorted(set(distances))[:8]})
    baseline = tuple(Witness(frame, "baseline") for frame in frames if frame >= 0)
    return [Finding(found.rule, found.subject, found.flows, found.ts, found.measured, found.witnesses + baseline)]


def _found(
    rule: Rule,
    reset: SimpleNamespace,
    measured: dict[str, Any],
    contradicted_by: SimpleNamespace | None = None,
    method: Method | None = None,
    forged: list | None = None,
) -> Finding:
    """A finding about a flow's reset: what triggered it, the reset or resets, and the packet that gives it away."""
    witnesses = [Witness(reset.asked_frame, "trigger")] if reset.asked_frame >= 0 else []
    role = "forged" if rule.leans == "interference" else "baseline"
    witnesses += [Witness(r.frame, role) for r in forged or [reset]]
    ts = reset.ts
    if contradicted_by is not None:
        witnesses.append(Witness(contradicted_by.frame, "contradicts"))
        ts = contradicted_by.ts
    return Finding(rule, f"flow {reset.flow}", (reset.flow,), ts, measured, tuple(witnesses), method)


def _end(p: SimpleNamespace) -> int:
    """Sequence number after a packet."""
    return (p.seq + p.payload_len + bool(p.tcp_flags & TCP_SYN) + bool(p.tcp_flags & TCP_FIN)) & 0xFFFFFFFF


def _ms(ns: int) -> float:
    return round(ns / MS, 3)
