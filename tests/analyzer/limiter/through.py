"""Emulated captures on their way through the house: to legs, to findings, to answers."""

from __future__ import annotations

from analyzer.engine import Analysis
from analyzer.limiter.leg import Leg, leg
from analyzer.result import CaptureInfo, Result
from analyzer.signature import Finding, Loaded
from signatures import throttling
from tests.analyzer.limiter.emulated import Network
from tests.conversation import Names


def answer(net: Network, until: float = 60.0) -> Result:
    """What the engine says, with throttling as its only signature."""
    analysis = Analysis(Loaded((throttling,), Names(), "x", "x"))
    analysis.feed(net.run(until))
    return analysis.finish(CaptureInfo("emulated"))


def found(result: Result) -> dict[str, Finding]:
    """The first finding of each rule, by the rule's name."""
    return {finding.rule.id.removeprefix("throttle."): finding for finding in reversed(result.findings)}


def legs(net: Network, up: bool = False, until: float = 60.0) -> list[Leg]:
    """One direction of each TCP flow, in the order of their first packets."""
    analysis, seen = Analysis(Loaded((), Names(), "x", "x")), []
    analysis.feed(net.run(until))
    for done in analysis.tracker.close():
        for i in range(len(done)):
            seen.append((int(done.number[i]), leg(done.series(i), up)))
    return [one for _, one in sorted(seen, key=lambda pair: pair[0])]
