"""Many clients at one server, and only the server's capture: networks that are filtered beside networks that are not, and what
else makes the clients of one network fall silent.
"""

from __future__ import annotations

from dataclasses import replace

from tests.lab.actions.payloads import alert
from tests.lab.actions.resets import Headers, Inject, Later, Reset
from tests.lab.actions.stops import Drop, Lose
from tests.lab.middlebox import Delays
from tests.lab.rules import Rule, Together
from tests.lab.scenario import Scenario
from tests.lab.scenarios.common import FAR_BOX, NEAR_BOX, WA, attempts
from tests.lab.traffic import Activity, Chat, Connect, Http, Https, Quic
from tests.lab.trigger import Trigger

_FILTERED = ("198.51.100.23", "198.51.100.77", "198.51.100.150")  # clients of one network
_FREE = ("203.0.113.7", "192.0.2.55", "5.34.112.9", "192.0.2.80")
_NAME = Trigger(sni=(WA,), clients=_FILTERED)
_HOST = Trigger(host=(WA,), clients=_FILTERED)
_PAGE = b"HTTP/1.1 403 Forbidden\r\n\r\n"
_PLAIN = Http(WA, at=0.5, times=3, every=4, patience=7)
_MTPROTO = Chat(address="149.154.167.51", at=0.5, times=3, every=4, messages=4, pause=0.4, patience=7)
_VISIT = attempts(WA, 3, 4, patience=7)
_PATIENCE = 36.0  # seconds after which the servers have given up, closed, and closed again


def _visits(visit: Activity, clients: tuple[str, ...] = (*_FILTERED, *_FREE)) -> tuple[Activity, ...]:
    """What each client does at the server in question, and an ordinary page elsewhere meanwhile."""
    return tuple(
        replace(activity, at=activity.at + 0.17 * i, client=client)
        for i, client in enumerate(clients)
        for activity in (visit, Https("example.org", at=1.4, times=3, every=3, hello="browser"))
    )


def _seen(name: str, about: str, action, visit: Activity = _VISIT, path: Delays = NEAR_BOX,
          trigger: Trigger = _NAME, **more) -> Scenario:  # fmt: skip
    more = {"does": _visits(visit), "vantages": ("server",), "tail": _PATIENCE} | more
    clients = tuple(dict.fromkeys(activity.client for activity in more["does"]))
    rules = (Rule(trigger, action, more.pop("cause", ""), begins=more.pop("begins", 0.0)),) if action else ()
    return Scenario(f"clients-{name}", "clients", about, rules=rules, path=path, clients=clients, **more)


