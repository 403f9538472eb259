"""Real servers over kernel TCP: OpenSSL, HTTP, and chat protocols that are not TLS.

All sites stand in one namespace. What a site does is decided by the address that was dialled and the name that was asked for;
`behaviour` gives it one of the ordinary faults below, so that the faults come from a real program on a real stack.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.lab.actions.payloads import PORTAL, page, redirect
from tests.lab.authority import Authority, configured
from tests.lab.chat import serve_chat
from tests.lab.names import tls_name
from tests.lab.world import INTERCEPTOR, PROXY, Site

CHAT_PORTS, HTTP, HTTPS = (5222, 4244), 80, 443
DOT, PROXY_PORT = 853, 3128
_CHUNK = 16384
_OWN_PAGES = {  # what sites say of themselves
    "forbidden": page("<html><body><h1>403 Forbidden</h1>Your country is not served.</body></html>"),
    "legal": page("<html><body>Unavailable For Legal Reasons</body></html>", "451 Unavailable For Legal Reasons"),
    "moved": redirect("https://www.example.org/", "301 Moved Permanently"),
    "portal": PORTAL,
}
_PATIENCE = 30.0


class Servers:
    """Listens on every port of every site that is up; writes down whom it met, and what it did to them."""

    def __init__(self, sites: dict[str, Site], congestion: str, folder: Path, log: Path):
        self.congestion = congestion
        self.by_address = {address: site for site in sites.values() for address in site.addresses}
        issuers = sorted({site.issuer for site in sites.values()} | {INTERCEPTOR})
        self.authorities = {issuer: Authority(folder / "ca" / str(i), issuer) for i, issuer in enumerate(issuers)}
        self.trusted = folder / "ca" / "trusted.crt"
        roots = (each.root.read_bytes() for issuer, each in self.authorities.items() if issuer != INTERCEPTOR)
        self.trusted.write_bytes(b"".join(roots))
        self._visits: Counter[str | None] = Counter()
        self._log, self._lock = open(log, "w", buffering=1), threading.Lock()  # noqa: SIM115  (lives as long as the process)

    def listen(self) -> None:
        """Start the listeners: one thread accepts, each connection has its own."""
        handlers: dict[int, Callable] = {
            PROXY_PORT: self._proxy,
            HTTPS: self._secure,
            DOT: self._secure,
            HTTP: _plain,
            **dict.fromkeys(CHAT_PORTS, serve_chat),
        }
        waiting = selectors.DefaultSelector()
        for address, site in self.by_address.items():
            for port, handler in handlers.items():
                if site.up and port not in site.closed and (port != PROXY_PORT or address == PROXY):
                    listener = socket.create_server((address, port), family=_family(address), backlog=site.backlog)
                    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, self.congestion.encode())
                    waiting.register(listener, selectors.EVENT_READ, (handler, site))
        threading.Thread(target=self._accept, args=(waiting,), daemon=True).start()

    def _accept(self, waiting: selectors.BaseSelector) -> None:
        while True:
            for key, _ in waiting.select():
                handler, site = key.data
                if site.behaviour == "backlog":  # an overloaded program that accepts nobody
                    waiting.unregister(key.fileobj)
                    continue
                connection, peer = key.fileobj.accept()
                connection.settimeout(_PATIENCE)
                threading.Thread(target=self._serve, args=(handler, connection, site, peer), daemon=True).start()

    def _serve(self, handler: Callable, connection: socket.socket, site: Site, peer: tuple) -> None:
        self.note(peer, connection.getsockname(), site.behaviour)
        # clients vanish, reset and speak nonsense: that ends a connection, not the server
        with contextlib.suppress(OSError, ValueError), contextlib.closing(connection):
            handler(connection, site)

    def note(self, peer: tuple, own: tuple, did: str) -> None:
        with self._lock:
            self._log.write(json.dumps({"client": peer[:2], "server": own[:2], "did": did}) + "\n")

    def _secure(self, connection: socket.socket, site: Site) -> None:
        """Port 443: TLS, unless the first bytes are another protocol's."""
        if site.behaviour == "silent":
            time.sleep(_PATIENCE)
            return
        first = connection.recv(5, socket.MSG_PEEK)
        if first[:3] != b"\x16\3\1":
            serve_chat(connection, site)
            return
        if site.behaviour == "one_segment_hello" and struct.unpack("!H", first[3:5])[0] > 1400:
            _abort(connection)  # the hello is longer than what it can take
            return
        if site.behaviour == "one_segment_silent" and struct.unpack("!H", first[3:5])[0] > 1400:
            time.sleep(_PATIENCE)
            return
        if site.behaviour == "refuse_unknown_reset" and _asked(connection) not in site.names:
            _abort(connection)
            return
        if site.behaviour == "stuck":
            time.sleep(_PATIENCE)
            return
        self._tls(connection, site)

    def _proxy(self, connection: socket.socket, site: Site) -> None:
        """CONNECT: the site asked for answers from here."""
        asked = connection.recv(4096).split(b" ")[1].decode().partition(":")[0]
        target = next((each for each in self.by_address.values() if asked in each.names), None)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" if target else b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        if target:
            self._tls(connection, target)

    def _tls(self, connection: socket.socket, site: Site) -> None:
        chosen: dict[str, str] = {}
        ends = connection.getpeername(), connection.getsockname()

        def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
            chosen["name"] = name or site.name
            if site.behaviour == "refuse_unknown_alert" and name not in site.names:
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            self._visits[name] += 1
            intercepted = name in site.intercepted and self._visits[name] % site.intercepts_every == 0
            if intercepted:
                self.note(*ends, "intercepted")
            issuer = self.authorities[INTERCEPTOR if intercepted else site.issuer]
            tls.context = issuer.context(chosen["name"], site.behaviour == "expired")
            return None

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.authorities[site.issuer].chain(site.name))
        configured(context).sni_callback = choose
        with context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=True) as tls:
            _http(tls, site)


