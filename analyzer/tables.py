"""Every table of the analyzer and every column in it: name, dtype, unit, meaning. Declared here and nowhere else.

Inside, a table is a `Table`: named NumPy columns of one length. pandas appears only at the public boundary
(`Table.to_pandas`, imported there), because it costs more start-up time than a small capture takes to analyse.
Missing is null, never 0: each column names the value that stands for "not known" and becomes NA in pandas.
The unit `time` is a point in time in nanoseconds since 1970 (UTC); `ns` is a duration.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import IntEnum, IntFlag
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import numpy as np


class Column(NamedTuple):
    name: str
    dtype: str
    unit: str
    meaning: str
    null: Any = None  # the stored value that means "not known"; None where every row has one


class Kind(IntEnum):
    """What a TCP segment's bytes are to its direction's sequence space."""

    NONE = 0  # no payload (or not TCP)
    NEW = 1  # continues or opens a gap
    FILL = 2  # fills a hole sooner than a resend could: reordered on the way
    RESENT = 3  # fills a hole late: bytes that were lost before this point
    SPURIOUS = 4  # bytes seen here before: lost after this point, or not lost at all
    KEEPALIVE = 5  # one byte (or none) below the next sequence number


class Stage(IntEnum):
    """How far a conversation came."""

    NONE = 0  # nothing that can be judged (begun before the capture, other protocols)
    SYN = 1  # asked for a connection, no SYN/ACK
    SYNACK = 2  # SYN/ACK came, the client's ACK did not
    OPEN = 3  # handshake complete, client has asked nothing yet
    ASKED = 4  # the client sent payload, the server none
    ANSWERED = 5  # the server sent payload after that
    SERVED = 6  # the conversation went on: the client sent more and the server answered that too, or a long answer came


class End(IntEnum):
    """What ended a conversation, as seen here."""

    OPEN = 0  # alive at the end of the capture, or nothing marked an end
    FIN = 1  # both sides closed, or one did and the other had nothing against it
    RST_DOWN = 2  # the first reset came from the server's side
    RST_UP = 3  # the first reset came from the client's side
    SILENCE = 4  # the last thing asked was resent and never acknowledged or answered
    ICMP = 5  # an ICMP error quoting it came, and nothing after


class Vantage(IntEnum):
    UNKNOWN = 0
    CLIENT = 1
    SERVER = 2
    MIDDLE = 3


class Cut(IntFlag):
    """Why a flow's picture is not whole."""

    MIDWAY = 1  # begun before the capture (no SYN seen)
    ONE_DIRECTION = 2  # packets of one direction only, although the other must exist
    SNAPLEN = 4  # payload cut by the capture's snapshot length
    GAP = 8  # ACKs of bytes that are not in the capture
    ROWS = 16  # more packets than are kept
    HEAD = 32  # more payload than is kept (normal for bulky flows; says nothing bad by itself)
    SERIES = 64  # series capped
    PART = 128  # finished early for want of memory; goes on as another part
    PROXIED = 256  # TCP/IP headers invented by the capturing device
    PROBE = 1024  # payload sent with another TTL than the SYN: a traceroute-like probe or a local packet tool
    CAPTURE_END = 512  # still exchanging packets within the last two seconds of the capture


class Bad(IntFlag):
    """What was wrong with a frame (0: nothing)."""

    LINK = 1  # link type not supported, or its header cut
    NOT_IP = 2  # ARP and the like: fine, but not ours
    IP = 4  # IP header cut, wrong version or impossible lengths
    FRAGMENT = 8  # not the first fragment: no ports
    TRANSPORT = 16  # TCP or UDP header cut or impossible
    OPTIONS = 32  # TCP options malformed (the rest of the packet is used)
    PROTOCOL = 64  # another protocol above IP


class Tunnel(IntEnum):
    """What a packet was read out of: the innermost tunnel around it."""

    NONE = 0
    IP_IN_IP = 1  # RFC 2003, RFC 2473
    SIX_IN_FOUR = 2  # IPv6 in IPv4: configured tunnels, 6to4, ISATAP (RFC 4213)
    GRE = 3  # RFC 2784, PPTP's variant and wireless controllers' included
    ERSPAN = 4  # a mirror port's copy
    VXLAN = 5  # RFC 7348
    GENEVE = 6  # RFC 8926
    GTP = 7  # between the parts of a mobile network (3GPP TS 29.281)
    TEREDO = 8  # IPv6 in UDP, by hosts behind a NAT (RFC 4380)


