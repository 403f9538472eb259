"""Arithmetic on 32-bit sequence numbers that wrap (RFC 1982, RFC 9293 §3.4)."""

from __future__ import annotations


def ahead(a, b):
    """How far `a` lies ahead of `b`, negative when behind; for ints and for NumPy arrays of int64."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000
