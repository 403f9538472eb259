"""How conversations went, where a verdict names no method: what was seen of those that failed, and where to look at it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.report import filters
from analyzer.report.conversation import key
from analyzer.report.words import N_, Words
from analyzer.result import Result, Verdict
from analyzer.tables import End, Stage, Table

FRAMES = 4  # ranges of frames shown for each way in which conversations ended
UNEXPLAINED = ("impaired", "down")  # states that are no accusation and still no all-clear

REACHED = {
    Stage.SYN: N_("no connection"),
    Stage.SYNACK: N_("half a connection"),
    Stage.OPEN: N_("connected"),
    Stage.ASKED: N_("asked, not answered"),
    Stage.ANSWERED: N_("answered"),
    Stage.SERVED: N_("answered and went on"),
}
ENDED = {
    End.RST_DOWN: N_("reset from the server's side"),
    End.RST_UP: N_("reset from the client's side"),
    End.SILENCE: N_("fell silent"),
    End.ICMP: N_("turned away (ICMP)"),
}
_FAILED_ENDS = (End.RST_DOWN, End.SILENCE, End.ICMP)


class Outcomes(NamedTuple):
    said: list[str]  # one line for each way in which they went, the most frequent first
    filters: list[str]  # Wireshark display filters: the conversations, then the packets that they ended with


def went(stage: int, ended_by: int, words: Words) -> str:
    """How far a conversation came, and what ended it."""
    ended = words.say(ENDED[End(ended_by)]) if ended_by in ENDED else ""
    return words.listing(filter(None, (words.say(REACHED[Stage(stage)]), ended)))


def outcomes(result: Result, verdict: Verdict, words: Words) -> Outcomes:
    """What was seen of a verdict's failed conversations; of all of them, where none failed by itself.

    Nothing for a verdict that names a method, which has its own proof, or where the flows were not kept.
    """
    table = result.flow_table
    if table is None or verdict.methods or verdict.state not in UNEXPLAINED:
        return Outcomes([], [])
    mine = table[(table.target == verdict.target) & (table.stage > Stage.NONE)]
    failed = (mine.stage <= Stage.ASKED) | np.isin(mine.ended_by, [int(end) for end in _FAILED_ENDS])
    flows = mine[failed] if failed.any() else mine
    if not len(flows):
        return Outcomes([], [])
    kinds, of_kind, counts = np.unique(
        np.stack((flows.stage, flows.ended_by)), axis=1, return_inverse=True, return_counts=True
    )
    of_kind = of_kind.reshape(-1)
    said = [
        _line(flows[of_kind == kind], int(kinds[0, kind]), int(kinds[1, kind]), words)
        for kind in np.argsort(-counts, kind="stable")
    ]
    conversations = filters.conversations(key(flow) for flow in flows[: filters.MOST].rows())
    ends = filters.frames(flows.last_frame[: filters.MOST].tolist())
    return Outcomes(said, [*filter(None, (conversations,)), ends])


def _line(flows: Table, stage: int, ended_by: int, words: Words) -> str:
    ranges = [
        str(first) if first == last else f"{first}-{last}"
        for first, last in zip(flows.first_frame[:FRAMES].tolist(), flows.last_frame[:FRAMES].tolist(), strict=True)
    ]
    return words.plural(
        "{n} connection: {went} (packets {frames})",
        "{n} connections: {went} (packets {frames})",
        len(flows),
        went=went(stage, ended_by, words),
        frames=words.listing([*ranges, *(["…"] if len(flows) > FRAMES else [])]),
    )
