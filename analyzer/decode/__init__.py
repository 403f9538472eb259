"""Frames to packet columns. Bad bytes become a column (`tables.Bad`), never an exception.

`carriers` and `link` find the IP header, `ip` walks IP, tunnels (`overlays`) and ICMP quotes, `transport` reads TCP and
UDP; `fragments` puts datagrams together that came in pieces.
"""

from analyzer.decode.fragments import Fragments
from analyzer.decode.frames import Frames
from analyzer.decode.ip import decode, decode_one
from analyzer.decode.packets import Packets, address_text, address_texts

__all__ = ["Fragments", "Frames", "Packets", "address_text", "address_texts", "decode", "decode_one"]
