"""Forged DNS answers: somebody else answers a question in the resolver's name.

**How it shows.** Two different answers come to one question; or one comes sooner than the resolver can answer, from
another distance, or in another form than everything else it says; or an address answers that serves no DNS at all; or
the answer itself gives it away, because no public name leads there. A forger that only denies (no such name, refused,
empty) is told by the same marks. `whereabouts` says where names lead, and whether that can be.

**What it cannot see.** A resolver's own policy, which is an honest answer to a question that its operator decided
(`dns_denial`); a forger that copies distance and form, waits, and drops the real answer, with an address that could be
right; anything over TLS or HTTPS. Where every name is treated alike (a portal, a laboratory, NAT64) no name is blocked,
and nothing is said of one.

**References.** Anonymous et al., *Triplet Censors*, FOCI 2020; Hoang et al., *How Great is the Great Firewall?*, USENIX
Security 2021; Fan et al., *Wallbleed*, NDSS 2025; net4people/bbs #80 (Turkmenistan), #466 (China); RFC 1035, RFC 6891.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from analyzer.addresses import Place
from analyzer.dns_answers import AA, RA, SERVFAIL, TC, Answers, domain, is_public
from analyzer.dns_evidence import SHOWN, DnsEvidence
from analyzer.dns_habits import Habits
from analyzer.signature import Finding, Knowledge, Rule, Seen, Witness
from signatures.dns_tampering.whereabouts import OTHERS, Whereabouts
from signatures.knowledge.forged_answers import pools

METHOD = "dns_tampering"

SECOND = 1_000_000_000
ONE_RACE = 10 * SECOND  # answers to a question that was not captured: later ones answer a repeated question
TTL_APART = 3  # hops: routes shift by one or two
UNREACHABLE = (3 * 256 + 3, 65536 + 1 * 256 + 4)  # ICMP: nothing listens on that port
STILL_THERE = 5 * SECOND  # a resolver that just stopped is not a machine that never answered


def _rule(name: str, strength: str, family: str, says: str, blind: str, source: str, **more: Any) -> Rule:
    return Rule(f"dns.{name}", "interference", strength, family, says, blind, source, needs_headers=False, **more)


TWO_ANSWERS = _rule(
    "two_answers", "strong", "order",
    "One question was answered twice, and the answers contradict each other: one of them is not the resolver's.",
    "Repeated questions; forgers that drop the resolver's own answer.",
    "Weaver et al. on DNS races; ooni/spec tq-002",
    action="forged_dns",
)  # fmt: skip
TWO_MACHINES = _rule(
    "two_machines", "conclusive", "order",
    "One question was answered twice, with contradicting answers of unlike make: two machines answered in one name.",
    "Forgers that copy distance and form.",
    "Anonymous et al., FOCI 2020",
    action="forged_dns",
)  # fmt: skip
IMPOSSIBLE = _rule(
    "impossible_address", "strong", "content",
    "A service known to be on the internet was said to be at an address that cannot be there (private, reserved).",
    "A resolver's own policy; says nothing of where on the path the answer was made.",
    "RFC 6890; Hoang et al., USENIX Security 2021, on Teredo addresses",
    action="forged_dns",
)  # fmt: skip
KNOWN_PAGE = _rule(
    "page_known", "conclusive", "content",
    "The answer leads to the host of a documented block page.",
    "Says nothing of where on the path the answer was made.",
    "OONI and Citizen Lab, blocking fingerprints of scope isp or nat; counted as confirmed there too",
    action="forged_dns",
)  # fmt: skip
KNOWN_SINK = _rule(
    "sink_known", "strong", "content",
    "The answer leads to an address that is documented in forged answers, and that this name never had.",
    "Addresses change hands.",
    "OONI, blocking fingerprints; Fan et al., NDSS 2025",
    action="forged_dns",
)  # fmt: skip
ANOTHER_OWNER = _rule(
    "another_owner", "strong", "content",
    "A known service was said to live at an address that belongs to another one alone.",
    "Address blocks that changed hands since the data's date.",
    "Anonymous et al., FOCI 2020: forgers borrow addresses of large services",
    action="forged_dns",
)  # fmt: skip
SHARED = _rule(
    "one_address_for_all", "strong", "content",
    "Several services that have nothing to do with each other were said to live at one address, other names elsewhere.",
    "Services behind the same address of a large content network.",
    "How block pages show in DNS: Pearce et al., USENIX Security 2017",
    action="forged_dns",
)  # fmt: skip
NO_RESOLVER = _rule(
    "no_resolver_there", "conclusive", "content",
    "An answer came from an address that itself says that nothing listens there: it has no resolver.",
    "Addresses that keep silent about it.",
    "net4people/bbs #80, #466: injectors answer for any address behind them",
    action="forged_dns",
)  # fmt: skip
TOO_FAST = _rule(
    "too_fast", "strong", "timing",
    "The answer came in less than half the time that this resolver ever needed for any other name.",
    "Forgers near the resolver; answers that wait.",
    "Speed of the path, over at least five other answers",
    action="forged_dns",
)  # fmt: skip
DISTANCE = Rule(
    "dns.other_distance", "interference", "strong", "header",
    "Answers for this name came over another distance than everything else this resolver said, before and after.",
    "Forgers that copy the TTL; resolvers at several distances.",
    "Anonymous et al., FOCI 2020",
    action="forged_dns",
)  # fmt: skip
UNLIKE = _rule(
    "unlike_resolver", "supporting", "header",
    "The answer lacks what this resolver always puts into its answers (extension record, flags, the name as it was asked).",
    "Resolvers make local answers in another form too.",
    "RFC 6891; net4people/bbs #466; dns0x20",
    action="forged_dns",
)  # fmt: skip
NAME_EFFECT = _rule(
    "name_effect", "strong", "control",
    "Answers for this name are forged and those for other names are not; chance does that less than once in a hundred.",
    "Nothing about who forged them.",
    "Fisher's exact test over attempts",
)  # fmt: skip
NAME_EFFECT_FEW = _rule(
    "name_effect_few", "supporting", "control",
    "Answers for this name are forged and those for other names are not; with so few chance does that once in twenty.",
    "Nothing about who forged them.",
    "Fisher's exact test over attempts",
)  # fmt: skip
ALIKE = Rule(
    "dns.all_names_alike", "neutral", "supporting", "content",
    "Every name led to the same private address: a portal, a laboratory or a local tool, not a block of a name.",
    "Blocks of everything.",
    "Captive portals (RFC 8952)",
    needs_headers=False,
)  # fmt: skip

RULES = (
    TWO_ANSWERS, TWO_MACHINES, IMPOSSIBLE, KNOWN_PAGE, KNOWN_SINK, ANOTHER_OWNER, SHARED, NO_RESOLVER, TOO_FAST, DISTANCE,
    UNLIKE, NAME_EFFECT, NAME_EFFECT_FEW, ALIKE,
)  # fmt: skip


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Every answer beside the other answers to its question, of its resolver, and for its name."""
    answers = Answers(seen)
    if not len(answers):
        return []
    evidence, habits, where = DnsEvidence(answers), Habits(answers), Whereabouts(answers, known)
    _contradictions(evidence, habits, where)
    _documented(evidence, habits, where)
    _elsewhere(evidence, habits, where)
    _nobody_there(evidence)
    _unusual(evidence, habits, where)
    return [*evidence.findings(), *evidence.effects(NAME_EFFECT, NAME_EFFECT_FEW), *_alike(where)]


