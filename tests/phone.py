"""What may be said of a phone's capture without root, rule by rule: `python -m tests.phone` writes it into captures/README.md.

Such an app (PCAPdroid in its VPN mode) invents the TCP and IP headers around what programs send and receive. Rules that
read headers, timing of packets or retransmissions would judge the inventor. The cases, seen through such an app, are
what the table rests on: `render` makes each of them as `tests.lab.phone` does for the laboratory.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from backports import zstd

import signatures
from analyzer.api import analyze
from analyzer.result import Result
from analyzer.signature import Rule
from analyzer.tables import Cut
from tests.golden import CASES, Case, cases
from tests.lab import capture_file, phone

BEGIN, END = "<!-- phones: written by `python -m tests.phone` -->", "<!-- end of phones -->"
_HEAD = """## Captures from phones without root

An app such as PCAPdroid in its VPN mode writes TCP and IP headers of its own. It is recognised by its virtual address and by its
sequence numbers (`headers_invented` among the limits). Rules that read headers, the order of packets or their resends are silent
there, and `pair` refuses such a file; these may speak. The number is how many of the {cases} cases seen at a client, told again as
such an app would have written them, a rule fires on."""


def render(case: Case, folder: Path) -> Result:
    """The answer about a case as a phone's capture app would have recorded it."""
    real, told = folder / "real.pcap", folder / "phone.pcap"
    real.write_bytes(zstd.decompress(case.capture().read_bytes()))
    with (case.folder / "truth.csv").open() as rows:
        clients = tuple({row["client"] for row in csv.DictReader(rows)})
    phone.render(capture_file.read(real), told, clients)
    return analyze(told, signatures.load())


def at_clients() -> list[Case]:
    """The cases that can be told again."""
    return [case for case in cases() if case.about["vantage"] == "client"]


def spoke(result: Result) -> set[str]:
    """Rules that fired on conversations whose headers were invented."""
    flows = result.flow_table
    assert flows is not None
    invented = set(flows.flow[flows.cut & Cut.PROXIED != 0].tolist())
    return {finding.rule.id for finding in result.findings if invented.intersection(finding.flows)}


def may_speak(rule: Rule) -> bool:
    """Rules of `pair` would compare inventions with packets, so the command takes no such file."""
    return not rule.needs_headers and not rule.id.startswith("pair.")


def table(fired: Counter[str], told: int) -> str:
    """What each signature may still say, and what it keeps to itself."""
    lines = ["| signature | may speak | silent |", "|---|---|---|"]
    for module in signatures.load().signatures:
        free = [f"`{rule.id}` {fired[rule.id] or ''}".rstrip() for rule in module.RULES if may_speak(rule)]
        silent = [f"`{rule.id}`" for rule in module.RULES if not may_speak(rule)]
        lines.append(f"| {module.METHOD} | {', '.join(free) or '(nothing)'} | {', '.join(silent)} |")
    return "\n".join([_HEAD.format(cases=told), "", *lines])


def keep(text: str) -> None:
    readme = CASES / "README.md"
    before, _, rest = readme.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(f"{before.rstrip()}\n\n{BEGIN}\n{text}\n{END}{after or chr(10)}", "utf-8")


def main() -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        found = [spoke(render(case, Path(folder))) for case in at_clients()]
    keep(table(Counter(rule for rules in found for rule in rules), len(found)))


if __name__ == "__main__":
    main()