TCP_FIN, TCP_SYN, TCP_RST, TCP_PSH, TCP_ACK, TCP_URG, TCP_ECE, TCP_CWR = 1, 2, 4, 8, 16, 32, 64, 128

PACKETS = (
    Column("frame", "i8", "", "Wireshark's frame number"),
    Column("ts", "i8", "time", "capture time since 1970"),
    Column("flow", "i8", "", "flow it belongs to"),
    Column("up", "?", "", "from the client to the server"),
    Column("ttl", "i2", "hops", "IPv4 TTL or IPv6 hop limit"),
    Column("ipid", "i4", "", "IPv4 identification", -1),
    Column("df", "i1", "", "IPv4 don't-fragment bit", -1),
    Column("ecn", "i1", "", "ECN bits of the IP header"),
    Column("tcp_flags", "i2", "", "TCP flags (FIN 1, SYN 2, RST 4, PSH 8, ACK 16, ...); -1 for other protocols", -1),
    Column("seq", "i8", "", "TCP sequence number as sent (32 bits)", -1),
    Column("ack", "i8", "", "TCP acknowledgment number as sent, meaningful with the ACK flag", -1),
    Column("win", "i4", "", "TCP window as sent, not scaled", -1),
    Column("tsval", "i8", "", "TCP timestamp value (RFC 7323)", -1),
    Column("tsecr", "i8", "", "TCP timestamp echo reply", -1),
    Column("mss", "i4", "bytes", "TCP maximum segment size option", -1),
    Column("wscale", "i2", "", "TCP window scale option", -1),
    Column("dsack", "?", "", "a first SACK block at or below the ACK (RFC 2883)"),
    Column("optlen", "i2", "bytes", "length of the TCP options"),
    Column("payload_len", "i4", "bytes", "payload according to the IP header"),
    Column("captured", "i4", "bytes", "payload bytes that are in the capture"),
    Column("kind", "i1", "", "see `Kind`"),
    Column("dup_of", "i8", "", "frame it is a byte-for-byte copy of (same IP-ID, flags, seq, ack within 5 ms)", -1),
    Column("iface", "i2", "", "interface"),
    Column("encap", "i2", "", "tunnel depth (0: none) and kind"),
    Column(
        "icmp", "i4", "", "type * 256 + code of the ICMP error that quotes this flow; -1 for the flow's own packets", -1
    ),
    Column("from_target", "?", "", "for ICMP errors: sent by the flow's other end itself"),
)

