"""Plays many scenarios side by side: `python -m tests.lab.run -o FOLDER [FAMILY or NAME ...]`."""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.lab.namespace import why_not
from tests.lab.scenario import Scenario
from tests.lab.scenarios import SCENARIOS

_SIDE_BY_SIDE = 16
_LONGEST = 180  # seconds for one scenario
_LATE = 5_000  # microseconds at the 99th percentile; a box as late as that blurs what it does
_INDEX = (
    "scenario",
    "family",
    "kind",
    "interference",
    "exposed",
    "genuine",
    "late_us_p99",
    "late_us_max",
    "missed",
    "about",
)


def chosen(words: Iterable[str]) -> list[Scenario]:
    """Scenarios by name or family, all when no word is given; the longest first, so that none is waited for in the end."""
    words = set(words)
    unknown = words - SCENARIOS.keys() - {scenario.family for scenario in SCENARIOS.values()}
    if unknown:
        raise SystemExit(f"no scenario or family called {', '.join(sorted(unknown))}")
    found = [each for each in SCENARIOS.values() if not words or each.name in words or each.family in words]
    return sorted(found, key=_length, reverse=True)


def _length(scenario: Scenario) -> float:
    return max(each.at + each.times * each.every for each in scenario.does) + scenario.tail


def run(scenario: Scenario, folder: Path) -> str | None:
    """Play one scenario in a process of its own; why it failed, or None."""
    target = folder / scenario.name
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "-m", "tests.lab.play", scenario.name, str(target)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST)
    except subprocess.TimeoutExpired:
        return "takes too long"
    if done.returncode or not (target / "truth.csv").exists():
        return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"code {done.returncode}"
    return None


def play(scenarios: Sequence[Scenario], folder: Path, side_by_side: int) -> dict[str, str]:
    """Play them, and those once more whose box was late, fewer at a time; the names of those that failed, and why."""
    failed = _play(scenarios, folder, side_by_side)
    late = [each for each in scenarios if each.name not in failed and _was_late(folder / each.name)]
    if late:
        print(f"{len(late)} once more, since the machine was too busy for their boxes", flush=True)
    return failed | _play(late, folder, max(1, side_by_side // 3))


def _play(scenarios: Sequence[Scenario], folder: Path, side_by_side: int) -> dict[str, str]:
    began, failed = time.monotonic(), {}
    with ThreadPoolExecutor(side_by_side) as pool:
        running = {pool.submit(run, scenario, folder): scenario.name for scenario in scenarios}
        for number, future in enumerate(as_completed(running), start=1):
            name, problem = running[future], future.result()
            if problem:
                failed[name] = problem
            seconds, fate = time.monotonic() - began, f"  FAILED: {problem}" if problem else ""
            print(f"{number:4}/{len(scenarios)} {seconds:6.0f} s  {name}{fate}", flush=True)
    return failed


def _was_late(folder: Path) -> bool:
    """Whether packets waited for the box, or were missed by it."""
    box = json.loads((folder / "scenario.json").read_text())["boxes"]["box"]
    return box["missed"] > 0 or box["late_us"]["p99"] > _LATE


def index(folder: Path) -> list[dict]:
    """Write and return index.csv of everything in the folder."""
    rows = []
    for file in sorted(folder.glob("*/scenario.json")):
        about = json.loads(file.read_text())
        late, labels = about["boxes"]["box"]["late_us"], about["labels"]
        rows.append({
            "scenario": about["name"], "family": about["family"], "kind": about["kind"],
            **{label: labels.get(label, 0) for label in ("interference", "exposed", "genuine")},
            "late_us_p99": late["p99"], "late_us_max": late["p100"], "missed": about["boxes"]["box"]["missed"],
            "about": about["about"],
        })  # fmt: skip
    with open(folder / "index.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, _INDEX, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.run", description=__doc__)
    parser.add_argument("names", nargs="*", help="families or scenarios; all when none is given")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/lab"))
    parser.add_argument("-j", "--jobs", type=int, default=_SIDE_BY_SIDE, help="scenarios side by side")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    options = parser.parse_args()
    scenarios = chosen(options.names)
    if options.list:
        for scenario in sorted(scenarios, key=lambda each: (each.family, each.name)):
            print(
                f"{scenario.family:10} {scenario.name:34} {'interferes' if scenario.interferes else 'ordinary':11} {scenario.about}"
            )
        return
    if reason := why_not():
        raise SystemExit(reason)
    options.output.mkdir(parents=True, exist_ok=True)
    failed = play(scenarios, options.output, options.jobs)
    rows = index(options.output)
    genuine, interfered = (sum(row[label] for row in rows) for label in ("genuine", "interference"))
    print(f"{len(rows)} scenarios: {interfered} flows interfered with, {genuine} genuine; {len(failed)} failed")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
