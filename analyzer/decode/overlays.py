"""Tunnels in UDP and GRE: where the packet inside begins.

VXLAN (RFC 7348), Geneve (RFC 8926), GTP-U (3GPP TS 29.281), Teredo (RFC 4380), ERSPAN (draft-foschiano-erspan), PPTP's
GRE (RFC 2637) and that of Aruba's wireless controllers. Only the registered ports are believed, and only where IP
follows; anything else stays the UDP conversation it is.
"""

from analyzer.decode.carriers import WIFI
from analyzer.decode.link import ETHERNET, PPP, RAW, TYPED, long, word
from analyzer.kernels import kernel

VXLAN, GENEVE, GTP_U, TEREDO = 4789, 6081, 2152, 3544
_NONE, _GRE, _ERSPAN, _VXLAN, _GENEVE, _GTP, _TEREDO = 0, 3, 4, 5, 6, 7, 8  # tables.Tunnel
_ERSPAN_2, _ERSPAN_3, _PPTP = 0x88BE, 0x22EB, 0x880B
_ARUBA_FIRST, _ARUBA_LAST = 0x8200, 0x82F0  # a queue each, of 802.11 frames
_MAX_EXTENSIONS = 8
_TEREDO_PREFIX = 0x20010000  # 2001::/32


@kernel
def in_udp(data, at, end, wire_end, sport, dport):
    """(tables.Tunnel, link type, offset) of what may be a packet in a UDP payload; NONE where there is no tunnel."""
    if dport == VXLAN and at + 8 <= end and data[at] & 0x08:
        return _VXLAN, ETHERNET, at + 8
    if dport == GENEVE and at + 8 <= end and data[at] >> 6 == 0:
        return _GENEVE, TYPED + word(data, at + 2), at + 8 + (data[at] & 0x3F) * 4
    if dport == GTP_U and at + 8 <= end and data[at] >> 5 == 1 and data[at] & 0x10 and data[at + 1] == 0xFF:
        inside = in_gtp(data, at, end)
        return _GTP if inside > at else _NONE, RAW, inside
    inside = in_teredo(data, at, end, wire_end, sport == TEREDO or dport == TEREDO)
    return _TEREDO if inside >= 0 else _NONE, RAW, inside


@kernel
def in_teredo(data, at, end, wire_end, to_server):
    """Offset of the packet in a Teredo datagram, or -1.

    Teredo hosts also speak to each other, on any ports: their addresses and a length that fits tell them. Only TCP and
    UDP inside are entered. The rest, bubbles and router solicitations, is how the tunnel itself fares.
    """
    if to_server and at + 4 <= end and data[at] == 0 and data[at + 1] == 1:  # authentication, RFC 4380 §5.1.1
        at += 13 + data[at + 2] + data[at + 3]
    if to_server and at + 8 <= end and data[at] == 0 and data[at + 1] == 0:  # origin indication
        at += 8
    if at + 40 > end or data[at] >> 4 != 6 or at + 40 + word(data, at + 4) != wire_end:
        return -1
    if long(data, at + 8) != _TEREDO_PREFIX and long(data, at + 24) != _TEREDO_PREFIX:
        return -1
    return at if data[at + 6] == 6 or data[at + 6] == 17 else -1


@kernel
def in_gtp(data, at, end):
    """Offset of the packet behind a GTP-U header and its extensions; `at` itself where they make no sense."""
    inside = at + 8
    if data[at] & 7:  # sequence number, N-PDU number and the next extension's type come together
        inside += 4
        following = data[at + 11] if data[at] & 4 and at + 12 <= end else 0
        for _ in range(_MAX_EXTENSIONS):
            if following == 0:
                break
            if inside >= end or data[inside] == 0:
                return at
            size = data[inside] * 4
            if inside + size > end:
                return at
            following = data[inside + size - 1]
            inside += size
    return inside


@kernel
def in_gre(data, at, end):
    """(tables.Tunnel, link type, offset) of what a GRE header (RFC 2784, 2890) carries; NONE where it is not readable."""
    flags, kind = data[at], word(data, at + 2)
    size = 4 + (4 if flags & 0x80 else 0) + (4 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    version = data[at + 1] & 7
    if version == 1 and kind == _PPTP:
        size += 4 if data[at + 1] & 0x80 else 0
    elif version != 0:
        return _NONE, 0, at
    if kind == _ERSPAN_2:
        size += 8 if flags & 0x10 else 0  # type I, without sequence numbers, has no header of its own
    elif kind == _ERSPAN_3:
        if at + size + 12 > end:
            return _NONE, 0, at
        size += 20 if data[at + size + 11] & 1 else 12
    if at + size > end:
        return _NONE, 0, at
    if kind == _PPTP:
        return _GRE, PPP, at + size
    if kind == _ERSPAN_2 or kind == _ERSPAN_3:
        return _ERSPAN, ETHERNET, at + size
    if _ARUBA_FIRST <= kind <= _ARUBA_LAST:
        return _GRE, WIFI, at + size
    return _GRE, TYPED + kind, at + size
