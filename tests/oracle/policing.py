"""The policing detector of the SIGCOMM 2016 study beside the analyzer, trace by trace: `python -m tests.oracle.policing FOLDER`.

FOLDER is a collection of captures with a `manifest.csv` whose notes hold what that study's own detector said of the very
trace (of five responses, how many are policed). Rows that the manifest calls inconclusive are shown, and not counted.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import signatures
from analyzer.api import analyze
from analyzer.result import ACCUSING, Result

PREFIX = "usc-policing__"


class Trace(NamedTuple):
    """One trace of the study: what its name says was done, what both detectors say."""

    name: str
    label: str  # the manifest's
    theirs: int | None  # responses of five that the study's detector calls policed
    policed: bool  # by a verdict of the analyzer
    accused: bool
    rules: tuple[str, ...]
    rate_kbps: float | None
    bucket_bytes: int | None

    @property
    def scored(self) -> bool:
        return "inconclusive" not in self.label

    @property
    def police(self) -> bool:
        """Whether a policer stood there, conclusive or not."""
        return "policing" in self.label


def traces(folder: Path) -> Iterator[Trace]:
    """Each trace of the study in a collection, analysed."""
    loaded = signatures.load()
    with open(folder / "manifest.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if PREFIX in row["file"]]
    for row in rows:
        yield _trace(row, analyze(folder / row["file"], loaded))


def _trace(row: dict[str, str], result: Result) -> Trace:
    name = row["file"].partition(PREFIX)[2].partition(".")[0]
    noted = re.search(r"(\d) of 5 chunks called policed", row["notes"])
    accused = [named for verdict in result.answers if verdict.state in ACCUSING for named in verdict.methods]
    police = [named for named in accused if named.method.action == "police"]
    rules = tuple(sorted({rule for named in police for rule in named.rules}))
    numbers = (police[0].rate_kbps, police[0].bucket_bytes) if police else (None, None)
    theirs = int(noted[1]) if noted else None
    return Trace(name, row["expected_label"], theirs, bool(police), bool(accused), rules, *numbers)


def table(found: Sequence[Trace]) -> Iterator[str]:
    """What to print, in Markdown."""
    yield "| trace | label | study: responses policed | here | rate, kbit/s | bucket, kB | rules |"
    yield "|---|---|---|---|---|---|---|"
    for one in sorted(found, key=lambda one: (not one.police, not one.scored, one.name)):
        theirs = "–" if one.theirs is None else f"{one.theirs} of 5"
        said = "policed" if one.policed else "accused" if one.accused else "–"
        rate = "" if one.rate_kbps is None else f"{one.rate_kbps:.1f}"
        bucket = "" if one.bucket_bytes is None else f"{one.bucket_bytes / 1e3:.1f}"
        yield f"| {one.name} | {one.label} | {theirs} | {said} | {rate} | {bucket} | {', '.join(one.rules)} |"
    policed = [one for one in found if one.police and one.scored]
    others = [one for one in found if not one.police]
    doubtful = [one for one in found if one.police and not one.scored]
    yield ""
    yield f"Policed and scored: {_count(policed)} found here, {sum(bool(one.theirs) for one in policed)} by the study."
    yield f"Shaped, lossy or clean: {_count(others)} called policed ({sum(not one.scored for one in others)} inconclusive)."
    yield f"Policed, but inconclusive by the manifest, not counted: {_count(doubtful)} called policed."


def _count(some: Sequence[Trace]) -> str:
    return f"{sum(one.policed for one in some)} of {len(some)}"


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1 or not (Path(arguments[0]) / "manifest.csv").is_file():
        print("usage: python -m tests.oracle.policing FOLDER (with manifest.csv and the captures)", file=sys.stderr)
        return 2
    found = list(traces(Path(arguments[0])))
    print(*table(found), sep="\n")
    return int(any(one.policed for one in found if not one.police))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
