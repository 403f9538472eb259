"""A result in the terminal: the first lines answer, the rest proves.

Readers stop early, so the order is that of their questions: what is wrong with which service, is it the network, what
proves it, what is not known, what to do next. Colour is never the only carrier of a meaning (rich leaves it out under
`NO_COLOR` and in pipes), and display filters stand on lines of their own, unbroken, so that they paste.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from analyzer.report import coverage, evidence, filters, labels, outcomes, overview, sentences
from analyzer.report.escape import visible
from analyzer.report.moments import clock, day
from analyzer.report.redact import discreet
from analyzer.report.words import Words
from analyzer.result import ACCUSING, CaptureInfo, Named, Result, Verdict

WIDEST = 100  # longer lines are hard to read
FRAMES_PER_ROLE = 5
TOGETHER = ("insufficient", "ok")  # states whose services share a line

LOOK = {  # state -> glyph, the same without Unicode, style
    "blocked": ("●", "X", "bold red"),
    "likely_blocked": ("○", "x", "red"),
    "throttled": ("◆", "S", "bold yellow"),
    "likely_throttled": ("◇", "s", "yellow"),
    "impaired": ("▲", "!", "yellow"),
    "down": ("■", "#", "magenta"),
    "insufficient": ("?", "?", "cyan"),
    "ok": ("✓", "+", "green"),
}


def show(
    result: Result, console: Console, words: Words, *, everything: bool = False, circumvention: bool = False
) -> None:
    """Print one capture's answer.

    Parameters
    ----------
    everything : bool
        The verdicts about all other names too, the evidence behind each, and small print about the capture.
    circumvention : bool
        Circumvention tools may be named.
    """
    result = overview.in_language(result if circumvention else discreet(result, words), words)
    _Page(result, console, words, everything, circumvention).show()


class _Page:
    def __init__(self, result: Result, console: Console, words: Words, everything: bool, circumvention: bool):
        self.result = result
        self.console = console
        self.words = words
        self.everything = everything
        self.circumvention = circumvention
        self.width = min(console.width, WIDEST)
        self.encoding = console.encoding or "ascii"
        self.ascii = not self.encoding.lower().startswith("utf")
        self.margin = 4 + max(Text(words.say(label)).cell_len for label in labels.LABELS.values())

    def show(self) -> None:
        result = self.result
        self.title(result.capture)
        self.line()
        worst = next((verdict.state for verdict in result.shown(self.everything)), None)
        said = overview.headline(result, self.words)
        self.line(Text(said, LOOK[worst][2] if worst in ACCUSING else "bold"))
        if result.error is not None:
            self.line(Text(visible(result.error)))
            return
        if result.capture.packets:
            self.services()
            self.network(said)
            for verdict in result.shown(self.everything):
                if verdict.state not in TOGETHER or self.everything:
                    self.verdict(verdict)
            if not self.everything:
                self.unanswered()
        self.coverage()

    def line(self, text: Text | None = None, indent: int = 0, first: Text | None = None) -> None:
        """Text wrapped behind a hanging indent, whose first line may begin with something else."""
        lines = (text or Text()).wrap(self.console, max(20, self.width - indent))
        for number, wrapped in enumerate(lines):
            wrapped.rstrip()
            start = first if first and number == 0 else Text()
            gap = " " * (indent - start.cell_len)
            self.print(Text.assemble(start, gap if wrapped else "", wrapped))

    def print(self, line: Text) -> None:
        if self.ascii:
            line.plain = _encodable(line.plain, self.encoding)
        self.console.print(line, soft_wrap=True, highlight=False)

    def ruler(self) -> None:
        self.line()
        self.line(Text(("-" if self.ascii else "─") * self.width, "dim"))

    def row(self, label: str, values: Iterable[str], style: str = "") -> None:
        said = Text("  ").append(self.words.say(labels.LABELS[label]), "dim")
        for number, value in enumerate(filter(None, values)):
            self.line(Text(value, style), self.margin, said if number == 0 else None)

    def glyph(self, state: str) -> Text:
        return Text(LOOK[state][1 if self.ascii else 0] + " ", LOOK[state][2])

    def title(self, capture: CaptureInfo) -> None:
        words = self.words
        self.line(Text(visible(capture.name), "bold"))
        if self.result.error is not None or not capture.packets:
            return
        facts = [words.plural("{n} packet", "{n} packets", capture.packets)]
        if capture.start is not None and capture.end is not None:
            facts.append(words.duration(capture.end - capture.start))
            facts.append(words.say("{day}, {clock} UTC", day=day(capture.start), clock=clock(capture.start)))
        facts.append(sentences.vantage(capture.vantage, words))
        self.line(Text(" · ".join(filter(None, facts)), "dim"))

    def services(self) -> None:
        """A line per service, worst first; what works, or cannot be told, together."""
        lines = overview.services(self.result, self.everything)
        alone = [line for line in lines if line.state not in TOGETHER or line.in_part]
        if lines:
            self.line()
        column = min(max((Text(line.name).cell_len for line in alone), default=0), self.width // 2)
        for line in alone:
            said = Text(overview.state(line.state, self.words, line.in_part), LOOK[line.state][2])
            if parts := overview.parts(line, self.words):
                said.append(Text(": " + self.words.listing(parts), "default"))
            wrapped = Text(line.name, "bold").wrap(self.console, column)
            first = Text("  ") + self.glyph(line.state) + wrapped[0]
            self.line(said, column + 6, first)
            for more in wrapped[1:]:
                self.line(more, 4)
        for state in TOGETHER:
            if names := [line.name for line in lines if line.state == state and not line.in_part]:
                said = Text(overview.state(state, self.words), LOOK[state][2])
                said.append(": " + self.words.listing(names), "default")
                self.line(said, 4, Text("  ") + self.glyph(state))

    def network(self, headline: str) -> None:
        network = self.result.network
        said = overview.network(network, self.words, headline)
        if said:
            self.line()
            self.line(Text(said, "dim" if network.state == "normal" else "bold"))

    def verdict(self, verdict: Verdict) -> None:
        words, names = self.words, self.result.service_names
        self.ruler()
        self.line(
            Text(sentences.summary(verdict, words, self.service_name(verdict)), "bold"), 2, self.glyph(verdict.state)
        )
        for named in verdict.methods:
            self.line()
            self.method(named, verdict.state in sentences.SHOWN)
        self.outcomes(verdict)
        if verdict.controls or verdict.ruled_out or verdict.limits or verdict.next:
            self.line()
        self.row("controls", [sentences.control(control, words, names) for control in verdict.controls])
        self.row("excluded", sentences.explanations(verdict, words, excluded=True))
        self.row("open", sentences.explanations(verdict, words, excluded=False), "bold")
        self.row("limits", sentences.limits(verdict, words, self.circumvention))
        self.row("next", [sentences.next_step(verdict.next, words)] if verdict.next else [], "bold")
        if self.everything:
            self.row("evidence", [evidence.folded(found, words) for found in evidence.by_rule(verdict.findings)])

    def service_name(self, verdict: Verdict) -> str | None:
        return sentences.service_name(verdict, self.result.service_names)

    def method(self, named: Named, shown: bool) -> None:
        words = self.words
        self.row("trigger", [sentences.trigger(named, words)])
        self.row("action" if shown else "seen", [sentences.action(named, words, shown)])
        self.row("position", [sentences.position(named, words), sentences.hops(named, words)])
        if named.injector:
            self.row("pattern", [visible(named.injector)])
        if named.onset is not None:
            self.row("since", [sentences.moment(named.onset, self.result.capture.start, words)])
        rules = evidence.strongest_first(named.rules, self.result.rules)
        self.row("proof", [*sentences.proof(named, words, FRAMES_PER_ROLE), words.listing(rules)])
        for number, filter_ in enumerate(filters.of(named)):
            self.filter(filter_, first=number == 0)

    def outcomes(self, verdict: Verdict) -> None:
        seen = outcomes.outcomes(self.result, verdict, self.words)
        if seen.said:
            self.line()
        self.row("seen", seen.said)
        for number, filter_ in enumerate(seen.filters):
            self.filter(filter_, first=number == 0)

    def filter(self, text: str, first: bool) -> None:
        """A display filter on one line of its own, however narrow the terminal: a broken one does not paste."""
        said = labels.LABELS["filter"]
        label = Text("  ").append(self.words.say(said) if first else "", "dim")
        gap = " " * (self.margin - label.cell_len)
        self.print(Text.assemble(label, gap, text))

    def unanswered(self) -> None:
        """What cannot be told, and each next step once."""
        open_questions = [verdict for verdict in self.result.shown() if verdict.state == "insufficient"]
        if not open_questions:
            return
        self.ruler()
        for verdict in open_questions:
            said = sentences.summary(verdict, self.words, self.service_name(verdict))
            self.line(Text(said), 2, self.glyph(verdict.state))
        if steps := dict.fromkeys(verdict.next for verdict in open_questions if verdict.next):
            self.line()
            self.row("next", [sentences.next_step(step, self.words) for step in steps], "bold")
        self.line()
        self.line(Text(sentences.guide(self.words)), 2)

    def coverage(self) -> None:
        missed = coverage.sentences(self.result.coverage, self.words, self.everything, self.circumvention)
        if not missed:
            return
        self.ruler()
        self.line(Text(self.words.say("What this file does not show"), "bold"))
        for sentence in missed:
            self.line(Text(sentence), 2)


def _encodable(text: str, encoding: str) -> str:
    """As many characters, all of which this terminal's encoding has: styles stay on their words."""
    plain = text.translate(str.maketrans("·…→—«»\u00a0", '-~>-"" '))
    return plain.encode(encoding, "replace").decode(encoding)