def _asked(connection: socket.socket) -> str | None:
    """The name in the hello, without taking it from the socket."""
    for _ in range(100):
        name = tls_name(connection.recv(4096, socket.MSG_PEEK))
        if name:
            return name
        time.sleep(0.01)
    return None


def _http(stream: socket.socket, site: Site) -> None:
    """Answer requests until the client is done: GET /N gives N bytes, POST /N takes what comes and gives N bytes back.

    `/N/R/C` paces the answer: C bytes every R milliseconds, as a live stream or a slow database would.
    """
    while True:
        head = b""
        while b"\r\n\r\n" not in head:
            data = stream.recv(_CHUNK)
            if not data:
                return
            head += data
        head, _, body = head.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if (
            site.behaviour == "unread"
        ):  # answers and leaves without reading the rest: the kernel resets (RFC 9293 section 3.6.1)
            stream.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            stream.close()
            return
        received = len(body)
        while received < length:
            data = stream.recv(min(_CHUNK, length - received))
            if not data:
                return
            received += len(data)
        if not _reply(stream, head.split(b" ")[1], site):
            return


def _reply(stream: socket.socket, path: bytes, site: Site) -> bool:
    """One answer; False when the connection is over with it."""
    parts = [int(part) for part in path.strip(b"/").split(b"/") if part.isdigit()]
    size, every, chunk = [*parts, 0, 0, 0][:3] if parts else (500, 0, 0)
    if site.behaviour == "slow":
        time.sleep(4)
    if site.behaviour in _OWN_PAGES:
        stream.sendall(_OWN_PAGES[site.behaviour])
        return False
    status = "204 No Content" if path == b"/generate_204" else "200 OK"
    size = 0 if path == b"/generate_204" else size
    stream.sendall(
        f"HTTP/1.1 {status}\r\nServer: lab\r\nContent-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n".encode()
    )
    sent = 0
    while sent < size:
        step = min(chunk or _CHUNK, size - sent)
        stream.sendall(os.urandom(step))
        sent += step
        if every:
            time.sleep(every / 1000)
        if (site.behaviour == "crash" and sent >= 60_000) or (site.behaviour == "stall" and sent >= 30_000):
            time.sleep(_PATIENCE if site.behaviour == "stall" else 0)
            _abort(stream)
            return False
    if site.behaviour == "linger":  # close by reset, as some load balancers save TIME_WAIT
        time.sleep(0.2)
        _abort(stream)
        return False
    return site.behaviour != "once"


def _abort(connection: socket.socket) -> None:
    """Reset instead of FIN (SO_LINGER 0)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())


def _plain(connection: socket.socket, site: Site) -> None:
    if site.behaviour in ("silent", "stuck"):
        time.sleep(_PATIENCE)
    _http(connection, site)


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
