"""Records of pcap files whose header is longer than the format says: Alexey Kuznetsov's patches of 1999, and Nokia's IPSO.

The files do not say which they are: the patches came before their magic number, and Nokia never chose one. As Wireshark
does, each layout is tried on the first records, and the one under which they look least odd is taken. Unlike there, time
that jumps is odd, too: else a capture of long frames full of zeros would not be taken for what it is.
"""

from __future__ import annotations

from analyzer import limits
from analyzer.sources.source import ByteOrder

_STANDARD, _NOKIA, _PATCHED, _PATCHED_MORE = 16, 20, 24, 28  # bytes of a record's header
STANDARD, MODIFIED = (_STANDARD, _PATCHED, _NOKIA), (_PATCHED, _PATCHED_MORE)  # by magic number
_RECORDS = 3
_WIRE_BYTES = 1 << 27  # a longer packet on the wire is not one
_SPAN_S = 1 << 25  # a year between two of the first packets: more likely, zeros were taken for a record
_INTERFACES = 10_000  # more than a machine of 1999 had
_PACKET_TYPES = 4  # PACKET_HOST .. PACKET_OUTGOING


def likeliest(layouts: tuple[int, ...], data: bytes, order: ByteOrder, snaplen: int) -> int:
    """The size of the record headers in `data`, the beginning of a file's records."""
    return min(layouts, key=lambda header: _oddities(data, order, snaplen, header))


def _oddities(data: bytes, order: ByteOrder, snaplen: int, header: int) -> int:
    """How much is odd about the first records if their headers are `header` bytes long."""
    at = odd = 0
    for _ in range(_RECORDS):
        if at == len(data):
            break
        if at + _STANDARD > len(data):
            return odd + 1
        seconds, fraction, caplen, origlen = (int.from_bytes(data[at + i : at + i + 4], order) for i in (0, 4, 8, 12))
        odd += abs(seconds - int.from_bytes(data[:4], order)) > _SPAN_S
        odd += (fraction >= 1_000_000) + (caplen > snaplen) + (origlen > _WIRE_BYTES) + (caplen > origlen)
        if at + header > len(data):
            return odd + 1
        if header in (_PATCHED, _PATCHED_MORE):
            odd += _odd_patch(data[at + 16 : at + 24], order)
        elif header == _NOKIA:
            odd += not _is_nokia(data[at + 16 : at + 20])
        if caplen > limits.MAX_FRAME_BYTES or at + header + caplen > len(data):
            return odd + 1
        at += header + caplen
    return odd


def _odd_patch(fields: bytes, order: ByteOrder) -> int:
    """Interface index, Ethertype (or Linux' own small numbers) and packet type, as the patches wrote them."""
    interface, protocol = int.from_bytes(fields[:4], order), int.from_bytes(fields[4:6], order)
    plausible = protocol >= 0x600 or protocol <= 0x17 or protocol in (0x60, 0x200, 0x400)
    return (interface > _INTERFACES) + (not plausible) + (fields[6] > _PACKET_TYPES)


def _is_nokia(stuff: bytes) -> bool:
    """Nobody knows what these four bytes say; the values that were seen are in Wireshark's libpcap.c."""
    word = int.from_bytes(stuff, "little")
    return (
        word & 0x0FFF00F0 == 0x0FBF0000
        and word >> 28 in (0x9, 0xB)
        and word >> 12 & 0xF in (0xB, 0xD)
        and word >> 8 & 0xF in (6, 9)
        and word & 0xF in (1, 2)
    )
