"""Packets that never arrive: drops at once, after some packets, of one direction, of acknowledgements, by chance.

A box in the path does all of this. What decides is how much still passes: a hello that is swallowed, a handshake that
passes and then silence, a transfer that freezes, a share of the packets of one name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tests.lab.flow import Flow
from tests.lab.packet import ACK, FIN, RST, SYN, TCP, Packet
from tests.lab.rules import DROP, Action, Fate


@dataclass(frozen=True)
class Drop(Action):
    """From the trigger on nothing passes; `spare` so many more packets (both ways) still do."""

    direction: str = "both"  # or "up", "down"
    spare: int = 0
    seconds: float = 0.0  # for how long; 0: for good
    kind: str = "drop"  # or delayed_drop, freeze

    in_path: ClassVar[bool] = True

    @property
    def word(self) -> str:  # type: ignore[override]
        return self.kind

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        memory = flow.memory(self, passed=0, since=box.now)
        memory.passed += 1
        if self.seconds and box.now - memory.since > self.seconds:
            return None
        meant = self.direction == "both" or packet.up == (self.direction == "up")
        return DROP if meant and memory.passed > self.spare else None


@dataclass(frozen=True)
class DropAcks(Action):
    """The client's pure acknowledgements are lost by chance (YouTube in Russia, 2024: net4people/bbs 382)."""

    share: float = 0.7

    word: ClassVar[str] = "ack_drop"
    in_path: ClassVar[bool] = True

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        pure = packet.proto == TCP and packet.up and packet.end == packet.data and not packet.flags & (SYN | FIN | RST)
        return DROP if pure and packet.flags & ACK and flow.dice[True].random() < self.share else None


@dataclass(frozen=True)
class Lose(Action):
    """Packets are lost by chance: alone (`share`), or in bursts (Gilbert–Elliott: good to bad, bad to good, loss while bad)."""

    share: float = 0.0
    bursts: tuple[float, float, float] | None = None
    direction: str = "both"

    word: ClassVar[str] = "random_loss"
    in_path: ClassVar[bool] = True

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        if self.direction != "both" and packet.up != (self.direction == "up"):
            return None
        if not self.bursts:
            return DROP if flow.dice[packet.up].random() < self.share else None
        memory = box.memory(self, bad=False)  # radio fades for everybody at once
        to_bad, to_good, share = self.bursts
        memory.bad = box.dice.random() >= to_good if memory.bad else box.dice.random() < to_bad
        return DROP if memory.bad and box.dice.random() < share else None


@dataclass(frozen=True)
class DropMedia(Action):
    """Of a call only the set-up passes: what looks like RTP is dropped."""

    direction: str = "down"

    word: ClassVar[str] = "drop"
    in_path: ClassVar[bool] = True

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        meant = self.direction == "both" or packet.up == (self.direction == "up")
        return DROP if meant and packet.payload[:1] and packet.payload[0] & 0xC0 == 0x80 else None


@dataclass(frozen=True)
class DropLarge(Action):
    """Packets above a size vanish without a word: a path MTU black hole."""

    above: int = 1400
    direction: str = "both"

    word: ClassVar[str] = "drop"
    in_path: ClassVar[bool] = True

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        meant = self.direction == "both" or packet.up == (self.direction == "up")
        return DROP if meant and packet.length > self.above else None


@dataclass(frozen=True)
class Forget(Action):
    """A NAT that forgets idle connections: what comes later is dropped, or answered with a reset by the NAT itself."""

    after: float = 5.0
    resets: Action | None = None

    word: ClassVar[str] = "drop"
    in_path: ClassVar[bool] = True

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        memory = flow.memory(self, forgotten=False)
        memory.forgotten = memory.forgotten or flow.idle > self.after
        if not memory.forgotten:
            return None
        if self.resets and packet.up and not packet.flags & RST:
            self.resets.start(box, flow, packet)
        return DROP


@dataclass(frozen=True)
class Limit(Action):
    """At most so many flows of this kind at once for one client and server; more of them hear nothing ("Siberian" limits)."""

    flows: int = 4
    seconds: float = 60.0

    word: ClassVar[str] = "drop"
    in_path: ClassVar[bool] = True

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        members = box.memory(self, (flow.client[0], flow.server[0]), born={}).born
        if flow.number not in members:
            recent = sum(box.now - born < self.seconds for born in members.values())
            members[flow.number] = box.now if recent < self.flows else float("-inf")
        return DROP if members[flow.number] == float("-inf") else None
