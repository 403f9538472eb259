"""Which rule fires on which capture of the laboratory: `python -m tests.lab.fired FOLDER [RULE ...]`.

Without a rule: for each, on how many captures with and without interference. With rules: the captures, and on how many flows.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.lab.accuracy import captures


def fired(file: Path) -> dict[str, int]:
    """Rule -> flows on which it fired in one capture (1 where it speaks of no flow)."""
    from analyzer.api import analyze
    from signatures import load

    count: Counter[str] = Counter()
    for finding in analyze(file, load()).findings:
        count[finding.rule.id] += max(1, len(finding.flows))
    return dict(count)


def everywhere(folder: Path) -> Iterator[tuple[str, str, str, dict[str, int]]]:
    """Scenario, vantage, kind and rules of every capture."""
    work = list(captures([folder]))
    with ProcessPoolExecutor() as pool:
        for (file, vantage), rules in zip(work, pool.map(fired, [file for file, _ in work], chunksize=4), strict=True):
            about = json.loads((file.parent / "scenario.json").read_text())
            yield about["name"], vantage, about["kind"], rules


def main(folder: str, *wanted: str) -> None:
    from signatures import load

    places: dict[str, list[tuple[str, str, str, int]]] = defaultdict(list)
    for scenario, vantage, kind, rules in everywhere(Path(folder)):
        for rule, flows in rules.items():
            places[rule].append((scenario, vantage, kind, flows))
    for rule in wanted or [rule.id for module in load().signatures for rule in module.RULES]:
        kinds = Counter(kind for _, _, kind, _ in places[rule])
        print(f"{rule:32} {kinds['interference']:4} with interference, {kinds['ordinary']:4} ordinary")
        for scenario, vantage, kind, flows in places[rule] if wanted else ():
            print(f"    {scenario:36} {vantage:7} {kind:13} {flows} flows")


if __name__ == "__main__":
    main(*sys.argv[1:])
