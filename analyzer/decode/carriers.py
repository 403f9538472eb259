"""Link types that wrap another link type or carry it over radio: what a phone, an access point or a firewall writes.

PKTAP (Apple), PPI, radiotap, Prism and AVS stand before another header; IEEE 802.11 data frames carry SNAP unless they
are encrypted; NFLOG carries IP among its attributes. https://www.tcpdump.org/linktypes.html
"""

from analyzer.kernels import kernel

WIFI, PRISM, RADIOTAP, AVS, PPI, NFLOG, PKTAP, PPP_WITH_DIRECTION = 105, 119, 127, 163, 192, 239, 258, 204
USER2 = 149  # what macOS wrote before PKTAP had a number of its own
_MAX_WRAPPERS = 4
_NFULA_PAYLOAD = 9
_MAX_ATTRIBUTES = 32


@kernel
def little(data, at):
    """A little-endian 16-bit word."""
    return data[at] + data[at + 1] * 0x100


@kernel
def unwrap(data, at, end, link):
    """(link type, offset) behind the wrapping headers; link type -1 when one of them is cut."""
    for _ in range(_MAX_WRAPPERS):
        if link == PKTAP or link == USER2:
            if at + 12 > end:
                return -1, at
            size = little(data, at)
            link = little(data, at + 8)
        elif link == PPI:
            if at + 8 > end:
                return -1, at
            size = little(data, at + 2)
            link = little(data, at + 4)
        elif link == RADIOTAP:
            if at + 8 > end:
                return -1, at
            size = little(data, at + 2)
            link = WIFI
        elif link == PRISM or link == AVS:
            if at + 8 > end:
                return -1, at
            # AVS says its version (big-endian 0x80211001 or 2) where Prism has a message number of its own
            avs = data[at] == 0x80 and data[at + 1] == 0x21
            size = data[at + 6] * 0x100 + data[at + 7] if avs else little(data, at + 4)
            link = WIFI
        elif link == PPP_WITH_DIRECTION:
            size = 1
            link = 9
        else:
            return link, at
        if size < 1 or at + size > end:
            return -1, at
        at += size
    return -1, at


@kernel
def wifi(data, at, end):
    """Offset of the LLC header in an unencrypted 802.11 data frame; -1 otherwise, -2 when it is cut."""
    if at + 24 > end:
        return -2
    control, flags = data[at], data[at + 1]
    if control & 0x0C != 0x08 or control & 0x40 or flags & 0x40:  # not data, no payload, or protected
        return -1
    size = 30 if flags & 3 == 3 else 24  # a fourth address between access points
    if control & 0x80:  # QoS
        if at + size + 2 > end:
            return -2
        aggregated = data[at + size] & 0x80
        size += 6 if flags & 0x80 else 2
        if aggregated:  # A-MSDU: the first of its frames
            size += 14
    at += size
    return at if at + 8 <= end else -2


@kernel
def nflog(data, at, end):
    """Offset of the packet among the attributes of an NFLOG message; -1 when there is none."""
    at += 4
    for _ in range(_MAX_ATTRIBUTES):
        if at + 4 > end:
            return -1
        size, kind = little(data, at), little(data, at + 2) & 0x7FFF
        if kind == _NFULA_PAYLOAD:
            return at + 4
        if size < 4:
            return -1
        at += (size + 3) & ~3
    return -1
