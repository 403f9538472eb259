"""The truth of a scenario, flow by flow, from the logs of the machines that acted.

Captures are only searched for the frame numbers of the packets that the logs name. A flow is `interference` when a box
acted on it with effect, `exposed` when a rule met it without effect or when it only followed a forged answer, else
`genuine`, with a cause where something ordinary happened to it.
"""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.lab import capture_file, defects, phone
from tests.lab.packet import TCP, fingerprint, parse
from tests.lab.resolver import Zone
from tests.lab.rules import Rule
from tests.lab.scenario import Scenario

COLUMNS = (
    "flow", "protocol", "client", "client_port", "server", "server_port", "name", "label", "cause", "trigger", "trigger_detail",
    "action", "position", "parameters", "start", "client_packets", "server_packets", "client_frames", "server_frames",
)  # fmt: skip
PROOF = "proof"  # folder of captures that are no example of anything, and only show what happened
_ROLES = ("trigger", "forged", "rewritten", "taken", "dropped", "held")
_NAMED = {"sni": "sni", "http_host": "host", "dns_name": "qname"}  # trigger -> what the box read
_RATES = {"police", "shape", "random_loss", "ack_drop"}
_DROPS_THAT_MATTER = 5  # a limiter that took fewer packets changed nothing that could be noticed
_HOLD_THAT_MATTERS = 0.1  # seconds, likewise
_NEAR_IN_TIME = 1.5e9  # ns between the box's sight of a packet and a capture's


class Sightings:
    """Where each packet stands in one capture."""

    def __init__(self, records: list[capture_file.Record], defect: tuple[defects.Defect, ...], seed: int):
        self.frames = defects.apply(defect, records, seed)
        self._numbers: dict[int, list[int]] = defaultdict(list)  # original number -> numbers in what is kept
        for number, kept in enumerate(self.frames, start=1):
            self._numbers[kept.origin].append(number)
        self._by_print: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._segments: dict[tuple, list[tuple[int, int, int, int]]] = defaultdict(list)
        self._used: set[tuple[str, int]] = set()
        self.packets: Counter[tuple] = Counter()  # by both ends, of what is kept
        for kept in self.frames:
            packet = parse(kept.record.frame, True)
            if packet is not None:
                self.packets[packet.proto, packet.client, packet.server] += 1
        for number, record in enumerate(records, start=1):
            packet = parse(record.frame, True)
            if packet is None:
                continue
            self._by_print[fingerprint(packet)].append((record.ns, number))
            if packet.proto == TCP and packet.end > packet.data:
                ends = (packet.src, packet.sport, packet.dst, packet.dport)
                self._segments[ends].append((record.ns, packet.seq, packet.end - packet.data, number))

    def count(self, flow: dict) -> int:
        """Packets of a flow that the capture has."""
        proto, client, server = flow["proto"], tuple(flow["client"]), tuple(flow["server"])
        return self.packets[proto, client, server] + self.packets[proto, server, client]

    def find(self, line: dict, flow: dict, ns: int) -> list[int]:
        """Numbers of the frames that show the packet of a log line: of several alike, the nearest in time not yet given away."""
        choices = [
            (abs(at - ns), number)
            for at, number in self._by_print.get(line["packet"], ())
            if (line["what"], number) not in self._used and abs(at - ns) < _NEAR_IN_TIME
        ]
        if not choices and flow["proto"] == TCP:  # offloads put several segments into one frame
            ends = (*flow["client"], *flow["server"]) if line["up"] else (*flow["server"], *flow["client"])
            choices = [
                (abs(at - ns), number)
                for at, seq, size, number in self._segments.get(ends, ())
                if size > 1500 and seq <= line["seq"] < seq + size
            ]
        if not choices:
            return []
        number = min(choices)[1]
        self._used.add((line["what"], number))
        return self._numbers.get(number, [])


