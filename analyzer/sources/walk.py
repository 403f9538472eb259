"""Walking over the records of pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng).

These kernels only find frames. They stop where something else is called for, at the first byte of the record in
question, and the Python around them decides: read on, read an interface's description, or say what is damaged.
"""

from typing import NamedTuple

import numpy as np

from analyzer.kernels import kernel

INCOMPLETE, FULL, DAMAGED, OTHER = 0, 1, 2, 3  # why a walk ended

IN_ORDER, SWAPPED, PERHAPS_SWAPPED = 0, 1, 2  # order of a pcap record's two lengths

SECTION_HEADER, INTERFACE, PACKET, SIMPLE_PACKET, STATISTICS, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 5, 6
PROCESS = 0x80000001  # Apple's: a process that packets name by its place in the section
JOURNAL, CUSTOM, CUSTOM_NO_COPY = 9, 0xBAD, 0x40000BAD  # these and system calls have a frame number in Wireshark
SYSTEM_CALL, SYSTEM_CALL_2, SYSTEM_CALL_2_LARGE = 0x204, 0x216, 0x221

TIMES, PARTS, BINARY = 0, 1, 2  # how an interface's clock becomes nanoseconds: multiply, divide, or 2^-n seconds
_LATEST_NS = 1 << 62  # the year 2116: later times come from damaged files, and arithmetic on them must not overflow


_COMMENT, _PROCESS_OF, _EFFECTIVE_PROCESS_OF = 1, 0x8001, 0x8003  # options of a packet
_MAX_OPTIONS = 16  # of a packet that are looked at
PROCESS_KEY = 1 << 40  # added to a process's place: PCAPdroid's user ids are keys of their own


class Apps(NamedTuple):
    """What packets of a section may call the app that they belong to; `walk_pcapng` looks only where some are known."""

    key: np.ndarray  # int64: a user id, or PROCESS_KEY and a place
    place: np.ndarray  # int64: in `SourceInfo.apps`


class Clocks(NamedTuple):
    """The interfaces of one pcapng section, as the walk needs them."""

    kind: np.ndarray  # int64: TIMES, PARTS or BINARY
    factor: np.ndarray  # int64: nanoseconds in a unit, units in a nanosecond, or the exponent of 2
    offset: np.ndarray  # int64: nanoseconds to add
    snaplen: np.ndarray  # int64
    link: np.ndarray  # int32


@kernel
def u16(data, at, big):
    if big:
        return data[at] * 0x100 + data[at + 1]
    return data[at] + data[at + 1] * 0x100


@kernel
def u32(data, at, big):
    if big:  # sums and products, since Numba makes an unsigned number of a shifted byte
        return data[at] * 0x1000000 + data[at + 1] * 0x10000 + data[at + 2] * 0x100 + data[at + 3]
    return data[at] + data[at + 1] * 0x100 + data[at + 2] * 0x10000 + data[at + 3] * 0x1000000


@kernel
def walk_pcap(frames, count, at, end, big, header, tick, lengths, longest, link, number):
    """(frames there are, first byte not walked over, next frame number, why it ended) of pcap records."""
    data = frames.data
    while count < len(frames.ts):
        if at + header > end:
            return count, at, number, INCOMPLETE
        caplen = u32(data, at + 8, big)
        origlen = u32(data, at + 12, big)
        if lengths == SWAPPED or (lengths == PERHAPS_SWAPPED and caplen > origlen):
            caplen, origlen = origlen, caplen
        if caplen > longest:
            return count, at, number, DAMAGED
        if at + header + caplen > end:
            return count, at, number, INCOMPLETE
        time = u32(data, at, big) * 1_000_000_000 + u32(data, at + 4, big) * tick
        frames.ts[count] = min(time, _LATEST_NS)
        frames.offset[count] = at + header
        frames.caplen[count] = caplen
        frames.origlen[count] = max(origlen, caplen)
        frames.link[count] = link
        frames.iface[count] = 0
        frames.number[count] = number
        number += 1
        count += 1
        at += header + caplen
    return count, at, number, FULL


@kernel
def nanoseconds(high, low, kind, factor, offset):
    """A pcapng time stamp as nanoseconds since 1970, inside 0 .. 2^62."""
    if high >= 1 << 30:
        return _LATEST_NS
    units = high << 32 | low
    if kind == TIMES:
        if units > _LATEST_NS // factor:
            return _LATEST_NS
        time = units * factor
    elif kind == PARTS:
        time = units // factor
    else:
        seconds = units >> factor
        if seconds > _LATEST_NS // 1_000_000_000 - 1:
            return _LATEST_NS
        part = units - (seconds << factor)
        if factor > 32:  # keep the product inside 64 bits; what is dropped is less than a nanosecond
            part >>= factor - 32
            factor = 32
        time = seconds * 1_000_000_000 + (part * 1_000_000_000 >> factor)
    return min(max(time + offset, 0), _LATEST_NS)


