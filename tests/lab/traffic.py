"""What a person's device does in a scenario, declaratively. clients.py plays it on real sockets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Activity:
    """One thing done `times` times from `at` on, `every` so many seconds, each for at most `patience`."""

    name: str = ""
    at: float = 0.2
    times: int = 1
    every: float = 1.0
    patience: float = 8.0
    address: str | None = None  # dial this instead of asking the resolver
    client: str | None = None  # source address
    v6: bool = False


@dataclass(frozen=True)
class Https(Activity):
    """TLS, a request, an answer. hello: `openssl`, `tls12`, or `browser` (post-quantum share and GREASE, two segments)."""

    down: int = 6_000
    up: int = 0
    hello: str = "openssl"
    port: int = 443
    pace: tuple[int, int] = (0, 0)  # milliseconds and bytes of each piece of the answer
    read_rate: int = 0  # bytes a second that the application takes; 0: all at once
    buffer: int = 0  # receive buffer
    requests: int = 1
    pause: float = 0.5  # between requests
    close: str = "fin"  # or "reset", "leave" (open until the end)
    sni: str | None = None  # send this name instead
    resolve: bool = True


@dataclass(frozen=True)
class Http(Activity):
    """Plain HTTP."""

    path: str = "/800"
    port: int = 80
    resolve: bool = True
