"""What is said of a verdict, whatever it is then shown in; `overview` speaks of the whole result.

Every function takes the codes and values that `Result` holds and returns finished text in the language of `words`.
Names that came from the wire pass through `quote`, so that each renderer makes them safe in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from analyzer.report import causes, filters, phrases
from analyzer.report.escape import visible
from analyzer.report.moments import clock
from analyzer.report.words import N_, Words
from analyzer.result import ACCUSING, Control, Named, RuledOut, Verdict
from analyzer.signature import ROLES, Witness

Quote = Callable[[str], str]

SHOWN = frozenset({"blocked", "throttled"})  # states in which somebody's doing was shown, not only likely
SLOW = frozenset({"throttled", "likely_throttled"})
PORTS_NAMED = 8  # closed ports of one server; a scan meets thousands
GUIDE = N_("How to capture on each kind of device, as a message to send:")
GUIDE_COMMAND = "interference guide"


def own_name(verdict: Verdict, quote: Quote) -> str | None:
    """The name or address that a verdict is about; None where only the service's role is known."""
    return None if verdict.target == f"{verdict.service}/{verdict.role}" else quote(verdict.target)


def role(code: str | None, words: Words) -> str | None:
    """A service role as people call it."""
    return words.say(phrases.ROLES[code]) if code in phrases.ROLES else visible(code) if code else None


def name(verdict: Verdict, words: Words, service_name: str | None, quote: Quote = visible) -> str:
    """What the verdict is about: service, role and the name or address, as far as they are known."""
    part = role(verdict.role, words)
    own = own_name(verdict, quote)
    if service_name is None:
        return own or quote(verdict.target)
    service = visible(service_name)
    if part and own:
        return words.say("{service} ({part}: {name})", service=service, part=part, name=own)
    return words.say("{service} ({part})", service=service, part=part or own) if part or own else service


def summary(verdict: Verdict, words: Words, service_name: str | None, quote: Quote = visible) -> str:
    """One plain sentence: what was found, about what, how sure, in how many attempts; and one about closed ports."""
    said = _summary(verdict, words, service_name, quote)
    if not verdict.closed:
        return said
    ports = ", ".join(map(str, verdict.closed[:PORTS_NAMED]))
    more = words.plural(
        "Its port {ports} refused every connection.",
        "Its ports {ports} refused every connection.",
        len(verdict.closed),
        ports=ports,
    )
    return f"{said} {more}"


def _summary(verdict: Verdict, words: Words, service_name: str | None, quote: Quote) -> str:
    target = name(verdict, words, service_name, quote)
    count = attempts(verdict, words)
    if verdict.state == "insufficient":
        return _cannot_tell(verdict, words, target)
    finding = words.say(_found(verdict), target=target)
    means = done(verdict, words) if verdict.state in ACCUSING else None
    if means and count:
        sentence = (
            N_("{finding}: {means} ({count}).")
            if verdict.state in SHOWN
            else N_("{finding}: {means} ({count}); other causes are not excluded.")
        )
        return words.say(sentence, finding=finding, means=means, count=count)
    if means:
        sentence = (
            N_("{finding}: {means}.")
            if verdict.state in SHOWN
            else N_("{finding}: {means}; other causes are not excluded.")
        )
        return words.say(sentence, finding=finding, means=means)
    return words.say("{finding} ({count}).", finding=finding, count=count) if count else finding + "."


def _found(verdict: Verdict) -> str:
    if verdict.state == "impaired" and any(
        r.explanation == "local_filter" for r in verdict.ruled_out if not r.excluded
    ):
        return phrases.FOUND["device", None]
    refused = next((limit for limit in verdict.limits if (limit, None) in phrases.FOUND), None)
    if verdict.state == "impaired" and refused:
        return phrases.FOUND[refused, None]
    if verdict.state == "impaired" and 0 < verdict.attempts == verdict.failed:
        return phrases.FOUND["failed", None]
    if verdict.state in ACCUSING and verdict.methods:
        return phrases.FOUND[verdict.state, phrases.RECOGNISED.get(verdict.methods[0].method.trigger)]
    return phrases.FOUND[verdict.state, None]


def _cannot_tell(verdict: Verdict, words: Words, target: str) -> str:
    reason = limit(verdict.limits[0], words) if verdict.limits else None
    if reason and verdict.attempts:
        return words.plural(
            "This file cannot tell what happens to {target}: {reason} ({n} attempt seen).",
            "This file cannot tell what happens to {target}: {reason} ({n} attempts seen).",
            verdict.attempts,
            target=target,
            reason=reason,
        )
    if reason:
        return words.say("This file cannot tell what happens to {target}: {reason}.", target=target, reason=reason)
    return words.say("This file cannot tell what happens to {target}.", target=target)


def attempts(verdict: Verdict, words: Words) -> str | None:
    """How many attempts there were and how they fared; None when there was none."""
    total, bad = verdict.attempts, words.number(verdict.failed)
    if total <= 0:
        return None
    if verdict.state == "ok":
        fine = words.number(total - verdict.failed)
        return words.plural("{fine} of {n} attempt", "{fine} of {n} attempts", total, fine=fine)
    if verdict.state in SLOW:
        if total == verdict.failed == 1:
            return words.say("the only attempt was slow")
        return words.plural("{bad} of {n} attempt was slow", "{bad} of {n} attempts were slow", total, bad=bad)
    connections = len({flow for named in verdict.methods for flow in named.flows})
    if total == verdict.failed == 1 and connections > 1:  # apps and browsers open several at once
        return words.plural(
            "one attempt with {n} connection failed", "one attempt with {n} connections failed", connections
        )
    if total == verdict.failed == 1:
        return words.say("the only attempt failed")
    return words.plural("{bad} of {n} attempt failed", "{bad} of {n} attempts failed", total, bad=bad)


