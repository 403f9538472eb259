"""A result in the terminal: the first lines answer, the rest proves.

Readers stop early, so the order is that of their questions: what is wrong with which service, is it the network, what
proves it, what is not known, what to do next. Colour is never the only carrier of a meaning (rich leaves it out under
`NO_COLOR` and in pipes), and display filters stand on lines of their own, unbroken, so that they paste.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from analyzer.report import coverage, filters, phrases, sentences
from analyzer.report.escape import visible
from analyzer.report.moments import clock, day
from analyzer.report.redact import discreet
from analyzer.report.words import N_, Words
from analyzer.result import ACCUSING, CaptureInfo, Named, Result, Verdict

WIDEST = 100  # longer lines are hard to read
FRAMES_PER_ROLE = 5

LOOK = {  # state -> glyph, the same without Unicode, colour
    "blocked": ("●", "X", "bold red"),
    "likely_blocked": ("○", "x", "red"),
    "throttled": ("◆", "S", "bold yellow"),
    "likely_throttled": ("◇", "s", "yellow"),
    "impaired": ("▲", "!", "yellow"),
    "down": ("■", "#", "magenta"),
    "insufficient": ("?", "?", "cyan"),
    "ok": ("✓", "+", "green"),
}

LABELS = {
    "trigger": N_("Triggered by"),
    "action": N_("What is done"),
    "seen": N_("What was seen"),
    "position": N_("Where from"),
    "pattern": N_("Known pattern"),
    "since": N_("Since"),
    "proof": N_("Proof"),
    "filter": N_("In Wireshark"),
    "controls": N_("Compared with"),
    "excluded": N_("Ruled out"),
    "open": N_("Still open"),
    "limits": N_("Limits"),
    "next": N_("Next step"),
}


def show(
    result: Result, console: Console, words: Words, *, everything: bool = False, circumvention: bool = False
) -> None:
    """Print one capture's answer."""
    _Page(result if circumvention else discreet(result), console, words, everything, circumvention).show()


