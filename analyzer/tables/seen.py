"""What outlives a conversation: bounded, and enough to hold conversations to each other."""

from __future__ import annotations

from analyzer.tables.table import Column
from analyzer.tables.traffic import FLOWS, PACKETS

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
    Column("refusal", "i4", "", "interned words with which one side turned the other away", -1),
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
    Column("request_frame", "i8", "", "frame of the client's last payload before it, whichever side it came from", -1),
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
