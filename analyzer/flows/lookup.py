"""Finding one conversation in the flows table: by its number, by tshark's stream number, or by a frame of it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from analyzer.decode import Frames, Packets, address_text, decode
from analyzer.tables import Table

TCP, UDP = 6, 17


def by_number(flows: Table, number: int) -> int | None:
    """Row of the flow with this number; the first part where it was finished early."""
    return _first(flows.flow == number)


def by_stream(flows: Table, proto: int, stream: int) -> int | None:
    """Row of tshark's tcp.stream or udp.stream (`proto` 6 or 17)."""
    return _first((flows.proto == proto) & (flows.stream == stream))


def by_frame(flows: Table, blocks: Iterable[Frames], frame: int) -> int | None:
    """Row of the flow that a frame belongs to.

    Parameters
    ----------
    flows : Table
        tables.FLOWS of the whole capture.
    blocks : iterable of Frames
        The same capture once more, from its beginning: flows do not keep all their frames.
    frame : int
        Wireshark's number.

    Returns
    -------
    int or None
        None where there is no such frame, or where it belongs to no TCP or UDP conversation.
    """
    for frames in blocks:
        if len(frames.number) and frames.number[-1] >= frame:
            at = int(np.searchsorted(frames.number, frame))
            return _of(flows, frames, at, frame) if frames.number[at] == frame else None
    return None


def _of(flows: Table, frames: Frames, at: int, frame: int) -> int | None:
    packets = Packets.allocate(1)
    decode(frames, at, 1, packets)
    proto = int(packets.proto[0])
    if proto not in (TCP, UDP) or packets.sport[0] < 0:
        return None
    source, target = address_text(packets.address[:4]), address_text(packets.address[4:])
    sport, dport = int(packets.sport[0]), int(packets.dport[0])
    up = _ends(flows, source, sport, target, dport)
    down = _ends(flows, target, dport, source, sport)
    mine = (flows.proto == proto) & (up | down) & (flows.first_frame <= frame)
    # ports are used again: of the conversations between these ends, the one that had begun last
    return None if not mine.any() else int(np.flatnonzero(mine)[np.argmax(flows.first_frame[mine])])


def _ends(flows: Table, client: str, client_port: int, server: str, server_port: int) -> np.ndarray:
    return (
        (flows.client_port == client_port)
        & (flows.server_port == server_port)
        & (flows.client == client)
        & (flows.server == server)
    )


def _first(mask: np.ndarray) -> int | None:
    found = np.flatnonzero(mask)
    return int(found[0]) if len(found) else None
