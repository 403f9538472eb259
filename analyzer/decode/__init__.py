"""Frames to packet columns. Bad bytes become a column (`tables.Bad`), never an exception.

`link` finds the IP header, `ip` walks IP, tunnels and ICMP quotes, `transport` reads TCP and UDP.
"""

from analyzer.decode.frames import Frames
from analyzer.decode.ip import decode
from analyzer.decode.packets import Packets, address_text

__all__ = ["Frames", "Packets", "address_text", "decode"]
