"""Server names found, against the truth beside the captures: `python -m tests.oracle.names FOLDER`.

FOLDER holds `manifest.csv` and `sni_truth/`, one text file a capture, its rows tab-separated: what carried the name,
frame, stream, client, server, name ("-": none was said). DTLS is left out, which the analyzer does not read.
"""

from __future__ import annotations

import csv
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import signatures
from analyzer import api

Ends = frozenset[tuple[str, int]]


def names(capture: Path) -> dict[Ends, set[str]]:
    """Names by the two ends of the conversations that they were said in."""
    table = api.analyze(capture, signatures.load()).flow_table
    found: dict[Ends, set[str]] = defaultdict(set)
    columns = (table.client, table.client_port, table.server, table.server_port, table.sni)
    for client, client_port, server, server_port, name in zip(*(c.tolist() for c in columns), strict=True):
        if name:
            found[frozenset(((client, client_port), (server, server_port)))].add(name)
    return found


def missed(captures: dict[str, Path], truth: Path) -> tuple[int, list[str]]:
    """(rows of one truth file, those whose name was not found)."""
    rows = [line.split("\t") for line in truth.read_text("utf-8").splitlines() if line.strip()]
    rows = [row for row in rows if row[0] != "dtls" and row[5] != "-"]
    found = names(captures[truth.stem])
    lost = []
    for carrier, frame, _, client, server, name, *_ in rows:
        if name.lower().rstrip(".") not in found[frozenset((_end(client), _end(server)))]:
            lost.append(f"{truth.stem} frame {frame} {carrier}: {name!r}")
    return len(rows), lost


def _end(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return address, int(port)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m tests.oracle.names FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    with (folder / "manifest.csv").open(encoding="utf-8") as manifest:
        captures = {Path(row["file"]).name: folder / row["file"] for row in csv.DictReader(manifest)}
    truths = [path for path in sorted((folder / "sni_truth").glob("*.txt")) if path.stem in captures]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(partial(missed, captures), truths, chunksize=4))
    rows, lost = sum(count for count, _ in results), [line for _, lines in results for line in lines]
    print(*lost, sep="\n")
    print(f"{rows - len(lost):,} of {rows:,} names found, in {len(truths):,} captures")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