def _contradictions(evidence: DnsEvidence, habits: Habits, where: Whereabouts) -> None:
    """Questions that were answered more often than they were asked, with answers that cannot both be right."""
    answers = evidence.answers
    m, questions = answers.messages, answers.questions
    several = np.flatnonzero(questions.answers > np.maximum(questions.times, 1))
    rows = np.flatnonzero(np.isin(m.question, several) & (m.flags & TC == 0))
    rows = rows[np.argsort(m.question[rows], kind="stable")]
    for group in np.split(rows, np.flatnonzero(np.diff(m.question[rows])) + 1):
        if len(group) < 2 or m.ts[group[-1]] - m.ts[group[0]] > ONE_RACE:
            continue
        real = max(group.tolist(), key=lambda i: (-_strangeness(i, answers, habits, where), m.frame[i]))
        against = [i for i in group.tolist() if _contradict(_content(answers, i), _content(answers, real))]
        for i in against:
            if _unlike(i, real, answers, where):
                evidence.note(TWO_MACHINES, [i], genuine=[real], position="on_path")
            elif SERVFAIL not in (m.rcode[i], m.rcode[real]):  # a resolver may give up, and then find it after all
                evidence.note(TWO_ANSWERS, [i], genuine=[real], position="on_path")


def _content(answers: Answers, i: int) -> tuple[int, frozenset[int]]:
    m = answers.messages
    return int(m.rcode[i]), frozenset(answers.addresses(i)) or frozenset({-1} if m.answers[i] else ())


