"""A result as Markdown: what is forwarded, pasted into a ticket, printed.

By default it is safe to forward (see `redact`), and a banner says so; `full` shows all, and the banner says that too.
Names from the wire stand in code spans, so that none becomes a link, a tag or a heading.
"""

from __future__ import annotations

from collections.abc import Iterable

import analyzer
from analyzer.report import coverage, evidence, filters, outcomes, overview, sentences
from analyzer.report.escape import code
from analyzer.report.labels import COMPLETE, LABELS, SAFE
from analyzer.report.moments import clock, day
from analyzer.report.redact import HOUR, discreet, forwardable
from analyzer.report.words import N_, Words
from analyzer.result import CaptureInfo, FlowKey, Named, Result, Verdict

FRAMES_PER_ROLE = 12
CONVERSATIONS = 8
TOGETHER = ("insufficient", "ok")


def render(
    result: Result, words: Words, *, full: bool = False, circumvention: bool = False, everything: bool = False
) -> str:
    """One capture's answer as Markdown.

    Parameters
    ----------
    full : bool
        Hide nothing of the client.
    circumvention : bool
        Circumvention tools may be named.
    everything : bool
        The verdicts about all other names too, and small print about the capture.
    """
    result = result if full else forwardable(result, words)
    result = result if circumvention else discreet(result, words)
    blocks = _Page(overview.in_language(result, words), words, full, circumvention, everything).blocks()
    return "\n\n".join(block for block in blocks if block) + "\n"


