"""The pcap format (draft-ietf-opsawg-pcap): one header, then records; and what has been sold under its name.

Wireshark reads the variants, so people expect it: both byte orders, microseconds and nanoseconds, the two lengths of a
record in the order of libpcap before version 2.3, and records with more in their header (`pcap_variants`).
"""

from __future__ import annotations

from analyzer import limits
from analyzer.errors import CaptureError
from analyzer.sources.pcap_variants import MODIFIED, STANDARD, likeliest
from analyzer.sources.recording import Recording
from analyzer.sources.source import ByteOrder, Interface
from analyzer.sources.walk import IN_ORDER, PERHAPS_SWAPPED, SWAPPED, walk_pcap

_HEADER_BYTES = 24
_MICROSECONDS, _NANOSECONDS, _MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
_ORDERS: tuple[ByteOrder, ...] = ("big", "little")
_MAGICS = {
    magic.to_bytes(4, order): (magic, order) for magic in (_MICROSECONDS, _NANOSECONDS, _MODIFIED) for order in _ORDERS
}
_DG_UX = 543  # the version that DG/UX's tcpdump writes
_AIX_LINKS = {
    6: 1,
    9: 6,
    15: 10,
    24: 0,
}  # AIX writes interface types (RFC 1573) into version 2.2 files, and nanoseconds


class Pcap(Recording):
    """A pcap capture."""

    @staticmethod
    def recognises(head: bytes) -> bool:
        return head in _MAGICS

    def _read_header(self) -> None:
        window = self._window
        if not window.fill_to(_HEADER_BYTES):
            raise CaptureError("the file ends before its header does", window.end)
        header = window.head(_HEADER_BYTES)
        magic, order = _MAGICS[header[:4]]
        major, minor, _, _, snaplen, network = (
            int.from_bytes(header[at : at + size], order)
            for at, size in ((4, 2), (6, 2), (8, 4), (12, 4), (16, 4), (20, 4))
        )
        if major < 2:
            raise CaptureError(f"pcap version {major}.{minor} is unknown", 4)
        self._order = order
        self._tick = 1 if magic == _NANOSECONDS else 1000
        self._link = network & 0xFFFF  # the upper half tells of check sequences (FCS) at the end of frames
        self._lengths = IN_ORDER
        if major == _DG_UX or (major == 2 and minor < 3):
            self._lengths = SWAPPED
        elif major == 2 and minor == 3:
            self._lengths = PERHAPS_SWAPPED
        if magic == _MICROSECONDS and (major, minor) == (2, 2) and network in _AIX_LINKS:
            self._link, self._tick, self._lengths = _AIX_LINKS[network], 1, IN_ORDER
        window.at = _HEADER_BYTES
        self._record = 16
        if magic != _NANOSECONDS and self._lengths == IN_ORDER and self._tick != 1:
            self._record = self._record_header(snaplen, magic == _MODIFIED)
        self.info.format = "pcap"
        self.info.interfaces.append(Interface(self._link, snaplen=snaplen))

    def _walk(self, count: int) -> tuple[int, int]:
        window = self._window
        count, window.at, self._number, why = walk_pcap(
            self._columns,
            count,
            window.at,
            window.end,
            self._order == "big",
            self._record,
            self._tick,
            self._lengths,
            limits.MAX_FRAME_BYTES,
            self._link,
            self._number,
        )
        return count, why

    def _record_header(self, snaplen: int, modified: bool) -> int:
        layouts = MODIFIED if modified else STANDARD
        if self._given.live:  # nobody should have to wait for three packets before seeing one
            return layouts[0]
        self._window.fill_to(limits.INTERPRETED_BYTES)
        return likeliest(layouts, self._window.head(limits.INTERPRETED_BYTES), self._order, snaplen)

    def _damage(self) -> str:
        lengths = self._window.head(16)[8:]
        size = int.from_bytes(lengths[4:] if self._lengths == SWAPPED else lengths[:4], self._order)
        return f"a packet of {size} bytes: the file is damaged"
