"""The evidence of one verdict: axes, pictures, every try, rules, other explanations, filters."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from analyzer.report import evidence, filters, pictures, sentences
from analyzer.report.html.marks import State, code, plain, state
from analyzer.report.html.tries import Tries, tries
from analyzer.report.labels import LABELS
from analyzer.report.outcomes import Outcomes, outcomes
from analyzer.report.words import N_, Words
from analyzer.result import Exhibit, Named, Result, Verdict
from analyzer.signature import Finding

FRAMES_PER_ROLE = 12
MOST_RULES = 16  # findings listed, the strongest first

WEIGHTS = {
    "conclusive": N_("conclusive"),
    "strong": N_("strong"),
    "supporting": N_("supporting"),
    "weak": N_("weak alone"),
}
LEANING = {"genuine": N_("speaks against it"), "neutral": N_("neutral"), "limit": N_("a limit")}
UNITS = {  # suffix of a measured quantity -> how people write it
    "_ms": N_("{value} ms"),
    "_us": N_("{value} µs"),
    "_s": N_("{value} s"),
    "_kbps": N_("{value} kbit/s"),
    "_bytes": N_("{value} B"),
    "_percent": N_("{value} %"),
}
MOST_CONVERSATIONS = 6


class Axis(NamedTuple):
    label: str
    code_word: str
    text: tuple[str, ...]


class Rule(NamedTuple):
    id: str
    says: str
    measured: str
    weight: str
    frames: str


class Method(NamedTuple):
    """One named method with its pictures."""

    named: Named
    axes: tuple[Axis, ...]
    ladder: pictures.Ladder | None
    speed: pictures.Speed | None
    proof: tuple[str, ...]
    since: str
    conversations: tuple[str, ...]
    filters: tuple[str, ...]


class Proof:
    """What stands under one verdict; `id` is its anchor."""

    def __init__(self, result: Result, verdict: Verdict, words: Words, id: str, full: bool, circumvention: bool):
        self.result, self.verdict, self.words, self.id = result, verdict, words, id
        self.full, self.circumvention = full, circumvention
        self.service = sentences.service_name(verdict, result.service_names)

    @property
    def name(self) -> str:
        return sentences.name(self.verdict, self.words, self.service, code)

    @property
    def plain_name(self) -> str:
        return plain(self.name)

    @property
    def state(self) -> State:
        return state(self.verdict.state, self.words)

    @property
    def summary(self) -> str:
        return sentences.summary(self.verdict, self.words, self.service, code)

    @cached_property
    def methods(self) -> list[Method]:
        return [self._method(named) for named in self.verdict.methods]

    def _method(self, named: Named) -> Method:
        exhibit = self._exhibit(named)
        speed = pictures.speed(self.result, named, self.words)
        return Method(
            named,
            self._axes(named),
            # a limit shows in rates, not in single packets
            pictures.ladder(self.result, self.verdict, named, exhibit, self.words) if exhibit and not speed else None,
            speed,
            tuple(sentences.proof(named, self.words, FRAMES_PER_ROLE)),
            self._since(named),
            self._conversations(named),
            tuple(filters.of(named)),
        )

    def _exhibit(self, named: Named) -> Exhibit | None:
        flows = {key.flow for key in named.flows}
        mine = [e for e in self.result.exhibits if e.key.flow in flows and len(e.packets)]
        frames = {witness.frame for witness in named.witnesses}
        return max(mine, key=lambda e: (len(frames.intersection(e.packets.frame.tolist())), -e.key.flow), default=None)

    def _axes(self, named: Named) -> tuple[Axis, ...]:
        words, method = self.words, named.method
        shown = self.verdict.state in sentences.SHOWN
        hops = sentences.hops(named, words)
        return (
            Axis(words.say(LABELS["trigger"]), method.trigger, (sentences.trigger(named, words, code),)),
            Axis(
                words.say(LABELS["action" if shown else "seen"]),
                method.action,
                tuple(
                    filter(
                        None, (sentences.action(named, words, shown), code(named.injector) if named.injector else "")
                    )
                ),
            ),
            Axis(
                words.say(LABELS["position"]),
                method.position,
                tuple(filter(None, (sentences.position(named, words), hops))),
            ),
        )

    def _conversations(self, named: Named) -> tuple[str, ...]:
        said = [
            f"{key.protocol.upper()} {code(client)} → {code(filters.endpoint(key.server, key.server_port))}"
            for key in named.flows
            for client in [key.client if key.client_port < 0 else filters.endpoint(key.client, key.client_port)]
        ]
        said = list(dict.fromkeys(said))  # with ports hidden, several look the same
        more = len(said) - MOST_CONVERSATIONS
        said = said[:MOST_CONVERSATIONS]
        return tuple([*said, self.words.plural("and {n} more", "and {n} more", more)] if more > 0 else said)

    def _since(self, named: Named) -> str:
        if named.onset is None:
            return ""
        return sentences.moment(named.onset, self.result.capture.start, self.words, relative=not self.full)

    @cached_property
    def failure(self) -> pictures.Ladder | None:
        """A failed flow of a verdict that names no method."""
        mine = [e for e in self.result.exhibits if e.target == self.verdict.target and len(e.packets)]
        if self.verdict.methods or not mine:
            return None
        return pictures.ladder(self.result, self.verdict, None, mine[0], self.words)

    @cached_property
    def seen(self) -> Outcomes:
        """How its conversations went, where it names no method."""
        return outcomes(self.result, self.verdict, self.words)

    @cached_property
    def tries(self) -> Tries | None:
        return tries(self.result, self.verdict, self.words, relative=not self.full)

    @property
    def rules(self) -> Iterator[Rule]:
        """What was found, for and against, the strongest first; the same rule once, with how often it was found."""
        for found in evidence.by_rule(self.verdict.findings)[:MOST_RULES]:
            rule, first = found[0].rule, found[0]
            frames = ", ".join(str(witness.frame) for witness in first.witnesses[:4])
            weight = self.words.say(LEANING.get(rule.leans, WEIGHTS[rule.strength]))
            measured = self.words.listing(
                filter(None, (quantities(first, self.words), evidence.times(found, self.words)))
            )
            yield Rule(rule.id, self.words.rule(rule.says), measured, weight, frames)

    def said(self, note: pictures.Note) -> Iterator[tuple[str, str, str]]:
        """A note of a ladder: what each rule means, its id, what it measured here."""
        for finding in note.findings:
            yield self.words.rule(finding.rule.says), finding.rule.id, quantities(finding, self.words)

    @property
    def controls(self) -> list[str]:
        return [sentences.control(c, self.words, self.result.service_names, code) for c in self.verdict.controls]

    @property
    def excluded(self) -> list[str]:
        return sentences.explanations(self.verdict, self.words, code, excluded=True)

    @property
    def open(self) -> list[str]:
        return sentences.explanations(self.verdict, self.words, code, excluded=False)

    @property
    def limits(self) -> list[str]:
        return sentences.limits(self.verdict, self.words, self.circumvention)

    @property
    def next(self) -> str:
        return sentences.next_step(self.verdict.next, self.words) if self.verdict.next else ""


def quantities(finding: Finding, words: Words) -> str:
    """The measured values with their units behind them, their names as code."""
    return words.listing(_quantity(key, value, words) for key, value in finding.measured.items() if value is not None)


def _quantity(key: str, value: object, words: Words) -> str:
    if isinstance(value, bool):
        return f"{code(key)} {evidence.yes_or_no(value, words)}"
    suffix = next((suffix for suffix in UNITS if key.endswith(suffix)), "")
    said = f"{value:.4g}" if isinstance(value, float) else str(value)
    shown = said if isinstance(value, int | float) else code(said)
    return f"{code(key.removesuffix(suffix))} {words.say(UNITS[suffix], value=shown) if suffix else shown}"
