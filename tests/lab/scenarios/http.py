"""Plain HTTP: block pages, redirects, forged bytes, drops by the Host line."""

from __future__ import annotations

from tests.lab.actions import payloads
from tests.lab.actions.resets import Headers, Inject, Reset
from tests.lab.actions.stops import Drop
from tests.lab.middlebox import Delays
from tests.lab.rules import Action, Rule, Together
from tests.lab.scenario import Scenario
from tests.lab.scenarios.common import FAR_BOX, NEAR_BOX, WA, WA_FRONT, everyday
from tests.lab.traffic import Http
from tests.lab.trigger import Trigger

_BY_HOST = Trigger(host=(WA, "web.telegram.org"))
_VISITS = (
    Http(WA, at=0.5, times=4, every=2.5, patience=8), Http(WA_FRONT, at=1.5, times=4, every=2.5),
    Http("web.telegram.org", at=0.9, times=3, every=3, patience=8),
        Http("example.com", at=1.1, times=3, every=3, path="/9000"),
    Http("example.org", at=2.1, times=3, every=3), *everyday(9),
)  # fmt: skip


def _http(name: str, about: str, action: Action, path: Delays = NEAR_BOX) -> Scenario:
    return Scenario(f"http-{name}", "http", about, _VISITS, (Rule(_BY_HOST, action),), path)


_OWN_HEADERS = Headers(ttl=64, ipid="random", window=512)


def _page(payload: bytes, headers: Headers = _OWN_HEADERS, **more) -> Inject:
    return Inject(headers, payload=payload, kind=more.pop("kind", "blockpage"), **more)


def _in_path(payload: bytes, **more) -> Together:
    return Together(actions=(_page(payload, Headers(ttl="peer", ipid="peer", window=502), **more), Drop()))


# fmt: off
ALL = [  # a table, one scenario after the other
    _http("page-iran", "403 with an iframe, beside the genuine answer",
        _page(payloads.IRAN, flags="PA", reset_after=True)),
    _http("redirect-iran", "301 to 10.10.34.35, TTL mirrored",
        _page(payloads.IRAN_REDIRECT, Headers(ttl="trigger"), flags="FPA")),
    _http("page-russia", "A page of a provider, in one FIN packet", _page(payloads.RUSSIA, flags="FPA")),
    _http("redirect-russia", "302 to a warning page; the server is reset",
        _page(payloads.RUSSIA_REDIRECT, flags="FPA", reset_server=True)),
    _http("page-pakistan", "200 with a known page, at the border", _page(payloads.PAKISTAN, flags="PA"), FAR_BOX),
    _http("page-unknown", "A page that nobody has listed", _page(payloads.UNKNOWN, flags="FPA", reset_server=True)),
    _http("page-copied", "TTL and IP-ID as the server's next packet",
        _page(payloads.UNKNOWN, Headers(ttl="peer", ipid="peer", window=502), flags="PA")),
    _http("page-late", "The page loses the race", _page(payloads.UNKNOWN, flags="PA", after=0.12)),
    _http("airtel", "Page to the client, RST/ACK with IP-ID 242 and window 16 to the server",
        Together(actions=(_page(payloads.UNKNOWN, Headers(ttl=61, ipid=242, window=16), flags="FPA"),
        Reset(to="server", headers=Headers(ttl=61, ipid=242, window=16))))),
    _http("page-in-path", "A known page, nothing genuine follows", _in_path(payloads.IRAN, flags="FPA")),
    _http("page-in-path-unknown", "An unlisted page, nothing genuine follows",
        _in_path(payloads.UNKNOWN, flags="FPA")),
    _http("redirect-in-path", "A known redirect, nothing genuine follows",
        _in_path(payloads.RUSSIA_REDIRECT, flags="PA")),
    _http("redirect-tells", "A redirect to a bare address that is told the site",
        _page(payloads.TELLING_REDIRECT, flags="PA", reset_after=True)),
    _http("redirect-tells-in-path", "The same, nothing genuine follows",
        _in_path(payloads.TELLING_REDIRECT, flags="FPA")),
    _http("fin-page", "A page whose first packet ends the connection, unasked",
        _in_path(payloads.PLAIN, flags="FPA")),
    _http("script", "A script is slipped into the answer", _page(payloads.SCRIPT, kind="forged_data", flags="PA")),
    _http("garbage", "Forged bytes, then a reset", _page(b"\0" * 40, kind="forged_data", flags="PA",
        reset_after=True)),
    _http("fin", "A bare FIN", Inject(Headers(ttl=77, ipid="random"), flags="FA", kind="fin")),
    _http("drop", "From the Host line on nothing passes", Drop()),
    _http("drop-up", "From the Host line on nothing of the client passes", Drop(direction="up")),
    _http("reset-triple", "Three RST/ACK", Reset(steps=(0, 1460, 4380),
        headers=Headers(ttl=88, ipid="random", window=2920, rise=1))),
    _http("reset-both-drop", "RST to both ends, then dropped",
        Together(actions=(Reset(to="both", headers=Headers(ttl=64, ipid=0)), Drop()))),
]
