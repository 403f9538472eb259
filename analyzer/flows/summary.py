"""The numeric half of the flows table: who was the client, how far it came, what ended it, from where it was captured.

Vectorised over a batch; the columns are declared in `analyzer.tables`.
"""

from __future__ import annotations

import numpy as np

from analyzer.decode.packets import address_texts
from analyzer.flows import arenas as a
from analyzer.flows.finished import FinishedFlows
from analyzer.serial import ahead
from analyzer.tables import FLOWS, TCP_ACK, TCP_RST, TCP_SYN, Cut, End, Kind, Stage, Table, Vantage, least

TCP = 6
LONG_ANSWER = 1 << 16  # bytes: whoever got this much was served, in one exchange or in many
ALIVE_WITHIN = 2_000_000_000  # ns before the capture's end: too close to call anything silence
FAR, NEAR = 0.2, 1_000_000  # one handshake gap under a fifth of the other, and the other over 1 ms, tells the vantage
INITIAL_TTLS = (64, 128, 255)  # what hosts send; seen undiminished, the sender is this machine or its neighbour
PROBE_HOPS = 3  # routes change by a hop or two between two packets of one host
PHONE_VPN = (  # 10.215.173.1 and fd00:2:fd00:1:fd00:1:fd00:1, as four words
    (0, 0, 0xFFFF, 0x0AD7AD01),
    (0xFD000002, 0xFD000001, 0xFD000001, 0xFD000001),
)
PRIVATE = (0xC0A8, 0xA9FE)  # 192.168/16, 169.254/16; with 10/8 and 172.16/12 the home networks (RFC 1918, 3927)
ZDTUN_ISN = 0x77EB77EB  # constant of the userland TCP stack behind root-less phone captures, since 2018


def summarize(batch: FinishedFlows, clock: int, final: bool) -> Table:
    """tables.FLOWS of a batch, its text columns empty. `clock` is the packet time at which the batch was closed."""
    state, client, n = batch.state, batch.client, len(batch)
    up = _side(state, client)
    down = _side(state, 1 - client)
    tcp = state[:, a.PROTO] == TCP
    facts = _rows_facts(batch)
    answerable = ~_to_many(batch, client, ~tcp & (down[:, a.COUNT] == 0))
    facts.proxied |= _in_phone_vpn(batch)
    stage = np.where(answerable, _stage(state, up, down, tcp, facts), Stage.NONE).astype(np.int8)
    unacked_up, unacked_down = _unacked(up, down), _unacked(down, up)
    cut = _cut(state, up, down, tcp, facts, clock)
    text = np.full(n, None, object)
    names = _addresses(batch)
    port_a, port_b = state[:, a.PORT_A], state[:, a.PORT_B]
    columns = {column.name: text for column in FLOWS if column.dtype == "O"}
    columns |= {
        "flow": state[:, a.ID],
        "part": state[:, a.PART].astype(np.int32),
        "proto": state[:, a.PROTO].astype(np.int16),
        "stream": state[:, a.STREAM],
        "client": names[np.arange(n), client],
        "server": names[np.arange(n), 1 - client],
        "client_port": np.where(client == 0, port_a, port_b).astype(np.int32),
        "server_port": np.where(client == 0, port_b, port_a).astype(np.int32),
        "start": state[:, a.FIRST_TS],
        "end": state[:, a.LAST_TS],
        "first_frame": state[:, a.FIRST_FRAME],
        "last_frame": state[:, a.LAST_FRAME],
        "asked_frame": facts.asked_frame,
        "stage": stage,
        "ended_by": np.where(answerable, _end(state, up, down, tcp, stage, unacked_up, facts), End.OPEN).astype(
            np.int8
        ),
        "packets_up": up[:, a.COUNT],
        "packets_down": down[:, a.COUNT],
        "bytes_up": up[:, a.BYTES],
        "bytes_down": down[:, a.BYTES],
        "ip_bytes_up": up[:, a.IP_BYTES],
        "ip_bytes_down": down[:, a.IP_BYTES],
        "new_up": up[:, a.NEW_BYTES],
        "new_down": down[:, a.NEW_BYTES],
        "resent_up": up[:, a.RESENT],
        "resent_down": down[:, a.RESENT],
        "lost_up": _lost(up),
        "lost_down": _lost(down),
        "unacked_up": np.where(tcp, unacked_up, -1),
        "unacked_down": np.where(tcp, unacked_down, -1),
        "syns": state[:, a.SYNS].astype(np.int32),
        "synacks": state[:, a.SYNACKS].astype(np.int32),
        "rsts_up": up[:, a.RSTS].astype(np.int32),
        "rsts_down": down[:, a.RSTS].astype(np.int32),
        "fin_up": up[:, a.FIN_TS],
        "fin_down": down[:, a.FIN_TS],
        "rst_at": state[:, a.RST_AT],
        "rst_bare": facts.rst_bare,
        "first_up_data": up[:, a.FIRST_DATA],
        "first_down_data": down[:, a.FIRST_DATA],
        "last_up": up[:, a.SIDE_LAST],
        "last_down": down[:, a.SIDE_LAST],
        "unheard_at": np.where(tcp & (unacked_up > 0), _first_unheard(batch, down[:, a.ACKED]), -1),
        "last_new_up": up[:, a.LAST_NEW],
        "last_new_down": down[:, a.LAST_NEW],
        "alone_up": up[:, a.ALONE],
        "alone_down": down[:, a.ALONE],
        "unfinished_up": tcp & (up[:, a.UNFINISHED] > 0),
        "unfinished_down": tcp & (down[:, a.UNFINISHED] > 0),
        "left_up": _left(up),
        "left_down": _left(down),
        "syn_rtt": state[:, a.SYN_RTT],
        "ack_gap": state[:, a.ACK_GAP],
        "data_rtt": up[:, a.RTT],
        "data_rtt_down": down[:, a.RTT],
        "zero_windows": state[:, a.ZERO_WINDOWS].astype(np.int32),
        "vantage": _vantage(state, facts),
        "cut": cut,
        "iface": state[:, a.IFACE].astype(np.int16),
        "final": np.full(n, final),
        "quic": np.full(n, -1),
    }
    return Table(FLOWS, columns)


