"""Verdicts → JSON: a public contract with a version and a schema (`analyzer/data/result.schema.json`).

Codes stay codes and numbers stay numbers; `summary` alone is a sentence for people, in English. Missing is null. Names
stand as the wire gave them: JSON escapes what it must, and whoever shows them further must escape for that place.
"""

from __future__ import annotations

import math
from typing import Any

import analyzer
from analyzer.report import sentences
from analyzer.report.moments import iso
from analyzer.report.redact import discreet, forwardable
from analyzer.report.words import Words
from analyzer.result import CaptureInfo, Coverage, FlowKey, Named, Result, Verdict

SCHEMA = 1
TOOL = "interference-analyzer"
MOST_WITNESSES = 100  # frames per method in one document; `frames_total` says how many there were
MOST_FLOWS = 1000  # a verdict about a scanned network must not fill a disk


def document(
    result: Result, *, redact: bool = False, everything: bool = False, circumvention: bool = False
) -> dict[str, Any]:
    """One capture's answer as plain JSON values.

    Parameters
    ----------
    redact : bool
        Hide what points to the client, as the other reports do by default; a key `redacted` then says so.
    everything : bool
        The verdicts about all other names too.
    circumvention : bool
        Circumvention tools may be named.
    """
    if redact:
        result = forwardable(result)
    if not circumvention:
        result = discreet(result)
    words = Words()
    answer: dict[str, Any] = {"schema": SCHEMA}
    if redact:
        answer["redacted"] = True
    return answer | {
        "tool": {
            "name": TOOL,
            "version": analyzer.__version__,
            "rules": result.rules_version or None,
            "services_date": result.services_date or None,
        },
        "capture": _capture(result.capture, redact),
        "network": {"state": result.network.state, "why": result.network.why},
        "verdicts": [_verdict(v, words, result, redact) for v in result.shown(everything)],
        "coverage": _coverage(result.coverage),
        "error": result.error,
    }


def _capture(capture: CaptureInfo, redact: bool) -> dict[str, Any]:
    start, end = capture.start, capture.end
    return {
        "name": capture.name,
        "sha256": capture.sha256,
        "format": capture.format,
        "packets": int(capture.packets),
        "bytes": int(capture.bytes),
        "start": None if redact else iso(start),
        "duration_s": None if start is None or end is None else round((end - start) / 1e9, 6),
        "vantage": capture.vantage,
    }


def _verdict(verdict: Verdict, words: Words, result: Result, redact: bool) -> dict[str, Any]:
    service_name = sentences.service_name(verdict, result.service_names)
    return {
        "target": verdict.target,
        "service": verdict.service,
        "role": verdict.role,
        "state": verdict.state,
        "summary": sentences.summary(verdict, words, service_name),
        "attempts": int(verdict.attempts),
        "failed": int(verdict.failed),
        "methods": [_method(named, result.capture.start, redact) for named in verdict.methods],
        "controls": [
            {"kind": c.kind, "target": c.target, "attempts": int(c.attempts), "fine": int(c.fine)}
            for c in verdict.controls
        ],
        "ruled_out": [{"explanation": r.explanation, "because": r.rule} for r in verdict.ruled_out if r.excluded],
        "limits": list(verdict.limits),
        "next": verdict.next,
    }


def _method(named: Named, start: int | None, redact: bool) -> dict[str, Any]:
    method = named.method
    return {
        "trigger": method.trigger,
        "trigger_detail": method.trigger_detail,
        "action": method.action,
        "position": method.position,
        "onset": None if redact else iso(named.onset),
        "onset_s": None if named.onset is None or start is None else round((named.onset - start) / 1e9, 6),
        "rules": list(named.rules),
        "witnesses": [{"frame": int(w.frame), "role": w.role} for w in named.witnesses[:MOST_WITNESSES]],
        "frames_total": int(named.frames_total),
        "flows": [_flow(flow) for flow in named.flows[:MOST_FLOWS]],
        "rate_kbps": _number(named.rate_kbps),
        "rate_low_kbps": _number(named.rate_low_kbps),
        "rate_high_kbps": _number(named.rate_high_kbps),
        "bucket_bytes": _count(named.bucket_bytes),
        "freeze_bytes": _count(named.freeze_bytes),
        "freeze_low_bytes": _count(named.freeze_low_bytes),
        "freeze_high_bytes": _count(named.freeze_high_bytes),
        "injector": named.injector,
        "hops": _count(named.hops),
    }


def _flow(flow: FlowKey) -> dict[str, Any]:
    return {
        "flow": int(flow.flow),
        "stream": _count(flow.stream),
        "protocol": flow.protocol,
        "client": flow.client,
        "client_port": _count(flow.client_port),
        "server": flow.server,
        "server_port": _count(flow.server_port),
    }


def _coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        "packets_bad": int(coverage.packets_bad),
        "flows_midway": int(coverage.flows_midway),
        "gaps": int(coverage.gaps),
        "snaplen_cut": int(coverage.snaplen_cut),
        "one_direction": int(coverage.one_direction),
        "evicted": int(coverage.evicted),
        "offload": bool(coverage.offload),
        "proxied": bool(coverage.proxied),
        "tunnelled": int(coverage.tunnelled),
        "tunnels": {kind: int(packets) for kind, packets in coverage.tunnels.items()},
        "kernel_drops": _count(coverage.kernel_drops),
        "cut_at_byte": _count(coverage.cut_at_byte),
        "limits_reached": list(coverage.limits_reached),
    }


def _count(value: int | None) -> int | None:
    """Tables keep null as a negative number; a document keeps it as null."""
    return None if value is None or value < 0 else int(value)


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), 3)
