"""What each rule is worth: `python -m tests.lab.ablation FOLDER [REAL]`.

FOLDER holds the laboratory's captures, REAL third-party ones with their truth (file_truth.json, interference_flow_truth.csv).
Each capture is analysed once, and judged again without each rule that fired in it. Where one rule took another's place (a
name effect that many attempts show, and not few), the other does not come back: what is lost is at most what is shown.
"""

from __future__ import annotations

import argparse
import csv
import ipaddress
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.lab import accuracy

if TYPE_CHECKING:
    from analyzer.result import Verdict

End = tuple[str, int]
Flow = tuple[str, frozenset[End]]  # protocol and both ends, in no order
_HARMED, _GENUINE = (
    ("interference",),
    ("none", "ttl_limited_probe"),
)  # labels of real flows; the others count neither way
_COLUMNS = ("fires in", "harmed lost", "harmed gained", "genuine freed", "genuine accused", "states changed")

_ABOUT = """# What each rule is worth

Written by `make ablation`. Every capture is judged again without each rule that fired in it: how many flows that were harmed are
then no longer accused (lost) or only then (gained), how many genuine ones are (accused) or no longer are (freed), and how many
verdicts change. A rule without figures adds proof to what others show already, or names a cause that is no interference.
"""


class Truth(NamedTuple):
    """The flows of a capture; `genuine` is None where everything is that was not harmed."""

    harmed: frozenset[Flow]
    genuine: frozenset[Flow] | None


class Answer(NamedTuple):
    """What was said of a capture."""

    accused: frozenset[Flow]
    states: dict[str, str]  # by target


def ablate(file: Path, truth: Truth) -> dict[str, Counter[str]]:
    """By rule that fired in a capture, what its absence changes; nothing where the capture is unusable."""
    from analyzer.api import capture_info, open_capture
    from analyzer.engine import Analysis
    from analyzer.errors import CaptureError
    from signatures import load

    try:
        source = open_capture(file)
    except CaptureError:
        return {}
    with source:
        analysis = Analysis(load(), keep_flows=False, apps=source.info.apps)
        for frames in source.blocks():
            analysis.feed(frames)
        result = analysis.finish(capture_info(source))
    said = _answer(result.answers)
    fired = sorted({finding.rule.id for finding in result.findings})
    return {rule: _change(said, _answer(analysis.without(rule, result)[0]), truth) for rule in fired}


def _answer(answers: Iterable[Verdict]) -> Answer:
    answers = tuple(answers)
    flows = (key for said in accuracy.said(answers) for key in said.flows)
    return Answer(frozenset(map(_flow, flows)), {verdict.target: verdict.state for verdict in answers})


def _flow(key: accuracy.Key) -> Flow:
    return key.protocol, frozenset(((key.client, key.client_port), (key.server, key.server_port)))


def _change(before: Answer, after: Answer, truth: Truth) -> Counter[str]:
    """Flows that are accused no more, or only now, by what became of them in truth."""
    gone, new = before.accused - after.accused, after.accused - before.accused
    targets = before.states.keys() | after.states.keys()
    changed = sum(before.states.get(target) != after.states.get(target) for target in targets)
    counts = (
        1, len(gone & truth.harmed), len(new & truth.harmed), len(_genuine(gone, truth)), len(_genuine(new, truth)), changed,
    )  # fmt: skip
    return Counter(dict(zip(_COLUMNS, counts, strict=True)))


def _genuine(flows: frozenset[Flow], truth: Truth) -> frozenset[Flow]:
    return flows - truth.harmed if truth.genuine is None else flows & truth.genuine


def laboratory(folders: Iterable[Path]) -> list[tuple[Path, Truth]]:
    """The laboratory's captures. What the device itself did to a flow counts neither way."""
    work = []
    for file, vantage in accuracy.captures(folders):
        known = accuracy.truth(file, vantage)
        genuine = known.genuine.keys() - known.device
        work.append((file, Truth(frozenset(map(_flow, known.harmed)), frozenset(map(_flow, genuine)))))
    return work


def real(folder: Path) -> list[tuple[Path, Truth]]:
    """Third-party captures: benign ones, and those whose flows were labelled one by one."""
    files = json.loads((folder / "file_truth.json").read_text("utf-8"))
    flows: dict[str, dict[str, set[Flow]]] = defaultdict(lambda: {"harmed": set(), "genuine": set()})
    for row in csv.DictReader((folder / "interference_flow_truth.csv").open(encoding="utf-8")):
        kind = "harmed" if row["label"] in _HARMED else "genuine" if row["label"] in _GENUINE else None
        if kind:
            flows[row["file"]][kind].add((row["proto"], frozenset((_end(row["client"]), _end(row["server"])))))
    work = []
    for name, entry in sorted(files.items()):
        labelled = flows[Path(name).name]
        clean = entry["expect"]["any_interference"] is False
        genuine = None if clean else frozenset(labelled["genuine"])
        work.append((folder / name, Truth(frozenset(labelled["harmed"]), genuine)))
    return work


def _end(text: str) -> End:
    """`1.2.3.4:5`, `[::1]:5`."""
    address, _, port = text.rpartition(":")
    return str(ipaddress.ip_address(address.strip("[]"))), int(port)


def measure(work: Sequence[tuple[Path, Truth]], jobs: int | None) -> dict[str, Counter[str]]:
    """By rule, the changes over all captures."""
    total: dict[str, Counter[str]] = defaultdict(Counter)
    with ProcessPoolExecutor(jobs) as pool:
        for changes in pool.map(ablate, *zip(*work, strict=True), chunksize=4):
            for rule, change in changes.items():
                total[rule].update(change)
    return total


def table(total: dict[str, Counter[str]]) -> str:
    """Markdown, the rules that most hangs on first."""
    lines = ["| without | " + " | ".join(_COLUMNS) + " |", "|---|" + "--:|" * len(_COLUMNS)]
    for rule in sorted(total, key=lambda rule: (-total[rule]["harmed lost"], -total[rule]["states changed"], rule)):
        lines.append(f"| `{rule}` | " + " | ".join(str(total[rule][column] or "") for column in _COLUMNS) + " |")
    return "\n".join(lines)


def idle(totals: Sequence[dict[str, Counter[str]]]) -> dict[str, int]:
    """Rules whose absence changes nothing, and that no case of `captures/` asks for: in how many captures they fire."""
    from signatures import load
    from tests.golden import cases

    wanted = {rule for case in cases() for rule in case.about["fires"]}
    found = {}
    for rule in (rule.id for module in load().signatures for rule in module.RULES):
        changes = sum(total[rule][column] for total in totals for column in _COLUMNS[1:] if rule in total)
        if not changes and rule not in wanted:
            found[rule] = sum(total[rule]["fires in"] for total in totals if rule in total)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.ablation", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the laboratory's captures")
    parser.add_argument("real", type=Path, nargs="?", help="of third-party captures")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    print(_ABOUT)
    totals = []
    for title, work in (
        ("Laboratory", laboratory([options.folder])),
        ("Third-party captures", real(options.real) if options.real else []),
    ):
        if work:
            totals.append(measure(work, options.jobs))
            print(f"**{title}**, {len(work)} captures\n\n{table(totals[-1])}\n")
    unused = ", ".join(f"`{rule}` ({captures})" for rule, captures in idle(totals).items())
    print(f"Nothing hangs on, and no case asks for (fires in): {unused or 'none'}.")


if __name__ == "__main__":
    main()
