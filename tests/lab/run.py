"""Plays many scenarios side by side: `python -m tests.lab.run -o FOLDER [FAMILY or NAME ...]`."""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.lab.namespace import why_not
from tests.lab.scenario import Scenario
from tests.lab.scenarios import SCENARIOS

_SIDE_BY_SIDE = 10
_LONGEST = 180  # seconds for one scenario
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
    began, failed = time.monotonic(), 0
    with ThreadPoolExecutor(options.jobs) as pool:
        running = {pool.submit(run, scenario, options.output): scenario for scenario in scenarios}
        for number, future in enumerate(as_completed(running), start=1):
            problem, name = future.result(), running[future].name
            failed += bool(problem)
            print(
                f"{number:4}/{len(scenarios)} {time.monotonic() - began:6.0f} s  {name}{'  FAILED: ' + problem if problem else ''}",
                flush=True,
            )
    rows = index(options.output)
    genuine, interfered = (sum(row[label] for row in rows) for label in ("genuine", "interference"))
    print(f"{len(rows)} scenarios: {interfered} flows interfered with, {genuine} genuine; {failed} failed")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