FLOWS = (
    Column("flow", "i8", "", "number, from 0, in the order of first frames"),
    Column("part", "i4", "", "0, or how often it was finished early before"),
    Column("proto", "i2", "", "IP protocol (6 TCP, 17 UDP)"),
    Column("stream", "i8", "", "tshark's tcp.stream or udp.stream", -1),
    Column("client", "O", "", "client address"),
    Column("client_port", "i4", "", "client port"),
    Column("server", "O", "", "server address"),
    Column("server_port", "i4", "", "server port"),
    Column(
        "target", "O", "", "what verdicts speak about: the server's name, else a service role, else its address", None
    ),
    Column("service", "O", "", "service id", None),
    Column("role", "O", "", "role of the service (web, chat, media, calls, api, ...)", None),
    Column("identified_by", "O", "", "app, name, dns, bytes or prefix", None),
    Column("app", "O", "", "app that the capturing device names for it", None),
    Column("sni", "O", "", "server name of the TLS or QUIC ClientHello", None),
    Column("host", "O", "", "Host of the first HTTP request", None),
    Column("qname", "O", "", "first DNS question", None),
    Column("dns_name", "O", "", "name for which DNS gave this address to this client, at a lower frame", None),
    Column("alpn", "O", "", "ALPN offered, comma-separated", None),
    Column("ja4", "O", "", "JA4 of the ClientHello", None),
    Column("quic", "i8", "", "QUIC version of the client's first Initial", -1),
    Column("protocol", "O", "", "tls, quic, http, dns, stun, other (with payload) or null", None),
    Column(
        "answer", "O", "", "first thing the server said: server_hello, alert, http <status>, dns <rcode>, data", None
    ),
    Column("issuer", "O", "", "who signed the server's certificates, leaf first, in TLS 1.2 and older", None),
    Column("redirect", "O", "", "host that the first HTTP answer sends the client to", None),
    Column("start", "i8", "time", "time of its first packet"),
    Column("end", "i8", "time", "time of its last packet"),
    Column("first_frame", "i8", "", "first frame"),
    Column("last_frame", "i8", "", "last frame"),
    Column("asked_frame", "i8", "", "frame of the client's first payload", -1),
    Column("stage", "i1", "", "see `Stage`"),
    Column("ended_by", "i1", "", "see `End`"),
    Column("packets_up", "i8", "", "packets from the client"),
    Column("packets_down", "i8", "", "packets from the server"),
    Column("bytes_up", "i8", "bytes", "payload from the client, every copy counted"),
    Column("bytes_down", "i8", "bytes", "payload from the server, every copy counted"),
    Column("ip_bytes_up", "i8", "bytes", "IP-level bytes from the client"),
    Column("ip_bytes_down", "i8", "bytes", "IP-level bytes from the server"),
    Column("new_up", "i8", "bytes", "distinct payload bytes from the client"),
    Column("new_down", "i8", "bytes", "distinct payload bytes from the server"),
    Column("resent_up", "i8", "", "client segments of kind RESENT or SPURIOUS"),
    Column("resent_down", "i8", "", "server segments of kind RESENT or SPURIOUS"),
    Column("lost_up", "i8", "", "holes in the client's bytes that were filled late or never"),
    Column("lost_down", "i8", "", "holes in the server's bytes that were filled late or never"),
    Column("unacked_up", "i8", "bytes", "client bytes sent (SYN and FIN not counted) that were never acknowledged", -1),
    Column("unacked_down", "i8", "bytes", "server bytes sent that were never acknowledged", -1),
    Column("syns", "i4", "", "SYNs of the client"),
    Column("synacks", "i4", "", "SYN/ACKs of the server"),
    Column("rsts_up", "i4", "", "resets from the client's side"),
    Column("rsts_down", "i4", "", "resets from the server's side"),
    Column("fin_up", "i8", "time", "time of the client's first FIN", -1),
    Column("fin_down", "i8", "time", "time of the server's first FIN", -1),
    Column("rst_at", "i8", "time", "time of the first reset of either side", -1),
    Column("rst_bare", "?", "", "that reset has no ACK flag: its sender knows no such connection (any more)"),
    Column("first_up_data", "i8", "time", "time of the client's first payload", -1),
    Column("first_down_data", "i8", "time", "time of the server's first payload", -1),
    Column("last_up", "i8", "time", "time of the client's last packet", -1),
    Column("last_down", "i8", "time", "time of the server's last packet", -1),
    Column("unheard_at", "i8", "time", "time of the first client payload that was never acknowledged", -1),
    Column("last_new_up", "i8", "time", "time of the last new payload of the client", -1),
    Column("last_new_down", "i8", "time", "time of the last new payload of the server", -1),
    Column("alone_up", "i8", "", "packets of the client since the server's last"),
    Column("alone_down", "i8", "", "packets of the server since the client's last"),
    Column("unfinished_up", "?", "", "the client's last new payload lacked PSH: more was to come (RFC 9293 §3.9.1.2)"),
    Column("unfinished_down", "?", "", "the server's last new payload lacked PSH: more was to come"),
    Column("left_up", "i8", "bytes", "what the client's last TLS record still lacks; 0: none was open", -1),
    Column("left_down", "i8", "bytes", "what the server's last TLS record, or its HTTP answer, still lacks", -1),
    Column("syn_rtt", "i8", "ns", "SYN to SYN/ACK, when the SYN was sent once", -1),
    Column("ack_gap", "i8", "ns", "SYN/ACK to the client's ACK", -1),
    Column("data_rtt", "i8", "ns", "least time from a client segment sent once to the ACK of its last byte", -1),
    Column("data_rtt_down", "i8", "ns", "least time from a server segment sent once to the ACK of its last byte", -1),
    Column("zero_windows", "i4", "", "packets that closed the receive window"),
    Column("vantage", "i1", "", "see `Vantage`"),
    Column("cut", "i4", "", "see `Cut`"),
    Column("iface", "i2", "", "interface of its first packet"),
    Column("final", "?", "", "no more packets of it are to come (false in live snapshots)"),
)