def _side(state: np.ndarray, which: np.ndarray) -> np.ndarray:
    """The columns of one direction, by flow."""
    both = state[:, a.SIDE : a.SIDE + 2 * a.SIDE_WIDTH].reshape(len(state), 2, a.SIDE_WIDTH)
    return both[np.arange(len(state)), which]


def _addresses(batch: FinishedFlows) -> np.ndarray:
    words = batch.arenas.address.reshape(-1, 8)[batch.slots]
    return address_texts(words.reshape(-1, 4)).reshape(-1, 2)


def _to_many(batch: FinishedFlows, client: np.ndarray, unanswered: np.ndarray) -> np.ndarray:
    """Sent to multicast or to everybody: nobody in particular is expected to answer.

    `unanswered` datagrams to a public x.x.x.255 were most likely a broadcast too: networks of 256 addresses are the rule.
    """
    words = batch.arenas.address.reshape(-1, 2, 4)[batch.slots, 1 - client]
    four = (words[:, 0] == 0) & (words[:, 1] == 0) & (words[:, 2] == 0xFFFF) & (words[:, 3] >= 0xE0000000)
    local = np.isin(words[:, 3] >> 16, PRIVATE) | (words[:, 3] >> 24 == 10) | (words[:, 3] >> 20 == 0xAC1)
    last = words[:, 3] & 0xFF == 0xFF  # a broadcast, by the usual mask
    everybody = (words[:, 2] == 0xFFFF) & (local | unanswered) & last
    return four | everybody | (words[:, 0] >> 24 == 0xFF)


def _in_phone_vpn(batch: FinishedFlows) -> np.ndarray:
    """One end is PCAPdroid's virtual interface: every header towards the app was invented on the phone."""
    words = batch.arenas.address.reshape(-1, 2, 4)[batch.slots]
    return np.any([(words == np.array(end, np.uint32)).all(axis=2).any(axis=1) for end in PHONE_VPN], axis=0)


def _lost(side: np.ndarray) -> np.ndarray:
    """Holes filled late, and those still open."""
    times = side[:, a.HOLES + 2 : a.HOLES + 3 * a.MAX_HOLES : 3]
    return side[:, a.LOST] + (times != 0).sum(axis=1)


