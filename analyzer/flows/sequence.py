"""Sequence accounting (RFC 9293 §3.4): what each segment's bytes are to its direction, and what each ACK says.

Per direction: the next sequence number, up to four open holes, the highest ACK sent, one round-trip probe under Karn's
rule (never measured on resent bytes). A hole filled sooner than 0.8 of the base round trip was reordering, since no
resend can arrive that soon; later, the bytes had been lost before this point. Bytes seen here before were lost behind
this point, or not lost at all. Copies are flagged and never dropped: some injectors send three identical packets.
"""

from analyzer.flows.arenas import (
    ACK_GAP, ACKED, CLIENT, CUT, DATA_SEGMENTS, FIN_TS, FIRST_DATA, HOLES, KNOWN, LAST_ACK, LAST_COPY_FRAME, LAST_COPY_TS, LAST_FLAGS, LAST_IPID,
    LAST_LEN, LAST_NEW, LAST_SEQ, LOST, MAX_HOLES, NEW_BYTES, NEXT, PROBE, PROBE_END, PROBE_TS, RESENT, RST_AT, RSTS, RTT, SIDE, SIDE_WIDTH, SYN_RTT,
    SYN_SEQ, SYN_TS, SYNACK_TS, SYNACKS, SYNS, UNFINISHED, UNSEEN, ZERO_WINDOWS,
)  # fmt: skip
from analyzer.kernels import kernel

_FIN, _SYN, _RST, _PSH, _ACK = 1, 2, 4, 8, 16
_NONE, _NEW, _FILL, _RESENT, _SPURIOUS, _KEEPALIVE = 0, 1, 2, 3, 4, 5  # tables.Kind
_CUT_GAP = 8  # tables.Cut
REORDERED_WITHIN = 8, 10  # of the base round trip: a resend needs at least one
REORDERED_WITHOUT_RTT = 3_000_000  # ns; Wireshark's own bound for "out of order" where no round trip is known
COPY_WITHIN = 5_000_000  # ns: mirror ports and injectors repeat within this


@kernel
def ahead(a, b):
    """How far sequence number a is ahead of b (negative: behind), on the 32-bit circle."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000


@kernel
def close_holes(s, side, seq, end, ts, rtt):
    """Fill holes with [seq, end). Gives (bytes that were missing, whether a resend was needed)."""
    filled = 0
    late = False
    for k in range(MAX_HOLES):
        hole = side + HOLES + 3 * k
        if s[hole + 2] == 0:
            continue
        low = seq if ahead(seq, s[hole]) > 0 else s[hole]
        high = end if ahead(s[hole + 1], end) > 0 else s[hole + 1]
        if ahead(high, low) <= 0:
            continue
        filled += ahead(high, low)
        patience = REORDERED_WITHOUT_RTT if rtt < 0 else rtt * REORDERED_WITHIN[0] // REORDERED_WITHIN[1]
        if ts - s[hole + 2] >= patience:
            late = True
        if low == s[hole] and high == s[hole + 1]:
            s[hole + 2] = 0
        elif low == s[hole]:
            s[hole] = high
        else:  # what lies behind the filled middle is given up: it counts as seen
            s[hole + 1] = low
    return filled, late


@kernel
def open_hole(s, side, start, end, ts):
    for k in range(MAX_HOLES):
        hole = side + HOLES + 3 * k
        if s[hole + 2] == 0:
            s[hole] = start
            s[hole + 1] = end
            s[hole + 2] = ts
            return
    s[side + LOST] += 1  # no room to watch it: count it as lost


@kernel
def copy_of(s, side, packets, i, ts, frame):
    """The frame that this one repeats byte for byte, or -1; and remember this one."""
    found = -1
    if (
        s[side + LAST_COPY_FRAME] > 0
        and ts - s[side + LAST_COPY_TS] <= COPY_WITHIN
        and ts >= s[side + LAST_COPY_TS]
        and s[side + LAST_IPID] == packets.ipid[i]
        and s[side + LAST_FLAGS] == packets.flags[i]
        and s[side + LAST_SEQ] == packets.seq[i]
        and s[side + LAST_ACK] == packets.ack[i]
        and s[side + LAST_LEN] == packets.payload[i]
        and packets.flags[i] >= 0
    ):
        found = s[side + LAST_COPY_FRAME]
    s[side + LAST_IPID] = packets.ipid[i]
    s[side + LAST_FLAGS] = packets.flags[i]
    s[side + LAST_SEQ] = packets.seq[i]
    s[side + LAST_ACK] = packets.ack[i]
    s[side + LAST_LEN] = packets.payload[i]
    s[side + LAST_COPY_TS] = ts
    s[side + LAST_COPY_FRAME] = frame
    return found


@kernel
def handshake(s, base, direction, flags, seq, ts):
    if flags & _ACK:
        s[base + CLIENT] = 1 - direction
        s[base + SYNACKS] += 1
        if s[base + SYNACKS] == 1:
            s[base + SYNACK_TS] = ts
            if s[base + SYNS] == 1:
                s[base + SYN_RTT] = ts - s[base + SYN_TS]
    else:
        if s[base + SYNS] == 0:
            s[base + CLIENT] = direction
            s[base + SYN_TS] = ts
            s[base + SYN_SEQ] = seq
        if s[base + CLIENT] == direction:
            s[base + SYNS] += 1


@kernel
def acknowledge(s, base, side, other, direction, ack, flags, ts):
    """What the ACK of `direction` says of the other side's bytes."""
    if s[base + ACK_GAP] < 0 and s[base + SYNACK_TS] >= 0 and s[base + CLIENT] == direction and flags & _SYN == 0:
        s[base + ACK_GAP] = ts - s[base + SYNACK_TS]
    if s[other + KNOWN] == 0:
        return
    if ahead(ack, s[other + NEXT]) > 0:
        s[side + UNSEEN] += 1
        s[base + CUT] |= _CUT_GAP
    if s[side + ACKED] < 0 or ahead(ack, s[side + ACKED]) > 0:
        s[side + ACKED] = ack
    if s[other + PROBE] == 1 and ahead(ack, s[other + PROBE_END]) >= 0:
        s[other + PROBE] = 0
        rtt = ts - s[other + PROBE_TS]
        if rtt >= 0 and (s[other + RTT] < 0 or rtt < s[other + RTT]):
            s[other + RTT] = rtt


