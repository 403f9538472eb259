"""UDP services: resolvers, relays and reflectors in one loop; QUIC by aioquic in another."""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import socket
import threading

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent, StreamDataReceived

from tests.lab import calls, resolver
from tests.lab.authority import Authority
from tests.lab.world import RESOLVERS, Site

_CALL_PORTS = (3478, 19302, 1400, 597, 50004)


def listen(sites: dict[str, Site], zones: dict[str, resolver.Zone], authorities: dict[str, Authority]) -> None:
    """Start both loops; returns once QUIC listens."""
    waiting = selectors.DefaultSelector()
    for address in RESOLVERS:
        zone = zones.get(address, zones.get("*", resolver.Zone()))
        _open(waiting, address, 53, lambda message, _, zone=zone: resolver.answer(message, sites, zone))
    for site in sites.values():
        for address in site.addresses if site.up and site.relay else ():
            for port in set(_CALL_PORTS) - set(site.closed):
                _open(waiting, address, port, lambda message, peer, port=port: calls.reply(message, port, peer))
    threading.Thread(target=_answer, args=(waiting,), daemon=True).start()
    ready = threading.Event()
    threading.Thread(target=lambda: asyncio.run(_quic(sites, authorities, ready)), daemon=True).start()
    ready.wait(20)


def _open(waiting: selectors.BaseSelector, address: str, port: int, answer) -> None:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind((address, port))
    waiting.register(listener, selectors.EVENT_READ, answer)


def _answer(waiting: selectors.BaseSelector) -> None:
    while True:
        for key, _ in waiting.select():
            with contextlib.suppress(OSError):
                message, peer = key.fileobj.recvfrom(4096)
                reply = key.data(message, peer)
                if reply:
                    key.fileobj.sendto(reply, peer)


class _Download(QuicConnectionProtocol):
    """Answers `GET /N` on a stream with N bytes."""

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, StreamDataReceived) and event.end_stream:
            size = int(event.data.split(b"/")[1].split()[0])
            self._quic.send_stream_data(event.stream_id, os.urandom(size), end_stream=True)
            self.transmit()


async def _quic(sites: dict[str, Site], authorities: dict[str, Authority], ready: threading.Event) -> None:
    for site in sites.values():
        for address in site.addresses if site.up and site.h3 and 443 not in site.closed else ():
            configuration = QuicConfiguration(is_client=False, alpn_protocols=["h3"])
            configuration.load_cert_chain(*authorities[site.issuer].chain(site.name))
            await serve(address, 443, configuration=configuration, create_protocol=_Download)
    ready.set()
    await asyncio.Event().wait()
