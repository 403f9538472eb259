"""The judge: one verdict for each target, worst first, after the network finding.

Each target with findings or of a known service is judged; of all others, a capture may hold a million, and there is a cap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analyzer import limits
from analyzer.controls import Fate
from analyzer.result import ACCUSING, STATES, Control, Coverage, Named, Network, Verdict
from analyzer.signature import Finding, Knowledge, Rule, Seen
from analyzer.tables import Cut
from analyzer.verdict.bench import Bench, Label
from analyzer.verdict.cases import Case, cases_of
from analyzer.verdict.doubts import AT_HOME, Gaps, doubts_of, limits_of, next_step
from analyzer.verdict.naming import name
from analyzer.verdict.network import network_finding
from analyzer.verdict.states import ANYBODYS, OTHER_CHANNEL, Setting, state_of

ON_THE_WAY = ("on_path", "in_path")
NO_DATAGRAMS = ("no_quic", "no_udp")  # networks in which a site without QUIC is like any other
QUIC_PORT = 443
MOSTLY_FINE = 0.8  # share of fine attempts from which on a target works, and what failed is noise


def judge(
    seen: Seen, findings: Sequence[Finding], coverage: Coverage, known: Knowledge, rules: dict[str, Rule]
) -> tuple[tuple[Verdict, ...], Network]:
    """Combine evidence, attempts and coverage.

    Parameters
    ----------
    seen : Seen
        Attempts, names and endpoints of the whole capture (or of its prefix so far).
    findings : sequence of Finding
        Ordered by (time, rule, subject).
    coverage : Coverage
        What was not seen.
    known : Knowledge
        Services and middleboxes.
    rules : dict
        Rules by id.

    Returns
    -------
    (verdicts, network)
        Verdicts worst first, then by the time of their first attempt.
    """
    bench = Bench(seen, findings, known)
    network = network_finding(bench.attempts, bench.fate, seen, known, findings, coverage)
    fine = bench.untroubled()
    verdicts = [
        _works(bench, target) if target in fine else _verdict(bench, target, network, coverage)
        for target in bench.order(coverage)
    ]
    proven = {
        v.target for v in verdicts if v.state in ACCUSING and any(m.method.position in ON_THE_WAY for m in v.methods)
    }
    for i, verdict in enumerate(verdicts):
        settled = (ANYBODYS if proven - {verdict.target} else ()) + (
            OTHER_CHANNEL if verdict.state == "blocked" else ()
        )
        if any(finding.rule.id in settled for finding in verdict.findings):
            verdicts[i] = _verdict(bench, verdict.target, network, coverage, settled)
    verdicts = _mark_controls(verdicts)
    verdicts.sort(key=lambda v: (STATES.index(v.state), v.first if v.first is not None else 0, v.target))
    return tuple(verdicts), network


def _works(bench: Bench, target: str) -> Verdict:
    """What is said of a target that nothing happened to, as most are."""
    rows, a = bench.rows(target), bench.attempts
    service, role = bench.label(target, rows)
    return Verdict(
        target=target,
        state="ok",
        service=service,
        role=role,
        attempts=len(bench.merged_rows(target)),
        failed=0,
        first=int(a.start[rows].min()),
        last=int(a.end[rows].max()),
        addresses=tuple(bench.servers(rows)[: limits.MAX_ADDRESSES]),
    )


def _verdict(bench: Bench, target: str, network: Network, coverage: Coverage, settled: tuple[str, ...] = ()) -> Verdict:
    """What is said of one target. `settled`: rules that mean more now that other verdicts are known."""
    findings = bench.findings.get(target, [])
    mine, merged = bench.rows(target), bench.merged_rows(target)
    label = bench.label(target, mine)
    cases = cases_of(findings)
    closed = () if cases else bench.closed_ports(merged)
    if closed and label[0] is None and (bench.attempts.name[mine] < 0).all():  # an address: any port is as good
        merged = merged[~np.isin(bench.merged.port[merged], closed)]
    fate = bench.merged_fate[merged]
    tried, failed = len(merged), int((fate >= Fate.FAILED).sum())
    given_up = int(bench.given_up[mine].sum())
    refusals = bench.refusals(mine)
    compared = bench.alike(merged, cases)
    controls = bench.controls(compared, target) if cases or (failed and (label[0] or bench.few_fail)) else ()
    state, named = _weigh(bench, cases, controls, label, settled)
    if state not in ACCUSING:
        state = _plain_state(bench, mine, merged, findings, state, given_up, bool(refusals))
    if network.why in ("nothing_answered", "portal_page_everywhere") and state.startswith("likely"):
        state, named = "insufficient", ()
    affected = bench.where(flow for method in named for flow in (key.flow for key in method.flows))
    if len(affected):
        failed = max(failed, bench.separate(affected))
        tried = max(tried, failed)
    rows = mine if len(mine) else affected
    servers = bench.servers(rows)
    clients = bench.clients_at_server(affected if len(affected) else mine)
    unknown = bench.fate[rows] == Fate.UNKNOWN
    others = bench.others_worked(target)
    gaps = Gaps(bench.attempts.cut[rows], unknown, bench.void[rows], given_up, refusals, len(servers), clients, others)
    datagrams = (bench.merged.proto[merged] == 17) & (bench.merged.port[merged] == QUIC_PORT)
    quic_nowhere = network.state in NO_DATAGRAMS and bool(failed) and bool(datagrams[fate >= Fate.FAILED].all())
    limit = limits_of(gaps, controls, tried, state, coverage, findings)
    start, end = bench.attempts.start[rows], bench.attempts.end[rows]
    return Verdict(
        target=target,
        state=state,
        service=label[0],
        role=label[1],
        attempts=tried,
        failed=tried if refusals and state == "impaired" else failed,
        methods=named,
        controls=tuple(controls),
        ruled_out=doubts_of(state, named, findings, controls, fate, quic_nowhere, clients > 0) if state != "ok" else (),
        limits=limit,
        next=next_step(state, limit, named, _at_home(findings), clients > 0),
        findings=tuple(findings),
        first=int(start.min()) if len(rows) else min((f.ts for f in findings), default=None),
        last=int(end.max()) if len(rows) else max((f.ts for f in findings), default=None),
        addresses=tuple(servers[: limits.MAX_ADDRESSES]),
        closed=closed,
    )


def _weigh(
    bench: Bench, cases: Sequence[Case], controls: Sequence[Control], label: Label, settled: tuple[str, ...]
) -> tuple[str, tuple[Named, ...]]:
    """The worst state that a case justifies, and the methods of all that accuse."""
    worst, named = "", []
    for case in cases:
        state = state_of(case, _setting(bench, case, controls, label)._replace(settled=settled))
        if state in ACCUSING:
            named.append((STATES.index(state), name(case, bench)))
        if not worst or STATES.index(state) < STATES.index(worst):
            worst = state
    return worst, tuple(method for _, method in sorted(named, key=lambda pair: pair[0]))


def _setting(bench: Bench, case: Case, controls: Sequence[Control], label: Label) -> Setting:
    where = bench.where(case.flows)
    home = any(bench.known.owns_address(label[0], server) for server in bench.servers(where))
    return Setting(controls, bench.separate(where), home, bool(case.flows & bench.shared))


def _plain_state(
    bench: Bench,
    mine: np.ndarray,
    merged: np.ndarray,
    findings: Sequence[Finding],
    weighed: str,
    given_up: int,
    turned_away: bool,
) -> str:
    """The state of a target that nobody is accused over.

    `given_up`: attempts that the client's side reset itself. `turned_away`: answers came, and let nobody in.
    """
    fate = bench.merged_fate[merged]
    at_home = _at_home(findings) and not (fate == Fate.FINE).any()
    if at_home or not len(fate):
        return "impaired" if at_home else "insufficient"
    if turned_away:
        return "impaired"
    fine, failed = int((fate == Fate.FINE).sum()), int((fate >= Fate.FAILED).sum())
    if not failed:
        if given_up > fine:
            return "insufficient"
        return "impaired" if weighed == "impaired" and _slow(findings) else "ok"
    if fine and fine >= MOSTLY_FINE * len(fate):
        return "ok"
    own = {flow for f in findings if f.rule.leans == "genuine" for flow in f.flows}
    refused = (fate == Fate.REFUSED) | (fate == Fate.ICMP)
    if not fine and refused.all() and own:
        return "down"
    if weighed == "insufficient" or (bench.attempts.cut[mine] & Cut.ONE_DIRECTION).all():
        return "insufficient"
    return "impaired"


def _at_home(findings: Sequence[Finding]) -> bool:
    return any(finding.rule.id in AT_HOME for finding in findings)


def _slow(findings: Sequence[Finding]) -> bool:
    return any(f.rule.id.startswith("throttle.") and f.rule.leans == "interference" for f in findings)


def _mark_controls(verdicts: Sequence[Verdict]) -> list[Verdict]:
    served = {control.target for verdict in verdicts if verdict.state in ACCUSING for control in verdict.controls}
    return [replace(v, is_control=True) if v.target in served else v for v in verdicts]