def done(verdict: Verdict, words: Words) -> str | None:
    """What was done, by the first two methods that differ in it: one clause."""
    clauses: list[str] = []
    for named in verdict.methods:
        clause = action(named, words, verdict.state in SHOWN)
        if clause not in clauses:
            clauses.append(clause)
    if len(clauses) > 1:
        return words.say("{first}, and {second}", first=clauses[0], second=clauses[1])
    return clauses[0] if clauses else None


def action(named: Named, words: Words, shown: bool) -> str:
    """What was done, or, where it is not shown that somebody did it, what was seen; with the measured value."""
    code = named.method.action
    measured = phrases.MEASURED.get((code, shown))
    if measured and code == "freeze" and named.freeze_bytes is not None:
        return words.say(measured, size=words.size(named.freeze_bytes))
    if measured and code != "freeze" and named.rate_kbps is not None and named.rate_kbps > 0:
        return words.say(measured, rate=words.rate(named.rate_kbps))
    return words.say((phrases.DONE if shown else phrases.SEEN)[code])


def trigger(named: Named, words: Words, quote: Quote = visible) -> str:
    recognised = words.say(phrases.TRIGGERS[named.method.trigger])
    if not named.method.trigger_detail:
        return recognised
    return words.say("{trigger}: {detail}", trigger=recognised, detail=quote(named.method.trigger_detail))


def position(named: Named, words: Words) -> str:
    return words.say(phrases.POSITIONS[named.method.position])


def hops(named: Named, words: Words) -> str:
    """How far away it happened; empty when that was not measured."""
    return "" if named.hops is None else words.plural("about {n} hop away", "about {n} hops away", named.hops)


def control(fared: Control, words: Words, service_names: dict[str, str], quote: Quote = visible) -> str:
    """Which control there was and how it fared."""
    service, _, part = fared.target.partition("/")
    target = quote(fared.target)
    if service in service_names:
        called = visible(service_names[service])
        target = words.say("{service} ({part})", service=called, part=role(part, words)) if part else called
    return words.say(
        causes.CONTROLS[fared.kind],
        target=target,
        fine=words.number(fared.fine),
        attempts=words.number(fared.attempts),
    )


def explanations(verdict: Verdict, words: Words, quote: Quote = visible, *, excluded: bool) -> list[str]:
    """The ordinary explanations that were excluded, with the reason, or those still open."""
    return [
        words.sentence(_explanation(considered, words, quote))
        for considered in verdict.ruled_out
        if considered.excluded is excluded
    ]


def _explanation(considered: RuledOut, words: Words, quote: Quote) -> str:
    if not considered.excluded:
        return words.say(causes.STILL_OPEN[considered.explanation])
    excluded = words.say(causes.EXCLUDED[considered.explanation])
    if considered.rule is None:
        return excluded
    reason = words.say(causes.BECAUSE[considered.rule]) if considered.rule in causes.BECAUSE else quote(considered.rule)
    return words.say("{excluded} ({reason})", excluded=excluded, reason=reason)


def limits(verdict: Verdict, words: Words, circumvention: bool = False) -> list[str]:
    return [words.sentence(limit(code, words, circumvention)) for code in verdict.limits]


def limit(code: str, words: Words, circumvention: bool = False) -> str:
    """What keeps a verdict from saying more; tools are named only when asked for."""
    return words.say(causes.NAMED[code] if circumvention and code in causes.NAMED else causes.LIMITS[code])


def guide(words: Words) -> str:
    """Where whoever has the problem finds how to make a capture that can answer."""
    return f"{words.say(GUIDE)} {GUIDE_COMMAND}"


def next_step(code: str, words: Words) -> str:
    return words.say(causes.NEXT_STEPS[code])


def vantage(code: str, words: Words) -> str:
    return words.say(phrases.VANTAGES[code]) if code in phrases.VANTAGES else ""


def service_name(verdict: Verdict, names: dict[str, str]) -> str | None:
    return names.get(verdict.service, verdict.service) if verdict.service else None


def moment(ts: int, start: int | None, words: Words, relative: bool = False) -> str:
    """A time of the day and how far into the capture it is; only the latter where the clock is hidden."""
    if start is None or ts < start:
        return "" if relative else words.say("{clock} UTC", clock=clock(ts))
    duration = words.duration(ts - start)
    if relative:
        return words.say("{duration} into the capture", duration=duration)
    return words.say("{clock} UTC, {duration} into the capture", clock=clock(ts), duration=duration)


def proof(named: Named, words: Words, most: int) -> list[str]:
    """The frames that prove it, by what they show, and how many there are in all."""
    lines = witnesses(named.witnesses, words, most)
    shown = min(filters.MOST, len({witness.frame for witness in named.witnesses}))
    if named.frames_total > shown:
        lines.append(
            words.plural(
                "{n} packet in all, {shown} of them in the filter",
                "{n} packets in all, {shown} of them in the filter",
                named.frames_total,
                shown=words.number(shown),
            )
        )
    return lines


def witnesses(frames: Iterable[Witness], words: Words, most: int) -> list[str]:
    """Frames by what they show; their numbers stand as Wireshark takes them."""
    by_role: dict[str, list[int]] = {}
    for witness in frames:
        by_role.setdefault(witness.role, []).append(witness.frame)
    lines = []
    for code in ROLES:
        if numbers := by_role.get(code):
            shown = words.listing([*map(str, numbers[:most]), *(["…"] if len(numbers) > most else [])])
            lines.append(
                words.plural(
                    "packet {frames}: {role}",
                    "packets {frames}: {role}",
                    len(numbers),
                    frames=shown,
                    role=words.say(phrases.WITNESSES[code]),
                )
            )
    return lines
