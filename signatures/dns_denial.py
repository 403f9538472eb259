"""Names that are denied or passed over: the resolver, or somebody before it, refuses to say where a service is.

**How it shows.** The resolver says itself that it blocks the name; or it denies that a domain exists which is known to
exist; or it denies what another resolver answers; or questions for one name are never answered, while those before,
between and after them are.

**What it cannot see.** Who wanted it: the owner of the resolver, its operator, its user or a law. A denial by somebody
else in the resolver's name shows in other ways (`dns_tampering`). Names that do not exist are denied by everybody, so
a denial of an unknown name says nothing; and a resolver may lose its way to one zone, and then mostly says so.

**References.** RFC 2308 §2 and §5 (a denial carries the SOA of the zone that denies); RFC 8914 (extended errors);
OONI on the removal of names from national resolvers, 2026 (net4people/bbs #580); ooni/spec tq-006.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.addresses import Place, place
from analyzer.dns_answers import (
    MOST_NAMES,
    NXDOMAIN,
    SERVFAIL,
    Answers,
    attempts,
    domain,
    flows_of,
    is_public,
    known_domain,
    names_of_services,
)
from analyzer.dns_evidence import FEW, SHOWN, SURE, DnsEvidence
from analyzer.exact import fisher
from analyzer.signature import Finding, Knowledge, Method, Rule, Seen, Witness
from analyzer.tables import Table

METHOD = "dns_denial"

SECOND = 1_000_000_000
BLOCKED, CENSORED, FILTERED = 15, 16, 17  # RFC 8914 §4.16 to §4.18
OTHERS = 2  # domains that the same resolver answers meanwhile
COPIES = 3  # questions lost one after the other: once in 1,000 at 10 % loss
UNHEARD_FOR = 4 * SECOND  # the first repetition of the slowest stub resolvers comes after 5 s, less their timer's grain
ANSWERS_WITHIN = 5 * SECOND  # a resolver that needs longer has been given up
MEANWHILE = 60 * SECOND


def _rule(name: str, leans: str, strength: str, family: str, says: str, blind: str, source: str, **more: Any) -> Rule:
    return Rule(f"dns.{name}", leans, strength, family, says, blind, source, needs_headers=False, **more)


SAID_SO = _rule(
    "resolver_says_blocked", "interference", "conclusive", "content",
    "The resolver itself says that it blocks this name, or was made to.",
    "Resolvers that deny without saying why.",
    "RFC 8914 §4.16, §4.17",
    action="nxdomain",
)  # fmt: skip
ON_REQUEST = _rule(
    "filtered_on_request", "genuine", "strong", "content",
    "The resolver says that it filters this name because its user asked for it.",
    "Whether the user did.",
    "RFC 8914 §4.18",
)  # fmt: skip
DOMAIN_DENIED = _rule(
    "domain_denied", "interference", "strong", "content",
    "The resolver denies that a whole domain exists that is known to exist.",
    "Domains that were given up since the data's date.",
    "RFC 2308 §2.1: the denial names the zone above the domain",
    action="nxdomain",
)  # fmt: skip
NAME_DENIED = _rule(
    "name_denied", "interference", "supporting", "content",
    "The resolver denies a name of a known service, without the proof that a zone's own denial carries.",
    "Names that the service has given up; resolvers that drop the proof from what they remember.",
    "RFC 2308 §2; ooni/spec tq-006",
    action="nxdomain",
)  # fmt: skip
DISAGREE = _rule(
    "resolvers_disagree", "interference", "strong", "control",
    "One resolver denies a known service's name always, another gives addresses for it.",
    "A resolver that was never meant for public names.",
    "messenger removals of 2026; OONI web connectivity",
    action="nxdomain",
)  # fmt: skip
OTHERS_ANSWERED = _rule(
    "others_answered", "interference", "supporting", "control",
    "The same resolver answered for other names meanwhile.",
    "Names that do not exist.",
    "Controls of name-based filtering",
    action="nxdomain",
)  # fmt: skip
UNANSWERED = _rule(
    "name_unanswered", "interference", "strong", "silence",
    "Questions for a name are never answered, though the service lives or the resolver is one that says when it fails.",
    "A resolver that lost its way to this one name and does not say so.",
    "RFC 8767 and RFC 2308 §7: a resolver answers even when it fails",
    action="drop",
)  # fmt: skip
UNKNOWN_UNANSWERED = _rule(
    "unknown_unanswered", "interference", "supporting", "silence",
    "Questions for this name are never answered; others to the same resolver are, before and after.",
    "Zones whose servers are dead, and a resolver that does not say so.",
    "RFC 2308 §7",
    action="drop",
)  # fmt: skip
SILENCE_EFFECT = _rule(
    "silence_effect", "interference", "strong", "control",
    "Questions for this name go unanswered, others do not; chance does that less than once in a hundred.",
    "A zone whose servers are dead.",
    "Fisher's exact test over attempts",
)  # fmt: skip
SILENCE_EFFECT_FEW = _rule(
    "silence_effect_few", "interference", "supporting", "control",
    "Questions for this name go unanswered, others do not; with so few chance does that once in twenty.",
    "A zone whose servers are dead.",
    "Fisher's exact test over attempts",
)  # fmt: skip

RULES = (
    SAID_SO, ON_REQUEST, DOMAIN_DENIED, NAME_DENIED, DISAGREE, OTHERS_ANSWERED, UNANSWERED, UNKNOWN_UNANSWERED,
    SILENCE_EFFECT, SILENCE_EFFECT_FEW,
)  # fmt: skip


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Denials and silences, beside what the same and other resolvers say."""
    answers = Answers(seen)
    if not len(answers):
        return []
    evidence = DnsEvidence(answers)
    _stated(evidence)
    _denied(evidence, known)
    return [*evidence.findings(), *_unanswered(answers, known)]