# Not among them: what other tools know a conversation and a program by, worked out only where flows leave the house.
COMMUNITY_ID = Column(
    "community_id",
    "O",
    "",
    "Community ID (version 1, seed 0), the conversation's key in Zeek, Suricata and Wireshark",
    None,
)
JA3 = Column("ja3", "O", "", "JA3 of the ClientHello (MD5); another for each hello where extensions are shuffled", None)

ATTEMPTS = (
    Column("flow", "i8", "", "flow number"),
    Column("frame", "i8", "", "first frame"),
    Column("proto", "i2", "", "IP protocol"),
    Column("client", "i4", "", "interned client address"),
    Column("server", "i4", "", "interned server address"),
    Column("port", "i4", "", "server port"),
    Column("client_port", "i4", "", "client port"),
    Column("stream", "i8", "", "tshark's stream number", -1),
    Column("name", "i4", "", "interned server name (SNI, Host or DNS)", -1),
    Column("target", "i4", "", "interned target"),
    Column("service", "i4", "", "interned service id", -1),
    Column("role", "i4", "", "interned role", -1),
    Column("by", "i4", "", "interned way of identification (name, dns, bytes, prefix)", -1),
    Column("protocol", "i4", "", "interned protocol word (tls, quic, http, dns, stun, other)", -1),
    Column("answer", "i4", "", "interned first answer word", -1),
    Column("issuer", "i4", "", "interned issuers of the server's certificates", -1),
    Column("redirect", "i4", "", "interned host that an HTTP answer sends the client to", -1),
    Column("ja4", "i4", "", "interned JA4", -1),
    *(
        column
        for column in FLOWS
        if column.name
        in {
            "start", "end", "last_frame", "asked_frame", "stage", "ended_by", "bytes_up", "bytes_down", "new_up", "new_down",
            "packets_up", "packets_down", "resent_up", "resent_down", "lost_up", "lost_down", "unacked_up",
            "unacked_down", "syns", "synacks", "rsts_up", "rsts_down",
            "fin_up", "fin_down", "rst_at", "rst_bare", "first_up_data", "first_down_data", "last_up", "last_down", "unheard_at",
            "last_new_up", "last_new_down", "alone_up", "alone_down", "unfinished_up", "unfinished_down",
            "left_up", "left_down", "zero_windows",
            "syn_rtt", "data_rtt", "vantage", "cut", "final", "quic",
        }
    ),
)  # fmt: skip

ENDPOINTS = (
    Column("server", "i4", "", "interned server address"),
    Column("proto", "i2", "", "IP protocol"),
    Column("flow", "i8", "", "flow the sample is from"),
    Column("rtt", "i8", "ns", "least round-trip sample of that flow (SYN sent once, or data to ACK)", -1),
    Column("rtt_from_data", "?", "", "the sample is data to ACK"),
    Column("ttl_low", "i2", "hops", "least TTL of the server's ordinary packets (not SYN, not RST) in that flow", -1),
    Column("ttl_high", "i2", "hops", "greatest TTL of them", -1),
    Column("ttl_synack", "i2", "hops", "TTL of its SYN/ACK", -1),
    Column("ordinary", "i4", "", "ordinary packets seen"),
    Column("frame", "i8", "", "an ordinary packet, as baseline witness", -1),
    Column("frame_synack", "i8", "", "the SYN/ACK, as baseline witness", -1),
)

