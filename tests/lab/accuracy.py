"""The analyzer against the laboratory: `python -m tests.lab.accuracy FOLDER`.

Every capture is analysed as a stranger's would be; only then is the truth opened. Counted are methods (what was done to a target in
a capture), the flows they name, and genuine flows that are accused. What a method is at the vantage of a capture, and whether it
leaves any trace there, says `traces`. The tables go to standard output and into captures/README.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from analyzer.addresses import client_network
from tests.lab import phone, scoreboard
from tests.lab.traces import Traces

if TYPE_CHECKING:
    from analyzer.result import Named, Verdict

ACCUSING = {"blocked", "likely_blocked", "throttled", "likely_throttled"}
_README = Path(__file__).parents[2] / "captures" / "README.md"


class Key(NamedTuple):
    protocol: str
    client: str
    client_port: int
    server: str
    server_port: int


class Said(NamedTuple):
    """A method that a verdict in an accusing state names, with the flows that it accuses."""

    target: str
    state: str
    action: str
    trigger: str
    position: str
    rules: tuple[str, ...]
    rate_kbps: float | None
    bucket_bytes: int | None
    flows: tuple[Key, ...]


class Done(NamedTuple):
    """A method of the truth in one capture: one action for one trigger, on these flows."""

    action: str  # what it is at this vantage, empty where it leaves no trace
    meant: str  # what it was done for
    trigger: str
    detail: str
    position: str
    rate_kbps: float | None
    bucket_bytes: int | None  # of a policer
    flows: tuple[Key, ...]


@dataclass
class Judged:
    """One capture: what was done, what was said."""

    scenario: str
    family: str
    vantage: str
    truth: tuple[Done, ...]
    said: tuple[Said, ...]
    genuine: dict[Key, str]  # flow -> cause, empty when it went well
    harmed: set[Key]
    exposed: set[Key]
    device: set[Key]  # genuine flows that something on the device disturbed
    networks: int = 1  # of clients
    error: str | None = None


def captures(folders: Iterable[Path]) -> Iterable[tuple[Path, str]]:
    """Every capture of finished scenarios, with its vantage."""
    for folder in folders:
        for rows in sorted(folder.rglob("truth.csv")):
            for file in sorted(rows.parent.iterdir()):
                if file.suffix in (".pcap", ".pcapng", ".zst"):
                    yield file, file.name.partition(".")[0]


def truth(file: Path, vantage: str) -> Judged:
    """What was done in one capture; nothing is said yet."""
    about = json.loads((file.parent / "scenario.json").read_text())
    rows = list(csv.DictReader((file.parent / "truth.csv").open()))
    done = _done(rows, Traces(file, vantage), vantage)
    judged = Judged(about["name"], about["family"], vantage, done, (), {}, set(), set(), set(), _networks(rows))
    for row in rows:
        key = _key(row, vantage)
        if not _visible(row, vantage):
            continue
        if row["label"] == "interference":
            judged.harmed.add(key)
        elif row["label"] == "exposed":
            judged.exposed.add(key)
        else:
            judged.genuine[key] = row["cause"]
            if row["position"] == "device":
                judged.device.add(key)
    for key in judged.harmed | judged.exposed:
        judged.genuine.pop(key, None)
    return judged


def judge(file: Path, vantage: str) -> Judged:
    """Analyse one capture and lay the truth beside it."""
    from analyzer.api import analyze
    from analyzer.errors import CaptureError
    from signatures import load

    judged = truth(file, vantage)
    try:
        result = analyze(file, load())
    except CaptureError as error:
        judged.error = str(error)
        return judged
    except Exception as error:
        judged.error = f"crash: {error!r}"
        return judged
    judged.said = said(result.answers)
    return judged


def said(answers: Iterable[Verdict]) -> tuple[Said, ...]:
    """The methods that accusing verdicts name."""
    return tuple(_said(verdict, named) for verdict in answers if verdict.state in ACCUSING for named in verdict.methods)


def _said(verdict: Verdict, named: Named) -> Said:
    method = named.method
    flows = tuple(
        Key(each.protocol, each.client, each.client_port, each.server, each.server_port) for each in named.flows
    )
    who = verdict.target, verdict.state
    what = method.action, method.trigger, method.position
    return Said(*who, *what, named.rules, named.rate_kbps, named.bucket_bytes, flows)


def _key(row: dict[str, str], vantage: str) -> Key:
    client = row["client"]
    if vantage == "phone":
        client = phone.DEVICE6 if ":" in row["server"] else phone.DEVICE
    return Key(row["protocol"], client, int(row["client_port"]), row["server"], int(row["server_port"]))


def _done(rows: list[dict[str, str]], traces: Traces, vantage: str) -> tuple[Done, ...]:
    """Rows of one kind together: one method. Flows on which it left no trace count only where it left none on any."""
    flows: dict[tuple, dict[str, list[Key]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["label"] == "interference":
            does = json.loads(row["parameters"] or "{}")
            numbers = does.get("rate_kbps"), does.get("bucket_bytes")
            method = row["action"], row["trigger"], _target(row), row["position"], *numbers
            flows[method][traces.action(row)].append(_key(row, vantage))
    return tuple(
        Done(action, *method, tuple(keys))
        for method, parts in flows.items()
        for action, keys in parts.items()
        if action or len(parts) == 1
    )


def _networks(rows: list[dict[str, str]]) -> int:
    """How many client networks there are; a device has addresses of both families."""
    return len({client_network(row["client"]) for row in rows if ":" not in row["client"]})


def _visible(row: dict[str, str], vantage: str) -> bool:
    """Whether the flow occurs in the capture at all; a swallowed question never reaches the server."""
    return row["server_packets" if vantage == "server" else "client_packets"] != "0"


def _target(row: dict[str, str]) -> str:
    return row["trigger_detail"] if row["trigger"] in ("sni", "http_host", "dns_name") else ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.accuracy", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("build/lab")])
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--errors", action="store_true", help="list every miss and every false accusation")
    parser.add_argument("--keep", action="store_true", help="keep the tables in captures/README.md")
    options = parser.parse_args()
    work = list(captures(options.folders))
    if not work:
        raise SystemExit("no finished scenario there: run `make lab` first")
    with ProcessPoolExecutor(options.jobs) as pool:
        judged = list(pool.map(judge, *zip(*work, strict=True), chunksize=4))
    text = scoreboard.tables(judged)
    print(text)
    if options.errors:
        print(scoreboard.errors(judged))
    if options.keep:
        scoreboard.keep(text, _README)


if __name__ == "__main__":
    main()
