"""What is said of a whole result: its headline, its network, and one line for each service that was used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from analyzer.report import causes, phrases
from analyzer.report.escape import visible
from analyzer.report.sentences import Quote, own_name, role
from analyzer.report.words import N_, Words
from analyzer.result import ACCUSING, STATES, Network, Result, Verdict

SHOWN_TO_WORK = "some_foreign_traffic_works"  # the one reason for which a normal network is said to work
HEADLINES = {  # by the worst state of all
    "blocked": N_("Interference was found."),
    "throttled": N_("Interference was found."),
    "likely_blocked": N_("Interference is probable, but other causes are not excluded."),
    "likely_throttled": N_("Interference is probable, but other causes are not excluded."),
    "impaired": N_("Something does not work, but this file does not show interference."),
    "down": N_("Something does not work, but this file does not show interference."),
    "insufficient": N_("No interference was seen, but this file cannot tell about everything."),
    "ok": N_("No interference was seen in this file."),
    None: N_("No interference was seen, and no known service was used in this file."),
}


class Service(NamedTuple):
    """A service's line: the worst state of its roles, "in part" where others work."""

    name: str
    state: str
    in_part: bool
    worst: tuple[Verdict, ...]  # the verdicts in that state
    verdicts: tuple[Verdict, ...]


def in_language(result: Result, words: Words) -> Result:
    """The same result with its services called as in that language."""
    return replace(result, service_names={id: words.service(name) for id, name in result.service_names.items()})


def headline(result: Result, words: Words) -> str:
    """The finding of the whole capture, fit to be quoted alone."""
    if result.error is not None:
        return words.say("This capture cannot be used.")
    if result.capture.packets == 0:
        return words.say("Nothing was captured: the file holds no packets.")
    states = {verdict.state for verdict in result.shown()}
    worst = next((state for state in STATES if state in states), None)
    if result.network.state != "normal" and worst not in ACCUSING:
        return words.say(_finding(result.network))
    return words.say(HEADLINES[worst])


def network(found: Network, words: Words, after: str = "") -> str:
    """What is to be said of the whole network, and why; only why, where it comes right `after` the finding itself."""
    finding = words.say(_finding(found))
    why = words.say(causes.WHY[found.why]) if found.why in causes.WHY else ""
    if finding == after or (why and found.state == "normal" and found.why != SHOWN_TO_WORK):
        return why
    return words.say("{finding} {why}", finding=finding, why=why) if why else finding


def _finding(found: Network) -> str:
    return causes.FINDINGS.get(found.why, causes.NETWORKS[found.state])


def services(result: Result, everything: bool = False, quote: Quote = visible) -> list[Service]:
    """One line per service or, where none is known, per name; worst first."""
    groups: dict[tuple[bool, str], list[Verdict]] = {}
    for verdict in result.shown(everything):
        groups.setdefault((verdict.service is None, verdict.service or verdict.target), []).append(verdict)
    lines = []
    for (unknown, key), verdicts in groups.items():
        state = min((verdict.state for verdict in verdicts), key=STATES.index)
        worst = tuple(verdict for verdict in verdicts if verdict.state == state)
        in_part = state != "ok" and any(verdict.state == "ok" for verdict in verdicts)
        name = quote(key) if unknown else visible(result.service_names.get(key, key))
        lines.append(Service(name, state, in_part, worst, tuple(verdicts)))
    return sorted(lines, key=lambda line: STATES.index(line.state))


def state(verdict_state: str, words: Words, in_part: bool = False) -> str:
    return words.say((phrases.IN_PART if in_part else phrases.STATES)[verdict_state])


def parts(line: Service, words: Words, quote: Quote = visible) -> list[str]:
    """What of a service its worst state is about, where it has other parts."""
    return [] if len(line.verdicts) == 1 else parts_of(line, line.worst, words, quote)


def parts_of(line: Service, chosen: Sequence[Verdict], words: Words, quote: Quote = visible) -> list[str]:
    """Some of a service's verdicts by their roles; by their names, where others of the same role fared differently."""
    split = {verdict.role for verdict in line.verdicts if verdict not in chosen}
    said = (role(v.role, words) if v.role not in split else own_name(v, quote) for v in chosen)
    return list(dict.fromkeys(filter(None, said)))
