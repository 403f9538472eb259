"""Longest-prefix matching of IP addresses against a few thousand blocks."""

from __future__ import annotations

from collections.abc import Iterator
from socket import AF_INET, AF_INET6, inet_pton


def number(address: str) -> tuple[int, int] | None:
    """(bits of the family, value) of an address as text; None for anything else."""
    family, bits = (AF_INET6, 128) if ":" in address else (AF_INET, 32)
    try:
        return bits, int.from_bytes(inet_pton(family, address), "big")
    except (OSError, ValueError):  # not an address; or a NUL or a surrogate in it
        return None


_NAT64 = 0x0064FF9B << 96  # 64:ff9b::/96, with an IPv4 address in the last 32 bits (RFC 6052 §2.1)


def _beyond_nat64(family: int, value: int) -> tuple[int, int]:
    """The IPv4 address that one of NAT64's well-known prefix stands for; any other is its own."""
    return (32, value & 0xFFFFFFFF) if family == 128 and value >> 32 == _NAT64 >> 32 else (family, value)


class Prefixes:
    """Who holds which blocks: one dictionary per prefix length, longest first.

    A block belongs to one holder; blocks may lie inside one another.
    """

    def __init__(self) -> None:
        self._blocks: dict[tuple[int, int], dict[int, str]] = {}  # (family bits, host bits) -> network -> holder
        self._order: dict[int, list[int]] = {32: [], 128: []}  # family bits -> host bits, fewest first

    def add(self, prefix: str, holder: str) -> None:
        """Enter a block such as "10.0.0.0/8", or a single address. Errors: ValueError if it is none, or is taken."""
        address, _, length = prefix.partition("/")
        parsed = number(address)
        if parsed is None:
            raise ValueError(f"not an address block: {prefix}")
        family, value = parsed
        host_bits = family - int(length) if length else 0
        if not 0 <= host_bits <= family or value & ((1 << host_bits) - 1):
            raise ValueError(f"not an address block: {prefix}")
        block = self._blocks.setdefault((family, host_bits), {})
        if block.setdefault(value >> host_bits, holder) != holder:
            raise ValueError(f"{prefix} is held by {block[value >> host_bits]} and {holder}")
        if host_bits not in self._order[family]:
            self._order[family] = sorted([*self._order[family], host_bits])

    def holders(self, address: str) -> Iterator[str]:
        """Holders of the blocks around an address, the closest first."""
        parsed = number(address)
        if parsed is None:
            return
        family, value = _beyond_nat64(*parsed)
        for host_bits in self._order[family]:
            holder = self._blocks[family, host_bits].get(value >> host_bits)
            if holder is not None:
                yield holder
