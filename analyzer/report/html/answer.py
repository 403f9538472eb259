"""The answer: which services do not work, how sure that is, and what worked beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from analyzer.report import overview, sentences
from analyzer.report.html.marks import LOOKS, State, code, state
from analyzer.report.phrases import AUXILIARY
from analyzer.report.words import N_, Words
from analyzer.result import ACCUSING, Result, Verdict

SENTENCES = 4  # of a service's answer
NAMED = 6  # names in one group of the headline

GROUPS = {  # states that the headline lists together
    "blocked": N_("Blocked: {names}."),
    "likely_blocked": N_("Probably blocked: {names}."),
    "throttled": N_("Slowed down: {names}."),
    "likely_throttled": N_("Probably slowed down: {names}."),
    "impaired": N_("Not working well, cause not shown: {names}."),
    "down": N_("Refused by the server itself: {names}."),
    "ok": N_("Working: {names}."),
}


class Line(NamedTuple):
    state: State
    name: str
    sentences: tuple[tuple[str, str], ...]  # text, anchor of its proof


class Answer:
    """Services worst first, in the words of the report; `anchors` lead from a target to its proof."""

    def __init__(self, result: Result, words: Words, anchors: Mapping[str, str], everything: bool):
        self.result, self.words, self.anchors, self.everything = result, words, anchors, everything
        self.say = words.say

    @cached_property
    def services(self) -> list[overview.Service]:
        return overview.services(self.result, self.everything, code)

    @property
    def groups(self) -> Iterator[tuple[str, str]]:
        """The states of the headline with what is in them: class, sentence."""
        for code_word, message in GROUPS.items():
            names = list(dict.fromkeys(self._named(line, code_word) for line in self.services))
            names = [name for name in names if name]
            if len(names) > NAMED:
                more = len(names) - NAMED
                names = [*names[:NAMED], self.words.plural("and {n} more", "and {n} more", more)]
            if names:
                yield LOOKS[code_word], self.say(message, names=self.words.listing(names))

    def _named(self, line: overview.Service, code_word: str) -> str:
        """A service with its roles in that state; empty when it has none."""
        if code_word not in ACCUSING and not used(line):
            return ""
        if code_word == "ok":
            return line.name if line.state == "ok" else ""
        mine = [verdict for verdict in line.verdicts if verdict.state == code_word]
        parts = overview.parts_of(line, mine, self.words, code)
        if not parts or len(mine) == len(line.verdicts):
            return line.name if mine else ""
        return self.say("{service} ({part})", service=line.name, part=self.words.listing(parts))

    @property
    def lines(self) -> Iterator[Line]:
        """Services worst first; those of which all works share the last line."""
        for line in self.services:
            if line.state == "ok":
                continue
            said = [
                (self.summary(verdict), self.anchors.get(verdict.target, ""))
                for verdict in line.verdicts
                if verdict.state != "ok"
            ]
            more = len(said) - SENTENCES
            said = said[:SENTENCES]
            if more > 0:
                said.append((self.words.plural("and {n} more", "and {n} more", more), ""))
            fine = [verdict for verdict in line.verdicts if verdict.state == "ok"]
            if parts := overview.parts_of(line, fine, self.words, code):
                said.append((self.say(GROUPS["ok"], names=self.words.listing(parts)), ""))
            yield Line(state(line.state, self.words, line.in_part), line.name, tuple(said))
        if names := [self._with_roles(line) for line in self.services if line.state == "ok"]:
            yield Line(state("ok", self.words), "", ((self.words.listing(names), ""),))

    def _with_roles(self, line: overview.Service) -> str:
        roles = dict.fromkeys(filter(None, (sentences.role(v.role, self.words) for v in line.verdicts)))
        if not roles or not used(line):
            return line.name
        return self.say("{service} ({part})", service=line.name, part=self.words.listing(roles))

    def summary(self, verdict: Verdict) -> str:
        name = sentences.service_name(verdict, self.result.service_names)
        return sentences.summary(verdict, self.words, name, code)

    @property
    def worked(self) -> str:
        """What worked, with how many attempts: half of the argument."""
        fine = [line for line in self.services if line.state == "ok"]
        names = [
            self.words.plural(
                "{name} ({fine} of {n} attempt)",
                "{name} ({fine} of {n} attempts)",
                sum(v.attempts for v in line.verdicts),
                name=line.name,
                fine=self.words.number(sum(v.attempts - v.failed for v in line.verdicts)),
            )
            for line in fine
        ]
        return self.words.listing(names[: 2 * NAMED])


def used(line: overview.Service) -> bool:
    """A known service that somebody uses for its own sake, not a connectivity check or a lookup."""
    return line.verdicts[0].service is not None and any(verdict.role not in AUXILIARY for verdict in line.verdicts)
