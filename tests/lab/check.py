"""An independent look: is on the wire what the truth says? `python -m tests.lab.check FOLDER`.

Reads the captures with dpkt, not with the laboratory's own parsers, and compares the two vantages: what was forged never left the
machine in whose name it came, what was dropped left one end and did not reach the other, what was held came later, a limiter let no
more through than its rate, and of a genuine flow without a cause every packet arrived as it was sent.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import dpkt

_PASSING = 0.7  # seconds; what was sent later than this before a capture's end may not have arrived in it
_LARGEST = 1500  # bytes of a packet that was on the wire
_GENEROUS = 1.03  # a rate is met within this, since the box is late at times


class Seen(NamedTuple):
    """One packet of a capture, as dpkt reads it."""

    time: float
    src: str
    dst: str
    proto: int
    sport: int
    dport: int
    ipid: int
    flags: int
    seq: int
    size: int  # of the IP packet
    payload: bytes
    options: bytes
    ip: object

    @property
    def identity(self) -> tuple:
        """What stays the same on the way."""
        return (
            self.src,
            self.dst,
            self.proto,
            self.sport,
            self.dport,
            self.ipid,
            self.flags,
            self.seq,
            self.payload,
            self.options,
        )

    @property
    def ends(self) -> frozenset:
        return frozenset(((self.src, self.sport), (self.dst, self.dport)))


def load(path: Path) -> list[Seen | None]:
    """Frames by number (from 1 on; 0 is empty); None for what is neither TCP, UDP nor ICMP."""
    frames: list[Seen | None] = [None]
    with path.open("rb") as file:
        for time, data in dpkt.pcapng.Reader(file):
            frames.append(_seen(time, dpkt.ethernet.Ethernet(data).data))
    return frames


def _seen(time: float, ip: object) -> Seen | None:
    if not isinstance(ip, (dpkt.ip.IP, dpkt.ip6.IP6)):
        return None
    v6 = isinstance(ip, dpkt.ip6.IP6)
    src, dst = (dpkt.utils.inet_to_str(address) for address in (ip.src, ip.dst))
    proto, ipid, size, body = (ip.nxt, 0, 40 + ip.plen, ip.data) if v6 else (ip.p, ip.id, ip.len, ip.data)
    if isinstance(body, dpkt.tcp.TCP):
        return Seen(
            time,
            src,
            dst,
            proto,
            body.sport,
            body.dport,
            ipid,
            body.flags,
            body.seq,
            size,
            bytes(body.data),
            bytes(body.opts),
            ip,
        )
    if isinstance(body, dpkt.udp.UDP):
        return Seen(time, src, dst, proto, body.sport, body.dport, ipid, 0, 0, size, bytes(body.data), b"", ip)
    return Seen(time, src, dst, proto, 0, 0, ipid, 0, 0, size, bytes(body), b"", ip)


def numbers(text: str) -> Iterable[int]:
    """`"1-3,7"` -> 1, 2, 3, 7."""
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _capture(folder: Path, vantage: str) -> Path:
    """The whole capture of a scenario, where there is one; a vantage that is no example is kept apart."""
    file = folder / f"{vantage}.pcapng"
    return file if file.exists() else folder / "proof" / file.name


class Scene:
    """Both captures of one scenario, and what they have in common."""

    def __init__(self, folder: Path):
        self.frames = {vantage: load(_capture(folder, vantage)) for vantage in ("client", "server")}
        self.identities = {
            vantage: Counter(seen.identity for seen in frames if seen) for vantage, frames in self.frames.items()
        }
        self.flows: dict[str, dict[frozenset, list[Seen]]] = {}
        for vantage, frames in self.frames.items():
            self.flows[vantage] = defaultdict(list)
            for seen in frames:
                if seen:
                    self.flows[vantage][seen.ends].append(seen)
        self.end = min(frames[-1].time if frames[-1] else float("inf") for frames in self.frames.values())

    def role(self, row: dict[str, str], role: str) -> Iterable[tuple[str, Seen]]:
        for vantage, frames in self.frames.items():
            for number in numbers(json.loads(row[f"{vantage}_frames"] or "{}").get(role, "")):
                yield vantage, frames[number]

    def elsewhere(self, vantage: str, seen: Seen) -> bool:
        return self.identities["server" if vantage == "client" else "client"][seen.identity] > 0


_FORGED = {  # action -> what a forged packet of it must look like
    "rst": lambda seen: bool(seen.flags & 4),
    "fin": lambda seen: bool(seen.flags & 5),
    "tls_alert": lambda seen: seen.payload[:1] == b"\x15" or bool(seen.flags & 4),
    "blockpage": lambda seen: seen.payload[:5] == b"HTTP/" or bool(seen.flags & 4),
    "forged_data": lambda seen: bool(seen.payload) or bool(seen.flags & 4),
    "forged_synack": lambda seen: seen.flags & 18 == 18 or bool(seen.flags & 4),
    "forged_dns": lambda seen: dpkt.dns.DNS(seen.payload).qr == 1,  # an AAAA question may be denied where A is lied to
    "nxdomain": lambda seen: not dpkt.dns.DNS(seen.payload).an,
    "icmp_reject": lambda seen: seen.proto in (1, 58),
}


def claims(row: dict[str, str], scene: Scene) -> Iterable[tuple[str, bool]]:
    """What a row of the truth claims, and whether it holds."""
    if row["label"] == "genuine" and not row["cause"] and not row["position"]:
        yield "untouched", _untouched(row, scene)
    if row["position"] == "device" or (row["label"] == "genuine" and not row["cause"]):
        return  # what happens on a device, happens beyond both captures
    if row["label"] == "interference" and row["action"] in _FORGED and row["position"] in ("on_path", "in_path"):
        roles = set().union(*(json.loads(row[f"{vantage}_frames"] or "{}") for vantage in scene.frames))
        yield "forged: reached an end", bool(roles & {"forged", "rewritten"})
    for vantage, seen in scene.role(row, "forged"):
        yield "forged: of the kind that it is said to be", _FORGED.get(row["action"], lambda _: True)(seen)
        yield "forged: not sent by whom it names", not scene.elsewhere(vantage, seen)
    for vantage, seen in scene.role(row, "dropped"):
        mates = scene.identities[vantage][seen.identity]
        yield "dropped: did not arrive", mates > 1 or not scene.elsewhere(vantage, seen)
    for vantage, seen in scene.role(row, "held"):
        yield "held: arrived all the same", scene.elsewhere(vantage, seen) or seen.time > scene.end - _PASSING * 6
    taken = [seen for vantage, seen in scene.role(row, "taken") if vantage == "server"]
    rewritten = [seen for vantage, seen in scene.role(row, "rewritten") if vantage == "client"]
    if taken and row["action"] == "rst":
        yield (
            "rewritten: a reset instead of each packet",
            all(seen.flags & 4 for seen in rewritten) and len(rewritten) >= len(taken) - 2,
        )
    if row["action"] == "police" and row["label"] == "interference":
        yield "policed: no more passed than bucket and rate allow", _within_rate(row, scene)
    if row["action"] == "tls_mitm":
        answer = b"".join(seen.payload for seen in scene.flows["client"][_ends(row)] if seen.src == row["server"])
        yield "intercepted: the other authority signs", b"Qaznet" in answer


def _ends(row: dict[str, str]) -> frozenset:
    return frozenset(((row["client"], int(row["client_port"])), (row["server"], int(row["server_port"]))))


def _untouched(row: dict[str, str], scene: Scene) -> bool:
    """Every packet of the flow stands in both captures, but for those still under way at the end.

    Where offloads are on, a frame holds several packets and cannot be compared.
    """
    if any(seen.size > _LARGEST for vantage in scene.flows for seen in scene.flows[vantage][_ends(row)]):
        return True
    sent = {
        vantage: [seen for seen in scene.flows[vantage][_ends(row)] if seen.time < scene.end - _PASSING]
        for vantage in scene.flows
    }
    return all(scene.elsewhere(vantage, seen) for vantage in sent for seen in sent[vantage])


def _within_rate(row: dict[str, str], scene: Scene) -> bool:
    limit = json.loads(row["parameters"])
    if limit.get("scope", "flow") != "flow":
        return True  # shared between flows: a single one is no test
    for vantage, up in (("client", False), ("server", True)):
        if limit.get("direction", "both") not in ("both", "up" if up else "down"):
            continue
        passed = [seen for seen in scene.flows[vantage][_ends(row)] if (seen.src == row["client"]) == up]
        limited = passed[-_limited(row, scene, passed, up) :]
        if limited:
            span = limited[-1].time - limited[0].time
            if (
                sum(seen.size for seen in limited)
                > (limit["bucket_bytes"] + span * limit["rate_kbps"] * 125) * _GENEROUS + 3000
            ):
                return False
    return True


def _limited(row: dict[str, str], scene: Scene, passed: list[Seen], up: bool) -> int:
    """How many of the packets came after the first drop; what was sent before it may not have been limited yet."""
    drops = [seen.time for vantage, seen in scene.role(row, "dropped") if (seen.src == row["client"]) == up]
    return sum(seen.time >= min(drops, default=0.0) + _PASSING for seen in passed)


def check(folder: Path) -> tuple[Counter, list[str]]:
    """Claims of one scenario by kind, and those that do not hold."""
    held: Counter[tuple[str, bool]] = Counter()
    broken = []
    scene = Scene(folder)
    for row in csv.DictReader((folder / "truth.csv").open()):
        for claim, holds in claims(row, scene):
            held[claim, holds] += 1
            if not holds:
                broken.append(
                    f"{folder.name}: flow {row['flow']} {row['label']} {row['action']} {row['cause']}: {claim}"
                )
    return held, broken


def main(folders: list[str]) -> None:
    total: Counter[tuple[str, bool]] = Counter()
    broken, skipped = [], 0
    for truth in sorted(each for folder in folders for each in Path(folder).rglob("truth.csv")):
        if not all(_capture(truth.parent, vantage).exists() for vantage in ("client", "server")):
            skipped += 1  # spoiled on purpose: frames cannot be compared
            continue
        held, wrong = check(truth.parent)
        total += held
        broken += wrong
    for claim in sorted({claim for claim, _ in total}):
        print(f"{total[claim, True]:7} of {total[claim, True] + total[claim, False]:7}  {claim}")
    print(f"{skipped} scenarios without two whole captures were left out")
    print("\n".join(dict.fromkeys(broken)))
    raise SystemExit(1 if broken else 0)


if __name__ == "__main__":
    main(sys.argv[1:] or ["build/lab"])
