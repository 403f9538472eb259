"""Do two runs of the laboratory tell the same? `python -m tests.lab.compare FOLDER FOLDER`.

The same scenarios, and in each the same rows of truth: who spoke to whom of what, label, cause, method, parameters. Left out is
only what differs by nature:

- times, ports of clients, sequence numbers, how many packets there were and in which frames: columns that are not compared;
- which genuine flows a misfortune met that strikes whatever passes (one without a trigger: bursts of loss, queues, tariffs,
  outages). A full queue meets who is under way just then. The flows themselves and the scenario's misfortunes must agree.

Loss packet by packet is no chance here: it takes the same packets of a flow in every run (`middlebox.Box`).
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from pathlib import Path

_SAME = (
    "protocol", "client", "server", "server_port", "name", "label",
    "cause", "trigger", "trigger_detail", "action", "position", "parameters",
)  # fmt: skip
_METHOD = _SAME.index("cause")  # where the columns begin that say what was done
Row = tuple[str, ...]


def truth(folder: Path) -> dict[str, Counter[Row]]:
    """Rows of each scenario, without what may differ."""
    return {file.parent.name: _rows(file) for file in sorted(folder.glob("*/truth.csv"))}


def _rows(file: Path) -> Counter[Row]:
    rows: Counter[Row] = Counter()
    misfortunes = set()
    with file.open() as lines:
        for line in csv.DictReader(lines):
            row = tuple(line[column] for column in _SAME)
            if line["label"] == "genuine" and line["trigger"] == "none_seen":
                misfortunes.add(row[_METHOD:])
                row = row[:_METHOD]
            elif line["label"] == "genuine" and not line["cause"]:
                row = row[:_METHOD]
            rows[row] += 1
    return rows + Counter(misfortunes)


def differences(one: Counter[Row], other: Counter[Row]) -> list[str]:
    """`-2 tcp ...` for what the other run has less of, `+1 ...` for what it has more of."""
    return [
        f"{sign}{count} {' '.join(filter(None, row))}"
        for sign, rows in (("-", one - other), ("+", other - one))
        for row, count in rows.items()
    ]


def main(one: str, other: str) -> None:
    first, second = truth(Path(one)), truth(Path(other))
    differing = 0
    for name in sorted(first.keys() | second.keys()):
        if name in first and name in second:
            found = differences(first[name], second[name])
        else:
            found = [f"only in {one if name in first else other}"]
        differing += bool(found)
        for line in found:
            print(f"{name}: {line}")
    print(f"{len(first.keys() | second.keys()) - differing} scenarios agree, {differing} differ")
    raise SystemExit(1 if differing or not first else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