class _Page:
    def __init__(self, result: Result, console: Console, words: Words, everything: bool, circumvention: bool):
        self.result = result
        self.console = console
        self.words = words
        self.everything = everything
        self.circumvention = circumvention
        self.width = min(console.width, WIDEST)
        self.ascii = not (console.encoding or "").lower().startswith("utf")
        self.label_width = max(Text(words.say(label)).cell_len for label in LABELS.values())

    def show(self) -> None:
        result = self.result
        self.print(self.title(result.capture))
        self.print()
        worst = next((v.state for v in result.shown(self.everything)), None)
        self.print(Text(sentences.headline(result, self.words), LOOK[worst][2] if worst in ACCUSING else "bold"))
        if result.error is not None:
            self.print(Text(visible(result.error)))
            return
        if result.capture.packets:
            self.print()
            self.services()
            self.network()
            for verdict in result.shown(self.everything):
                if verdict.state in ("ok", "insufficient") and not self.everything:
                    continue
                self.verdict(verdict)
            if not self.everything:
                self.unanswered()
        self.coverage()

    def print(self, text: Text | str = "", indent: int = 0) -> None:
        self.console.print(Padding(text, (0, 0, 0, indent), expand=False), width=self.width, highlight=False)

    def title(self, capture: CaptureInfo) -> Text:
        words = self.words
        facts = [words.count("{n} packet", "{n} packets", capture.packets)]
        if capture.start is not None and capture.end is not None:
            facts.append(words.duration(capture.end - capture.start))
            facts.append(words.say("{day}, {clock} UTC", day=day(capture.start), clock=clock(capture.start)))
        if capture.packets and capture.vantage in phrases.VANTAGES:
            facts.append(words.say(phrases.VANTAGES[capture.vantage]))
        return Text.assemble((visible(capture.name), "bold"), ("  " + " · ".join(facts), "dim"))

    def glyph(self, state: str) -> str:
        return LOOK[state][1 if self.ascii else 0]

    def services(self) -> None:
        """A line per service, worst first; what works, or cannot be told, together."""
        lines = sentences.services(self.result, self.everything)
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(max_width=self.width // 2, overflow="fold")
        table.add_column(overflow="fold")
        together: dict[str, list[str]] = {"insufficient": [], "ok": []}
        for line in lines:
            if line.state in together and not line.in_part:
                together[line.state].append(line.name)
                continue
            look = LOOK[line.state][2]
            said = Text(sentences.state(line.state, self.words, line.in_part), look)
            if parts := sentences.parts(line, self.words):
                said.append(Text(": " + self.words.listing(parts), "default"))
            table.add_row(Text(self.glyph(line.state), look), Text(line.name, "bold"), said)
        if table.row_count:
            self.print(table, indent=2)
        for state, names in together.items():
            if names:
                line = Text.assemble(
                    (f"{self.glyph(state)}  {sentences.state(state, self.words)}", LOOK[state][2]),
                    ": " + self.words.listing(names),
                )
                self.print(line, indent=2)

    def network(self) -> None:
        network = self.result.network
        self.print()
        self.print(
            Text(sentences.network(network, self.words), "dim" if network.state == "normal" else "bold"), indent=2
        )

    def verdict(self, verdict: Verdict) -> None:
        words = self.words
        service_name = self.result.service_names.get(verdict.service or "", verdict.service)
        self.print()
        self.print(Text(("-" if self.ascii else "─") * self.width, "dim"))
        self.print(
            Text.assemble(
                (self.glyph(verdict.state) + " ", LOOK[verdict.state][2]),
                (sentences.summary(verdict, words, service_name), "bold"),
            )
        )
        for named in verdict.methods:
            self.print()
            self.method(named, verdict.state in sentences.SHOWN)
        if verdict.controls or verdict.ruled_out or verdict.limits or verdict.next:
            self.print()
        self.row(
            "controls", [sentences.control(c, words, self.result.service_names) for c in verdict.controls], style="blue"
        )
        self.row("excluded", self.explanations(verdict, True))
        self.row("open", self.explanations(verdict, False), style="bold")
        self.row("limits", [words.sentence(sentences.limit(c, words, self.circumvention)) for c in verdict.limits])
        self.row("next", [sentences.next_step(verdict.next, words)] if verdict.next else [], style="bold")

    def explanations(self, verdict: Verdict, excluded: bool) -> list[str]:
        return [
            self.words.sentence(sentences.explanation(considered, self.words))
            for considered in verdict.ruled_out
            if considered.excluded is excluded
        ]

    def method(self, named: Named, shown: bool) -> None:
        words = self.words
        self.row("trigger", [words.sentence(sentences.trigger(named, words))[:-1]])
        self.row("action" if shown else "seen", [words.sentence(sentences.action(named, words, shown))[:-1]])
        self.row("position", [words.sentence(sentences.position(named, words))[:-1], sentences.hops(named, words)])
        if named.injector:
            self.row("pattern", [visible(named.injector)])
        if named.onset is not None:
            self.row("since", [sentences.moment(named.onset, self.result.capture.start, words)])
        self.row("proof", [*sentences.proof(named, words, FRAMES_PER_ROLE), words.listing(named.rules)])
        for number, filter_ in enumerate(filters.of(named)):
            self.filter(filter_, first=number == 0)

    def row(self, label: str, values: Iterable[str], style: str = "") -> None:
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=self.label_width, style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for number, value in enumerate(filter(None, values)):
            grid.add_row(self.words.say(LABELS[label]) if number == 0 else "", Text(value, style))
        if grid.row_count:
            self.print(grid, indent=2)

    def filter(self, text: str, first: bool) -> None:
        """A display filter on one line of its own, however narrow the terminal: a broken one does not paste."""
        label = self.words.say(LABELS["filter"]) if first else ""
        gap = " " * (self.label_width - Text(label).cell_len + 2)
        self.console.print(Text.assemble("  ", (label, "dim"), gap, text), soft_wrap=True, highlight=False)

    def unanswered(self) -> None:
        """What cannot be told, and each next step once."""
        words = self.words
        open_questions = [v for v in self.result.shown() if v.state == "insufficient"]
        if not open_questions:
            return
        self.print()
        self.print(Text(("-" if self.ascii else "─") * self.width, "dim"))
        for verdict in open_questions:
            service_name = self.result.service_names.get(verdict.service or "", verdict.service)
            self.print(Text(f"{self.glyph(verdict.state)} {sentences.summary(verdict, words, service_name)}"))
        steps = dict.fromkeys(verdict.next for verdict in open_questions if verdict.next)
        self.row("next", [sentences.next_step(step, words) for step in steps], style="bold")

    def coverage(self) -> None:
        missed = coverage.sentences(self.result.coverage, self.words, self.everything, self.circumvention)
        if not missed:
            return
        self.print()
        self.print(Text(self.words.say("What this file does not show"), "bold"))
        for sentence in missed:
            self.print(Text(sentence), indent=2)