RESETS = (
    Column("flow", "i8", "", "flow"),
    Column("server", "i4", "", "interned server address; null inside a batch", -1),
    Column("nth", "i4", "", "0 for the first reset from this side, 1 for the next ..."),
    Column("up", "?", "", "from the client's side"),
    *(column for column in PACKETS if column.name in
      {"frame", "ts", "ttl", "ipid", "tcp_flags", "seq", "ack", "win", "optlen", "payload_len"}),
    Column("syn_rtt", "i8", "ns", "SYN to SYN/ACK of the flow", -1),
    Column("asked", "i8", "time", "time of the last payload of the other side before it", -1),
    Column("asked_frame", "i8", "", "frame of that payload", -1),
    Column("asked_once", "?", "", "those bytes had been sent once"),
    Column("covers", "?", "", "acknowledges exactly those bytes, so it was made after they were read"),
    Column("answered_ipid", "i4", "", "IP-ID of the other side's last packet before it", -1),
    Column("pause", "i8", "ns", "that payload after the last ordinary packet of its own side: a rest that others may forget", -1),
    Column("idle", "i8", "ns", "since the last packet of the flow before it", -1),
    Column("closed", "?", "", "a FIN of its own side, or a reset of the other, came before"),
    Column("peer_closed", "?", "", "a FIN of the other side came before"),
    Column("heard", "i8", "bytes", "payload of this side before it, as far as kept"),
)  # fmt: skip

QUESTIONS = (
    Column("frame", "i8", "", "frame of the first copy; of the answer where the question is not in the capture"),
    Column("ts", "i8", "time", "its time"),
    Column("last", "i8", "time", "time of the last copy"),
    Column("last_frame", "i8", "", "and its frame"),
    Column(
        "times", "i4", "", "copies: the same client, port, resolver, id and name within half a minute; 0 not captured"
    ),
    Column("client", "i4", "", "interned address that asked"),
    Column("client_port", "i4", "", "client port"),
    Column("resolver", "i4", "", "interned address that was asked"),
    Column("name", "i4", "", "interned name asked for"),
    Column("qtype", "i4", "", "question type"),
    Column("edns", "?", "", "carries an OPT record"),
    Column("answers", "i4", "", "messages that answered it"),
)

NAMES = (
    Column("frame", "i8", "", "frame of the DNS answer"),
    Column("ts", "i8", "time", "its time"),
    Column("question", "i8", "", "row of the questions table that it answers; null when that table is full", -1),
    Column("client", "i4", "", "interned address that asked"),
    Column("client_port", "i4", "", "client port"),
    Column("resolver", "i4", "", "interned address that answered"),
    Column("name", "i4", "", "interned name asked for"),
    Column("qtype", "i4", "", "question type"),
    Column("rcode", "i2", "", "response code"),
    Column("txid", "i4", "", "DNS transaction id"),
    Column("address", "i4", "", "interned address answered (one row per address; null when there is none)", -1),
    Column("ttl", "i2", "hops", "IP TTL of the answer"),
    Column("answers", "i4", "", "answer records in the message"),
    Column("alias", "i4", "", "interned end of its chain of CNAMEs", -1),
    Column("flags", "i4", "", "DNS header flags"),
    Column("edns", "?", "", "carries an OPT record, or was cut by the capture before one"),
    Column("zone", "i4", "", "interned owner of the SOA in the authority section", -1),
    Column(
        "ede", "i4", "", "extended error (RFC 8914): the one that tells of a policy (15, 16, 17), else the first", -1
    ),
    Column(
        "as_asked", "?", "", "repeats the name in the case in which it was asked (true where the question is not there)"
    ),
    Column("malformed", "?", "", "its records do not fit its counts, or bytes follow them"),
    Column("asked", "i8", "time", "time of the last copy of the question before it", -1),
    Column("asked_frame", "i8", "", "frame of that copy", -1),
)

