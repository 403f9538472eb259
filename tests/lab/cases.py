"""Fills `captures/` from a finished laboratory: `python -m tests.lab.cases FOLDER [CASE ...]`.

A case is a folder with a case.toml that names its scenario and vantage; the captures and the truth are copied beside it,
bulky ones cut to headers, all as plain pcap (nothing of the machine they were made on stays in them), compressed.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from backports import zstd

from tests.golden import CASES, Case, cases
from tests.lab import capture_file
from tests.lab.capture_file import Record
from tests.lab.packet import TCP, UDP, parse

BEGIN, END = "<!-- cases: written by `python -m tests.lab.cases` -->", "<!-- end of cases -->"
_LEVEL = 19
_WHOLE = {TCP: 2_000, UDP: 3_600}  # payload kept of each flow and direction: a hello, a first answer, three Initials
_HEADERS = 96  # bytes kept of each packet behind them


def fill(case: Case, lab: Path) -> None:
    """The captures and the truth of one case."""
    source = next(lab.rglob(f"{case.about['scenario']}/truth.csv")).parent
    for vantage in ("client", "server") if case.is_pair else (case.about["vantage"],):
        original = next(file for file in source.iterdir() if file.name.startswith(f"{vantage}.pcap"))
        records = capture_file.read(original)
        link = capture_file.RAW if vantage == "phone" else capture_file.ETHERNET
        plain = case.folder / "plain.pcap"
        whole = case.is_pair or vantage == "phone"  # ends that are compared must be cut alike
        capture_file.write(plain, records if whole else lean(records), link)
        target = case.capture(vantage if case.is_pair else None)
        target.write_bytes(zstd.compress(plain.read_bytes(), _LEVEL))
        plain.unlink()
    shutil.copy(source / "truth.csv", case.folder / "truth.csv")


def lean(records: Iterable[Record]) -> Iterator[Record]:
    """The same frames, of bulky flows only the headers once their beginning is told."""
    told: Counter[tuple] = Counter()
    for record in records:
        packet = parse(record.frame, True)
        if packet is not None:
            ends = (packet.proto, packet.client, packet.server)
            if told[ends] >= _WHOLE.get(packet.proto, _HEADERS):
                record = record._replace(frame=record.frame[:_HEADERS])
            told[ends] += packet.end - packet.data
        yield record


def contents() -> str:
    """The table of cases for captures/README.md."""
    lines = ["| case | what happened | seen from | why it is here |", "|---|---|---|---|"]
    for case in cases():
        about = case.about
        lines.append(
            f"| [`{case.name}`]({case.name}/case.toml) | {about['what']} | {about['vantage']} | {about['why']} |"
        )
    return "\n".join(lines)


def keep_contents() -> None:
    readme = CASES / "README.md"
    before, _, rest = readme.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(f"{before.rstrip()}\n\n{BEGIN}\n{contents()}\n{END}{after or chr(10)}", "utf-8")


def main(folder: str, *names: str) -> None:
    for case in cases():
        if not names or case.name in names:
            fill(case, Path(folder))
    keep_contents()
    size = sum(file.stat().st_size for file in CASES.rglob("*") if file.is_file())
    print(f"{len(cases())} cases, {size / 1e6:.1f} MB in all")


if __name__ == "__main__":
    main(*sys.argv[1:])
