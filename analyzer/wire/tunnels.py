"""Tunnels whose inside is sealed, by how their first datagrams look: WireGuard, OpenVPN, IPsec through a NAT.

Each has two handshake messages that refer to each other, so that a look at both sides leaves little to chance. What is
inside stays unknown: the point is to know that there is an inside. Tunnels that dress up as something else are not here.
"""

from __future__ import annotations

from collections.abc import Sequence

_INITIATION, _RESPONSE, _COOKIE = b"\1\0\0\0", b"\2\0\0\0", b"\3\0\0\0"  # WireGuard, §5.4: type, three zero bytes
_INITIATION_BYTES, _RESPONSE_BYTES, _COOKIE_BYTES = 148, 92, 64
_DATA, _DATA_BYTES, _DATA_UNIT = b"\4\0\0\0", 32, 16  # an empty packet is a keep-alive; all are padded to 16
_LOOKED_AT = 4  # of the datagrams kept: the last of them may be kept in part
_RESET_CLIENT, _RESET_SERVER = (7, 10), 8  # OpenVPN, ssl_pkt.h: P_CONTROL_HARD_RESET_CLIENT_V2 and V3, ..._SERVER_V2
_OPENVPN_CONTROL = (4, 5)  # P_CONTROL_V1, P_ACK_V1
_OPENVPN_LEAST = 14  # opcode, session id, no acknowledgments, packet id
_NO_ESP, _IKE_HEADER = bytes(4), 28  # RFC 3948 §2.2: the marker of what is not ESP; RFC 7296 §3.1
_IKE_VERSIONS = (0x10, 0x20)
IPSEC = 4500  # the port of IPsec behind a NAT (RFC 3948 §2.1)


def sealed_tunnel(up: Sequence[bytes], down: Sequence[bytes], port: int) -> str | None:
    """Which tunnel a UDP conversation is, by the first datagrams of each side; None where it is none of these."""
    if not up:
        return None
    if _is_wireguard(up, down):
        return "wireguard"
    if is_openvpn(up, down):
        return "openvpn"
    if port == IPSEC and any(map(_is_ike, up)):
        return "ipsec"
    return None


def split_openvpn(stream: bytes) -> list[bytes]:
    """Packets of OpenVPN over TCP, each behind its length; the last may be cut, and lengths that make no sense end it."""
    found: list[bytes] = []
    at = 0
    while at + 2 < len(stream) and len(found) < _LOOKED_AT:
        size = int.from_bytes(stream[at : at + 2], "big")
        if size < _OPENVPN_LEAST - 1:
            break
        found.append(stream[at + 2 : at + 2 + size])
        at += 2 + size
    return found


def is_openvpn(up: Sequence[bytes], down: Sequence[bytes]) -> bool:
    """Both sides reset the session, and the client goes on under the session id that it chose (eight random bytes)."""
    if not up or len(up[0]) < _OPENVPN_LEAST or up[0][0] >> 3 not in _RESET_CLIENT or up[0][0] & 7:
        return False
    answered = any(len(data) >= _OPENVPN_LEAST and data[0] == _RESET_SERVER << 3 for data in down)
    later = (data for data in up[1:] if data[1:9] == up[0][1:9])
    return answered and any(data[0] >> 3 in _OPENVPN_CONTROL for data in later)


def _is_wireguard(up: Sequence[bytes], down: Sequence[bytes]) -> bool:
    """A handshake whose answer names the asker's index; or, begun before the capture, data under one rising counter."""
    indices = {data[4:8] for data in up if len(data) == _INITIATION_BYTES and data[:4] == _INITIATION}
    for data in down:
        answers = len(data) == _RESPONSE_BYTES and data[:4] == _RESPONSE and data[8:12] in indices
        if answers or (len(data) == _COOKIE_BYTES and data[:4] == _COOKIE and data[4:8] in indices):
            return True
    return _counts_up(up) and _counts_up(down)


def _counts_up(datagrams: Sequence[bytes]) -> bool:
    sealed = [data for data in datagrams if data[:4] not in (_INITIATION, _RESPONSE)][:_LOOKED_AT]
    if len(sealed) < 2:
        return False
    for data in sealed:
        if len(data) < _DATA_BYTES or len(data) % _DATA_UNIT or data[:4] != _DATA or data[4:8] != sealed[0][4:8]:
            return False
    counters = [int.from_bytes(data[8:16], "little") for data in sealed]
    return max(counters) - min(counters) < 1 << 16 and len(set(counters)) == len(counters)


def _is_ike(data: bytes) -> bool:
    if len(data) < 4 + _IKE_HEADER or data[:4] != _NO_ESP:
        return False
    return data[21] in _IKE_VERSIONS and int.from_bytes(data[28:32], "big") == len(data) - 4
