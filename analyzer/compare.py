"""The same service from two networks, or on two days: what differs, target by target.

One capture's verdict rests on what else was in it. Two captures ask another question: does this target fail here and
work there? Each target's attempts are held against the other capture's by Fisher's exact test; that says that they
differ, not why, and servers have bad days too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from analyzer.exact import fisher, holm
from analyzer.result import ACCUSING, STATES, Result, Verdict

SURE = 0.05  # one-sided, after Holm over all targets in both


class Difference(NamedTuple):
    """One target in both captures."""

    target: str
    service: str | None
    affected: Verdict | None  # None: not tried there
    control: Verdict | None
    p: float | None  # that it fails more in the first by chance alone, over all targets; None where one was not tried

    @property
    def differs(self) -> bool:
        """It fares worse in the first capture, and not by chance."""
        return self.p is not None and self.p <= SURE

    @property
    def worse(self) -> bool:
        """The first capture says worse of it, however surely."""
        if self.affected is None or self.control is None:
            return False
        return STATES.index(self.affected.state) < STATES.index(self.control.state)


def compare(affected: Result, control: Result) -> list[Difference]:
    """Hold two results against each other; the surest differences first.

    Parameters
    ----------
    affected, control : Result
        Analyses of the capture where it does not work, and of the one where it does.
    """
    mine, theirs = _by_target(affected.answers), _by_target(control.answers)
    known = [target for target in dict.fromkeys([*mine, *theirs]) if _shown(mine.get(target), theirs.get(target))]
    rows = [(target, mine.get(target), theirs.get(target)) for target in known]
    both = [(target, a, c) for target, a, c in rows if a and c and a.attempts and c.attempts]
    chances = holm([fisher(a.failed, a.attempts, c.failed, c.attempts) for _, a, c in both])
    p = {target: chance for (target, *_), chance in zip(both, chances, strict=True)}
    found = [Difference(target, _service(a, c), a, c, p.get(target)) for target, a, c in rows]
    return sorted(found, key=lambda d: (d.p if d.p is not None else 2.0, not d.worse, d.target))


def _by_target(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    return {verdict.target: verdict for verdict in verdicts}


def _shown(a: Verdict | None, c: Verdict | None) -> bool:
    """Known services, and names that something happened to on either side; the rest is nobody's business."""
    return any(v is not None and (v.service or v.state in ACCUSING or v.failed) for v in (a, c))


def _service(*verdicts: Verdict | None) -> str | None:
    return next((v.service for v in verdicts if v is not None and v.service), None)
