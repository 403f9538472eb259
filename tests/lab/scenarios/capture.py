"""Captures that are not perfect: over traffic where nothing is wrong, and over traffic that is interfered with."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.actions.limits import Police
from tests.lab.actions.resets import Headers, Reset
from tests.lab.actions.stops import Drop
from tests.lab.defects import Defect
from tests.lab.rules import Action, Rule
from tests.lab.scenario import Scenario
from tests.lab.scenarios.common import NEAR_BOX, WA, WA_FRONT, everyday, interleaved
from tests.lab.scenarios.path import MIX
from tests.lab.scenarios.throttle import MEDIA, downloads
from tests.lab.topology import Topology
from tests.lab.trigger import Trigger

_DEFECTS = (
    ("loss-1", "one packet in a hundred lost", Defect("lossy", 0.01)),
    ("loss-10", "one packet in ten lost", Defect("lossy", 0.10)),
    ("gap", "everything lost for a second and a half", Defect("bursty", 1.5)),
    ("snaplen-96", "96 bytes of each packet", Defect("snaplen", 96)),
    ("snaplen-60", "60 bytes of each packet", Defect("snaplen", 60)),
    ("up-only", "only what the client sent", Defect("one_way", 1)),
    ("down-only", "only what the servers sent", Defect("one_way", 0)),
    ("late", "begun three seconds late", Defect("late", 3.0)),
    ("early", "stopped halfway", Defect("early", 0.5)),
    ("mirrored", "every packet twice", Defect("mirrored", 40)),
    ("clock-back", "the clock set back by two minutes", Defect("stepped", -120)),
    ("clock-ahead", "the clock set ahead by an hour and a half", Defect("stepped", 5400)),
    ("shuffled", "merged queues: neighbours in the wrong order", Defect("shuffled", 800)),
    ("no-dns", "filtered: no DNS", Defect("without_dns")),
    ("only-443", "filtered: port 443 only", Defect("port_443")),
)


def _spoiled(scenario: Scenario, suffix: str, about: str, defect: Defect) -> Scenario:
    return replace(
        scenario,
        name=f"{scenario.name}-{suffix}",
        about=f"{scenario.about}; {about}",
        client_defects=(defect,),
        server_defects=(defect,),
    )


def _with_rule(name: str, about: str, action: Action, trigger: Trigger, does) -> Scenario:
    return Scenario(f"capture-{name}", "capture", about, does, (Rule(trigger, action),), NEAR_BOX)


_BENIGN = Scenario("capture-benign", "capture", "Nothing is wrong", MIX, path=NEAR_BOX)
_RESET = _with_rule(
    "reset",
    "Resets by name",
    Reset(steps=(0, 1460, 4380), headers=Headers(ttl=88, ipid="random", window=2920, rise=1)),
    Trigger(sni=(WA,)),
    (*interleaved(WA, WA_FRONT), *everyday()),
)
_DROP = _with_rule(
    "drop",
    "Drops by name",
    Drop(),
    Trigger(sni=(WA,)),
    (*interleaved(WA, WA_FRONT, times=4, every=4, patience=9), *everyday(18)),
)
_POLICE = _with_rule(
    "police",
    "Policed to 256 kbit/s",
    Police(kbps=256, bucket=30_000, direction="down"),
    Trigger(sni=("googlevideo.com",)),
    (downloads(MEDIA, 450_000, 2), downloads("github.com", 500_000, 2, 5, 2.0), *everyday(12)),
)
_OFFLOADS = Topology(client_offloads=True)

# fmt: off
ALL = [  # a table, one scenario after the other
    *(_spoiled(_BENIGN, *each) for each in _DEFECTS),
    *(_spoiled(scenario, *each) for scenario in (_RESET, _DROP) for each in _DEFECTS if each[0] in ("loss-1",
        "snaplen-96", "down-only", "late", "mirrored", "shuffled", "no-dns")),
    *(_spoiled(_POLICE, *each) for each in _DEFECTS if each[0] in ("loss-1", "snaplen-96", "late", "mirrored")),
    replace(_BENIGN, name="capture-benign-offloads", about="Nothing is wrong; segments of 64 kB, no checksums",
        topology=_OFFLOADS),
    replace(_RESET, name="capture-reset-offloads", about="Resets by name; segments of 64 kB, no checksums",
        topology=_OFFLOADS),
    replace(_POLICE, name="capture-police-offloads", about="Policed; segments of 64 kB, no checksums",
        topology=_OFFLOADS),
    replace(_RESET, name="capture-reset-phone", about="Resets by name; as a phone's capture app shows it",
        phone=True),
    replace(_DROP, name="capture-drop-phone", about="Drops by name; as a phone's capture app shows it", phone=True),
    replace(_POLICE, name="capture-police-phone", about="Policed; as a phone's capture app shows it", phone=True),
]
