"""A QUIC client (aioquic) that fetches so many bytes and gives up in time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicProtocolVersion

from tests.lab import ports
from tests.lab.traffic import Quic

_VERSIONS = {1: QuicProtocolVersion.VERSION_1, 2: QuicProtocolVersion.VERSION_2}
_KEY_SHARE_LIKE = (
    0x2A2A  # a GREASE extension as large as a post-quantum key share, so that the hello takes two datagrams
)


def fetch(address: str, activity: Quic) -> bool:
    """Whether all bytes came in time."""
    return asyncio.run(_fetch(address, activity))


async def _fetch(address: str, activity: Quic) -> bool:
    version = _VERSIONS[activity.version]
    configuration = QuicConfiguration(
        is_client=True, alpn_protocols=["h3"], verify_mode=ssl.CERT_NONE, server_name=activity.sni or activity.name,
        supported_versions=[version], original_version=version, idle_timeout=activity.wait + 2,
    )  # fmt: skip
    connection = QuicConnection(configuration=configuration)
    if activity.large:
        _make_large(connection)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    carrier = socket.socket(family, socket.SOCK_DGRAM)
    ports.bind(carrier, activity.client)
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(lambda: _Fetcher(connection), sock=carrier)
    protocol.connect((address, 443))
    done = False
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(activity.wait):
            await protocol.wait_connected()
        async with asyncio.timeout(activity.patience):
            reader, writer = await protocol.create_stream()
            writer.write(f"GET /{activity.down} \r\n".encode())
            writer.write_eof()
            received = 0
            while data := await reader.read(65536):
                received += len(data)
            done = received >= activity.down
    protocol.close()
    await asyncio.sleep(0.3)
    return done


class _Fetcher(QuicConnectionProtocol):
    def error_received(self, exc: Exception) -> None:
        """ICMP errors: QUIC goes on (RFC 9000 section 14.2.1)."""


def _make_large(connection: QuicConnection) -> None:
    start = connection._initialize

    def initialize(*arguments, **named):
        start(*arguments, **named)
        connection.tls.handshake_extensions.append((_KEY_SHARE_LIKE, os.urandom(1216)))

    connection._initialize = initialize
