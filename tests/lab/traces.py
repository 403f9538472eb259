"""What a method is at each vantage, from the logs of the boxes that acted: never from what the analyzer says.

The truth names a method once, by what it was meant to do: a page for the client is a `blockpage` wherever a capture
stands. A capture shows only what came there and what did not, so one method has a word for each vantage:

- What a box **made or changed** towards a vantage is there. At the client that is the method itself; at the server it is
  what came in the client's name: a reset is `rst`, a FIN `fin`, other bytes are `forged_data`.
- What a box **took or held** on its way there is missing, or late. A method that consists of that keeps its word (`drop`,
  `freeze`, `police`...); where one that forges also takes, it is a `drop` for the end that met nothing forged.
- What a box took from the **sender** shows there as well, as far as an answer was due: whatever a client sends asks for
  one; what a server sends is acknowledged in TCP and QUIC, but not in DNS, STUN and media.
- Where packets for the **other end alone** were forged, and that end's machine then resets a connection that it was made
  to forget or leave, this end meets a reset, and no more of the method: it is `rst` there.
- Otherwise it **leaves no trace**: a question that was swallowed or answered on the way, a SYN that never came, a close
  that both ends took for the other's wish. That is counted apart; nobody can have missed it.

What an end did itself (a resolver that lies) shows at both. A verdict that names the method as it was meant is right
too: it has inferred what was done elsewhere.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from tests.lab import capture_file
from tests.lab.packet import FIN, RST, SYN, TCP, UDP, parse

_MAKES, _TAKES = {"forged", "rewritten"}, {"dropped", "taken", "held"}
_MISSING = {"drop", "delayed_drop", "freeze", "police", "shape", "random_loss", "ack_drop"}  # words for absence itself
_QUIC = 443
_BARE = 40 + 60  # bytes of a packet without payload: the longest headers
Ends = tuple[int, str, int, str, int]  # protocol, client, port, server, port


def left(lines: Iterable[Mapping], ends: Ends, word: str, vantage: str) -> str:
    """The action that a method is at a vantage by what a box logged of one flow; empty where it did nothing there."""
    server = vantage == "server"
    came = [line for line in lines if line["what"] in _MAKES and line["up"] == server]
    if came and not server:
        return word
    if came:
        flags = [line["flags"] for line in came]
        return "rst" if any(f & RST for f in flags) else "fin" if any(f & FIN for f in flags) else "forged_data"
    if any(line["what"] in _TAKES and (line["up"] == server or not server or _asks(line, ends)) for line in lines):
        return word if word in _MISSING else "drop"
    return ""


def _asks(line: Mapping, ends: Ends) -> bool:
    """Whether an acknowledgment of a server's packet was due."""
    if ends[0] == TCP:
        return bool(line["flags"] & (SYN | FIN)) or line["length"] > _BARE
    return ends[0] == UDP and ends[4] == _QUIC


class Traces:
    """What the methods of one finished scenario are in one of its captures."""

    def __init__(self, capture: Path, vantage: str):
        self.capture, self.vantage = capture, vantage
        self._lines: dict[tuple, list[dict]] = defaultdict(list)
        rules = json.loads((capture.parent / "scenario.json").read_text())["rules"]
        for name in ("device", "box"):
            if (log := capture.parent / f"{name}.jsonl").exists():
                self._read(log, [rule for rule in rules if (rule["position"] == "device") == (name == "device")])

    def _read(self, log: Path, rules: list[dict]) -> None:
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        began = lines[-1]["began_ns"]
        flows = {line["flow"]: (line["proto"], *line["client"], *line["server"]) for line in lines if "proto" in line}
        for line in lines:
            if "rule" in line:
                rule = rules[line["rule"]]
                line["ns"] = began + int(line["at"] * 1e9)
                self._lines[*flows[line["flow"]], rule["trigger"], rule["position"]].append(line)

    def action(self, row: Mapping[str, str]) -> str:
        """The word for a row of truth.csv here; empty where it leaves no trace."""
        if row["server_packets" if self.vantage == "server" else "client_packets"] == "0":
            return ""
        ends = (
            {"tcp": TCP, "udp": UDP}.get(row["protocol"], 0),
            row["client"], int(row["client_port"]), row["server"], int(row["server_port"]),
        )  # fmt: skip
        lines = self._lines.get((*ends, row["trigger"], row["position"]))
        if not lines:
            return row["action"]  # an end's own doing
        return left(lines, ends, row["action"], self.vantage) or self._echo(lines, ends)

    def _echo(self, lines: Iterable[Mapping], ends: Ends) -> str:
        """`rst` where the other end's own machine resets what was forged to its end."""
        forged = min((line["ns"] for line in lines if line["what"] in _MAKES), default=None)
        return "rst" if forged is not None and any(ns > forged for ns in self._resets.get(ends, ())) else ""

    @cached_property
    def _resets(self) -> dict[Ends, list[int]]:
        """When resets from the other end are in the capture."""
        resets: dict[Ends, list[int]] = defaultdict(list)
        for record in capture_file.read(self.capture):
            packet = parse(record.frame, self.vantage == "server")
            if packet is not None and packet.proto == TCP and packet.flags & RST:
                resets[TCP, *packet.client, *packet.server].append(record.ns)
        return resets
