"""IPv4 (RFC 791) and IPv6 (RFC 8200) headers, tunnels in IP, and the packets that ICMP errors quote.

Lengths come from the IP header, since a frame may be padded (Ethernet), cut (snapshot length) or, where segmentation
is offloaded, carry an IP length of 0; only then does the frame's own length count.
"""

from analyzer.decode.link import NO_LINK, RAW, long, network, word
from analyzer.decode.overlays import in_gre, in_udp
from analyzer.decode.transport import quoted_ports, tcp, udp
from analyzer.kernels import kernel

_BAD_LINK, _NOT_IP, _BAD_IP, _FRAGMENT, _OTHER_PROTOCOL = 1, 2, 4, 8, 64  # tables.Bad
_IP_IN_IP, _SIX_IN_FOUR = 1, 2  # tables.Tunnel
_MAX_DEPTH = 6  # IP in IP in IP: deeper is no network
_MAX_EXTENSIONS = 8  # RFC 8200 §4.1 lists fewer


@kernel
def addresses(data, at, version, flip, out, i):
    """Copy source and destination (destination first if `flip`) as 4 + 4 words."""
    for side in range(2):
        to = 8 * i + 4 * (1 - side if flip else side)
        if version == 4:
            out.address[to] = 0
            out.address[to + 1] = 0
            out.address[to + 2] = 0xFFFF
            out.address[to + 3] = long(data, at + 12 + 4 * side)
        else:
            for k in range(4):
                out.address[to + k] = long(data, at + 8 + 16 * side + 4 * k)


@kernel
def fragment(out, i, offset, more, proto, identification, at, length):
    """Note a fragment for `fragments`: no ports, so the transport's columns are free to say where it belongs."""
    out.seq[i] = offset
    out.ack[i] = more
    out.win[i] = proto
    out.tsval[i] = identification
    out.at[i] = at
    out.payload[i] = length


@kernel
def ipv4(data, at, end, wire_end, out, i):
    """(protocol, start of what it carries, its end on the wire) of an IPv4 packet; protocol -1: bad, -2: a fragment."""
    header = (data[at] & 15) * 4
    if at + 20 > end or header < 20:
        return -1, at, at
    total = word(data, at + 2)
    if total == 0:
        total = wire_end - at
    if total < header:
        return -1, at, at
    out.ttl[i] = data[at + 8]
    out.ipid[i] = word(data, at + 4)
    out.df[i] = (data[at + 6] >> 6) & 1
    out.ecn[i] = data[at + 1] & 3
    out.ip_len[i] = total
    addresses(data, at, 4, False, out, i)
    place = word(data, at + 6)
    if place & 0x3FFF:
        whole = at + total <= end
        fragment(out, i, (place & 0x1FFF) * 8, place >> 13 & 1, data[at + 9], out.ipid[i], at + header, total - header)
        if place & 0x1FFF or whole:
            return -2, at, at
    return data[at + 9], at + header, min(at + total, wire_end)


@kernel
def ipv6(data, at, end, wire_end, out, i):
    if at + 40 > end:
        return -1, at, at
    total = 40 + word(data, at + 4)
    if total == 40:
        total = wire_end - at
    out.ttl[i] = data[at + 7]
    out.ipid[i] = -1
    out.df[i] = -1
    out.ecn[i] = (data[at + 1] >> 4) & 3
    out.ip_len[i] = total
    addresses(data, at, 6, False, out, i)
    stop = min(at + total, wire_end)
    following = data[at + 6]
    at += 40
    for _ in range(_MAX_EXTENSIONS):
        if (
            following == 0
            or following == 43
            or following == 60
            or following == 135
            or following == 139
            or following == 140
        ):
            if at + 8 > end:
                return -1, at, at
            size = (data[at + 1] + 1) * 8
        elif following == 51:  # authentication header, RFC 4302: in words of four bytes
            if at + 8 > end:
                return -1, at, at
            size = (data[at + 1] + 2) * 4
        elif following == 44:  # fragment header
            if at + 8 > end:
                return -1, at, at
            place = word(data, at + 2)
            if place & 0xFFF9:
                fragment(out, i, place & 0xFFF8, place & 1, data[at], long(data, at + 4), at + 8, stop - at - 8)
                if place & 0xFFF8 or stop <= end:
                    return -2, at, at
            size = 8
        else:
            break
        following = data[at]
        at += size
    return following, at, stop