def _contradict(one: tuple[int, frozenset[int]], other: tuple[int, frozenset[int]]) -> bool:
    """Not the same code, or no address in common (a round robin shares some)."""
    return one[0] != other[0] or (one[1] != other[1] and not one[1] & other[1])


def _unlike(i: int, j: int, answers: Answers, where: Whereabouts) -> bool:
    """Two answers to one question that one machine would not both make."""
    m = answers.messages
    form = [(m.edns[k], m.flags[k] & (AA | RA), m.malformed[k]) for k in (i, j)]
    nowhere = any(where.places.get(a) is Place.IMPOSSIBLE for a in answers.addresses(i))
    return form[0] != form[1] or nowhere or abs(int(m.ttl[i]) - int(m.ttl[j])) >= TTL_APART


def _strangeness(i: int, answers: Answers, habits: Habits, where: Whereabouts) -> int:
    """In how many ways an answer departs from its resolver's habits; the real one departs least, and loses the race."""
    m = answers.messages
    odd = sum(bool(trait[i]) for trait in habits.traits.values())
    odd += habits.ttl[i] >= 0 and abs(int(m.ttl[i]) - int(habits.ttl[i])) >= TTL_APART
    odd += any(address in where.places for address in answers.addresses(i))
    return int(odd + (not m.edns[i] and answers.questions.edns[m.question[i]]))


def _documented(evidence: DnsEvidence, habits: Habits, where: Whereabouts) -> None:
    """Addresses and aliases that stand in documented forged answers."""
    answers = evidence.answers
    rows, text = answers.rows, answers.seen.text
    for pool in pools():
        numbers = [number for number in map(answers.seen.number, pool.answers) if number >= 0]
        hits = np.flatnonzero(np.isin(rows.address, numbers) | np.isin(rows.alias, numbers))
        for row, i in zip(hits.tolist(), answers.message_of(hits).tolist(), strict=True):
            name, address = int(rows.name[row]), int(rows.address[row])
            if text(name) in pool.answers or (pool.kind == "sink" and where.served(name, address)):
                continue
            rule = KNOWN_PAGE if pool.kind == "page" else KNOWN_SINK
            evidence.note(rule, [i], position=habits.place(i), documented=pool.id, source=pool.source)