@kernel
def payload_kind(s, base, side, seq, length, ts):
    """(kind of a segment with payload, whether it opened a hole)."""
    end = (seq + length) & 0xFFFFFFFF
    delta = ahead(seq, s[side + NEXT])
    if delta >= 0:
        if delta > 0:
            open_hole(s, side, s[side + NEXT], seq, ts)
        s[side + NEXT] = end
        s[side + NEW_BYTES] += length
        if s[side + PROBE] == 0 and delta == 0:
            s[side + PROBE] = 1
            s[side + PROBE_END] = end
            s[side + PROBE_TS] = ts
        return _NEW, delta > 0
    if length == 1 and delta == -1:
        return _KEEPALIVE, False
    rtt = s[side + RTT] if s[side + RTT] >= 0 else s[base + SYN_RTT]
    filled, late = close_holes(s, side, seq, end, ts, rtt)
    beyond = ahead(end, s[side + NEXT])
    if beyond > 0:
        s[side + NEXT] = end
        s[side + NEW_BYTES] += beyond
    s[side + NEW_BYTES] += filled
    if filled > 0 and not late:
        return _FILL, False
    s[side + PROBE] = 0  # Karn: an ACK from here on may answer either copy
    if filled > 0:
        s[side + LOST] += 1
        s[side + RESENT] += 1
        return _RESENT, False
    if 2 * beyond > length:
        return _NEW, False
    s[side + RESENT] += 1
    return _SPURIOUS, False


@kernel
def segment(s, base, direction, packets, i, ts):
    """Account one TCP segment. Gives (its kind, whether it is notable)."""
    side = base + SIDE + direction * SIDE_WIDTH
    other = base + SIDE + (1 - direction) * SIDE_WIDTH
    flags, seq, length = packets.flags[i], packets.seq[i], packets.payload[i]
    if flags & _RST:
        # a reset's numbers may be anybody's: they say nothing of the stream
        s[side + RSTS] += 1
        if s[base + RST_AT] < 0:
            s[base + RST_AT] = ts
        return _NONE, False
    if flags & _SYN:
        handshake(s, base, direction, flags, seq, ts)
        if s[side + KNOWN] == 0:
            s[side + KNOWN] = 1
            s[side + NEXT] = (seq + 1) & 0xFFFFFFFF
        seq = (seq + 1) & 0xFFFFFFFF
    elif s[side + KNOWN] == 0:
        s[side + KNOWN] = 1
        s[side + NEXT] = seq
    if flags & _ACK:
        acknowledge(s, base, side, other, direction, packets.ack[i], flags, ts)
    kind, notable = _NONE, False
    if length > 0:
        if s[side + FIRST_DATA] < 0:
            s[side + FIRST_DATA] = ts
        s[side + DATA_SEGMENTS] += 1
        kind, notable = payload_kind(s, base, side, seq, length, ts)
        if kind == _NEW:
            s[side + LAST_NEW] = ts
            s[side + UNFINISHED] = 0 if flags & _PSH else 1
        elif kind == _FILL or kind == _RESENT:
            s[side + LAST_NEW] = ts
    elif ahead(seq, s[side + NEXT]) == -1 and flags & (_SYN | _FIN) == 0:
        kind = _KEEPALIVE
    if flags & _FIN:
        if s[side + FIN_TS] < 0:
            s[side + FIN_TS] = ts
        if ahead((seq + length) & 0xFFFFFFFF, s[side + NEXT]) == 0:
            s[side + NEXT] = (s[side + NEXT] + 1) & 0xFFFFFFFF
    elif packets.win[i] == 0 and flags & (_SYN | _ACK) == _ACK:
        s[base + ZERO_WINDOWS] += 1
        notable = True
    return kind, notable or kind == _RESENT or kind == _SPURIOUS or kind == _FILL or packets.dsack[i] == 1
