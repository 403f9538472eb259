"""Every try at one server in order of time: failures and successes side by side are the plainest argument."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.report.filters import endpoint
from analyzer.report.html.marks import code
from analyzer.report.moments import clock
from analyzer.report.outcomes import went
from analyzer.report.words import N_, Words
from analyzer.result import Result, Verdict
from analyzer.tables import Stage

MOST = 24


class Try(NamedTuple):
    when: str
    name: str
    affected: bool
    fine: bool
    went: str
    frames: str


class Tries(NamedTuple):
    rows: tuple[Try, ...]
    more: int


def tries(result: Result, verdict: Verdict, words: Words, *, relative: bool) -> Tries | None:
    """The conversations with the servers of this verdict; None where the flows were not kept."""
    flows, start = result.flow_table, result.capture.start
    if flows is None or start is None:
        return None
    affected = {key.flow for named in verdict.methods for key in named.flows}
    mine = np.isin(flows.flow, list(affected)) | (flows.target == verdict.target)
    places = {(row.server, row.server_port) for row in flows[np.flatnonzero(mine)[: 4 * MOST]].rows()}
    beside = np.zeros(len(flows), bool)
    for server, port in places:
        beside |= (flows.server == server) & (flows.server_port == port)
    at = np.flatnonzero((mine | beside) & (flows.stage > Stage.NONE))
    if len(at) < 2:
        return None
    at = at[np.argsort(flows.start[at], kind="stable")]
    rows = []
    for flow in flows[at[:MOST]].rows():
        seconds = (flow.start - start) / 1e9
        when = words.say(N_("{seconds} s"), seconds=words.number(seconds, 1)) if relative else clock(flow.start)
        name = flow.sni or flow.host or flow.dns_name or flow.qname or endpoint(flow.server, flow.server_port)
        frames = (
            f"{flow.first_frame}-{flow.last_frame}" if flow.last_frame > flow.first_frame else str(flow.first_frame)
        )
        how = went(flow.stage, flow.ended_by, words)
        rows.append(Try(when, code(name), flow.flow in affected, flow.stage == Stage.SERVED, how, frames))
    return Tries(tuple(rows), max(0, len(at) - MOST))