def _elsewhere(evidence: DnsEvidence, habits: Habits, where: Whereabouts) -> None:
    """Known services that were said to be where they cannot be, while other names were answered as usual."""
    rows = evidence.answers.rows
    named = np.flatnonzero(np.isin(rows.name, list(where.services)) & (rows.address >= 0))
    owners: dict[int, str | None] = {}
    holders: dict[int, set[str]] = defaultdict(set)
    for row in named.tolist():
        holders[int(rows.address[row])].add(where.services[int(rows.name[row])])
    for row, i in zip(named.tolist(), evidence.answers.message_of(named).tolist(), strict=True):
        name, address = int(rows.name[row]), int(rows.address[row])
        service, kind = where.services[name], where.places.get(address, Place.PUBLIC)
        text = where.seen.text(address) or ""
        if address not in owners:
            holder = where.known.label_address(text, 443, 6) if kind is Place.PUBLIC else None
            owners[address] = holder.service if holder else None
        owner = owners[address]
        wrong = kind in (Place.PRIVATE, Place.IMPOSSIBLE)
        # 0.0.0.0 and the like are how filtering resolvers deny; the well-known ones that do not filter never say it
        wrong |= kind is Place.SINK and where.known.is_resolver(where.seen.text(rows.resolver[row]) or "")
        borrowed = owner not in (None, service) and not where.known.owns_address(service, text)
        if not where.alone(name) or where.served(name, address):
            continue
        if wrong:
            evidence.note(IMPOSSIBLE, [i], position=habits.place(i))
        elif borrowed:
            evidence.note(ANOTHER_OWNER, [i], position=habits.place(i), owner=owner)
        elif len(holders[address]) > 1 and not where.known.owns_address(service, text):
            evidence.note(SHARED, [i], position=habits.place(i), services=sorted(holders[address]))


def _nobody_there(evidence: DnsEvidence) -> None:
    """Answers from addresses that say themselves that nothing listens on their port 53."""
    errors, m = evidence.seen.icmp_errors, evidence.answers.messages
    errors = errors[errors.from_target & (errors.port == 53) & (errors.proto == 17) & np.isin(errors.code, UNREACHABLE)]
    for i in np.flatnonzero(np.isin(m.resolver, errors.server) & (m.address >= 0)).tolist():
        same = (errors.server == m.resolver[i]) & (errors.client == m.client[i])
        same &= (errors.client_port == m.client_port[i]) & (np.abs(errors.ts - m.ts[i]) <= STILL_THERE)
        if same.any():
            evidence.note(NO_RESOLVER, [i], position="elsewhere", unreachable_frame=int(errors.frame[same][0]))


def _unusual(evidence: DnsEvidence, habits: Habits, where: Whereabouts) -> None:
    """Answers that depart from what their resolver is used to."""
    m, text = evidence.answers.messages, evidence.seen.text
    public = np.isin(m.name, [n for n in np.unique(m.name).tolist() if is_public(text(n) or "")])
    for i in np.flatnonzero(habits.fast & public).tolist():
        floor = round(int(habits.floor[i]) / 1e6, 3)
        evidence.note(TOO_FAST, [i], position="elsewhere", least_for_others_ms=floor)
    for i in np.flatnonzero(habits.far & public).tolist():
        evidence.note(DISTANCE, [i], position="elsewhere", usual_ttl=int(habits.ttl[i]))
    odd = np.logical_or.reduce(list(habits.traits.values()))
    suspected = np.isin(m.name, m.name[evidence.tampered]) | np.isin(m.name, list(where.services))
    for i in np.flatnonzero(odd & suspected).tolist():
        evidence.note(UNLIKE, [i], departs_in=sorted(trait for trait, has in habits.traits.items() if has[i]))


def _alike(where: Whereabouts) -> list[Finding]:
    """Where every name leads to one private address, none of them is blocked."""
    m = where.answers.messages
    private = np.isin(m.address, [n for n, kind in where.places.items() if kind is Place.PRIVATE])
    names = {domain(t) for n in np.unique(m.name[private]).tolist() if is_public(t := where.seen.text(n) or "")}
    if len(names) <= OTHERS or where.ordinary or len(np.unique(m.address[private])) > 1:
        return []
    rows = np.flatnonzero(private)
    address = where.seen.text(m.address[rows[0]])
    witnesses = tuple(Witness(int(frame), "baseline") for frame in m.frame[rows[:SHOWN]])
    measured = {"domains": len(names), "answered": address}
    return [
        Finding(
            ALIKE, f"address {address}", where.answers.flows(rows.tolist()), int(m.ts[rows].max()), measured, witnesses
        )
    ]  # fmt: skip