@kernel
def quote(data, at, end, six, out, i):
    """Enter an ICMP error under the packet that it quotes. `at` is the ICMP header."""
    if at + 8 > end:
        return
    kind = data[at]
    if six:
        if kind < 1 or kind > 4:
            return
    elif kind != 3 and kind != 4 and kind != 5 and kind != 11 and kind != 12:
        return
    code = kind * 256 + data[at + 1] + (65536 if six else 0)
    at += 8
    for k in range(4):
        out.sender[4 * i + k] = out.address[8 * i + k]
    if six:
        if at + 48 > end or data[at] >> 4 != 6:
            return
        proto = data[at + 6]
        inner = at + 40
    else:
        if at + 28 > end or data[at] >> 4 != 4 or word(data, at + 6) & 0x1FFF:
            return
        header = (data[at] & 15) * 4
        if header < 20:
            return
        proto = data[at + 9]
        inner = at + header
    addresses(data, at, 6 if six else 4, False, out, i)
    same = True
    for k in range(4):
        same = same and out.address[8 * i + 4 + k] == out.sender[4 * i + k]
    out.near[i] = 1 if same else 0
    quoted_ports(data, inner, end, proto, out, i)
    if out.sport[i] >= 0:
        out.icmp[i] = code


@kernel
def clear(out, i):
    """Entry `i` as before anything was read."""
    out.bad[i] = 0
    out.proto[i] = -1
    out.sport[i] = -1
    out.dport[i] = -1
    out.ttl[i] = -1
    out.ipid[i] = -1
    out.df[i] = -1
    out.ecn[i] = 0
    out.ip_len[i] = 0
    out.flags[i] = -1
    out.seq[i] = -1
    out.ack[i] = -1
    out.win[i] = -1
    out.tsval[i] = -1
    out.tsecr[i] = -1
    out.mss[i] = -1
    out.wscale[i] = -1
    out.dsack[i] = 0
    out.optlen[i] = 0
    out.at[i] = 0
    out.payload[i] = 0
    out.captured[i] = 0
    out.encap[i] = 0
    out.icmp[i] = -1
    out.near[i] = 0
    out.whole[i] = 0
    out.tunnel[i] = 0


@kernel
def leave_outside(out, i):
    """Entry `i` is a tunnel's: note which, and go on with what is inside it."""
    if out.outer_sport[i] < 0:
        out.outer_sport[i] = out.sport[i]
        out.outer_dport[i] = out.dport[i]
        for k in range(8):
            out.outer[8 * i + k] = out.address[8 * i + k]
    clear(out, i)


@kernel
def packet(data, at, caplen, origlen, link, out, i):
    """Decode one frame into entry `i`."""
    end = at + caplen
    wire_end = at + max(caplen, origlen)
    tunnel = 0
    for depth in range(_MAX_DEPTH):
        version, at = network(data, at, end, link)
        if version != 4 and version != 6:
            if out.proto[i] != 17:  # what is not IP in a UDP payload leaves the conversation that it is
                out.bad[i] |= _BAD_LINK if version == NO_LINK else _NOT_IP
            return
        if out.proto[i] == 17:
            leave_outside(out, i)
        out.tunnel[i] = tunnel
        if version == 4:
            proto, at, stop = ipv4(data, at, end, wire_end, out, i)
        else:
            proto, at, stop = ipv6(data, at, end, wire_end, out, i)
        if proto < 0:
            out.bad[i] |= _BAD_IP if proto == -1 else _FRAGMENT
            if proto == -2:
                out.captured[i] = max(0, min(out.payload[i], end - out.at[i]))
            return
        wire_end = stop
        end = min(end, stop)
        out.encap[i] = depth
        if proto == 6:
            tcp(data, at, end, stop - at, out, i)
            return
        if proto == 17:
            udp(data, at, end, stop - at, out, i)
            if out.sport[i] < 0:
                return
            tunnel, link, at = in_udp(data, out.at[i], end, stop, out.sport[i], out.dport[i])
            if tunnel == 0:
                return
        elif proto == 1 or proto == 58:
            out.proto[i] = proto
            quote(data, at, end, proto == 58, out, i)
            return
        elif proto == 4 or proto == 41:
            tunnel = _SIX_IN_FOUR if proto == 41 and version == 4 else _IP_IN_IP
            link = RAW
            if at >= end or data[at] >> 4 != (4 if proto == 4 else 6):
                out.bad[i] |= _BAD_IP
                return
        elif proto == 47 and at + 4 <= end:
            tunnel, link, at = in_gre(data, at, end)
            if tunnel == 0:
                out.bad[i] |= _NOT_IP
                return
        else:
            out.proto[i] = proto
            out.bad[i] |= _OTHER_PROTOCOL
            return
    out.bad[i] |= _BAD_IP


@kernel
def decode_rows(frames, start, count, out, entry):
    for k in range(count):
        clear(out, entry + k)
        out.outer_sport[entry + k] = -1
        at, caplen, origlen = frames.offset[start + k], frames.caplen[start + k], frames.origlen[start + k]
        packet(frames.data, at, caplen, origlen, frames.link[start + k], out, entry + k)


def decode(frames, start, count, out):
    """Decode `count` frames from `start` on into the first entries of `out`."""
    decode_rows(frames, start, count, out, 0)


def decode_one(frames, k, i, out):
    """Decode frame `k` of a block into entry `i`."""
    decode_rows(frames, k, 1, out, i)
