"""What a capture looks like to somebody: the same picture drawn by tshark and by the analyzer, so that they can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

TCP, UDP = 6, 17
WORDS = {TCP: "tcp", UDP: "udp"}


class Stream(NamedTuple):
    """A conversation: protocol and number are its key in `View.streams`."""

    first_frame: int
    packets: int
    key: str | None  # Community ID


@dataclass
class View:
    """One capture as one program sees it."""

    packets: int = 0
    streams: dict[tuple[int, int], Stream] = field(default_factory=dict)  # by protocol and stream number
    names: set[tuple[int, int, str]] = field(default_factory=set)  # first frame of the conversation, protocol, SNI
    questions: dict[str, int] = field(default_factory=dict)  # names asked for in DNS -> a frame (0 where not known)
    resent: dict[int, set[int]] = field(default_factory=dict)  # first frame of a TCP conversation -> frames sent again
    partly: set[int] = field(default_factory=set)  # TCP conversations of which not every such frame was kept
    remarks: dict[int, str] = field(default_factory=dict)  # frame -> what is special about it, for the explanation
    layers: dict[int, str] = field(default_factory=dict)  # frame -> its protocols, where a program names them
    damaged: set[int] = field(default_factory=set)  # frames that a program complains of
    failed: str | None = None  # why the capture could not be read

    def by_first_frame(self, proto: int) -> dict[int, tuple[int, Stream]]:
        """First frame -> (stream number, stream): the same conversation has the same, whatever it is called."""
        return {s.first_frame: (number, s) for (p, number), s in self.streams.items() if p == proto}
