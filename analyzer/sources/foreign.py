"""What a file is that is not a capture: people mistake exports, pictures and archives for one, and should be told."""

from __future__ import annotations

from analyzer.errors import CaptureError
from analyzer.sources.compression import compression_of

FOREIGN_BYTES = 512  # of an input that are looked at: a tar archive says what it is at byte 257

_KNOWN = (
    (b"\xff\xd8\xff", "a JPEG picture?"),
    (b"\x89PNG", "a PNG picture?"),
    (b"%PDF", "a PDF document?"),
    (b"PK\x03\x04", "a ZIP archive: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"SQLite format 3", "a database"),
    (b"snoop\0", "a snoop capture: convert it with Wireshark's editcap"),
    (b"btsnoop\0", "a Bluetooth capture"),
    (b"RTSS", "a Microsoft Network Monitor 1 capture: convert it with Wireshark's editcap"),
    (b"GMBU", "a Microsoft Network Monitor 2 capture: convert it with Wireshark's editcap"),
    (b"TRSNIFF data", "a Sniffer capture: convert it with Wireshark's editcap"),
    (b"XCP\0", "a NetXRay capture: convert it with Wireshark's editcap"),
    (b"iptrace ", "an AIX iptrace capture: convert it with Wireshark's editcap"),
    (b"LOGG", "a Vector BLF log"),
    (b"version https://git-lfs", "a pointer that Git LFS left in place of the file"),
    (b"No.     Time", "text exported from Wireshark: save the packets as pcapng instead"),
    (b'"No.","Time"', "text exported from Wireshark: save the packets as pcapng instead"),
    (b"#separator", "a Zeek log"),
    (b"<", "XML or HTML: save the packets as pcapng instead"),
    (b"{", "JSON: save the packets as pcapng instead"),
    (b"[", "JSON: save the packets as pcapng instead"),
)
_TAR_AT, _TAR = 257, b"ustar"
_ERF_ETHERNET = 2  # an ERF file has no magic: its first record's type, at byte 8, is all there is to go by


def not_a_capture(head: bytes, failed: str | None, packing: str | None) -> CaptureError:
    """The error for an input that begins with `head` (out of `packing`, which ended with `failed`)."""
    inside = f"the {packing} data in it " if packing else "it "
    if not head:
        return CaptureError(failed or (f"the {packing} data hold nothing" if packing else "the file is empty"))
    if inner := compression_of(head):
        return CaptureError(f"{inside}are compressed once more, with {inner}: unpack it first")
    if len(head) < 4:
        return CaptureError("the file ends before its header does", len(head))
    begins = f"not a packet capture: {inside}begins with {head[:4].hex(' ')}".replace("in it begins", "in it begin")
    what = _name(head)
    return CaptureError(f"{begins} ({what})" if what else begins)


def _name(head: bytes) -> str | None:
    for magic, what in _KNOWN:
        if head.lstrip(b"\xef\xbb\xbf").startswith(magic):
            return what
    if head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        return "a tar archive: unpack it first"
    if not any(head):
        return "nothing but zeros: the disk was full, or the download never finished"
    if len(head) >= 16 and head[8] & 0x7F == _ERF_ETHERNET and 16 <= int.from_bytes(head[10:12], "big") < 1 << 14:
        return "an ERF capture? convert it with Wireshark's editcap"
    if all(byte >= 32 or byte in b"\t\r\n" for byte in head):
        return "text: tcpdump needs -w to write a capture"
    return None
