"""From a link-layer frame to the IP header inside it.

Link types: https://www.tcpdump.org/linktypes.html. Ethernet with any stack of VLAN tags (IEEE 802.1Q, 802.1ad), SNAP,
MPLS and PPPoE; Linux cooked v1 and v2; raw IP; BSD NULL and LOOP; PPP and Cisco HDLC; and what `carriers` knows.
"""

from analyzer.decode.carriers import NFLOG, WIFI, nflog, unwrap, wifi
from analyzer.kernels import kernel

NULL, ETHERNET, PPP, RAW_BSD, RAW_OPENBSD, PPP_HDLC, PPP_ETHER = 0, 1, 9, 12, 14, 50, 51
RAW, CISCO_HDLC, LOOP, SLL, MPLS, IPV4, IPV6, SLL2 = 101, 104, 108, 113, 219, 228, 229, 276
_MAX_TAGS = 8  # VLAN tags or MPLS labels; more are not a network but a fuzzer

NO_LINK, OTHER = -1, 0  # instead of an IP version: unreadable link header; readable, but not IP


@kernel
def word(data, at):
    """A big-endian 16-bit word."""
    return data[at] * 0x100 + data[at + 1]  # not by shifts: those make it unsigned, and so a float beside signed ones


@kernel
def long(data, at):
    """A big-endian 32-bit word."""
    return data[at] * 0x1000000 + data[at + 1] * 0x10000 + data[at + 2] * 0x100 + data[at + 3]


@kernel
def ip_at(data, at, end):
    """(version, offset) of what should be an IP header, by its first nibble."""
    if at >= end:
        return NO_LINK, at
    version = data[at] >> 4
    if version == 4 or version == 6:
        return version, at
    return OTHER, at


@kernel
def behind_labels(data, at, end):
    """Offset behind an MPLS label stack (RFC 3032); -1 when it is cut, or deeper than any network's."""
    for _ in range(_MAX_TAGS):
        if at + 4 > end:
            return -1
        at += 4
        if data[at - 2] & 1:
            return at
    return -1


@kernel
def ppp(data, at, end):
    """RFC 1661 and 1662: optional address and control bytes, then a protocol of one or two bytes."""
    if at + 4 > end:
        return NO_LINK, at
    if data[at] == 0xFF and data[at + 1] == 0x03:
        at += 2
    if data[at] & 1:  # compressed protocol field
        protocol = data[at]
        at += 1
    else:
        protocol = word(data, at)
        at += 2
    if protocol == 0x281 or protocol == 0x283:  # MPLS in PPP
        at = behind_labels(data, at, end)
        if at < 0:
            return NO_LINK, end
        return ip_at(data, at, end)
    if protocol == 0x21 or protocol == 0x57:
        return ip_at(data, at, end)
    return OTHER, at


@kernel
def ethertype(data, at, end, kind):
    """What an EtherType (or a cooked frame's protocol) leads to; `at` is the byte behind it."""
    for _ in range(_MAX_TAGS):
        if kind == 0x8100 or kind == 0x88A8 or kind == 0x9100:
            if at + 4 > end:
                return NO_LINK, at
            kind = word(data, at + 2)
            at += 4
        elif kind == 0x0800 or kind == 0x86DD:
            return ip_at(data, at, end)
        elif kind == 0x8847 or kind == 0x8848:
            at = behind_labels(data, at, end)
            if at < 0:
                return NO_LINK, end
            return ip_at(data, at, end)
        elif kind == 0x8864:
            if at + 8 > end:
                return NO_LINK, at
            return ppp(data, at + 6, end)
        elif kind == 0x6558:  # transparent Ethernet bridging
            if at + 14 > end:
                return NO_LINK, at
            kind = word(data, at + 12)
            at += 14
        elif kind <= 1500:  # a length: IEEE 802.3 with LLC; only SNAP carries IP
            if at + 8 > end or data[at] != 0xAA or data[at + 1] != 0xAA:
                return OTHER, at
            kind = word(data, at + 6)
            at += 8
            if kind <= 1500:
                return OTHER, at
        else:
            return OTHER, at
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
    if link != ETHERNET:
        link, at = unwrap(data, at, end, link)
    if link == ETHERNET:
        if at + 14 > end:
            return NO_LINK, at
        version, inside = ethertype(data, at + 14, end, word(data, at + 12))
        if version != 4 and version != 6 and bare(data, at, end):
            return ip_at(data, at, end)
        return version, inside
    if link == RAW or link == RAW_BSD or link == RAW_OPENBSD or link == IPV4 or link == IPV6:
        return ip_at(data, at, end)
    if link == SLL:
        if at + 16 > end:
            return NO_LINK, at
        return ethertype(data, at + 16, end, word(data, at + 14))
    if link == SLL2:
        if at + 20 > end:
            return NO_LINK, at
        return ethertype(data, at + 20, end, word(data, at))
    if link == NULL or link == LOOP:  # an address family in the writer's byte order
        if at + 4 > end:
            return NO_LINK, at
        family = data[at] | data[at + 3]
        if family == 2 or family == 10 or family == 24 or family == 28 or family == 30:
            return ip_at(data, at + 4, end)
        return OTHER, at
    if link == PPP or link == PPP_HDLC:
        if at + 4 <= end and (data[at] == 0x0F or data[at] == 0x8F) and data[at + 1] == 0:
            return ethertype(data, at + 4, end, word(data, at + 2))
        return ppp(data, at, end)
    if link == CISCO_HDLC:
        if at + 4 > end:
            return NO_LINK, at
        return ethertype(data, at + 4, end, word(data, at + 2))
    if link == PPP_ETHER:
        if at + 6 > end:
            return NO_LINK, at
        return ppp(data, at + 6, end)
    if link == MPLS:
        return ethertype(data, at, end, 0x8847)
    if link == WIFI:
        inside = wifi(data, at, end)
        if inside < 0:
            return OTHER if inside == -1 else NO_LINK, at
        return ethertype(data, inside, end, 0)  # LLC and SNAP, as behind an 802.3 length
    if link == NFLOG:
        inside = nflog(data, at, end)
        if inside < 0:
            return OTHER, at
        return ip_at(data, inside, end)
    return NO_LINK, at
