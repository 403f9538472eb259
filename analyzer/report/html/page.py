"""What stands where in the report: the answer first, then the services, the proof, and the doubts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import analyzer
from analyzer.report import coverage, overview, pictures, sentences
from analyzer.report.escape import visible
from analyzer.report.html import advice, glossary
from analyzer.report.html.answer import Answer, used
from analyzer.report.html.marks import State, code, state
from analyzer.report.html.proof import Proof
from analyzer.report.labels import COMPLETE, SAFE
from analyzer.report.moments import clock, day
from analyzer.report.phrases import ROLES
from analyzer.report.redact import HOUR, discreet, forwardable
from analyzer.report.words import N_, Words
from analyzer.result import ACCUSING, STATES, Result, Verdict

PROVED = 24  # verdicts with pictures and tables: more would not be read, and the file must stay small
LISTED = 200  # rows of the table of all targets
QUOTED = 3  # answers in the text that is fit to be quoted: it should stay short enough to be quoted whole

WHERE = {
    "client": N_("one device in one network"),
    "server": N_("one server"),
    "middle": N_("one point between clients and servers"),
    "unknown": N_("one point of one network"),
}


class Page:
    """One capture in one language; the template reads its properties."""

    def __init__(self, result: Result, words: Words, prefix: str, full: bool, circumvention: bool, everything: bool):
        self.app = advice.recognise(result.capture)  # its name tells nothing about its owner
        result = result if full else forwardable(result, words)
        self.result = overview.in_language(result if circumvention else discreet(result, words), words)
        self.words, self.prefix = words, prefix
        self.full, self.circumvention, self.everything = full, circumvention, everything
        self.say = words.say
        self.shown = self.result.shown(everything)
        proved = [verdict for verdict in self.shown if verdict.state not in ("ok", "insufficient")]
        self.proofs = [
            Proof(self.result, verdict, words, f"{prefix}v{number}", full, circumvention)
            for number, verdict in enumerate(proved[:PROVED], 1)
        ]
        self.without_proof = proved[PROVED:]
        self.anchors = {proof.verdict.target: proof.id for proof in self.proofs}
        self.answer = Answer(self.result, words, self.anchors, everything)

    @property
    def usable(self) -> bool:
        return self.result.error is None and self.result.capture.packets > 0

    @property
    def error(self) -> str:
        return code(self.result.error) if self.result.error is not None else ""

    @property
    def link(self) -> str:
        """What the list of reports calls this one."""
        name = code(self.result.capture.name) if self.full else self.headline
        return self.say(N_("{lang}: {report}"), lang=self.words.lang, report=name)

    # -- the answer --------------------------------------------------------------------------------------------
    @cached_property
    def headline(self) -> str:
        return overview.headline(self.result, self.words)

    @cached_property
    def network(self) -> str:
        return overview.network(self.result.network, self.words, self.headline)

    def summary(self, verdict: Verdict) -> str:
        return self.answer.summary(verdict)

    def service_name(self, verdict: Verdict) -> str | None:
        return sentences.service_name(verdict, self.result.service_names)

    # -- scope -------------------------------------------------------------------------------------------------
    @property
    def facts(self) -> list[str]:
        words, capture = self.words, self.result.capture
        facts = [code(capture.name)] if self.full else []
        if self.usable:
            facts += [self.when, words.plural("{n} packet", "{n} packets", capture.packets)]
            flows = self.result.coverage.flows
            facts.append(words.plural("{n} connection", "{n} connections", flows) if flows else "")
            facts.append(sentences.vantage(capture.vantage, words))
        return [fact for fact in facts if fact]

    @property
    def when(self) -> str:
        words, capture = self.words, self.result.capture
        if capture.start is None or capture.end is None:
            return ""
        if self.full:
            begin = self.say("{day}, {clock} UTC", day=day(capture.start), clock=clock(capture.start))
        else:
            hour = capture.start // HOUR % 24
            begin = self.say("between {hour}:00 and {next}:00 UTC", hour=f"{hour:02}", next=f"{(hour + 1) % 24:02}")
        return words.listing([begin, self.duration])

    @property
    def duration(self) -> str:
        capture = self.result.capture
        return self.words.duration((capture.end or 0) - (capture.start or 0))

    @property
    def banner(self) -> str:
        return self.say(COMPLETE if self.full else SAFE)

    @property
    def where(self) -> str:
        return self.words.sentence(self.say(WHERE[self.result.capture.vantage]))

    @property
    def accused(self) -> list[Verdict]:
        return [verdict for verdict in self.shown if verdict.state in ACCUSING]

    @property
    def silent_about(self) -> list[str]:
        """What no capture of this kind shows; the limits of single verdicts stand with them."""
        said = []
        if self.accused:
            said.append(self.say(N_("Who does it, and why: only what is done, and how far away.")))
        said.append(self.say(N_("Other networks, other providers, other days: nothing follows for them.")))
        said.append(self.say(N_("Services that were not used while the capture ran.")))
        return said

    @property
    def quotable(self) -> str:
        """What claims no more than was shown, however it is cut out: a sentence for each of the surest, and its scope."""
        where = self.say(WHERE[self.result.capture.vantage])
        if self.accused:
            surest = " ".join(self.summary(verdict) for verdict in self.accused[:QUOTED])
            return self.say(
                N_(
                    "{finding} This is what {where} showed within {duration}; it does not show who did it, nor that it "
                    "is so elsewhere."
                ),
                finding=surest,
                where=where,
                duration=self.duration,
            )
        return self.say(
            N_(
                "{finding} This is what {where} showed within {duration}; it does not show how it is elsewhere or at "
                "other times."
            ),
            finding=self.headline,
            where=where,
            duration=self.duration,
        )

    # -- tables ------------------------------------------------------------------------------------------------
    @cached_property
    def roles(self) -> list[str]:
        """Roles in use, as columns: those of our list first, in its order."""
        in_use = {
            verdict.role for line in self.answer.services if used(line) for verdict in line.verdicts if verdict.role
        }
        return [role for role in ROLES if role in in_use] + sorted(in_use - ROLES.keys())

    @property
    def matrix(self) -> Iterator[tuple[str, list[tuple[str, tuple[State, str, str] | None]]]]:
        """A row per known service: its name, and per role the state, how attempts fared and the anchor of its proof."""
        for line in self.answer.services:
            if not used(line):
                continue
            cells = [self._cell([v for v in line.verdicts if v.role == role]) for role in self.roles]
            yield line.name, list(zip(map(self.role, self.roles), cells, strict=True))

    def _cell(self, verdicts: list[Verdict]) -> tuple[State, str, str] | None:
        if not verdicts:
            return None
        worst = min(verdicts, key=lambda verdict: STATES.index(verdict.state))
        tried, failed = sum(v.attempts for v in verdicts), sum(v.failed for v in verdicts)
        text = self.say(N_("{fine} of {n}"), fine=self.words.number(tried - failed), n=self.words.number(tried))
        return state(worst.state, self.words), text if tried else "", self.anchors.get(worst.target, "")

    def role(self, role: str) -> str:
        return self.words.sentence(sentences.role(role, self.words) or "").rstrip(".")

    @property
    def targets(self) -> Iterator[tuple[Verdict, str, State, str, str, str]]:
        """Each verdict: itself, name, state, method, control, first frames."""
        for verdict in self.shown[:LISTED]:
            methods = [m.method for m in verdict.methods]
            method = self.words.listing(f"{m.trigger} × {m.action} × {m.position}" for m in methods)
            controls = [sentences.control(c, self.words, self.result.service_names, code) for c in verdict.controls[:1]]
            frames = sorted({w.frame for named in verdict.methods for w in named.witnesses})[:3]
            name = sentences.name(verdict, self.words, self.service_name(verdict), code)
            yield (
                verdict,
                name,
                state(verdict.state, self.words),
                method,
                "".join(controls),
                ", ".join(map(str, frames)),
            )

    @property
    def more_targets(self) -> int:
        return max(0, len(self.shown) - LISTED)

    @cached_property
    def timeline(self) -> pictures.Twice | None:
        return pictures.timeline(self.result, self.words, relative=not self.full) if self.usable else None

    # -- doubts and colophon -----------------------------------------------------------------------------------
    @property
    def unanswered(self) -> list[str]:
        return [self.summary(verdict) for verdict in self.shown if verdict.state == "insufficient"]

    @property
    def unproved(self) -> list[str]:
        return [self.summary(verdict) for verdict in self.without_proof]

    @property
    def missed(self) -> list[str]:
        return coverage.sentences(self.result.coverage, self.words, self.everything, self.circumvention)

    @property
    def steps(self) -> list[advice.Step]:
        return advice.steps(self.shown, self.app, self.words)

    @property
    def glossary(self) -> Iterator[tuple[str, str]]:
        for term, meaning in glossary.TERMS.items():
            yield self.say(term), self.say(meaning)

    @property
    def states(self) -> Iterator[tuple[State, str]]:
        for code_word, meaning in glossary.STATES.items():
            yield state(code_word, self.words), self.say(meaning)

    @property
    def colophon(self) -> list[tuple[str, str]]:
        """What made the report and from what, so that another can check it."""
        result, words = self.result, self.words
        rows = [
            (words.say(N_("Program")), f"interference-analyzer {analyzer.__version__}"),
            (words.say(N_("Rules")), code(result.rules_version or "-")),
            (words.say(N_("Services data of")), visible(result.services_date or "-")),
        ]
        if result.capture.sha256:
            rows.append((words.say(N_("SHA-256 of the capture")), code(result.capture.sha256)))
        if self.full and result.capture.capturer:
            rows.append((words.say(N_("Captured with")), code(result.capture.capturer)))
        if self.full:
            rows += [(words.say(N_("Comment in the file")), code(comment)) for comment in result.capture.comments]
        return rows
