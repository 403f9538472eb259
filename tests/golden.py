"""What the analyzer says about each case, kept beside it: `python -m tests.golden [--write] [CASE ...]` shows old | new.

The golden answers only show change; whether an answer is right is what the case's truth and its `fires` and `silent` say.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

CASES = Path(__file__).resolve().parents[1] / "captures"
_KEPT = ("rate_kbps", "bucket_bytes", "freeze_bytes", "injector", "hops")


@dataclass(frozen=True)
class Case:
    """A folder of `captures/` with a `case.toml`."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def about(self) -> dict[str, Any]:
        return tomllib.loads((self.folder / "case.toml").read_text("utf-8"))

    @property
    def golden(self) -> Path:
        return self.folder / "verdicts.json"

    def capture(self, vantage: str | None = None) -> Path:
        """The capture; of a pair, the one at `vantage`."""
        name = f"{vantage}.pcap.zst" if vantage else "capture.pcap.zst"
        return self.folder / name

    @property
    def is_pair(self) -> bool:
        return self.about["vantage"] == "both"

    @cached_property
    def result(self):
        """The analysis of the case (of a pair, by both ends together)."""
        import signatures
        from analyzer import analyze

        if not self.is_pair:
            return analyze(self.capture(), signatures.load())
        from analyzer import open_capture
        from analyzer.pair import pair

        ends = (partial(open_capture, self.capture(vantage)) for vantage in ("client", "server"))
        return pair(*ends, signatures.load()).result

    @property
    def answer(self) -> dict[str, Any]:
        """What is kept of the result: verdicts worth a line, and how often each rule fired."""
        rules = Counter(finding.rule.id for finding in self.result.findings)
        return {
            "verdicts": [_verdict(verdict) for verdict in self.result.shown()],
            "rules": dict(sorted(rules.items())),
        }


def _verdict(verdict: Any) -> dict[str, Any]:
    methods = []
    for named in verdict.methods:
        method = named.method
        about = {
            "trigger": method.trigger,
            "trigger_detail": method.trigger_detail,
            "action": method.action,
            "position": method.position,
        }
        kept = {key: getattr(named, key) for key in _KEPT if getattr(named, key) is not None}
        methods.append(about | {"rules": list(named.rules), "flows": len(named.flows)} | kept)
    return {
        "target": verdict.target,
        "state": verdict.state,
        "attempts": verdict.attempts,
        "failed": verdict.failed,
        "methods": methods,
        "controls": [f"{each.kind} {each.target}: {each.fine}/{each.attempts}" for each in verdict.controls],
        "limits": list(verdict.limits),
    }


def cases() -> list[Case]:
    return [Case(file.parent) for file in sorted(CASES.glob("*/case.toml"))]


def difference(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """Lines `where: old | new` for what differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from difference(old.get(key), new.get(key), f"{where}.{key}" if where else str(key))
    elif isinstance(old, list) and isinstance(new, list) and all(isinstance(each, dict) for each in old + new):
        names = [{each.get("target") or each.get("action"): each for each in side} for side in (old, new)]
        for name in sorted(names[0].keys() | names[1].keys(), key=str):
            yield from difference(names[0].get(name), names[1].get(name), f"{where}[{name}]")
    elif old != new:
        yield f"{where}: {json.dumps(old, ensure_ascii=False)} | {json.dumps(new, ensure_ascii=False)}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("cases", nargs="*", help="names; all when none is given")
    parser.add_argument("--write", action="store_true", help="keep the new answers")
    options = parser.parse_args()
    changed = 0
    for case in cases():
        if options.cases and case.name not in options.cases:
            continue
        new = json.loads(json.dumps(case.answer))
        old = json.loads(case.golden.read_text("utf-8")) if case.golden.exists() else {}
        lines = list(difference(old, new))
        changed += bool(lines)
        for line in lines:
            print(f"{case.name}: {line}")
        if options.write and lines:
            case.golden.write_text(json.dumps(new, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"{changed} cases differ" + (", kept" if options.write and changed else ""))
    raise SystemExit(0 if options.write or not changed else 1)


if __name__ == "__main__":
    main()
