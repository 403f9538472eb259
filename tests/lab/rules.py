"""A rule of a box: what it recognises, what it does, and whether that is interference or plain misfortune.

Actions say what becomes of a packet: it passes (`None`), is `DROP`ped, goes on later (`Hold`) or changed (`Rewrite`); what they forge
they hand to the box. Only a box in the path may do more than forge; the box checks it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from tests.lab.trigger import Trigger

if TYPE_CHECKING:
    from tests.lab.flow import Flow
    from tests.lab.middlebox import Box
    from tests.lab.packet import Packet


class Kind(StrEnum):
    """Whether somebody means it."""

    INTERFERENCE = "interference"
    ORDINARY = "ordinary"


@dataclass(frozen=True)
class Drop:
    """The packet ends here."""


@dataclass(frozen=True)
class Hold:
    """The packet goes on this much later, seconds."""

    seconds: float


@dataclass(frozen=True)
class Rewrite:
    """Another frame goes on instead."""

    frame: bytes


DROP = Drop()
Fate = Drop | Hold | Rewrite | None


@dataclass(frozen=True)
class Action:
    """What is done to a flow from the packet on that fired the trigger (`start`), and to each later packet of it (`each`)."""

    word: ClassVar[str] = ""  # of the action axis
    in_path: ClassVar[bool] = False

    def start(self, box: Box, flow: Flow, packet: Packet) -> Fate:
        return self.each(box, flow, packet)

    def each(self, box: Box, flow: Flow, packet: Packet) -> Fate:
        return None


@dataclass(frozen=True)
class Residual:
    """For some time after a hit, other flows of the same tuple share the fate: 3 is (client, server, port), 5 the same port too."""

    seconds: float
    tuple_size: int = 3
    renewed: bool = False  # by each packet that it stops

    def key(self, flow: Flow) -> tuple:
        return (flow.client if self.tuple_size == 5 else flow.client[0], flow.server, flow.proto)


@dataclass(frozen=True)
class Rule:
    """One line of a box's policy."""

    trigger: Trigger
    action: Action
    kind: Kind = Kind.INTERFERENCE
    residual: Residual | None = None
    afterwards: Action | None = None  # what the residual does; the action itself unless said
    in_path: bool | None = None  # None: as the action needs
    begins: float = 0.0  # seconds after the scenario's start
    ends: float = float("inf")
    word: str | None = None  # the action's word, where the action alone does not tell it

    @property
    def needs_path(self) -> bool:
        return self.action.in_path or bool(self.afterwards and self.afterwards.in_path)

    @property
    def position(self) -> str:
        return "in_path" if (self.in_path if self.in_path is not None else self.needs_path) else "on_path"

    @property
    def action_word(self) -> str:
        return self.word or self.action.word
