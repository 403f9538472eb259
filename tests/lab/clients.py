"""Plays what traffic.py describes, on real sockets of the machine `client`."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.lab import chat, namespace, ports
from tests.lab.calls import Caller
from tests.lab.resolver import AAAA, A, Stub
from tests.lab.tls13 import Browser
from tests.lab.traffic import Activity, Call, Chat, Command, Connect, Dns, Http, Https, Proxied, Quic
from tests.lab.world import CLIENT

_EYEBALLS = 0.25  # seconds; RFC 8305 section 8


class Device:
    """A device with its programs. Failures end an activity, as they would; nothing is tried again unless the activity says so."""

    def __init__(self, resolver: str, hosts: dict[str, str], congestion: str, trusted: Path, seed: int):
        self.congestion = congestion
        self.hosts, self.trusted, self.seed, self.resolver = hosts, trusted, seed, resolver
        self.stubs: dict[str | None, Stub] = {}
        self.open: list[object] = []
        self._play: dict[type, Callable] = {
            Https: self.https, Http: self.http, Dns: self.dns, Quic: self.quic, Chat: self.chat, Call: self.call,
            Connect: self.connect_only, Proxied: self.proxied, Command: lambda activity, _: namespace.ip(activity.line),
        }  # fmt: skip

    def play(self, activities: tuple[Activity, ...]) -> None:
        """Everything side by side, each at its time; returns when all is over."""
        began = time.monotonic()
        threads = [
            threading.Thread(target=self._later, args=(began + each.at + i * each.every, each, number * 1000 + i))
            for number, each in enumerate(activities)
            for i in range(each.times)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _later(self, when: float, activity: Activity, number: int) -> None:
        time.sleep(max(0.0, when - time.monotonic()))
        with contextlib.suppress(OSError, ConnectionError, ValueError, IndexError):
            self._play[type(activity)](activity, random.Random(self.seed + number))

    # -- names and connections -------------------------------------------------------------------------------------
    def stub(self, client: str | None) -> Stub:
        if client not in self.stubs:
            self.stubs[client] = Stub(self.resolver, random.Random(self.seed), client)
        return self.stubs[client]

    def address(self, activity: Activity) -> str:
        if activity.address or activity.name in self.hosts:
            return activity.address or self.hosts[activity.name]
        found = self.stub(activity.client).ask(activity.name, AAAA if activity.v6 else A)
        if not found:
            raise ConnectionError("no address")
        return found[0]

    def connect(self, address: str, port: int, activity: Activity, buffer: int = 0) -> socket.socket:
        connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        if buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, self.congestion.encode())
        port_own = getattr(activity, "source_port", 0)
        if port_own:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            connection.bind((activity.client or CLIENT, port_own))
        else:
            ports.bind(connection, activity.client)
        if getattr(activity, "ttl", 0):
            connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, activity.ttl)
        connection.settimeout(activity.patience)
        try:
            connection.connect((address, port))
        except OSError:
            if activity.close == "reset" and connection.fileno() >= 0:
                _reset(connection)
            connection.close()
            raise
        return connection

    def _race(self, activity: Https) -> socket.socket:
        """IPv6 first; IPv4 when it has not answered in time; the loser is closed."""
        stub, won, lock, first = self.stub(activity.client), threading.Event(), threading.Lock(), []

        def run(kind: int, wait: float) -> None:
            if wait and won.wait(wait):
                return
            with contextlib.suppress(OSError, IndexError):
                connection = self.connect(stub.ask(activity.name, kind)[0], activity.port, activity)
                with lock:
                    if not first:
                        first.append(connection)
                        won.set()
                        return
                _reset(connection)

        threads = [threading.Thread(target=run, args=each, daemon=True) for each in ((AAAA, 0.0), (A, _EYEBALLS))]
        for thread in threads:
            thread.start()
        if not won.wait(activity.patience):
            raise ConnectionError("neither family answers")
        return first[0]

    # -- activities ------------------------------------------------------------------------------------------------
    def https(self, activity: Https, dice: random.Random) -> None:
        if activity.race:
            connection = self._race(activity)
        else:
            connection = self.connect(self.address(activity), activity.port, activity, activity.buffer)
        try:
            tls = self._secure(connection, activity, dice)
            for i in range(activity.requests):
                if i:
                    time.sleep(activity.pause)
                _ask(tls, activity, activity.sni or activity.name)
            if activity.close == "leave":
                self.open.append(tls)
            elif activity.close == "reset":
                _reset(tls if isinstance(tls, ssl.SSLSocket) else connection)
            else:
                tls.close()
        except OSError:
            if activity.close == "reset" and connection.fileno() >= 0:
                _reset(connection)
            connection.close()
            raise

    def _secure(self, connection: socket.socket, activity: Https, dice: random.Random):
        name = activity.name if activity.sni is None else activity.sni
        if activity.hello == "browser":
            return Browser(connection, name, dice, activity.pieces)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.trusted)
        if not activity.trust:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if activity.hello == "tls12":
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            return context.wrap_socket(connection, server_hostname=name or None, suppress_ragged_eofs=True)
        except ValueError:  # names that are no host names
            return context.wrap_socket(connection)

    def http(self, activity: Http, _: random.Random) -> None:
        connection = self.connect(self.address(activity), activity.port, activity)
        with connection:
            head = f"GET {activity.path} HTTP/1.1\r\nHost: {activity.host or activity.name}\r\nAccept: */*\r\nUser-Agent: lab\r\n"
            connection.sendall(head.encode() + b"\r\n")
            _answer(connection, 0)

    def dns(self, activity: Dns, dice: random.Random) -> None:
        stub = Stub(
            activity.resolver or self.resolver, dice, activity.client, activity.tries, min(activity.patience, 2.0)
        )
        for kind in activity.kinds:
            stub.ask(activity.name, kind, fresh=True)

    def quic(self, activity: Quic, dice: random.Random) -> None:
        from tests.lab.quic_client import fetch

        address = self.address(activity)
        done = fetch(address, activity)
        if not done and activity.fall_back:
            self.https(
                Https(activity.name, address=address, hello="browser", down=activity.down, client=activity.client), dice
            )

    def chat(self, activity: Chat, dice: random.Random) -> None:
        connection = self.connect(self.address(activity), activity.port, activity)
        try:
            talk = chat.noise(connection, dice) if activity.protocol == "noise" else chat.obfuscated(connection, dice)
            for i in range(activity.messages):
                talk.ask(activity.up, activity.picture if i == 2 and activity.picture else activity.down)
                time.sleep(activity.idle if activity.idle and i == activity.messages - 2 else activity.pause)
        finally:
            if activity.close == "leave":
                self.open.append(connection)
            elif activity.close == "reset":
                _reset(connection)
            else:
                connection.close()

    def call(self, activity: Call, dice: random.Random) -> None:
        Caller(activity.service, list(activity.relays), dice, activity.client).talk(
            activity.seconds, activity.patience, activity.media
        )

    def proxied(self, activity: Proxied, dice: random.Random) -> None:
        connection = self.connect(activity.proxy, activity.proxy_port, activity)
        connection.sendall(f"CONNECT {activity.name}:443 HTTP/1.1\r\nHost: {activity.name}:443\r\n\r\n".encode())
        if b" 200 " in connection.recv(4096):
            tls = Browser(connection, activity.name, dice)
            _ask(tls, Https(activity.name, down=activity.down), activity.name)
            tls.close()
        connection.close()

    def connect_only(self, activity: Connect, _: random.Random) -> None:
        connection = self.connect(self.address(activity), activity.port, activity)
        time.sleep(activity.linger)
        connection.close()


def _ask(stream, activity: Https, host: str) -> None:
    """One request; the body of the answer is read as fast as the application wants it."""
    pace = f"/{activity.pace[0]}/{activity.pace[1]}" if activity.pace[0] else ""
    method = "POST" if activity.up else "GET"
    head = f"{method} /{activity.down}{pace} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: lab\r\n"
    stream.sendall(head.encode() + (f"Content-Length: {activity.up}\r\n\r\n".encode() if activity.up else b"\r\n"))
    sent = 0
    while sent < activity.up:
        piece = min(16384, activity.up - sent)
        stream.sendall(os.urandom(piece))
        sent += piece
    _answer(stream, activity.read_rate, activity.abort_after)


def _answer(stream, read_rate: int, abort_after: int = 0) -> None:
    """Take in an answer, as long as it says it is."""
    answer, began = b"", time.monotonic()
    while b"\r\n\r\n" not in answer:
        answer += _more(stream)
    head, _, body = answer.lower().partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
    received = len(body)
    while received < length and not 0 < abort_after <= received:
        received += len(_more(stream))
        if read_rate:
            time.sleep(max(0.0, began + received / read_rate - time.monotonic()))


def _more(stream) -> bytes:
    data = stream.recv(16384)
    if not data:
        raise ConnectionError("closed amid an answer")
    return data


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