ICMP_ERRORS = (
    Column("frame", "i8", "", "frame"),
    Column("ts", "i8", "time", "its time"),
    Column("router", "i4", "", "interned address that sent it"),
    Column("code", "i4", "", "type * 256 + code (IPv6: + 65536)"),
    Column("ttl", "i2", "hops", "TTL with which it came"),
    Column("client", "i4", "", "interned source of the packet that it quotes"),
    Column("client_port", "i4", "", "source port of that packet"),
    Column("server", "i4", "", "interned destination of that packet"),
    Column("port", "i4", "", "destination port of that packet"),
    Column("proto", "i2", "", "IP protocol of that packet"),
    Column("from_target", "?", "", "sent by the destination of that packet itself"),
)

SERIES = (
    Column("flow", "i8", "", "flow"),
    Column("ts", "i8", "time", "time (10 microsecond steps)"),
    Column("up", "?", "", "from the client"),
    Column("seq", "i8", "", "TCP sequence number as sent; for UDP 0"),
    Column("payload_len", "i4", "bytes", "payload"),
    Column("kind", "i1", "", "see `Kind`"),
    Column("ack", "i8", "", "TCP acknowledgment number as sent"),
    Column("tsval", "i8", "", "TCP timestamp value", -1),
)

EVIDENCE = (
    Column("evidence", "i8", "", "number of the row"),
    Column("rule", "O", "", "stable rule id"),
    Column("leans", "O", "", "towards interference, genuine, neutral or limit"),
    Column("strength", "O", "", "conclusive, strong, supporting or weak"),
    Column("subject", "O", "", "what it is about: flow 3, name web.whatsapp.com, ..."),
    Column("target", "O", "", "target of that subject", None),
    Column("flow", "i8", "", "first flow concerned", -1),
    Column("ts", "i8", "time", "packet time at which its last condition held"),
    Column("measured", "O", "", "measured values with their units in the key"),
)

WITNESSES = (
    Column("evidence", "i8", "", "row of the evidence table"),
    Column("frame", "i8", "", "Wireshark's frame number"),
    Column("role", "O", "", "trigger, forged, contradicts, baseline or missing_after"),
)

VERDICTS = (
    Column("target", "O", "", "server name, service role or address that the verdict is about"),
    Column("service", "O", "", "service id", None),
    Column("role", "O", "", "role of the service", None),
    Column(
        "state", "O", "", "blocked, likely_blocked, throttled, likely_throttled, impaired, down, insufficient or ok"
    ),
    Column("attempts", "i8", "", "attempts on it"),
    Column("failed", "i8", "", "attempts that failed"),
    Column("trigger", "O", "", "what was recognised", None),
    Column("trigger_detail", "O", "", "the name, address or protocol", None),
    Column("action", "O", "", "what was done", None),
    Column("position", "O", "", "from where on the path", None),
    Column("onset", "i8", "time", "first packet of it", -1),
    Column("rules", "O", "", "rule ids, comma-separated", None),
    Column("flows", "i8", "", "flows affected", -1),
    Column("first_frame", "i8", "", "first witness frame", -1),
    Column("rate_kbps", "f8", "kbit/s", "rate of the limiter at the IP level", np.nan),
    Column("bucket_bytes", "i8", "bytes", "depth of its token bucket", -1),
    Column("freeze_bytes", "i8", "bytes", "payload after which flows froze", -1),
    Column("controls", "i8", "", "attempts of the controls"),
    Column("controls_fine", "i8", "", "of those, fine"),
    Column("limits", "O", "", "what keeps it from saying more, comma-separated"),
    Column("next", "O", "", "what to capture next", None),
)

TABLES = {
    "packets": PACKETS, "flows": FLOWS, "attempts": ATTEMPTS, "endpoints": ENDPOINTS, "resets": RESETS,
    "questions": QUESTIONS, "names": NAMES, "icmp_errors": ICMP_ERRORS, "series": SERIES,
    "evidence": EVIDENCE, "witnesses": WITNESSES, "verdicts": VERDICTS,
}  # fmt: skip