def _stated(evidence: DnsEvidence) -> None:
    """What resolvers say of their own policy."""
    m = evidence.answers.messages
    for i in np.flatnonzero(np.isin(m.ede, (BLOCKED, CENSORED, FILTERED))).tolist():
        rule = ON_REQUEST if m.ede[i] == FILTERED else SAID_SO
        evidence.note(rule, [i], position="endpoint", extended_error=int(m.ede[i]))


def _denied(evidence: DnsEvidence, known: Knowledge) -> None:
    """Denials of what is known to exist, by a resolver that answers other names."""
    m, text = evidence.answers.messages, evidence.seen.text
    sinks = [n for n in np.unique(m.address).tolist() if n >= 0 and place(text(n) or "") is Place.SINK]
    denies = (evidence.answers.denies & (m.rcode != SERVFAIL)) | np.isin(m.address, sinks)
    gives = (m.address >= 0) & ~np.isin(m.address, sinks)
    denied = names_of_services(np.unique(m.name[denies]).tolist(), evidence.seen, known)
    for name, owner in list(denied.items())[:MOST_NAMES]:
        mine = m.name == name
        for resolver in np.unique(m.resolver[mine & denies]).tolist():
            here = m.resolver == resolver
            others = m[here & gives & ~mine]
            domains = {domain(text(n) or "") for n in np.unique(others.name).tolist()} - {owner[1]}
            if (mine & here & gives).any() or len(domains) < OTHERS:
                continue  # it answers this name too, or no name: the name is not what it denies
            picked = [i for i in np.flatnonzero(mine & here & denies).tolist() if _beyond_zone(evidence, i, owner[1])]
            evidence.note(NAME_DENIED, picked, position="endpoint")
            above = [i for i in picked if m.zone[i] >= 0]
            evidence.note(DOMAIN_DENIED, above, position="endpoint", domain=owner[1])
            elsewhere = np.flatnonzero(mine & ~here & gives & np.isin(m.qtype, m.qtype[picked]))
            if len(elsewhere):
                evidence.note(DISAGREE, picked, genuine=elsewhere[:SHOWN], position="endpoint")
            evidence.note(OTHERS_ANSWERED, picked, position="endpoint", domains_answered=len(domains))


def _beyond_zone(evidence: DnsEvidence, i: int, apex: str) -> bool:
    """Whether a denial is not the service's own: it comes without a zone, or from a zone above the registered domain."""
    m = evidence.answers.messages
    zone = evidence.seen.text(m.zone[i])
    return zone is None or (m.rcode[i] == NXDOMAIN and (zone == "." or domain(apex).endswith("." + zone)))