class _Page:
    def __init__(self, result: Result, words: Words, full: bool, circumvention: bool, everything: bool):
        self.result = result
        self.words = words
        self.full = full
        self.circumvention = circumvention
        self.everything = everything

    def blocks(self) -> Iterable[str]:
        result, words = self.result, self.words
        headline = overview.headline(result, words)
        yield f"# {headline}"
        yield self.facts(result.capture)
        yield f"> {words.say(COMPLETE if self.full else SAFE)}"
        if result.error is not None:
            yield code(result.error)
        elif result.capture.packets:
            yield self.services()
            yield overview.network(result.network, words, headline)
            shown = result.shown(self.everything)
            proved = [verdict for verdict in shown if verdict.state not in TOGETHER]
            if proved:
                yield f"## {words.say('Proof')}"
            for verdict in proved:
                yield from self.verdict(verdict)
            yield from self.rest([verdict for verdict in shown if verdict.state in TOGETHER])
        yield from self.coverage()
        yield from self.colophon()

    def facts(self, capture: CaptureInfo) -> str:
        words = self.words
        facts = [code(capture.name)] if self.full else []
        if capture.packets and self.result.error is None:
            facts.append(words.plural("{n} packet", "{n} packets", capture.packets))
            if capture.start is not None and capture.end is not None:
                facts.append(words.duration(capture.end - capture.start))
                facts.append(self.begin(capture.start))
            facts.append(sentences.vantage(capture.vantage, words))
        return " · ".join(filter(None, facts))

    def begin(self, start: int) -> str:
        if self.full:
            return self.words.say("{day}, {clock} UTC", day=day(start), clock=clock(start))
        hour = start // HOUR % 24
        return self.words.say("between {hour}:00 and {next}:00 UTC", hour=f"{hour:02}", next=f"{(hour + 1) % 24:02}")

    def services(self) -> str:
        """A line per service, worst first."""
        words = self.words
        lines = [f"| {words.say('Service')} | {words.say('Answer')} |", "|---|---|"]
        for line in overview.services(self.result, self.everything, code):
            said = f"**{overview.state(line.state, words, line.in_part)}**"
            if parts := overview.parts(line, words, code):
                said += ": " + words.listing(parts)
            lines.append(f"| {line.name} | {said} |")
        return "\n".join(lines) if len(lines) > 2 else ""

    def verdict(self, verdict: Verdict) -> Iterable[str]:
        words, names = self.words, self.result.service_names
        service_name = sentences.service_name(verdict, names)
        yield f"### {sentences.name(verdict, words, service_name, code)}"
        yield f"**{sentences.summary(verdict, words, service_name, code)}**"
        for named in verdict.methods:
            yield from self.method(named, verdict.state in sentences.SHOWN)
        seen = outcomes.outcomes(self.result, verdict, words)
        yield self.points("seen", seen.said)
        yield from self.filters(seen.filters)
        yield self.points("controls", [sentences.control(control, words, names, code) for control in verdict.controls])
        yield self.points("excluded", sentences.explanations(verdict, words, code, excluded=True))
        yield self.points(
            "open", [f"**{said}**" for said in sentences.explanations(verdict, words, code, excluded=False)]
        )
        yield self.points("limits", sentences.limits(verdict, words, self.circumvention))
        yield self.points("next", [sentences.next_step(verdict.next, words)] if verdict.next else [])
        yield self.evidence(verdict)

    def method(self, named: Named, shown: bool) -> Iterable[str]:
        words = self.words
        rules = evidence.strongest_first(named.rules, self.result.rules)
        rows = [
            ("trigger", [sentences.trigger(named, words, code)]),
            ("action" if shown else "seen", [sentences.action(named, words, shown)]),
            ("position", [sentences.position(named, words), sentences.hops(named, words)]),
            ("pattern", [code(named.injector)] if named.injector else []),
            ("since", [self.moment(named)]),
            ("proof", [*sentences.proof(named, words, FRAMES_PER_ROLE), words.listing(map(code, rules))]),
            ("conversations", self.conversations(named)),
        ]
        lines = ["| | |", "|---|---|"]
        for label, values in rows:
            if cell := "<br>".join(filter(None, values)):
                lines.append(f"| {words.say(LABELS[label])} | {cell} |")
        yield "\n".join(lines)
        yield from self.filters(filters.of(named))

    def filters(self, found: list[str]) -> Iterable[str]:
        if found:
            yield f"{self.words.say(LABELS['filter'])}:"
            yield from (f"```text\n{filter_}\n```" for filter_ in found)

    def moment(self, named: Named) -> str:
        if named.onset is None:
            return ""
        return sentences.moment(named.onset, self.result.capture.start, self.words, relative=not self.full)

    def conversations(self, named: Named) -> list[str]:
        lines = [self.conversation(flow) for flow in named.flows[:CONVERSATIONS]]
        more = len(named.flows) - CONVERSATIONS
        return (
            [*lines, self.words.plural("and {n} more", "and {n} more", more)]
            if more > 0
            else list(dict.fromkeys(lines))
        )

    def conversation(self, flow: FlowKey) -> str:
        client = flow.client if flow.client_port < 0 else filters.endpoint(flow.client, flow.client_port)
        return f"{flow.protocol} {code(client)} → {code(filters.endpoint(flow.server, flow.server_port))}"

    def points(self, label: str, values: list[str]) -> str:
        if not values:
            return ""
        return "\n".join([f"{self.words.say(LABELS[label])}:", "", *(f"- {value}" for value in values)])

    def evidence(self, verdict: Verdict) -> str:
        if not verdict.findings:
            return ""
        words = self.words
        # the names of measured quantities are for engineers: they stand in the complete report
        heads = [words.say("Rule"), words.say("What it means"), words.say("Measured") if self.full else ""]
        lines = [f"| {' | '.join(heads)} |", "|---|---|---|"]
        for found in evidence.by_rule(verdict.findings):
            rule, measured = found[0].rule, evidence.measured(found[0], words)
            values = filter(None, (code(measured) if measured and self.full else "", evidence.times(found, words)))
            cells = [code(rule.id), _cell(words.rule(rule.says)), words.listing(values)]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)

    def rest(self, verdicts: list[Verdict]) -> Iterable[str]:
        """What works or cannot be told: a sentence each, and each next step once."""
        words = self.words
        for state, title in (("insufficient", N_("What this file cannot tell")), ("ok", N_("What works"))):
            about = [verdict for verdict in verdicts if verdict.state == state]
            if not about:
                continue
            yield f"## {words.say(title)}"
            yield "\n".join(
                "- " + sentences.summary(v, words, sentences.service_name(v, self.result.service_names), code)
                for v in about
            )
            steps = dict.fromkeys(verdict.next for verdict in about if verdict.next)
            yield self.points("next", [sentences.next_step(step, words) for step in steps])
            if state == "insufficient":
                yield f"{words.say(sentences.GUIDE)} {code(sentences.GUIDE_COMMAND)}"

    def coverage(self) -> Iterable[str]:
        missed = coverage.sentences(self.result.coverage, self.words, self.everything, self.circumvention)
        if missed:
            yield f"## {self.words.say('What this file does not show')}"
            yield "\n".join(f"- {sentence}" for sentence in missed)

    def colophon(self) -> Iterable[str]:
        """What made the report and from what, so that another can check it."""
        words, result = self.words, self.result
        yield "---"
        lines = [
            words.say(
                "interference-analyzer {version}, rules {rules}",
                version=analyzer.__version__,
                rules=code(result.rules_version),
            )
        ]
        if result.capture.sha256:
            lines.append(words.say("SHA-256 of the capture: {digest}", digest=code(result.capture.sha256)))
        if self.full and result.capture.capturer:
            lines.append(words.say("captured with {program}", program=code(result.capture.capturer)))
        if self.full:
            lines += [
                words.say("comment in the file: {comment}", comment=code(comment))
                for comment in result.capture.comments
            ]
        yield "  \n".join(lines)


def _cell(text: str) -> str:
    """Our own prose in a table cell."""
    return text.replace("|", "\\|").replace("<", "&lt;")
