"""A flow of a verdict as a packet ladder, with notes that tie the evidence to the packets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from analyzer.plot import ladder as plot
from analyzer.report.escape import visible
from analyzer.report.pictures.twice import Twice, lapse, tail
from analyzer.report.words import N_, Words
from analyzer.result import Exhibit, Named, Result, Verdict
from analyzer.serial import ahead
from analyzer.signature import STRENGTHS, Finding, agreed
from analyzer.tables import TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, Kind

MOST_PACKETS = 14  # more is no longer a picture
MOST_RESENDS = 6
MOST_NOTES = 6
ADDRESS = 18  # characters of an address that fit above a lane
SILENT = ("drop", "delayed_drop", "ack_drop", "freeze")  # actions under which an unanswered packet is the argument
ASKED = {"tls": "ClientHello", "quic": "Initial", "http": N_("request"), "dns": N_("question"), "stun": N_("request")}


class Note(NamedTuple):
    """What was found at the packet with this number."""

    number: int
    findings: tuple[Finding, ...]


class Ladder(NamedTuple):
    picture: Twice
    notes: tuple[Note, ...]
    captions: tuple[str, ...]


@dataclass
class _Packet:
    row: SimpleNamespace  # of tables.PACKETS
    roles: set[str]
    label: str = ""
    look: str = "plain"
    number: int = 0
    findings: list[Finding] = field(default_factory=list)


def ladder(result: Result, verdict: Verdict, named: Named | None, exhibit: Exhibit, words: Words) -> Ladder | None:
    """The exhibit drawn for a method of a verdict (or, without one, for its failure); None without packets."""
    if not len(exhibit.packets):
        return None
    return _Scene(result, verdict, named, exhibit, words).ladder()


class _Scene:
    def __init__(self, result: Result, verdict: Verdict, named: Named | None, exhibit: Exhibit, words: Words):
        self.result, self.verdict, self.named, self.exhibit, self.words = result, verdict, named, exhibit, words
        self.near_left = exhibit.vantage != "server"
        self.shown = verdict.state in ("blocked", "throttled")
        self.findings = self._findings()
        self.rows = sorted(exhibit.packets.rows(), key=lambda row: row.frame)
        self.packets = self._choose()
        self.start = self.packets[0].row.ts
        self.way = (exhibit.rtt or 0) / 2e9

    def _findings(self) -> list[Finding]:
        """What was found in this flow, strongest first, each rule once."""
        flow = self.exhibit.key.flow
        mine = [f for f in self.verdict.findings if flow in f.flows]
        if self.named is not None:
            mine = [f for f in mine if f.rule.id in self.named.rules]
        mine.sort(key=lambda f: (STRENGTHS.index(f.rule.strength), f.ts, f.rule.id))
        return list({f.rule.id: f for f in reversed(mine)}.values())[::-1]

    def _choose(self) -> list[_Packet]:
        """Witnesses, the steps of the handshake, the first words of each side, what was sent again, how it ended."""
        roles: dict[int, set[str]] = {}
        for witness in (*agreed(self.findings), *(self.named.witnesses if self.named else ())):
            roles.setdefault(witness.frame, set()).add(witness.role)
        ranked: list[tuple[int, int]] = []  # importance, frame
        seen: set[tuple] = set()
        resends = 0
        for row in self.rows:
            kind = self._kind(row)
            if row.frame in roles:
                ranked.append((0, row.frame))
            elif kind not in seen and kind[0] != "ack":
                ranked.append((1, row.frame))
            elif row.kind in (Kind.RESENT, Kind.SPURIOUS) or kind[0] == "syn" or (row.tcp_flags < 0 and row.up):
                resends += 1
                ranked.append((2 if resends <= MOST_RESENDS else 9, row.frame))
            seen.add(kind)
        frames = {frame for rank, frame in sorted(ranked)[:MOST_PACKETS] if rank < 9}
        kept = [_Packet(row, roles.get(row.frame, set())) for row in self.rows if row.frame in frames]
        return kept or [_Packet(row, set()) for row in self.rows[:MOST_PACKETS]]

    @staticmethod
    def _kind(row: SimpleNamespace) -> tuple:
        """Packets of one kind and direction are interesting once."""
        if row.icmp >= 0:
            return ("icmp", row.icmp)
        if row.tcp_flags >= 0:
            for bit, name in ((TCP_RST, "rst"), (TCP_SYN, "syn"), (TCP_FIN, "fin")):
                if row.tcp_flags & bit:
                    return (name, row.up)
        return ("data" if row.payload_len else "ack", row.up)

    def ladder(self) -> Ladder:
        words = self.words
        self._label()
        lost = self._lost()
        for packet in self.packets:
            if "forged" in packet.roles:
                packet.look = "forged"
            elif packet.row.icmp >= 0 and not packet.row.from_target:
                packet.look = "border"
            elif packet.row.frame in lost:
                packet.look = "lost"
        notes = self._notes()
        path_way, bounded = self._path_way()
        forged = [packet for packet in self.packets if packet.look == "forged"]
        lanes = self._lanes(path_way if bounded else None)
        spec = plot.Ladder(
            *lanes,
            arrows=[self._arrow(packet, bool(forged)) for packet in self.packets],
            way=self.way,
            path_way=path_way,
            title=words.say(
                N_("Packets of one connection to {target}, in order of time"), target=visible(self.verdict.target)
            ),
            passed=lambda seconds: words.say(N_("{time} pass"), time=lapse(seconds, words)),
            near_left=self.near_left,
            dead_from=self._dead_from(forged),
            bracket=self._bracket(),
        )
        picture = Twice(plot.draw(spec, plot.WIDE), plot.draw(spec, plot.NARROW))
        return Ladder(picture, notes, self._captions(bounded, bool(lost)))

    def _label(self) -> None:
        times: dict[tuple, int] = {}  # how often a packet, or a kind of packet, was named
        for packet in self.packets:
            row, kind = packet.row, self._kind(packet.row)
            packet.label = self._name(row, kind, kind not in times)
            times[kind] = times.get(kind, 0) + 1
            datagram = row.tcp_flags < 0 <= row.payload_len and row.icmp < 0
            resent = row.kind in (Kind.RESENT, Kind.SPURIOUS)
            if not (resent or datagram or (kind[0] == "syn" and not row.tcp_flags & TCP_ACK)):
                continue
            same = ("same", row.up, row.payload_len if datagram else row.seq)
            n = times.get(same, 1 if resent else 0)
            times[same] = n + 1
            if n:
                packet.label = self.words.say(N_("sent again {n}"), n=n)

    def _name(self, row: SimpleNamespace, kind: tuple, first: bool) -> str:
        words = self.words
        if kind[0] == "icmp":
            return words.say(N_("ICMP error"))
        if kind[0] in ("rst", "syn", "fin"):
            return kind[0].upper() + ("/ACK" if row.tcp_flags & TCP_ACK and kind[0] != "fin" else "")
        if kind[0] == "ack":
            return "ACK"
        if first and row.up and (asked := ASKED.get(self._protocol() or "")):
            return words.say(asked)
        if first and not row.up:
            return words.say(N_("answer"))
        return words.say(N_("{size} of data"), size=words.size(row.payload_len))

    def _protocol(self) -> str | None:
        flows = self.result.flow_table
        if flows is None:
            return None
        at = np.flatnonzero(flows.flow == self.exhibit.key.flow)
        return flows.row(int(at[0])).protocol if len(at) else None

    def _lost(self) -> set[int]:
        """Frames that left the capture's side and were never acknowledged or answered; only where that is the point."""
        if self.named is not None and self.named.method.action not in SILENT:
            return set()
        if self.exhibit.vantage not in ("client", "server"):
            return set()
        out = [row for row in self.rows if row.up == self.near_left and row.icmp < 0]
        back = [row for row in self.rows if row.up != self.near_left and row.icmp < 0]
        lost = set()
        for row in out:
            if row.tcp_flags < 0:
                heard = any(other.frame > row.frame for other in back)
            else:
                size = row.payload_len + bool(row.tcp_flags & (TCP_SYN | TCP_FIN))
                end = row.seq + size
                acks = [o for o in back if o.frame > row.frame and o.tcp_flags & TCP_ACK]
                heard = not size or bool(row.tcp_flags & TCP_RST) or any(ahead(o.ack, end) >= 0 for o in acks)
            if not heard:
                lost.add(row.frame)
        return lost

    def _path_way(self) -> tuple[float, bool]:
        """How far the path lane stands, in seconds, and whether that is a bound that was measured.

        Whoever forged an answer to a packet is at most half as far away as the time between the two. That it is an
        answer is taken from its acknowledgment, or, at the client, from the request that went before it.
        """
        forged = next((packet.row for packet in self.packets if packet.look == "forged"), None)
        if forged is None or not self.way:
            return self.way / 2, False
        triggers = [
            p.row for p in self.packets if "trigger" in p.roles and p.row.ts < forged.ts and p.row.up != forged.up
        ]
        if not triggers:
            return self.way / 2, False
        trigger = triggers[-1]
        if forged.tcp_flags >= 0 and forged.tcp_flags & TCP_ACK:
            answers = ahead(forged.ack, trigger.seq + trigger.payload_len) >= 0
        else:
            answers = self.exhibit.vantage == "client"
        gap = (forged.ts - trigger.ts) / 2e9
        return (min(gap, self.way), True) if answers else (self.way / 2, False)

    def _lanes(self, path_way: float | None) -> tuple[plot.Lane, plot.Lane, plot.Lane]:
        words, key = self.words, self.exhibit.key
        below = words.say(N_("at most {time} away"), time=lapse(path_way, words)) if path_way else ""
        client = plot.Lane(words.say(N_("client")), tail(key.client, ADDRESS))
        server = plot.Lane(words.say(N_("server")), tail(key.server, ADDRESS))
        near, far = (client, server) if self.near_left else (server, client)
        if self.exhibit.vantage not in ("client", "server"):
            near = plot.Lane(words.say(N_("capture")))
        return near, plot.Lane(words.say(N_("path")), below), far

    def _arrow(self, packet: _Packet, contrast: bool) -> plot.Arrow:
        words, row = self.words, packet.row
        at = (row.ts - self.start) / 1e9
        below = words.say(N_("packet {frame} · {time}"), frame=row.frame, time=lapse(at, words))
        aside = ""
        if packet.look == "forged":
            said = N_("forged · TTL {ttl}") if self.shown else N_("does not fit · TTL {ttl}")
            aside = words.say(said, ttl=row.ttl)
        elif contrast and (row.up != self.near_left) and self._kind(row)[0] in ("syn", "data"):
            aside = f"TTL {row.ttl}"
        return plot.Arrow(at, row.up == self.near_left, packet.look, packet.label, below, aside, packet.number)

    def _dead_from(self, forged: Sequence[_Packet]) -> float | None:
        resets = [p.row for p in forged if p.row.tcp_flags >= 0 and p.row.tcp_flags & TCP_RST]
        return (resets[0].ts - self.start) / 1e9 if resets else None

    def _bracket(self) -> tuple[float, float, str, str] | None:
        """The way there and back, where the handshake shows it."""
        steps = [p.row for p in self.packets if self._kind(p.row)[0] == "syn" and p.look == "plain"]
        out = [row for row in steps if row.up == self.near_left]
        back = [row for row in steps if row.up != self.near_left]
        if len(out) != 1 or len(back) != 1 or back[0].ts <= out[0].ts:
            return None
        start, end = (out[0].ts - self.start) / 1e9, (back[0].ts - self.start) / 1e9
        return start, end, lapse(end - start, self.words), self.words.say(N_("there and back"))

    def _notes(self) -> tuple[Note, ...]:
        """Number the packets that findings speak of, from the top down."""
        by_frame = {packet.row.frame: packet for packet in self.packets}
        order = {"forged": 0, "contradicts": 1, "missing_after": 2, "resent": 3, "trigger": 4, "baseline": 5}
        for finding in self.findings[:MOST_NOTES]:
            wanted = sorted(finding.witnesses, key=lambda w: (order[w.role], w.frame))
            places = [by_frame[w.frame] for w in wanted if w.frame in by_frame]
            free = [packet for packet in places if not packet.findings]
            if places:
                (free or places)[0].findings.append(finding)
        numbered = [packet for packet in self.packets if packet.findings]
        for number, packet in enumerate(numbered, 1):
            packet.number = number
        return tuple(Note(packet.number, tuple(packet.findings)) for packet in numbered)

    def _captions(self, bounded: bool, lost: bool) -> tuple[str, ...]:
        words = self.words
        said = [
            words.say(
                N_(
                    "One connection; time runs down, to scale. What touches the lane of the capture is in the file, "
                    "the rest is inferred."
                )
            )
        ]
        if bounded:
            said.append(words.say(N_("The path lane stands as far away as the times allow.")))
        if lost:
            said.append(
                words.say(N_("× marks a packet that was sent and never answered; where it was lost is not known."))
            )
        left_out = len(self.rows) - len(self.packets)
        if left_out > 0:
            said.append(words.plural("{n} more packet is not drawn.", "{n} more packets are not drawn.", left_out))
        return tuple(said)