def _unanswered(answers: Answers, known: Knowledge) -> list[Finding]:
    """Names that a resolver never answered for, although it was there all the time."""
    q, seen = answers.questions, answers.seen
    waited = (q.times > 0) & (q.last <= seen.end - ANSWERS_WITHIN)
    silent, heard = waited & (q.answers == 0), q.answers > 0
    found = []
    for rows in _repeated(q, np.flatnonzero(silent)):
        mine = q[rows]
        here = (q.client == mine.client[0]) & (q.resolver == mine.resolver[0])
        named = here & (q.name == mine.name[0])
        text = seen.text(mine.name[0]) or ""
        if is_public(text) and not (named & heard).any():
            around = here & (heard | silent) & np.isin(q.name, q.name[here & heard])
            found += _one_silence(seen, known, mine, q[around], text, flows_of(seen, q[named]))
    return found


def _repeated(questions: Table, rows: np.ndarray) -> list[np.ndarray]:
    """Rows by client, resolver and name, where there are enough copies; at most `MOST_NAMES` groups, the first ones."""
    if not len(rows):
        return []
    picked = questions[rows]
    keys = np.stack((picked.client, picked.resolver, picked.name), axis=1)
    _, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.reshape(-1)
    order = np.argsort(group, kind="stable")
    groups = np.split(rows[order], np.flatnonzero(np.diff(group[order])) + 1)
    copies = np.bincount(group, picked.times)
    return sorted((g for g, n in zip(groups, copies, strict=True) if n >= COPIES), key=lambda g: int(g[0]))[:MOST_NAMES]


def _one_silence(
    seen: Seen, known: Knowledge, mine: Table, around: Table, name: str, flows: tuple[int, ...]
) -> list[Finding]:  # fmt: skip
    """What to say of a name's silence, beside questions for names that were answered, some of them perhaps not at once."""
    first, last = int(mine.ts.min()), int(mine.last.max())
    near = around[(around.ts >= first - MEANWHILE) & (around.ts <= last + MEANWHILE)]
    near = near[np.array([domain(seen.text(n) or "") != domain(name) for n in near.name.tolist()], bool)]
    others, lost = near[near.answers > 0], near[(near.answers == 0) | (near.times > 1)]
    during = others[(others.ts > first) & (others.ts < last)]
    domains = len({domain(seen.text(n) or "") for n in others.name.tolist()})
    if last - first < UNHEARD_FOR or not len(during) or domains < OTHERS:
        return []
    # a dead zone is as special as a blocked name; but services live, and public resolvers say that they failed
    sure = known_domain(name, known) is not None or known.is_resolver(seen.text(mine.resolver[0]) or "")
    rule = UNANSWERED if sure else UNKNOWN_UNANSWERED
    tried, fine = attempts(mine, np.sort(others.ts)), attempts(others, np.sort(mine.ts))
    stumbled = min(attempts(lost, np.sort(mine.ts)), fine)
    p = fisher(tried, tried, stumbled, fine)
    if stumbled and p > FEW:
        return []  # the line loses questions for other names too
    method = Method("drop", "dns_name", "in_path", name)
    measured = {
        "questions": int(mine.times.sum()),
        "over_s": round((last - first) / SECOND, 1),
        "others_answered": fine,
    }
    witnesses = [Witness(frame, "trigger") for frame in mine.frame.tolist()[:SHOWN]]
    witnesses += [Witness(frame, "missing_after") for frame in mine.last_frame.tolist()[:SHOWN]]
    witnesses += [Witness(frame, "baseline") for frame in during.frame.tolist()[:2]]
    found = [Finding(rule, f"name {name}", flows, last, measured, tuple(dict.fromkeys(witnesses)), method)]
    if p <= FEW:
        effect = {"p": float(f"{p:.3g}"), "unanswered": tried, "tried": tried, "others_answered": fine}
        control = SILENCE_EFFECT if p <= SURE and sure else SILENCE_EFFECT_FEW
        found.append(Finding(control, f"name {name}", flows, last, effect, tuple(witnesses[:SHOWN]), method))
    return found
