"""Tunnels in UDP and GRE: where the packet inside begins.

VXLAN (RFC 7348), Geneve (RFC 8926), GTP-U (3GPP TS 29.281), ERSPAN (draft-foschiano-erspan), PPTP's GRE (RFC 2637).
Only the registered ports are believed, and only where IP follows; anything else stays the UDP conversation it is.
"""

from analyzer.decode.link import ETHERNET, OTHER, ethertype, ip_at, network, ppp, word
from analyzer.kernels import kernel

VXLAN, GENEVE, GTP_U = 4789, 6081, 2152
_ERSPAN_2, _ERSPAN_3, _PPTP = 0x88BE, 0x22EB, 0x880B
_MAX_EXTENSIONS = 8


@kernel
def in_udp(data, at, end, port):
    """(IP version, or OTHER; offset) of the packet in a UDP payload sent to `port`."""
    if port == VXLAN and at + 8 <= end and data[at] & 0x08:
        return network(data, at + 8, end, ETHERNET)
    if port == GENEVE and at + 8 <= end and data[at] >> 6 == 0:
        inside = at + 8 + (data[at] & 0x3F) * 4
        if inside <= end:
            return ethertype(data, inside, end, word(data, at + 2))
    if port == GTP_U and at + 8 <= end and data[at] >> 5 == 1 and data[at] & 0x10 and data[at + 1] == 0xFF:
        return in_gtp(data, at, end)
    return OTHER, at


@kernel
def in_gtp(data, at, end):
    inside = at + 8
    if data[at] & 7:  # sequence number, N-PDU number and the next extension's type come together
        inside += 4
        following = data[at + 11] if data[at] & 4 and at + 12 <= end else 0
        for _ in range(_MAX_EXTENSIONS):
            if following == 0:
                break
            if inside >= end or data[inside] == 0:
                return OTHER, at
            size = data[inside] * 4
            if inside + size > end:
                return OTHER, at
            following = data[inside + size - 1]
            inside += size
    return ip_at(data, inside, end)


@kernel
def in_gre(data, at, end):
    """(IP version, NO_LINK or OTHER; offset) of what a GRE header (RFC 2784, 2890) carries."""
    flags, kind = data[at], word(data, at + 2)
    size = 4 + (4 if flags & 0x80 else 0) + (4 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    version = data[at + 1] & 7
    if version == 1 and kind == _PPTP:
        size += 4 if data[at + 1] & 0x80 else 0
    elif version != 0:
        return OTHER, at
    if kind == _ERSPAN_2:
        size += 8 if flags & 0x10 else 0  # type I, without sequence numbers, has no header of its own
    elif kind == _ERSPAN_3:
        if at + size + 12 > end:
            return OTHER, at
        size += 20 if data[at + size + 11] & 1 else 12
    if at + size > end:
        return OTHER, at
    if kind == _PPTP:
        return ppp(data, at + size, end)
    if kind == _ERSPAN_2 or kind == _ERSPAN_3:
        return network(data, at + size, end, ETHERNET)
    return ethertype(data, at + size, end, kind)
