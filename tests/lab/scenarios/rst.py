"""Forged resets: what is sent, when, to whom, with whose headers; fields are those of real injectors."""

from __future__ import annotations

from tests.lab.actions.answers import ForgeSynAck, RewriteToReset
from tests.lab.actions.resets import Headers, Later, Reset
from tests.lab.actions.stops import Drop
from tests.lab.middlebox import Delays
from tests.lab.rules import Action, Residual, Rule, Together
from tests.lab.scenario import CLIENT6, Scenario
from tests.lab.scenarios.common import FAR_BOX, LONG, NEAR_BOX, SHORT, TG, WA, WA_FRONT, attempts, everyday, interleaved
from tests.lab.traffic import Chat, Http
from tests.lab.trigger import Trigger

BY_NAME = Trigger(sni=(WA,))
_FILTERED = ("198.51.100.23", "198.51.100.77", "198.51.100.150")  # clients of one network
_FREE = ("203.0.113.7", "192.0.2.55", "5.34.112.9")
_TYPE1 = Reset(flags="R", headers=Headers(ttl=71, ipid="random", window=1383, df=False))
_TYPE2_HEADERS = Headers(ttl=88, ipid="random", window=2920, rise=1)
_COPIED = Headers(ttl="peer", ipid="peer", window=501)


def _named(name: str, about: str, action: Action, path: Delays = NEAR_BOX, residual: Residual | None = None,
           afterwards: Action | None = None, trigger: Trigger = BY_NAME, **more) -> Scenario:  # fmt: skip
    """Attempts at a filtered name between attempts at another name of the same address, ordinary browsing beside it."""
    more.setdefault("does", (*interleaved(WA, WA_FRONT), *everyday()))
    return Scenario(
        f"rst-{name}",
        "rst",
        about,
        rules=(Rule(trigger, action, residual=residual, afterwards=afterwards),),
        path=path,
        **more,
    )