@kernel
def for_python(kind):
    """Whether a block that holds no frame matters: it says something, or Wireshark gives it a frame number."""
    if kind == SECTION_HEADER or kind == INTERFACE or kind == STATISTICS:
        return True
    if kind == PROCESS or kind == JOURNAL or kind == CUSTOM or kind == CUSTOM_NO_COPY:
        return True
    return kind == SYSTEM_CALL or kind == SYSTEM_CALL_2 or kind == SYSTEM_CALL_2_LARGE


@kernel
def user_id(data, at, size):
    """The number in a comment such as "u-10123", by which PCAPdroid marks packets; -1 in any other."""
    if size < 3 or size > 12 or data[at] != 0x75 or data[at + 1] != 0x2D:
        return -1
    number = 0
    for k in range(2, size):
        if data[at + k] < 0x30 or data[at + k] > 0x39:
            return -1
        number = number * 10 + data[at + k] - 0x30
    return number


@kernel
def named_app(data, at, end, big, apps, named):
    """Place of the app that a packet's options name, -1 without. Of two, the last: on whose behalf the first one acts."""
    found = -1
    for _ in range(_MAX_OPTIONS):
        if at + 4 > end:
            return found
        code, size = u16(data, at, big), u16(data, at + 2, big)
        if code == 0 or at + 4 + size > end:
            return found
        key = -1
        if code == _COMMENT:
            key = user_id(data, at + 4, size)
        elif (code == _PROCESS_OF or code == _EFFECTIVE_PROCESS_OF) and size == 4:
            key = PROCESS_KEY + u32(data, at + 4, big)
        if key >= 0:
            for k in range(named):
                if apps.key[k] == key:
                    found = apps.place[k]
        at += 4 + (size + 3) // 4 * 4
    return found


@kernel
def walk_pcapng(frames, clocks, apps, known, named, base, count, at, end, big, longest, longest_block, number):
    """As `walk_pcap`, over the blocks of one pcapng section: `known` interfaces, the first of them `base`; `named` apps."""
    data = frames.data
    while count < len(frames.ts):
        if at + 8 > end:
            return count, at, number, INCOMPLETE
        kind = u32(data, at, big)
        if for_python(kind):
            return count, at, number, OTHER
        length = (u32(data, at + 4, big) + 3) // 4 * 4
        if kind == ENHANCED_PACKET or kind == PACKET:
            fixed = 28
        elif kind == SIMPLE_PACKET:
            fixed = 12
        else:
            fixed = 8
        if length < fixed + 4:
            return count, at, number, DAMAGED
        if length > longest_block:
            return count, at, number, OTHER if fixed == 8 else DAMAGED
        if at + length > end:
            return count, at, number, INCOMPLETE
        if (u32(data, at + length - 4, big) + 3) // 4 * 4 != length:
            return count, at, number, DAMAGED
        if fixed > 8:
            iface = 0
            if fixed == 12:
                origlen = u32(data, at + 8, big)
                caplen = origlen
            else:
                iface = u32(data, at + 8, big) if kind == ENHANCED_PACKET else u16(data, at + 8, big)
                caplen = u32(data, at + 20, big)
                origlen = u32(data, at + 24, big)
            if iface >= known:
                return count, at, number, DAMAGED
            time = 0
            if fixed == 12:
                if clocks.snaplen[0] > 0:
                    caplen = min(caplen, clocks.snaplen[0])
            else:
                high = u32(data, at + 12, big)
                low = u32(data, at + 16, big)
                time = nanoseconds(high, low, clocks.kind[iface], clocks.factor[iface], clocks.offset[iface])
            if caplen > longest or fixed + (caplen + 3) // 4 * 4 + 4 > length:
                return count, at, number, DAMAGED
            frames.ts[count] = time
            frames.offset[count] = at + fixed
            frames.caplen[count] = caplen
            frames.origlen[count] = max(origlen, caplen)
            frames.link[count] = clocks.link[iface]
            frames.iface[count] = base + iface
            if len(frames.app) > 0:
                behind = at + fixed + (caplen + 3) // 4 * 4
                frames.app[count] = -1
                if kind == ENHANCED_PACKET:
                    frames.app[count] = named_app(data, behind, at + length - 4, big, apps, named)
            frames.number[count] = number
            number += 1
            count += 1
        at += length
    return count, at, number, FULL
