"""Connections that a reset ends, for the tests of `signatures.rst_injection`."""

from analyzer.signature import Loaded
from signatures import rst_injection
from tests.conversation import Conversation, Names, analyze

NAME, PHONE = "web.whatsapp.com", "10.215.173.1"
LOADED = Loaded((rst_injection,), Names(), "test", "2026-09-01")
RECORD = b"\x17\3\3\0\x40" + bytes(64)


def fired(*talks):
    """{rule: finding}, without the prefix that all rules share."""
    found = {f.rule.id: f for f in analyze(*talks, loaded=LOADED).findings}
    return {rule.removeprefix("rst."): finding for rule, finding in found.items()}


def asked(rtt=80.0, **more):
    """Frames 1 to 4: a handshake and a hello, as the client's end sees them."""
    return Conversation(NAME, rtt=rtt, **more).open().hello()


def at_server(hello=True, **more):
    """The same at the server: what it says takes no time, what the client says 180 ms."""
    talk = Conversation(NAME, rtt=0.1, ttl=44, server_ttl=64, **more)
    talk.up("S", after=0).down("SA", after=0.05).up(after=180)
    return talk.hello() if hello else talk


def known(rtt=80.0, start=-60_000.0, **more):
    """Two earlier connections to the same address: its distance and its round trips."""
    return [Conversation("cdn.example.net", rtt=rtt, at=start + 9000 * n, **more).works() for n in range(2)]


def proof(finding):
    return [(w.frame, w.role) for w in finding.witnesses]