class Table:
    """Named NumPy columns of one length: `table.ttl`, `len(table)`, `table[mask]`, `table.rows()`."""

    __slots__ = ("columns", "schema")

    def __init__(self, schema: tuple[Column, ...], columns: Mapping[str, np.ndarray]):
        self.schema = schema
        self.columns = {column.name: columns[column.name] for column in schema}

    @classmethod
    def empty(cls, schema: tuple[Column, ...]) -> Table:
        return cls(schema, {column.name: np.empty(0, column.dtype) for column in schema})

    @classmethod
    def of(cls, schema: tuple[Column, ...], rows: Iterable[Mapping[str, Any]]) -> Table:
        """From row mappings; a column that a row leaves out is null there."""
        rows = list(rows)
        columns = {}
        for column in schema:
            values = np.empty(len(rows), column.dtype)
            for i, row in enumerate(rows):
                value = row.get(column.name)
                values[i] = column.null if value is None else value
            columns[column.name] = values
        return cls(schema, columns)

    @classmethod
    def concat(cls, schema: tuple[Column, ...], tables: Iterable[Table]) -> Table:
        tables = list(tables)
        if not tables:
            return cls.empty(schema)
        if len(tables) == 1:
            return tables[0]
        return cls(schema, {c.name: np.concatenate([t.columns[c.name] for t in tables]) for c in schema})

    @classmethod
    def drain(cls, schema: tuple[Column, ...], tables: list[Table], *names: str) -> Table:
        """Concatenated and sorted by columns. `tables` are used up: of a million flows no column is held twice for long."""
        if len(tables) < 2:
            return cls.concat(schema, tables).sort(*names)
        order = np.lexsort([np.concatenate([t.columns[name] for t in tables]) for name in reversed(names)])
        columns, in_order = {}, _is_range(order)
        for column in schema:
            whole = np.concatenate([t.columns.pop(column.name) for t in tables])
            columns[column.name] = whole if in_order else whole[order]
        tables.clear()
        return cls(schema, columns)

    def __getattr__(self, name: str) -> np.ndarray:
        try:
            return self.columns[name]
        except KeyError:
            raise AttributeError(f"no column {name!r}") from None

    def __reduce__(self):
        # Pickled by its parts: unpickling by slots would look up columns before there are any.
        return Table, (self.schema, self.columns)

    def __len__(self) -> int:
        return len(self.columns[self.schema[0].name])

    def __getitem__(self, pick: np.ndarray | slice) -> Table:
        """Rows by mask, indices or slice, in the order asked."""
        return Table(self.schema, {name: values[pick] for name, values in self.columns.items()})

    def row(self, i: int) -> SimpleNamespace:
        """One row as Python values."""
        return _row_maker(tuple(self.columns))([values.item(i) for values in self.columns.values()])

    def rows(self) -> Iterator[SimpleNamespace]:
        """All rows as Python values; for small tables, never on the way of every packet."""
        # Whole columns become Python values at once, and tuples with names: fifty times quicker than value by value.
        values = zip(*(column.tolist() for column in self.columns.values()), strict=True)
        return cast("Iterator[SimpleNamespace]", map(_row_maker(tuple(self.columns)), values))

    def sort(self, *names: str) -> Table:
        order = np.lexsort([self.columns[name] for name in reversed(names)])
        return self if _is_range(order) else self[order]

    def to_pandas(self):
        """A pandas DataFrame: times as UTC timestamps, nulls as NA, meaning of each column in `attrs`."""
        import pandas as pd

        frame = {}
        for column in self.schema:
            values = self.columns[column.name]
            missing = np.zeros(len(values), bool) if column.null is None else values == column.null
            if column.unit == "time":
                series = pd.Series(pd.to_datetime(np.where(missing, 0, values), unit="ns", utc=True))
                frame[column.name] = series.mask(missing)
            elif column.null is not None and column.dtype != "f8":
                frame[column.name] = pd.Series(values).astype("Int64").mask(missing)
            else:
                frame[column.name] = pd.Series(values)
        table = pd.DataFrame(frame)
        table.attrs["columns"] = {c.name: f"{c.meaning} [{c.unit}]" if c.unit else c.meaning for c in self.schema}
        return table


def _is_range(order: np.ndarray) -> bool:
    return bool((np.diff(order) == 1).all())


@cache
def _row_maker(names: tuple[str, ...]) -> Callable[[Iterable], Any]:
    """A named tuple from values as many as names, unchecked: a third of the time of its `_make`."""
    return partial(tuple.__new__, namedtuple("Row", names))