def _unacked(sender: np.ndarray, receiver: np.ndarray) -> np.ndarray:
    """Payload bytes of one side that the other never acknowledged."""
    behind = ahead(sender[:, a.NEXT], receiver[:, a.ACKED]) - (sender[:, a.FIN_TS] >= 0)
    whole = np.where(receiver[:, a.ACKED] < 0, sender[:, a.NEW_BYTES], np.minimum(behind, sender[:, a.NEW_BYTES]))
    return np.where(sender[:, a.KNOWN] == 1, np.maximum(whole, 0), 0)


def _left(side: np.ndarray) -> np.ndarray:
    """Bytes that the TLS record begun last still lacks; -1 where records could not be followed."""
    behind = ahead(side[:, a.RECORD_AT], side[:, a.NEXT])
    return np.where(side[:, a.RECORDS] == 1, np.maximum(behind, 0), -1)


class _Facts:
    """What only the kept packets tell, per flow."""

    def __init__(self, n: int):
        self.served = np.zeros(n, bool)
        self.first_reset_down = np.zeros(n, bool)
        self.rst_bare = np.zeros(n, bool)
        self.proxied = np.zeros(n, bool)
        self.up_initial_ttl = np.zeros(n, bool)
        self.down_initial_ttl = np.zeros(n, bool)
        self.asked_frame = np.full(n, -1)
        self.probe = np.zeros(n, bool)


def _rows_facts(batch: FinishedFlows) -> _Facts:
    facts = _Facts(len(batch))
    p = batch.packets
    if not len(p):
        return facts
    which = batch.which
    own = p.icmp < 0
    data = own & (p.payload_len > 0) & ((p.kind == Kind.NEW) | (p.tcp_flags < 0))
    never = np.iinfo(np.int64).max

    def earliest(rows):
        return least(which[rows], p.ts[rows], len(batch), never)

    def after(rows, moment):
        """Those of some packets that came after a moment of their flow."""
        return rows[p.ts[rows] > moment[which[rows]]]

    asked, answers = np.flatnonzero(data & p.up), np.flatnonzero(data & ~p.up)
    again = after(asked, earliest(answers))
    facts.served[which[after(answers, earliest(again))]] = True
    reset = own & (p.tcp_flags >= 0) & (p.tcp_flags & TCP_RST != 0)
    facts.first_reset_down = earliest(np.flatnonzero(reset & ~p.up)) < earliest(np.flatnonzero(reset & p.up))
    facts.rst_bare[which[reset][::-1]] = (p.tcp_flags[reset] & TCP_ACK == 0)[::-1]  # the first is written last
    synack = own & (p.tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST) == TCP_SYN | TCP_ACK) & (p.tcp_flags >= 0)
    facts.proxied[which[synack & (p.seq == ZDTUN_ISN)]] = True
    asking = np.flatnonzero(own & p.up & (p.payload_len > 0))
    facts.asked_frame[which[asking][::-1]] = p.frame[asking][::-1]  # the first of each flow is written last
    syn_ttl = np.full(len(batch), -1)
    syn = own & p.up & (p.tcp_flags >= 0) & (p.tcp_flags & (TCP_SYN | TCP_ACK) == TCP_SYN)
    syn_ttl[which[syn]] = p.ttl[syn]
    usual = syn_ttl[which[asking]]
    facts.probe[which[asking[(usual >= 0) & (p.ttl[asking] < usual - PROBE_HOPS)]]] = True
    initial = np.isin(p.ttl, INITIAL_TTLS) & own & ~reset
    facts.up_initial_ttl[which[initial & p.up]] = True
    facts.down_initial_ttl[which[initial & ~p.up]] = True
    return facts


def _first_unheard(batch: FinishedFlows, acked: np.ndarray) -> np.ndarray:
    """Time of each flow's first client payload that ends beyond `acked`, the server's highest ACK; -1 without one."""
    p = batch.packets
    mine = np.flatnonzero(p.up & (p.icmp < 0) & (p.tcp_flags >= 0) & (p.payload_len > 0))
    heard = acked[batch.which[mine]]
    mine = mine[(heard < 0) | (ahead(p.seq[mine] + p.payload_len[mine], heard) > 0)]
    first = np.full(len(batch), -1)
    first[batch.which[mine][::-1]] = p.ts[mine][::-1]  # the first of each flow is written last
    return first


