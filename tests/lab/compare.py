"""Do two runs of the laboratory tell the same? `python -m tests.lab.compare FOLDER FOLDER`.

Scenarios and truth must agree flow by flow, but for times, ports, sequence numbers and how many packets a limiter met.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from pathlib import Path

_SAME = (
    "protocol",
    "client",
    "server",
    "server_port",
    "name",
    "label",
    "cause",
    "trigger",
    "trigger_detail",
    "action",
    "position",
    "parameters",
)


def truth(folder: Path) -> dict[str, Counter]:
    """Rows of each scenario, without what may differ."""
    return {
        file.parent.name: Counter(tuple(row[column] for column in _SAME) for row in csv.DictReader(file.open()))
        for file in folder.glob("*/truth.csv")
    }


def main(one: str, other: str) -> None:
    first, second = truth(Path(one)), truth(Path(other))
    differing = 0
    for name in sorted(first.keys() | second.keys()):
        if name not in first or name not in second:
            print(f"{name}: only in {one if name in first else other}")
            differing += 1
            continue
        gone, new = first[name] - second[name], second[name] - first[name]
        differing += bool(gone or new)
        for sign, rows in (("-", gone), ("+", new)):
            for row, count in rows.items():
                print(f"{name}: {sign}{count} {' '.join(filter(None, row[:-1]))}")
    print(f"{len(first.keys() | second.keys()) - differing} scenarios agree, {differing} differ")
    raise SystemExit(1 if differing else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