def write(scenario: Scenario, folder: Path) -> None:
    """truth.csv and scenario.json of a finished run; captures with defects replace the perfect ones."""
    sights = {}
    for vantage, defect in (("client", scenario.client_defects), ("server", scenario.server_defects)):
        file = folder / f"{vantage}.pcapng"
        records = capture_file.read(file)
        sights[vantage] = Sightings(records, defect, scenario.seed)
        if vantage == "client" and scenario.phone:
            phone.render(records, folder / "phone.pcap", scenario.clients)
        if defect:
            capture_file.write(folder / f"{vantage}.pcap", (kept.record for kept in sights[vantage].frames))
        if vantage not in scenario.vantages:
            (folder / PROOF).mkdir(exist_ok=True)
            file.rename(folder / PROOF / file.name)
        elif defect:
            file.unlink()
    boxes = [_Log(folder / "box.jsonl", scenario.rules_of(False))]
    if scenario.topology.device:
        boxes.insert(0, _Log(folder / "device.jsonl", scenario.rules_of(True)))
    rows = sorted(
        _rows(scenario, boxes, _read(folder / "servers.jsonl"), sights), key=lambda row: (row["start"], row["flow"])
    )
    with open(folder / "truth.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    about = {
        "name": scenario.name, "family": scenario.family, "about": scenario.about,
        "kind": "interference" if scenario.interferes else "ordinary",
        "rules": [_described(rule) for rule in scenario.rules],
        "boxes": {log.path.stem: log.summary for log in boxes},
        "labels": Counter(row["label"] for row in rows),
        "defects": {
            "client": [vars(each) for each in scenario.client_defects],
            "server": [vars(each) for each in scenario.server_defects],
        },
    }  # fmt: skip
    (folder / "scenario.json").write_text(json.dumps(about, indent=1) + "\n")


def _described(rule: Rule) -> dict:
    return {
        "trigger": rule.trigger.axis, "trigger_detail": rule.trigger.detail, "action": rule.action_word, "position": rule.position,
        "cause": rule.cause, "parameters": rule.parameters,
    }  # fmt: skip


def _read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class _Log:
    """What one box wrote."""

    def __init__(self, path: Path, rules: tuple[Rule, ...]):
        self.path, self.rules = path, rules
        lines = _read(path)
        self.summary = lines[-1]
        self.flows = [line for line in lines if line["what"] == "flow"]
        self.acts: dict[tuple[int, int], list[dict]] = defaultdict(list)  # (flow, rule) -> lines
        for line in lines:
            if "rule" in line:
                self.acts[line["flow"], line["rule"]].append(line)

    def ns(self, line: dict) -> int:
        return self.summary["began_ns"] + int(line["at"] * 1e9)


def _rows(scenario: Scenario, boxes: list[_Log], met: list[dict], sights: dict[str, Sightings]) -> Iterable[dict]:
    did = {(tuple(line["client"]), tuple(line["server"])): line["did"] for line in met if line["did"]}
    lured = _forged_addresses(scenario.rules, scenario.zones) - {
        address for site in scenario.sites.values() for address in site.addresses
    }
    number = 0
    listed: set[tuple] = set()
    for log in boxes:
        for flow in log.flows:
            key = (flow["proto"], *flow["client"], *flow["server"])
            methods = list(_methods(log, flow, sights))
            if log is not boxes[0] and key in listed and not methods:
                continue  # the box on the device told of it already
            listed.add(key)
            base = {
                "flow": number, "protocol": {6: "tcp", 17: "udp"}.get(flow["proto"], flow["proto"]),
                "client": flow["client"][0], "client_port": flow["client"][1],
                "server": flow["server"][0], "server_port": flow["server"][1],
                "name": flow["sni"] or flow["host"] or flow["qname"] or "", "start": flow["began"],
                **{f"{vantage}_packets": sight.count(flow) for vantage, sight in sights.items()},
            }  # fmt: skip
            number += 1
            ends = tuple(flow["client"]), tuple(flow["server"])
            if did.get(ends) == "intercepted":
                methods.append({
                    "label": "genuine" if scenario.cause else "interference", "cause": scenario.cause, "trigger": "sni",
                    "trigger_detail": base["name"], "action": "tls_mitm", "parameters": "{}",
                    "position": "device" if scenario.family == "device" else "in_path",
                })  # fmt: skip
            methods += _denied(scenario, flow)
            if not methods:
                cause = did.get(ends) or _site_cause(scenario, flow)
                methods = [{"label": "exposed" if flow["server"][0] in lured else "genuine", "cause": cause}]
            for method in methods:
                yield base | method