def _stage(state, up, down, tcp, facts) -> np.ndarray:
    asked, answered = up[:, a.FIRST_DATA] >= 0, down[:, a.FIRST_DATA] >= 0
    shaken = state[:, a.SYNACKS] > 0
    accepted = shaken & (state[:, a.ACK_GAP] >= 0)
    stage = np.select(
        [
            answered & (facts.served | (down[:, a.NEW_BYTES] >= LONG_ANSWER)),
            answered,
            asked,
            accepted,
            shaken,
            tcp & (state[:, a.SYNS] > 0),
        ],
        [Stage.SERVED, Stage.ANSWERED, Stage.ASKED, Stage.OPEN, Stage.SYNACK, Stage.SYN],
        Stage.NONE,
    )
    return stage


def _end(state, up, down, tcp, stage, unacked_up, facts) -> np.ndarray:
    reset, fin_up, fin_down = state[:, a.RST_AT], up[:, a.FIN_TS], down[:, a.FIN_TS]
    closed = (fin_up >= 0) & (fin_down >= 0) & ((reset < 0) | (np.maximum(fin_up, fin_down) < reset))
    icmp = state[:, a.ICMP_AT]
    last_word = up[:, a.SIDE_LAST] > down[:, a.SIDE_LAST]
    unheard = tcp & last_word & (unacked_up > 0) & (up[:, a.RESENT] > 0)
    unheard |= tcp & (stage == Stage.SYN) & (state[:, a.SYNS] > 1)
    unheard |= ~tcp & (up[:, a.COUNT] > 1) & (down[:, a.COUNT] == 0)
    end = np.select(
        [
            closed,
            (reset >= 0) & facts.first_reset_down,
            reset >= 0,
            (icmp >= 0) & (down[:, a.SIDE_LAST] < icmp),
            unheard,
            (fin_up >= 0) | (fin_down >= 0),
        ],
        [End.FIN, End.RST_DOWN, End.RST_UP, End.ICMP, End.SILENCE, End.FIN],
        End.OPEN,
    )
    return end


def _cut(state, up, down, tcp, facts, clock) -> np.ndarray:
    cut = state[:, a.CUT].astype(np.int32)
    midway = tcp & (state[:, a.SYNS] == 0) & (state[:, a.SYNACKS] == 0)
    # One side's packets acknowledge something (they are not all SYNs), yet of the other there is none.
    lonely = tcp & (
        ((down[:, a.COUNT] == 0) & (up[:, a.COUNT] - up[:, a.RSTS] > state[:, a.SYNS]))
        | ((up[:, a.COUNT] == 0) & (down[:, a.COUNT] > 0))
    )
    cut |= np.where(midway, int(Cut.MIDWAY), 0)
    cut |= np.where(lonely, int(Cut.ONE_DIRECTION), 0)
    cut |= np.where(facts.proxied, int(Cut.PROXIED), 0)
    cut |= np.where(facts.probe, int(Cut.PROBE), 0)
    cut |= np.where(clock - state[:, a.LAST_TS] < ALIVE_WITHIN, int(Cut.CAPTURE_END), 0)
    return cut.astype(np.int32)


def _vantage(state, facts) -> np.ndarray:
    to_server, to_client = state[:, a.SYN_RTT], state[:, a.ACK_GAP]
    known = (to_server >= 0) & (to_client >= 0) & (np.maximum(to_server, to_client) > NEAR)
    return np.select(
        [
            known & (to_client < FAR * to_server),
            known & (to_server < FAR * to_client),
            known,
            facts.up_initial_ttl & ~facts.down_initial_ttl,
            facts.down_initial_ttl & ~facts.up_initial_ttl,
        ],
        [Vantage.CLIENT, Vantage.SERVER, Vantage.MIDDLE, Vantage.CLIENT, Vantage.SERVER],
        Vantage.UNKNOWN,
    ).astype(np.int8)
