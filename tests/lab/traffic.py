"""What a person's device does in a scenario, declaratively. clients.py plays it on real sockets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Activity:
    """One thing done `times` times from `at` on, `every` so many seconds, each step of it waiting for at most `patience`."""

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
    abort_after: int = 0  # the user leaves after so many bytes
    hello: str = "openssl"
    port: int = 443
    pace: tuple[int, int] = (0, 0)  # milliseconds and bytes of each piece of the answer
    read_rate: int = 0  # bytes a second that the application takes; 0: all at once
    buffer: int = 0  # receive buffer
    requests: int = 1
    pause: float = 0.3  # between requests
    close: str = "fin"  # or "reset", "leave" (open until the end)
    sni: str | None = None  # send this name instead; "" for none
    trust: bool = False  # check the certificate, and leave with an alert
    race: bool = False  # happy eyeballs: IPv6, and IPv4 a quarter of a second later (RFC 8305)
    source_port: int = 0
    pieces: int = 0  # the hello is sent in pieces of so many bytes


@dataclass(frozen=True)
class Http(Activity):
    """Plain HTTP."""

    path: str = "/800"
    port: int = 80
    host: str | None = None


@dataclass(frozen=True)
class Dns(Activity):
    """Questions to a resolver, never kept."""

    kinds: tuple[int, ...] = (1,)
    resolver: str = ""
    tries: int = 2


@dataclass(frozen=True)
class Quic(Activity):
    """HTTP/3's transport; over TCP when QUIC does not answer."""

    down: int = 6_000
    version: int = 1  # or 2 (RFC 9369)
    large: bool = False  # a hello in two datagrams, as with a post-quantum share
    fall_back: bool = False
    wait: float = 4.0  # until it gives up
    sni: str | None = None


@dataclass(frozen=True)
class Chat(Activity):
    """A long connection of a messenger: messages both ways, at times a picture."""

    protocol: str = "mtproto"  # or "noise"
    port: int = 443
    messages: int = 10
    pause: float = 1.0
    up: int = 120
    down: int = 160
    picture: int = 0  # bytes fetched after the second message
    idle: float = 0.0  # a pause before the last message
    close: str = "fin"


@dataclass(frozen=True)
class Call(Activity):
    """Call set-up at several relays at once, then media."""

    service: str = "whatsapp"  # telegram, reflector, signal, discord, google
    relays: tuple[str, ...] = ()
    seconds: float = 5.0
    media: bool = True


@dataclass(frozen=True)
class Connect(Activity):
    """A bare TCP connection that says nothing: port scans, reachability checks."""

    port: int = 443
    linger: float = 0.2
    ttl: int = 0  # a traceroute's


@dataclass(frozen=True)
class Proxied(Activity):
    """HTTPS through a proxy (RFC 9110 section 9.3.6)."""

    proxy: str = ""
    proxy_port: int = 3128
    down: int = 6_000


@dataclass(frozen=True)
class Command(Activity):
    """A line for `ip` on the client: an address that changes, a route that goes."""

    line: str = ""
