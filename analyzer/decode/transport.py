"""TCP, UDP and ICMP headers. TCP options: RFC 9293 §3.1, RFC 7323 (timestamps), RFC 2018 and 2883 (SACK, DSACK)."""

from analyzer.decode.link import long, word
from analyzer.kernels import kernel

_BAD_TRANSPORT, _BAD_OPTIONS = 16, 32  # tables.Bad
_NUMBERED_TCP = 16  # bytes of a quoted TCP header that Wireshark reads before it gives the conversation a number


@kernel
def tcp(data, at, end, wire, out, i):
    """Read a TCP header of `wire` bytes on the wire, of which those below `end` were captured."""
    if at + 20 > end:
        out.bad[i] |= _BAD_TRANSPORT
        return
    header = (data[at + 12] >> 4) * 4
    if header < 20 or header > wire:
        out.bad[i] |= _BAD_TRANSPORT
        return
    out.proto[i] = 6
    out.sport[i] = word(data, at)
    out.dport[i] = word(data, at + 2)
    out.seq[i] = long(data, at + 4)
    out.ack[i] = long(data, at + 8)
    out.flags[i] = data[at + 13]
    out.win[i] = word(data, at + 14)
    out.optlen[i] = header - 20
    out.at[i] = at + header
    out.payload[i] = wire - header
    out.captured[i] = max(0, min(wire - header, end - at - header))
    if header > 20:
        options(data, at + 20, min(at + header, end), out, i)


@kernel
def options(data, at, end, out, i):
    while at < end:
        kind = data[at]
        if kind == 0:
            return
        if kind == 1:
            at += 1
            continue
        if at + 1 >= end or data[at + 1] < 2 or at + data[at + 1] > end:
            out.bad[i] |= _BAD_OPTIONS
            return
        size = data[at + 1]
        if kind == 8 and size == 10:
            out.tsval[i] = long(data, at + 2)
            out.tsecr[i] = long(data, at + 6)
        elif kind == 2 and size == 4:
            out.mss[i] = word(data, at + 2)
        elif kind == 3 and size == 3:
            out.wscale[i] = data[at + 2]
        elif kind == 5 and size >= 10:
            # RFC 2883 §4: a first block at or below the ACK, or inside the second block, reports a duplicate
            left = long(data, at + 2)
            below = ((long(data, at + 6) - out.ack[i] + 0x80000000) & 0xFFFFFFFF) - 0x80000000
            out.dsack[i] = 1 if below <= 0 else 0
            if size >= 18 and out.dsack[i] == 0:
                after = ((left - long(data, at + 10)) & 0xFFFFFFFF) < 0x80000000
                before = ((long(data, at + 14) - long(data, at + 6)) & 0xFFFFFFFF) < 0x80000000
                out.dsack[i] = 1 if after and before else 0
        at += size


@kernel
def udp(data, at, end, wire, out, i):
    if at + 8 > end:
        out.bad[i] |= _BAD_TRANSPORT
        return
    length = word(data, at + 4)
    if length >= 8:  # 0 is a jumbogram or an offloaded super-packet: the IP length stands
        wire = min(wire, length)
    elif length != 0:
        out.bad[i] |= _BAD_TRANSPORT
        return
    out.proto[i] = 17
    out.sport[i] = word(data, at)
    out.dport[i] = word(data, at + 2)
    out.at[i] = at + 8
    out.payload[i] = max(0, wire - 8)
    out.captured[i] = max(0, min(wire - 8, end - at - 8))


@kernel
def quoted_ports(data, at, end, proto, out, i):
    """The first eight bytes of a quoted TCP or UDP header are all that RFC 792 promises."""
    if (proto != 6 and proto != 17) or at + 8 > end:
        return
    out.proto[i] = proto
    out.sport[i] = word(data, at)
    out.dport[i] = word(data, at + 2)
    out.seq[i] = long(data, at + 4) if proto == 6 else -1
    out.whole[i] = 1 if proto == 17 or at + _NUMBERED_TCP <= end else 0
    out.payload[i] = 0
    out.captured[i] = 0
    out.at[i] = at
