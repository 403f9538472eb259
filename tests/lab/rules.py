"""A rule of a box: what it recognises, what it does, and whether that is interference or plain misfortune.

Actions say what becomes of a packet: it passes (`None`), is `DROP`ped, goes on later (`Hold`) or changed (`Rewrite`);
what they forge they hand to the box. Only a box in the path may do more than forge; the box checks it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, ClassVar

from tests.lab.trigger import Trigger

if TYPE_CHECKING:
    from tests.lab.flow import Flow
    from tests.lab.middlebox import Box
    from tests.lab.packet import Packet


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

    @property
    def parameters(self) -> dict[str, object]:
        """Fields that are not at their defaults, fit for JSON."""
        given = {
            each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) != each.default
        }
        return {"does": type(self).__name__, **{name: _plain(value) for name, value in given.items()}}


@dataclass(frozen=True)
class Together(Action):
    """Several actions on one flow; the first that stops or changes a packet decides about it."""

    actions: tuple[Action, ...] = ()

    @property
    def in_path(self) -> bool:  # type: ignore[override]
        return any(action.in_path for action in self.actions)

    @property
    def word(self) -> str:  # type: ignore[override]
        return self.actions[0].word

    def start(self, box: Box, flow: Flow, packet: Packet) -> Fate:
        fates = [action.start(box, flow, packet) for action in self.actions]
        return next((fate for fate in fates if fate), None)

    def each(self, box: Box, flow: Flow, packet: Packet) -> Fate:
        fates = [action.each(box, flow, packet) for action in self.actions]
        return next((fate for fate in fates if fate), None)


def _plain(value: object) -> object:
    if isinstance(value, Action):
        return value.parameters
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value.decode("latin-1") if isinstance(value, bytes) else value


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
    """One line of a box's policy; with a `cause` it is an ordinary misfortune, without one somebody means it."""

    trigger: Trigger
    action: Action
    cause: str = ""
    residual: Residual | None = None
    afterwards: Action | None = None  # what the residual does; the action itself unless said
    in_path: bool | None = None  # None: as the action needs
    device: bool = False  # done by the box on the client's own device
    begins: float = 0.0  # seconds after the scenario's start
    ends: float = float("inf")
    word: str | None = None  # the action's word, where the action alone does not tell it

    @property
    def needs_path(self) -> bool:
        return self.action.in_path or bool(self.afterwards and self.afterwards.in_path)

    @property
    def position(self) -> str:
        if self.device:
            return "device"
        return "in_path" if (self.in_path if self.in_path is not None else self.needs_path) else "on_path"

    @property
    def action_word(self) -> str:
        return self.word or self.action.word

    @property
    def parameters(self) -> dict[str, object]:
        """What the truth says about how it was done: the fields that are not at their defaults."""
        told = {"chance": self.trigger.chance} if self.trigger.chance < 1 else {}
        told.update(self.action.parameters)
        if self.residual:
            told.update(residual_s=self.residual.seconds, residual_tuple=self.residual.tuple_size)
        return told