# fmt: off
ALL = [  # a table, one scenario after the other
    _named("bare", "One bare RST, TTL and window of its own (GFW type 1)", _TYPE1),
    _named("bare-border", "The same from a box at the border", _TYPE1, FAR_BOX),
    _named("bare-short", "The same on a short path, where timing tells little", _TYPE1, SHORT),
    _named("bare-long", "The same on a long path", _TYPE1, LONG),
    _named("ack", "One RST/ACK, TTL of its own", Reset(headers=Headers(ttl=101, ipid="random", window=64))),
    _named("ack-border", "The same from the border: later than half of the way, sooner than the server",
        Reset(headers=Headers(ttl="peer", ipid="peer", window=0)), FAR_BOX,
        does=(*interleaved(WA, WA_FRONT, hello="openssl"), *everyday())),
    _named("triple-2017", "Three RST/ACK at seq, +1460, +4380 (GFW type 2, IMC 2017)",
        Reset(steps=(0, 1460, 4380), headers=_TYPE2_HEADERS)),
    _named("triple-2023", "Three RST/ACK at one seq, TTL and window rising (net4people 285)",
        Reset(steps=(0, 0, 0), headers=_TYPE2_HEADERS)),
    _named("types-1-and-2", "A bare RST and three RST/ACK", Reset(flags="R,RA,RA,RA", steps=(0, 0, 1460, 4380),
        headers=_TYPE2_HEADERS)),
    _named("both-ends", "To both ends at once", Reset(to="both", headers=Headers(ttl=120, ipid="random"))),
    _named("server-only", "Only the server is told", Reset(to="server", headers=Headers(ttl=55, ipid="random"))),
    _named("iran", "RST/ACK with six zero bytes, TTL mirrored (net4people 98)",
        Reset(headers=Headers(ttl="trigger"), payload=bytes(6))),
    _named("henan", "One RST/ACK with the bytes 1 to 9 and 0 (S&P 2025)",
        Reset(headers=Headers(ttl=53, window=200), payload=bytes([*range(1, 10), 0]))),
    _named("sandvine", "IP-ID 13330, window 32120 (Citizen Lab 2018)",
        Reset(headers=Headers(ttl=64, ipid=13330, window=32120, df=False))),
    _named("turkmenistan", "Bare, IP-ID 30000, TTL 128, no DF, to both ends (WWW 2023)",
        Reset(to="both", flags="R", headers=Headers(ttl=128, ipid=30000, df=False))),
    _named("airtel-tls", "IP-ID 242, window 16", Reset(headers=Headers(ttl=61, ipid=242, window=16))),
    _named("copied-headers", "TTL and IP-ID as the server's next packet: only order and timing tell",
        Reset(headers=_COPIED)),
    _named("copied-bare", "The same, bare", Reset(flags="R", headers=Headers(ttl="peer", ipid="peer"))),
    _named("copied-trigger", "TTL, IP-ID and window of the hello",
        Reset(headers=Headers(ttl="trigger", ipid="trigger", window="trigger"))),
    _named("copied-trigger-small", "The same, the hello in one segment",
        Reset(headers=Headers(ttl="trigger", ipid="trigger", window="trigger")),
        does=(*interleaved(WA, WA_FRONT, hello="openssl"), *everyday())),
    _named("ack-beyond", "Three RST/ACKs that acknowledge what nobody sent (NDSS 2009)",
        Reset(steps=(0, 0, 0), ack_beyond=1460, headers=Headers(ttl=97, ipid="random"))),
    _named("burst-5", "Five alike", Reset(flags="R", steps=(0,) * 5, headers=Headers(ttl=47, ipid=0))),
    _named("p2p-12503", "Two bare RSTs, the second 12503 further (Sandvine 2006)",
        Reset(flags="R", steps=(0, 12503), headers=Headers(ttl=60, ipid=4711, window=10240))),
    _named("every-packet", "Every packet of the client is answered for a while",
        Reset(each_time=6, headers=Headers(ttl=77, ipid="random"))),
    _named("off-sequence", "In the window, not at the next byte: challenged, then life goes on (RFC 5961)",
        Reset(flags="R", steps=(700,), headers=Headers(ttl=44))),
    _named("tsval-off", "With timestamps far off the server's clock, which the client ignores (net4people 442)",
        Reset(headers=Headers(ttl=59, ipid="random", tsval_off=90_000_000))),
    _named("bad-checksum", "With a wrong checksum: the client ignores it",
        Reset(headers=Headers(ttl=59, bad_checksum=True))),
    _named("late", "Race lost: 110 ms after the hello, the answer came first",
        Reset(after=0.110, headers=Headers(ttl=70, ipid="random"))),
    _named("after-hello", "Provoked by the server's answer, after the ServerHello",
        Reset(on_server=True, headers=Headers(ttl=70, ipid="random"))),
    _named("skips", "A third of the connections is spared", _TYPE1, trigger=Trigger(sni=(WA,), chance=0.65),
        does=(*interleaved(WA, WA_FRONT, times=7, every=1.4), *everyday())),
    _named("jitter", "On a path with jitter", _TYPE1, Delays(0.008, 0.032, jitter=0.004)),
    _named("reordering", "On a path that reorders", Reset(steps=(0, 0, 0), headers=_TYPE2_HEADERS),
        Delays(0.008, 0.032, jitter=0.003, reorders=True)),
    _named("and-drop", "RST to the client, and the flow is dropped both ways",
        Together(actions=(Reset(headers=Headers(ttl="peer", ipid="peer", window=0)), Drop()))),
    _named("both-and-drop", "RST to both ends, then dropped",
        Together(actions=(Reset(to="both", headers=Headers(ttl=64, ipid=0)), Drop()))),
    _named("and-drop-up", "RST to the client, its further packets dropped",
        Together(actions=(Reset(headers=Headers(ttl=62, ipid="random")), Drop(direction="up")))),
    _named("rewritten", "The server's packets become RST/ACKs (TSPU SNI-I, IMC 2022)", RewriteToReset()),
    _named("rewritten-far", "The same, box far from the client", RewriteToReset(), FAR_BOX),
    _named("residual-3", "GFW: for 8 s every connection to the address and port is reset", _TYPE1,
        residual=Residual(8), does=(*interleaved(WA, WA_FRONT, times=3, every=10), *everyday(24))),
    _named("residual-synack", "GFW residual: SYNs meet forged SYN/ACKs (IMC 2017)", _TYPE1, residual=Residual(8),
        afterwards=ForgeSynAck(wrong_ack=True, hops=90), does=(*interleaved(WA, WA_FRONT, times=3, every=10),
        *everyday(24))),
    _named("residual-drop", "Residual by dropping", _TYPE1, residual=Residual(8), afterwards=Drop(direction="up"),
        does=(*interleaved(WA, WA_FRONT, times=3, every=11), *everyday(28))),
    _named("http-host", "By the Host line, bare RST", _TYPE1, trigger=Trigger(host=(WA,)),
        does=(Http(WA, at=0.5, times=4, every=2), Http(WA_FRONT, at=1.5, times=4, every=2), *everyday())),
    _named("noise", "By protocol: WhatsApp's first bytes", _TYPE1, trigger=Trigger(protocol="noise"),
        does=(Chat("g.whatsapp.net", at=0.5, times=3, every=3, protocol="noise", messages=4, port=5222),
        Chat("g.whatsapp.net", at=1.5, times=2, every=3, protocol="noise", port=443, messages=4), *everyday(10))),
    _named("mtproto", "By protocol: random-looking first bytes", Reset(headers=_TYPE2_HEADERS),
        trigger=Trigger(protocol="mtproto", prefixes=("149.154.160.0/20", "91.108.0.0/16")),
        does=(Chat(address="149.154.167.51", at=0.5, times=4, every=2.5, messages=4),
        Chat(address="91.108.56.130", at=1.2, times=2, every=4, messages=4), *everyday(10))),
    _named("volume", "After 40 kB", Reset(to="both", headers=Headers(ttl=64, ipid="random")),
        trigger=Trigger(sni=(WA,), down_bytes=40_000), does=(*interleaved(WA, WA_FRONT, down=300_000), *everyday())),
    _named("time", "Four seconds after the hello", Later(Reset(to="both", headers=Headers(ttl=99, ipid="random")),
        4.0), does=(attempts(WA, 3, 3, down=60_000, pace=(200, 2000)),
        attempts(WA_FRONT, 3, 3, at=1.7, down=60_000, pace=(200, 2000)), *everyday(12))),
    _named("ipv6", "Over IPv6", Reset(headers=Headers(ttl=101)),
        does=(attempts(WA, v6=True), attempts(WA_FRONT, at=1.5, address="2a03:2880:f2ff:c5:face:b00c:0:167"),
        *everyday())),
    _named("one-segment", "The hello in one segment (OpenSSL)", _TYPE1,
        does=(*interleaved(WA, WA_FRONT, hello="openssl"), *everyday(hello="openssl"))),
    _named("pieces", "The hello in small pieces", _TYPE1, does=(*interleaved(WA, WA_FRONT, pieces=300), *everyday())),
    _named("one-attempt", "A single attempt, control at other addresses only", _TYPE1,
        does=(attempts(WA, 1), *everyday())),
    _named("telegram-web", "Another service's name", Reset(to="both", headers=Headers(ttl=121, ipid="random")),
        trigger=Trigger(sni=(TG,)), does=(*interleaved(TG, "t.me"), *everyday())),
    _named("many-clients", "Seen from the server: some networks are filtered, others not", _TYPE1,
        trigger=Trigger(sni=(WA,), clients=_FILTERED), clients=(*_FILTERED, *_FREE, CLIENT6),
        does=tuple(attempts(WA, 3, 2, at=0.3 + i * 0.2, client=client) for i,
            client in enumerate((*_FILTERED, *_FREE)))),
    _named("two-clients", "The same, a network of each kind and few attempts", _TYPE1,
        trigger=Trigger(sni=(WA,), clients=_FILTERED[:1]), clients=(_FILTERED[0], _FREE[0], CLIENT6),
        does=(attempts(WA, 3, 2, client=_FILTERED[0]), attempts(WA, 4, 2, at=0.9, client=_FREE[0]))),
]
