"""Which flow a row belongs to that was noted while packets passed and flows were not numbered yet."""

from __future__ import annotations

import numpy as np

from analyzer.tables import Table


def flow_of(
    attempts: Table,
    client: np.ndarray,
    client_port: np.ndarray,
    server: np.ndarray,
    port: np.ndarray,
    proto: np.ndarray,
    ts: np.ndarray,
) -> np.ndarray:
    """Flow numbers (int64) of rows by their addresses, ports and time; -1 where no attempt fits.

    Ports are used again: the attempt that had begun last before the row's time is the one that it belongs to.

    Parameters
    ----------
    attempts : Table
        tables.ATTEMPTS.
    client, client_port, server, port, proto, ts : arrays of one length
        Interned addresses, ports, IP protocol, time in ns.
    """
    wanted = np.unique(client.astype(np.int64) << 32 | server)
    candidates = attempts[np.isin(attempts.client.astype(np.int64) << 32 | attempts.server, wanted)]
    begun: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    a = candidates
    for *key, start, flow in zip(
        *(c.tolist() for c in (a.client, a.client_port, a.server, a.port, a.proto, a.start, a.flow)), strict=True
    ):
        begun.setdefault(tuple(key), []).append((start, flow))
    found = []
    for *key, at in zip(*(c.tolist() for c in (client, client_port, server, port, proto, ts)), strict=True):
        before = [pair for pair in begun.get(tuple(key), ()) if pair[0] <= at]
        found.append(max(before)[1] if before else -1)
    return np.array(found, np.int64)
