"""The whole capture as a timeline: services and roles as rows, conversations as bars."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np

from analyzer.plot import timeline as plot
from analyzer.report import overview, sentences
from analyzer.report.moments import clock
from analyzer.report.pictures.twice import Twice, tail
from analyzer.report.words import N_, Words
from analyzer.result import ACCUSING, Named, Result, Verdict
from analyzer.tables import Table

MOST_ROWS = 26
MOST_BARS = 2000  # per row: more would touch on any paper
GROUP, NAME = 20, 20  # characters of the names of a service and of a role that fit beside a row
FORGED = ("rst", "fin", "forged_data", "forged_dns", "nxdomain", "blockpage", "forged_synack", "tls_alert", "tls_mitm",
          "icmp_reject")  # fmt: skip
SLOW = ("throttled", "likely_throttled")


def timeline(result: Result, words: Words, *, relative: bool = True) -> Twice | None:
    """None where nothing can be placed in time.

    Parameters
    ----------
    relative : bool
        Times since the capture's start; otherwise times of the day (UTC).
    """
    flows, capture = result.flow_table, result.capture
    if flows is None or not len(flows) or capture.start is None or capture.end is None:
        return None
    rows = list(_rows(result, flows, words))
    if not rows:
        return None
    start = capture.start
    spec = plot.Timeline(
        rows[:MOST_ROWS],
        (capture.end - start) / 1e9,
        lambda seconds: since(seconds) if relative else clock(start + round(seconds * 1e9)),
        words.say(N_("When each service was used, and when it was interfered with")),
        list(_onsets(result, words, relative)),
    )
    return Twice(plot.draw(spec, plot.WIDE), plot.draw(spec, plot.NARROW))


def since(seconds: float) -> str:
    """Time since the start, as a stopwatch shows it."""
    minutes, rest = divmod(seconds, 60)
    return f"+{minutes:.0f}:{rest:02.0f}" if rest == int(rest) else f"+{minutes:.0f}:{rest:06.3f}".rstrip("0")


def _rows(result: Result, flows: Table, words: Words) -> Iterable[plot.Row]:
    start = result.capture.start or 0
    by_target: dict[str, np.ndarray] = {}
    controls = {c.target for verdict in result.answers if verdict.state in ACCUSING for c in verdict.controls}
    for line in overview.services(result):
        group = line.name
        for verdict in line.verdicts:
            at = by_target.setdefault(verdict.target, np.flatnonzero(flows.target == verdict.target))
            affected = {key.flow: named for named in verdict.methods for key in named.flows}
            extra = np.flatnonzero(np.isin(flows.flow, list(affected)))
            at = np.union1d(at, extra)[:MOST_BARS]
            if not len(at):
                continue
            bars, marks = [], []
            for flow in flows[at].rows():
                look = _look(verdict, flow.flow in affected, verdict.target in controls)
                bars.append(plot.Bar((flow.start - start) / 1e9, (flow.end - start) / 1e9, look))
                if flow.flow in affected and verdict.state not in SLOW:
                    marks.append(_mark(flow, affected[flow.flow], start))
            own = None if verdict.target == f"{verdict.service}/{verdict.role}" else verdict.target
            name = sentences.role(verdict.role, words) or (tail(own, NAME) if verdict.service and own else "")
            look = "slow" if verdict.state in SLOW else "bad" if verdict.state in ACCUSING else ""
            known = line.verdicts[0].service is not None
            yield plot.Row(_start(group) if known or not group else tail(group, GROUP), name, bars, marks, look)
            group = ""


def _look(verdict: Verdict, affected: bool, control: bool) -> str:
    if affected:
        return "slow" if verdict.state in SLOW else "bad"
    if verdict.state == "insufficient":
        return "unsure"
    return "control" if control else ""


def _mark(flow: SimpleNamespace, named: Named, start: int) -> plot.Mark:
    forged = named.method.action in FORGED
    at = flow.rst_at if forged and flow.rst_at >= 0 else flow.first_up_data if flow.first_up_data >= 0 else flow.start
    return plot.Mark((at - start) / 1e9, "forged" if forged else "lost")


def _onsets(result: Result, words: Words, relative: bool) -> Iterable[tuple[float, str]]:
    start = result.capture.start or 0
    for verdict in result.shown():
        for named in verdict.methods:
            if verdict.state in SLOW and named.onset is not None and named.onset > start:
                seconds = (named.onset - start) / 1e9
                when = since(round(seconds)) if relative else clock(named.onset)
                yield seconds, words.say(N_("{time} limit seen"), time=when)
                break


def _start(name: str) -> str:
    return name if len(name) <= GROUP else name[: GROUP - 1] + "…"