def _denied(scenario: Scenario, flow: dict) -> list[dict]:
    """What a resolver that censors did: it answers itself, so no box knows of it."""
    zone = scenario.zones.get(flow["server"][0], scenario.zones.get("*"))
    other = zone.find(flow["qname"]) if zone and zone.censors and flow["qname"] else None
    if other is None:
        return []
    return [{
        "label": "interference", "trigger": "dns_name", "trigger_detail": flow["qname"], "position": "endpoint",
        "action": "forged_dns" if isinstance(other, tuple) and other else "nxdomain", "parameters": json.dumps({"answer": other}),
    }]  # fmt: skip


def _methods(log: _Log, flow: dict, sights: dict[str, Sightings]) -> Iterable[dict]:
    for number, rule in enumerate(log.rules):
        lines = log.acts.get((flow["flow"], number), [])
        if not lines:
            continue
        frames = {vantage: defaultdict(list) for vantage in sights}
        for line in lines:
            role = "trigger" if line["what"] == "residual" else line["what"]
            for vantage, sight in sights.items():
                if vantage in _seen_at(role, line["up"]):
                    frames[vantage][role] += sight.find(line, flow, log.ns(line))
        residual = any(line["what"] == "residual" for line in lines)
        word = rule.afterwards.word if residual and rule.afterwards else rule.action_word
        detail = flow[_NAMED[axis]] if (axis := rule.trigger.axis) in _NAMED and not residual else rule.trigger.detail
        row = {
            "cause": rule.cause, "trigger": axis, "trigger_detail": detail, "action": word,
            "position": rule.position, "parameters": json.dumps(rule.parameters | ({"residual": True} if residual else {})),
            "client_frames": _frames(frames["client"]), "server_frames": _frames(frames["server"]),
        }  # fmt: skip
        if _matters(rule, lines):
            yield row | {"label": "genuine" if rule.cause else "interference"}
        elif not rule.cause:
            yield row | {"label": "exposed"}


def _seen_at(role: str, up: bool) -> tuple[str, ...]:
    """Where a packet can be: what ended at the box only at its sender, what the box made only at who received it."""
    sender, receiver = ("client", "server") if up else ("server", "client")
    if role in ("dropped", "taken"):
        return (sender,)
    return (receiver,) if role in ("forged", "rewritten") else (sender, receiver)


def _matters(rule: Rule, lines: list[dict]) -> bool:
    counts = Counter(line["what"] for line in lines)
    if rule.action_word in _RATES and not rule.cause:
        longest = max((line["seconds"] for line in lines if line["what"] == "held"), default=0.0)
        return counts["dropped"] >= _DROPS_THAT_MATTER or longest >= _HOLD_THAT_MATTERS
    return any(counts[what] for what in ("forged", "dropped", "rewritten", *(["held"] if rule.cause else [])))


def _forged_addresses(rules: tuple[Rule, ...], zones: dict[str, Zone]) -> set[str]:
    return {address for rule in rules for family in ("v4", "v6") for address in getattr(rule.action, family, ())} | {
        address
        for zone in zones.values()
        for other in zone.other.values()
        if isinstance(other, tuple)
        for address in other
    }


def _site_cause(scenario: Scenario, flow: dict) -> str:
    for name, change in scenario.changes.items():
        if flow["server"][0] in scenario.sites[name].addresses:
            site = scenario.sites[name]
            down, refused = not site.up, flow["server"][1] in site.closed
            return scenario.cause or (
                "server_down" if down else "closed_port" if refused else site.behaviour if change else ""
            )
    return scenario.cause if not scenario.changes else ""


def _frames(roles: dict[str, list[int]]) -> str:
    return json.dumps({role: ranges(sorted(set(roles[role]))) for role in _ROLES if roles.get(role)})


def ranges(numbers: list[int]) -> str:
    """`[1, 2, 3, 7]` -> `"1-3,7"`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)