# fmt: off
ALL = [  # a table, one scenario after the other
    _seen("drop", "From the name on, nothing passes", Drop()),
    _seen("drop-one-segment", "The same, the hello in one segment: the server hears nothing of it", Drop(),
        attempts(WA, 3, 4, patience=7, hello="openssl")),
    _seen("drop-up", "Nothing of the client passes, a box at the border", Drop(direction="up"), path=FAR_BOX),
    _seen("drop-down", "The hello passes, nothing of the server does", Drop(direction="down")),
    _seen("drop-http", "By the Host of plain requests", Drop(), _PLAIN, trigger=_HOST),
    _seen("drop-mtproto", "By protocol", Drop(), _MTPROTO, trigger=Trigger(protocol="mtproto", clients=_FILTERED)),
    _seen("drop-two", "Two clients, two attempts each", Drop(), does=(
        *_visits(attempts(WA, 2, 5, patience=7), (*_FILTERED[:2], *_FREE)),)),
    _seen("drop-one", "One client alone: its own device could do the same", Drop(),
        does=(*_visits(_VISIT, (*_FILTERED[:1], *_FREE)),)),
    _seen("delayed", "Six more packets pass", Drop(spare=6, kind="delayed_drop")),
    _seen("delayed-up", "After twelve packets nothing of the client passes",
        Drop(direction="up", spare=12, kind="delayed_drop"), attempts(WA, 3, 4, patience=7, down=60_000)),
    _seen("quic", "By the name in QUIC, once the server has answered", Drop(spare=2, kind="delayed_drop"),
        Quic(WA, at=0.5, times=3, every=4), does=tuple(replace(quic, at=quic.at + 0.17 * i, client=client)
            for i, client in enumerate((*_FILTERED, *_FREE))
            for quic in (Quic(WA, at=0.5, times=3, every=4), Quic("example.org", at=1.4, times=3, every=3)))),
    _seen("drop-skips", "A third is spared", Drop(), trigger=replace(_NAME, chance=0.65)),
    _seen("drop-everybody", "All networks are filtered: nobody to compare with", Drop(), trigger=Trigger(sni=(WA,))),
    _seen("reset", "A reset for both ends", Reset(to="both", headers=Headers(ttl=101, ipid="random")),
        vantages=("client", "server"), tail=1.0),
    _seen("reset-copied", "A reset for the client, every header copied",
        Reset(headers=Headers(ttl="peer", ipid="peer", window=501)), tail=1.0),
    _seen("reset-and-drop", "A reset for the client, the rest is dropped",
        Together(actions=(Reset(headers=Headers(ttl="peer")), Drop()))),
    _seen("page", "A page for the client, a reset for the server", Inject(payload=_PAGE, flags="FPA", kind="blockpage",
        reset_server=True), _PLAIN, trigger=_HOST),
    _seen("page-alone", "The same, and no more", Inject(payload=_PAGE, flags="FPA", kind="blockpage"), _PLAIN,
        trigger=_HOST, tail=1.0),
    _seen("fin", "A close for the client", Inject(flags="FA", kind="fin", headers=Headers(ttl="peer")), tail=1.0),
    _seen("alert", "An alert for the client", Inject(payload=alert(112), kind="tls_alert", headers=Headers(ttl=66)), tail=1.0),
    _seen("reset-server", "A reset for the server alone", Reset(to="server", headers=Headers(ttl=90, ipid="random")), tail=1.0),
    _seen("reset-mtproto", "By protocol, a bare reset for the client", Reset(flags="R", headers=Headers(ttl=71, window=1383)),
        _MTPROTO, trigger=Trigger(protocol="mtproto", clients=_FILTERED), tail=1.0),
    _seen("reset-time", "A reset for both ends, two seconds after the hello",
        Later(Reset(to="both", headers=Headers(ttl=99, ipid="random")), 2.0),
        attempts(WA, 3, 4, down=60_000, pace=(200, 2000)), tail=1.0),
    _seen("address-down", "By address: what the server answers never arrives", Drop(direction="down"), _MTPROTO,
        trigger=Trigger(addresses=("149.154.167.51",), clients=_FILTERED)),
    _seen("left", "The clients of one network leave it at the same moment", Drop(), cause="no_connectivity", begins=6.0,
        trigger=Trigger(clients=_FILTERED), does=_visits(Chat(address="149.154.167.51", at=0.5, messages=20, pause=0.5))),
    _seen("bad-cell", "A radio cell that is deaf for seconds at a time", Lose(bursts=(0.03, 0.05, 0.95)), cause="loss",
        trigger=Trigger(clients=_FILTERED)),
    _seen("unused", "Clients of one network open connections ahead and do not use them; those of others do", None,
        does=(*_visits(Connect(WA, at=0.5, times=3, every=4, linger=20), _FILTERED),
            *_visits(attempts(WA, 3, 4), _FREE))),
    _seen("scanners", "Machines of one network connect everywhere, say nothing and stay", None,
        does=tuple(replace(activity, client=client) for client in _FILTERED
            for activity in (Connect(WA, at=0.5, times=3, every=4, linger=30), Connect("example.org", at=1, times=3, every=4,
                linger=30))) + _visits(attempts(WA, 3, 4), _FREE)),
]
# fmt: on
