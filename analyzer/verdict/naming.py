"""A case that accuses becomes a method: its axes, its proof, the flows that it befell, and what was measured of it."""

from __future__ import annotations

import numpy as np

from analyzer import limits
from analyzer.result import FlowKey, Named
from analyzer.signature import agreed
from analyzer.verdict.bench import Bench
from analyzer.verdict.cases import Case

_COPIED = (
    "rate_kbps", "rate_low_kbps", "rate_high_kbps", "bucket_bytes", "freeze_bytes", "freeze_low_bytes", "freeze_high_bytes",
    "injector", "hops",
)  # fmt: skip


def name(case: Case, bench: Bench) -> Named:
    """The method of a case, with the first of its witnesses and flows."""
    witnesses = agreed(sorted(case.findings, key=lambda f: f.rule.strength != "conclusive"))
    flows = bench.where(case.flows)
    keys = tuple(_key(int(at), bench) for at in flows[: limits.MAX_FLOWS_NAMED])
    measured = [f.measured for f in (*case.findings, *case.remarks)]
    copied = {key: next((m[key] for m in measured if m.get(key) is not None), None) for key in _COPIED}
    return Named(
        method=case.method(),
        rules=tuple(dict.fromkeys(f.rule.id for f in (*case.findings, *case.remarks))),
        witnesses=tuple(sorted(witnesses[: limits.MAX_WITNESSES])),
        frames_total=len({witness.frame for witness in witnesses}),
        flows=keys,
        onset=_onset(case, flows, bench),
        **copied,
    )


def _onset(case: Case, flows: np.ndarray, bench: Bench) -> int:
    """When it began: where a limiter was fitted, its first loss; else the first thing asked in an affected flow."""
    attempts = bench.attempts
    begun = {int(f): int(s) for f, s in zip(attempts.flow[flows], attempts.start[flows], strict=True)}
    fitted = [
        begun[f.flows[0]] + round(f.measured["onset_s"] * 1e9)
        for f in case.findings
        if "onset_s" in f.measured and f.flows[0] in begun
    ]
    if fitted:
        return min(fitted)
    asked = np.where(attempts.first_up_data[flows] >= 0, attempts.first_up_data[flows], attempts.start[flows])
    return int(asked.min()) if len(asked) else min(f.ts for f in case.findings)


def _key(at: int, bench: Bench) -> FlowKey:
    row = bench.attempts.row(at)
    protocol = {6: "tcp", 17: "udp"}.get(row.proto, str(row.proto))
    text = bench.seen.text
    stream = row.stream if row.stream >= 0 else None
    return FlowKey(
        row.flow, stream, protocol, text(row.client) or "", row.client_port, text(row.server) or "", row.port
    )
