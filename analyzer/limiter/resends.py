"""Which packets of a flow show that something was lost before them."""

from __future__ import annotations

from analyzer.tables import Kind, Table

NAMED = 8  # frames per flow and direction that show its losses


def resent(rows: Table, up: bool) -> list[int]:
    """Frames of one direction's first segments that were sent again, of a flow's kept packets (tables.PACKETS)."""
    again = (rows.up == up) & ((rows.kind == Kind.RESENT) | (rows.kind == Kind.SPURIOUS))
    return rows.frame[again][:NAMED].tolist()
