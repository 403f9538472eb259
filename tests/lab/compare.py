"""Do two runs of the laboratory tell the same? `python -m tests.lab.compare FOLDER FOLDER`.

The same scenarios, and in each the same rows of truth: who spoke to whom of what, label, cause, method, parameters. Left out is
only what differs by nature:

- times, ports of clients, sequence numbers, how many packets there were and in which frames: columns that are not compared;
- which genuine flows a misfortune met that strikes whatever passes (one without a trigger: bursts of loss, queues, tariffs,
  outages). A full queue meets who is under way just then. The flows themselves and the scenario's misfortunes must agree;
- where packets are lost by chance or queue, some genuine flows beside it: a question that is lost is asked again, a page whose
  name is not found never opened. Told as `by chance`, and no more than a quarter of the scenario's genuine flows.

Loss packet by packet takes the same packets of a flow in every run (`middlebox.Box`); bursts and queues follow the clock.
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
_LABEL = _SAME.index("label")
_BY_CHANCE = {
    "random_loss",
    "ack_drop",
    "police",
    "shape",
}  # what becomes of a packet depends on others and on the clock
_MOST_BY_CHANCE = 0.25  # of the genuine flows
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


def by_chance(one: Counter[Row], other: Counter[Row]) -> bool:
    """Whether chance explains the differences: it reigns in both, and only some genuine flows differ."""
    gone, new = one - other, other - one
    reigns = all(any(_BY_CHANCE & set(row) for row in rows) for rows in (one, other))
    genuine = sum(count for row, count in one.items() if _is_genuine(row))
    few = max(gone.total(), new.total()) <= _MOST_BY_CHANCE * genuine
    return reigns and few and all(map(_is_genuine, gone + new))


def _is_genuine(row: Row) -> bool:
    """Of a flow that nobody touched, or that chance met."""
    return len(row) == _METHOD and row[_LABEL] == "genuine"


def main(one: str, other: str) -> None:
    first, second = truth(Path(one)), truth(Path(other))
    found: Counter[str] = Counter()
    for name in sorted(first.keys() | second.keys()):
        if name in first and name in second:
            lines = differences(first[name], second[name])
            fate = "agree" if not lines else "by chance" if by_chance(first[name], second[name]) else "differ"
        else:
            lines, fate = [f"only in {one if name in first else other}"], "differ"
        found[fate] += 1
        for line in lines:
            print(f"{name}: {'by chance: ' if fate == 'by chance' else ''}{line}")
    print(f"{found['agree']} scenarios agree, {found['by chance']} but for chance, {found['differ']} differ")
    raise SystemExit(1 if found["differ"] or not first else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
