"""Ports of the client: each is used once in a scenario, so that a 5-tuple is one flow and has one truth.

The kernel takes ephemeral ports by chance and takes one again now and then; the truth is told by 5-tuple.
"""

from __future__ import annotations

import errno
import random
import socket

_EPHEMERAL = range(32_768, 61_000)  # as Linux has it (net.ipv4.ip_local_port_range)
_used: set[int] = set()


def bind(connection: socket.socket, source: str | None = None) -> None:
    """Bind to a port that nothing had before; to the source address only where it is of the socket's family.

    OSError where the address is not the client's (any more).
    """
    v6 = connection.family == socket.AF_INET6
    own = source if source and (":" in source) == v6 else "::" if v6 else "0.0.0.0"
    while True:
        port = random.choice(_EPHEMERAL)
        if port in _used:
            continue
        _used.add(port)
        try:
            connection.bind((own, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return
