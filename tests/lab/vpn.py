"""A VPN as WireGuard looks on the wire: one UDP conversation carries everything of a device.

A TUN interface takes the device's packets; a process wraps them, as type 4 messages with a counter, and the one at the server's end
unwraps them into that machine, where the sites live.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tests.lab.namespace import ip

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 1, 0x1000
PORT, GATEWAY = 51820, "185.65.134.66"
INNER = "10.66.7.2"  # the device's address within
_KEY = bytes(range(32))
_INITIATION, _RESPONSE, _TRANSPORT = 148, 92, 4


def _tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return device


def run_client(ready) -> None:
    """On the device: everything but the way to the gateway goes into the tunnel."""
    device = _tun("tun0")
    outer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    outer.connect((GATEWAY, PORT))
    halves = (f"route add {half} dev tun0 src {INNER}" for half in ("0.0.0.0/1", "128.0.0.0/1"))
    outside = f"route add {GATEWAY} via 100.64.0.2 dev down0"
    ip(f"addr add {INNER}/32 dev tun0", "link set tun0 up mtu 1420", *halves, outside)
    outer.send(struct.pack("<I", 1) + os.urandom(_INITIATION - 4))
    outer.recv(2048)
    ready()
    _carry(device, outer)


def run_gateway(ready) -> None:
    """At the server's end."""
    device = _tun("tun0")
    outer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    outer.bind((GATEWAY, PORT))
    ip("link set tun0 up mtu 1420", f"route add {INNER}/32 dev tun0")
    ready()
    _, peer = outer.recvfrom(2048)
    outer.sendto(struct.pack("<I", 2) + os.urandom(_RESPONSE - 4), peer)
    outer.connect(peer)
    _carry(device, outer)


def _carry(device: int, outer: socket.socket) -> None:
    cipher, counter = ChaCha20Poly1305(_KEY), 0
    while True:
        readable = select.select([device, outer], [], [])[0]
        if device in readable:
            packet = os.read(device, 65535)
            packet += bytes(-len(packet) % 16)
            nonce = struct.pack("<IQ", 0, counter)
            outer.send(struct.pack("<IIQ", _TRANSPORT, 7, counter) + cipher.encrypt(nonce, packet, b""))
            counter += 1
        if outer in readable:
            message = outer.recv(65535)
            if message[0] == _TRANSPORT:
                nonce = b"\0\0\0\0" + message[8:16]
                packet = cipher.decrypt(nonce, message[16:], b"")
                size = struct.unpack_from("!H", packet, 2)[0] if packet[0] >> 4 == 4 else len(packet)
                os.write(device, packet[:size])
