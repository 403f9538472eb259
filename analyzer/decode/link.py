"""From a link-layer frame to the IP header inside it.

Link types: https://www.tcpdump.org/linktypes.html. Ethernet with any stack of VLAN tags (IEEE 802.1Q, 802.1ad), SNAP,
MPLS and PPPoE; Linux cooked v1 and v2; raw IP; BSD NULL and LOOP; PPP and Cisco HDLC; and what `carriers` knows.

One header after the other says what follows it: an EtherType, or one of the kinds below. Each kernel has one place from
which it is called, because kernels are inlined and machine code for every place would have to be made.
"""

from analyzer.decode.carriers import NFLOG, WIFI, nflog, unwrap, wifi
from analyzer.kernels import kernel

NULL, ETHERNET, PPP, RAW_BSD, RAW_OPENBSD, PPP_HDLC, PPP_ETHER = 0, 1, 9, 12, 14, 50, 51
RAW, CISCO_HDLC, LOOP, SLL, MPLS, IPV4, IPV6, SLL2 = 101, 104, 108, 113, 219, 228, 229, 276
TYPED = 1 << 20  # no link type but what tunnels carry: plus an EtherType, whatever that announces
_MAX_STEPS = 12  # headers, tags and labels on the way to IP; more are not a network but a fuzzer

NO_LINK, OTHER = -1, 0  # instead of an IP version: unreadable link header; readable, but not IP
_IP, _PPP, _CUT, _ELSE = -1, -2, -3, -4  # kinds that are no EtherType: IP of either version, PPP; nothing to go on with
_SNAP = 0  # a length in place of an EtherType: IEEE 802.3 with LLC
_VLAN, _VLAN_OUTER, _VLAN_OLD, _IPV4, _IPV6 = 0x8100, 0x88A8, 0x9100, 0x0800, 0x86DD
_LABELS, _LABELS_TO_MANY, _PPPOE, _BRIDGED = 0x8847, 0x8848, 0x8864, 0x6558


@kernel
def word(data, at):
    """A big-endian 16-bit word."""
    return data[at] * 0x100 + data[at + 1]  # not by shifts: those make it unsigned, and so a float beside signed ones


@kernel
def long(data, at):
    """A big-endian 32-bit word."""
    return data[at] * 0x1000000 + data[at + 1] * 0x10000 + data[at + 2] * 0x100 + data[at + 3]


@kernel
def behind_ppp(data, at, end):
    """(kind, offset) behind a PPP header (RFC 1661, 1662): optional address and control, a protocol of 1 or 2 bytes."""
    if at + 4 > end:
        return _CUT, at
    if data[at] == 0xFF and data[at + 1] == 0x03:
        at += 2
    if data[at] & 1:  # compressed protocol field
        protocol = data[at] + 0
        at += 1
    else:
        protocol = word(data, at)
        at += 2
    if protocol == 0x21 or protocol == 0x57:
        return _IP, at
    if protocol == 0x281 or protocol == 0x283:
        return _LABELS, at
    return _ELSE, at


@kernel
def behind(data, at, end, kind):
    """(kind, offset) of what stands behind the header at `at`, which is of some kind."""
    if kind == _IPV4 or kind == _IPV6:
        return _IP, at
    if kind == _VLAN or kind == _VLAN_OUTER or kind == _VLAN_OLD:
        if at + 4 > end:
            return _CUT, at
        return word(data, at + 2), at + 4
    if kind == _LABELS or kind == _LABELS_TO_MANY:  # RFC 3032
        if at + 4 > end:
            return _CUT, at
        return _IP if data[at + 2] & 1 else kind, at + 4
    if kind == _PPPOE:
        return _PPP, at + 6
    if kind == _PPP:
        return behind_ppp(data, at, end)
    if kind == _BRIDGED:  # transparent Ethernet bridging
        if at + 14 > end:
            return _CUT, at
        return word(data, at + 12), at + 14
    if 0 <= kind <= 1500:  # only SNAP carries IP
        if at + 8 > end or data[at] != 0xAA or data[at + 1] != 0xAA:
            return _ELSE, at
        kind = word(data, at + 6)
        return kind if kind > 1500 else _ELSE, at + 8
    return _ELSE, at


@kernel
def behind_link(data, at, end, link):
    """(kind, offset) behind a link-layer header."""
    if link >= TYPED:
        return link - TYPED, at
    if link == ETHERNET:
        return (word(data, at + 12), at + 14) if at + 14 <= end else (_CUT, at)
    if link == RAW or link == RAW_BSD or link == RAW_OPENBSD or link == IPV4 or link == IPV6:
        return _IP, at
    if link == SLL:
        return (word(data, at + 14), at + 16) if at + 16 <= end else (_CUT, at)
    if link == SLL2:
        return (word(data, at), at + 20) if at + 20 <= end else (_CUT, at)
    if link == NULL or link == LOOP:  # an address family in the writer's byte order
        if at + 4 > end:
            return _CUT, at
        family = data[at] | data[at + 3]
        known = family == 2 or family == 10 or family == 24 or family == 28 or family == 30
        return _IP if known else _ELSE, at + 4
    if link == PPP or link == PPP_HDLC or link == CISCO_HDLC:
        cisco = at + 4 <= end and (data[at] == 0x0F or data[at] == 0x8F) and data[at + 1] == 0
        if cisco or link == CISCO_HDLC:
            return (word(data, at + 2), at + 4) if at + 4 <= end else (_CUT, at)
        return _PPP, at
    if link == PPP_ETHER:
        return _PPP, at + 6
    if link == MPLS:
        return _LABELS, at
    if link == WIFI:
        inside = wifi(data, at, end)
        if inside < 0:
            return _ELSE if inside == -1 else _CUT, at
        return _SNAP, inside
    if link == NFLOG:
        inside = nflog(data, at, end)
        return _IP if inside >= 0 else _ELSE, max(inside, at)
    return _CUT, at


@kernel
def step_by_step(data, at, end, link):
    """(IP version, or NO_LINK or OTHER; offset) of what a link-layer header leads to."""
    kind, at = behind_link(data, at, end, link)
    for _ in range(_MAX_STEPS):
        if kind == _IP:
            if at >= end:
                return NO_LINK, at
            version = data[at] >> 4
            return version if version == 4 or version == 6 else OTHER, at
        if kind == _CUT:
            return NO_LINK, at
        if kind == _ELSE:
            return OTHER, at
        kind, at = behind(data, at, end, kind)
    return OTHER, at


@kernel
def bare(data, at, end):
    """Whether an "Ethernet" frame is an IP packet without Ethernet.

    iOS through rvi writes such files, and PCAPdroid such frames where its trailer would exceed the snapshot length. No
    real frame looks so: 0x45 as its first byte would be a multicast address, and the lengths must fit as well.
    """
    if at + 40 > end:
        return False
    if data[at] == 0x45:
        return data[at + 9] in (1, 6, 17) and 20 < word(data, at + 2) <= 0x4000 and word(data, at + 6) & 0x9FFF == 0
    return data[at] & 0xF0 == 0x60 and data[at + 6] in (6, 17, 58) and 8 <= word(data, at + 4) <= 0x4000


@kernel
def network(data, at, end, link):
    """(IP version, or NO_LINK or OTHER; offset of the IP header) of a frame."""
    link, at = unwrap(data, at, end, link)
    version, inside = step_by_step(data, at, end, link)
    if version <= 0 and link == ETHERNET and bare(data, at, end):
        return data[at] >> 4, at
    return version, inside
