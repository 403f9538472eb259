"""Collects answers that are evidence against a name, and makes findings of them: what was done, and from where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from analyzer.dns_answers import MOST_NAMES, Answers
from analyzer.signature import Finding, Method, Rule, Witness

SECOND = 1_000_000_000
SHOWN = 8  # answers and frames named per finding
SURE, FEW = 0.01, 0.05  # of a name effect, one-sided


class DnsEvidence:
    """Messages by rule and name. Rules in which two answers raced, or that place the forger, say so in `note`."""

    def __init__(self, answers: Answers):
        self.answers, self.seen = answers, answers.seen
        self.tampered = np.zeros(len(answers), bool)  # messages with evidence that is more than supporting
        self._against: dict[tuple[Rule, int], set[int]] = defaultdict(set)  # (rule, name) -> messages
        self._genuine: dict[tuple[Rule, int], set[int]] = defaultdict(set)  # what contradicts them
        self._measured: dict[tuple[Rule, int], dict[str, Any]] = defaultdict(dict)
        self._of_name: dict[int, set[int]] = defaultdict(set)
        self._position: dict[int, str] = {}  # name -> the most that is known of it

    def note(
        self, rule: Rule, picked: Iterable[int], *, genuine: Iterable[int] = (), position: str = "unknown", **measured: Any
    ) -> None:  # fmt: skip
        """Some messages are evidence under a rule. `position`: on_path, endpoint, or elsewhere (not the resolver)."""
        for i in picked:
            name = int(self.answers.messages.name[i])
            self._against[rule, name].add(int(i))
            self._of_name[name].add(int(i))
            self._genuine[rule, name].update(map(int, genuine))
            self._measured[rule, name] |= measured
            if rule.strength != "supporting":
                self.tampered[i] = True
            if _PLACES.index(position) > _PLACES.index(self._position.get(name, "unknown")):
                self._position[name] = position

    def findings(self) -> list[Finding]:
        """One finding per rule and name."""
        return [self._finding(rule, name) for rule, name in self._against]

    def effects(self, sure: Rule, few: Rule) -> list[Finding]:
        """Names that were tampered with against names that were not."""
        m, found = self.answers.messages, []
        for name in np.unique(m.name[self.tampered]).tolist()[:MOST_NAMES]:
            p, bad, tried, others = self.answers.effect(self.tampered, name)
            if p > FEW:
                continue
            picked = self.answers.by_name[name]
            picked = picked[self.tampered[picked]]
            measured = {"p": float(f"{p:.3g}"), "tampered": bad, "tried": tried, "others_fine": others}
            witnesses = [Witness(int(frame), "trigger") for frame in m.asked_frame[picked[:SHOWN]] if frame >= 0]
            found.append(self._about(sure if p <= SURE else few, name, picked.tolist(), measured, witnesses))
        return found

    def _finding(self, rule: Rule, name: int) -> Finding:
        m = self.answers.messages
        against, genuine = sorted(self._against[rule, name]), sorted(self._genuine[rule, name])
        addresses = dict.fromkeys(self.seen.text(a) for i in against for a in self.answers.addresses(i))
        measured = {"answers": len(against), "answered": list(addresses)[:SHOWN]}
        measured |= {"ttls": sorted(set(m.ttl[against].tolist()))[:SHOWN]} | self._measured[rule, name]
        witnesses = [Witness(int(frame), "trigger") for frame in m.asked_frame[against[:SHOWN]] if frame >= 0]
        witnesses += [Witness(int(m.frame[i]), "forged") for i in against[:SHOWN]]
        witnesses += [Witness(int(m.frame[i]), "contradicts") for i in genuine[:SHOWN]]
        return self._about(rule, name, against, measured, witnesses, genuine)

    def _about(
        self, rule: Rule, name: int, picked: list[int], measured: dict, witnesses: list[Witness], others: Iterable[int] = ()
    ) -> Finding:  # fmt: skip
        last = int(self.answers.messages.ts[[*picked, *others]].max())
        subject = f"name {self.seen.text(name)}"
        method = self._method(name) if rule.leans == "interference" else None
        flows = self.answers.flows([*picked, *self._companions(name, picked)])
        return Finding(rule, subject, flows, last, measured, tuple(dict.fromkeys(witnesses)), method)

    def _companions(self, name: int, picked: list[int]) -> list[int]:
        """What else was denied of a name that was lied about: types that the same resolver left out and others know."""
        m, mine = self.answers.messages, self.answers.by_name[name]
        empty = m.answers[mine] == 0
        if not empty.any() or not (m.answers[picked] > 0).any():
            return []
        known = np.unique(m.qtype[mine[m.address[mine] >= 0]])
        left_out = empty & np.isin(m.resolver[mine], m.resolver[picked])
        left_out &= np.isin(m.qtype[mine], known) & ~np.isin(m.qtype[mine], m.qtype[picked])
        return mine[left_out].tolist()

    def _method(self, name: int) -> Method:
        """A lie or a denial, and from where."""
        messages = sorted(self._of_name[name])
        lies = any(self.answers.messages.answers[i] > 0 for i in messages)
        position = self._position.get(name, "unknown")
        if position == "elsewhere":
            position = "in_path" if self._alone(messages) else "unknown"
        return Method("forged_dns" if lies else "nxdomain", "dns_name", position, self.seen.text(name))

    def _alone(self, messages: list[int]) -> bool:
        """Whether the resolver's own answers never came, although there was time for them."""
        m, questions = self.answers.messages, self.answers.questions
        waited = [i for i in messages if self.seen.end - m.ts[i] >= SECOND and m.question[i] >= 0]
        return bool(waited) and all(questions.answers[m.question[i]] <= 1 for i in waited)


_PLACES = ("unknown", "endpoint", "elsewhere", "on_path")  # by how much they tell
