"""The name effect: one name fails where others do not, and chance does not explain it.

**How it shows.** At one server address, in the same minutes, from the same client, attempts that speak one name fail and
attempts that speak other names are served. Each attempt counts once, retries and residual blocking apart, and the
p-value is that of an exact permutation test, address by address. The same test asks whether the make of the hello
(JA4) decides rather than the name, and, at a server, whether the client's network does. Where the size of the hello
decides, the server is to blame.

**What it cannot see.** Whether the server rejects the name by itself: then the same pattern comes, so resets, closes
and alerts accuse nobody unless the address is the service's own or something else speaks for a forgery. Names that
nobody else shares an address with.

**References.** Fisher 1935; Cochran 1954 and Mantel, Haenszel 1959 on strata; Holm 1979 on many names;
Sundara Raman et al., SIGCOMM 2023; tldr.fail on servers that cannot take a hello of two segments.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.addresses import client_network, networks
from analyzer.controls import Fate, counted, fates, groups_of
from analyzer.exact import Counts, fisher, holm, stratified_fisher, tally
from analyzer.signature import Finding, Knowledge, Method, Rule, Seen, Witness
from analyzer.tables import End, Stage, Table, Vantage

METHOD = "name_effect"

SECOND = 1_000_000_000
AGAIN = 2  # names or attempts that must agree before a server is said to choke on large hellos
NAMED = 3  # failing attempts before an effect is tested; three against three is the least that reaches 5 %
SURE, FEW = 0.01, 0.05  # one-sided, after Holm over what was tested
K1_WITHIN = 300 * SECOND
TWO_SEGMENTS = 1300  # bytes: a hello that fits no single segment on any common path


def _rule(name, strength, says, blind, source, leans="interference") -> Rule:
    return Rule(f"sni.{name}", leans, strength, "control", says, blind, source, needs_headers=False)


_EXACT = "Fisher's exact test over attempts, by address, Holm over what was tested"
NAME_EFFECT = _rule(
    "name_effect", "strong",
    "This name fails and other names at the same address do not; chance does that in less than one case in a hundred.",
    "A server that does not serve this name.",
    _EXACT,
)  # fmt: skip
NAME_EFFECT_FEW = _rule(
    "name_effect_few", "supporting",
    "This name fails and other names at the same address do not; with so few attempts chance does that once in twenty.",
    "A server that does not serve this name.",
    _EXACT,
)  # fmt: skip
CUT_OFF = _rule(
    "name_cut_off", "supporting",
    "Connections that speak this name are reset in the middle of use, those that speak others at this address never.",
    "A server program that ends its connections so, which another at the same address does not.",
    _EXACT,
)  # fmt: skip
NETWORK_EFFECT = _rule(
    "network_effect", "strong",
    "At this server, attempts from one client network fail and those from others do not; chance hardly does that.",
    "A fault inside that network.",
    _EXACT,
)  # fmt: skip
NETWORK_EFFECT_FEW = _rule(
    "network_effect_few", "supporting",
    "At this server, attempts from one client network fail and those from others do not; chance does so once in twenty.",
    "A fault inside that network.",
    _EXACT,
)  # fmt: skip
ELSEWHERE = _rule(
    "name_elsewhere", "supporting",
    "The same name fails at several unrelated addresses.",
    "One operator's fault at all of them.",
    "Controls of name-based filtering",
)  # fmt: skip
HELLO_EFFECT = _rule(
    "fingerprint_effect", "supporting",
    "Hellos of one make fail and those of another are served, with the same name at the same address.",
    "Servers that cannot take the larger of them; then its bytes are acknowledged all the same.",
    _EXACT,
)  # fmt: skip
LARGE_FAILS = _rule(
    "large_hello_fails", "supporting",
    "At this server every hello of two segments fails and every smaller one passes: a known fault of servers.",
    "Filters that act on the size.",
    "tldr.fail",
    leans="genuine",
)  # fmt: skip

RULES = (
    NAME_EFFECT,
    NAME_EFFECT_FEW,
    CUT_OFF,
    NETWORK_EFFECT,
    NETWORK_EFFECT_FEW,
    HELLO_EFFECT,
    ELSEWHERE,
    LARGE_FAILS,
)

_ACTION = {
    int(Fate.SILENT): "drop", int(Fate.STALLED): "delayed_drop", int(Fate.RESET): "rst", int(Fate.CLOSED): "fin",
    int(Fate.ALERT): "tls_alert", int(Fate.FINE): "rst",
}  # fmt: skip


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Names, and at a server client networks, that fail against those that do not."""
    attempts = seen.attempts
    attempts = attempts[attempts.proto == 6]
    if not len(attempts):
        return []
    fate = fates(attempts, seen.text)
    trial = _Trial(attempts, fate, *counted(attempts, fate), seen)
    failed = trial.fate >= Fate.FAILED
    found = _names(trial, failed, (NAME_EFFECT, NAME_EFFECT_FEW))
    if (cut_off := _cut_off(attempts)).any():
        fate = np.where(cut_off, np.int8(Fate.RESET), fate)
        resets = _Trial(attempts, fate, *counted(attempts, fate), seen)
        found += _names(resets, _cut_off(resets.a), (CUT_OFF, CUT_OFF))
    return [*found, *_hellos(trial, failed), *_networks(trial, failed), *_large_hellos(trial)]


class _Trial(NamedTuple):
    """All TCP flows with their fates, and the same merged into attempts."""

    flows: Table
    flow_fate: np.ndarray
    a: Table
    fate: np.ndarray
    seen: Seen

    def affected(self, group: np.ndarray, bad: np.ndarray, by: str) -> Table:
        """The flows behind failing attempts, their retries included."""
        mine, flows = self.a[group], self.flows
        same = (flows.columns[by] == mine.columns[by][0]) & (flows.client == mine.client[0])
        same &= np.isin(flows.server, mine.server) & (flows.start >= mine.start.min())
        same &= np.isin(self.flow_fate, np.unique(self.fate[group])) | np.isin(flows.flow, mine.flow)
        same &= (self.flow_fate >= Fate.FAILED) | np.isin(flows.flow, mine.flow)
        return flows[same]


def _cut_off(a: Table) -> np.ndarray:
    """Reset by the far side in the middle of use, neither side having closed."""
    used = (a.stage == Stage.SERVED) & (a.fin_up < 0) & (a.fin_down < 0)
    return used & (a.ended_by == np.where(a.vantage == Vantage.SERVER, End.RST_UP, End.RST_DOWN))


def _names(trial: _Trial, bad: np.ndarray, rules: tuple[Rule, Rule]) -> list[Finding]:
    """Names that meet something bad against names that do not, address by address."""
    a, seen = trial.a, trial.seen
    greeted = a.synacks > 0  # without a SYN/ACK no name was ever spoken
    tested = []
    for group in groups_of(a, bad & greeted & (a.name >= 0), "client", "name"):
        mine = (a.name == a.name[group[0]]) & (a.client == a.client[group[0]]) & greeted
        if len(group) < NAMED:
            continue
        strata, interleaved = _strata(a, bad, greeted, mine)
        if strata:
            tested.append((stratified_fisher(strata), group, strata, interleaved))
    adjusted = holm([p for p, *_ in tested])
    found = []
    for p, (_, group, strata, interleaved) in zip(adjusted, tested, strict=True):
        if p > FEW or not interleaved:
            continue
        name = seen.text(a.name[group[0]])
        trigger = "http_host" if seen.text(a.protocol[group[0]]) == "http" else "sni"
        method = Method(_ACTION.get(int(trial.fate[group[0]]), "drop"), trigger, "unknown", name)
        rule = rules[0] if p <= SURE else rules[1]
        found.append(_about(rule, f"name {name}", trial.affected(group, bad, "name"), tally(p, strata), method))
    if rules[0] is NAME_EFFECT:
        found += _elsewhere(trial, [group for _, group, *_ in tested])
    return found


def _elsewhere(trial: _Trial, groups: list[np.ndarray]) -> list[Finding]:
    found = []
    for group in groups:
        servers = np.unique(trial.a.server[group])
        if len(networks(servers, trial.seen.text)) > 1:
            measured = {"addresses": len(servers), "attempts": len(group)}
            subject = f"name {trial.seen.text(trial.a.name[group[0]])}"
            found.append(_about(ELSEWHERE, subject, trial.a[group], measured, None))
    return found


def _strata(a: Table, bad, greeted, mine) -> tuple[list[Counts], bool]:
    """Per address, (bad, tried) of a name and of other names there in the same minutes; and whether they alternate."""
    strata, interleaved = [], False
    for server in np.unique(a.server[mine]).tolist():
        here = (a.server == server) & greeted & (a.name >= 0)
        own = here & mine
        first, last = a.start[own].min(), a.start[own].max()
        other = here & ~mine & (a.client == a.client[own][0]) & np.isin(a.port, a.port[own])
        other &= (a.start >= first - K1_WITHIN) & (a.start <= last + K1_WITHIN)
        hello = a.ja4[own]
        if (hello >= 0).any():  # the same kind of hello, or the filter may be about that
            other &= (a.ja4 < 0) | np.isin(a.ja4, hello)
        if not other.any():
            continue
        strata.append(_counts(bad, own, other))
        failures = np.sort(a.start[own & bad])
        good = a.start[other & ~bad]
        interleaved |= len(failures) > 1 and bool(((good > failures[0]) & (good < failures[-1])).any())
    return strata, interleaved


def _counts(bad: np.ndarray, own: np.ndarray, other: np.ndarray) -> Counts:
    return int((own & bad).sum()), int(own.sum()), int((other & bad).sum()), int(other.sum())


def _hellos(trial: _Trial, failed: np.ndarray) -> list[Finding]:
    """One name and address, several makes of hello (JA4): does the make decide?"""
    a, seen = trial.a, trial.seen
    spoken = (a.synacks > 0) & (a.name >= 0) & (a.ja4 >= 0)
    tested = []
    for group in groups_of(a, spoken & failed, "client", "name", "server", "ja4"):
        one = group[0]
        here = spoken & (a.client == a.client[one]) & (a.name == a.name[one]) & (a.server == a.server[one])
        own, other = here & (a.ja4 == a.ja4[one]), here & (a.ja4 != a.ja4[one])
        good = a.start[other & ~failed]
        if len(group) < NAMED or not ((good > a.start[group].min()) & (good < a.start[group].max())).any():
            continue
        counts = _counts(failed, own, other)
        tested.append((fisher(*counts), group, counts))
    found = []
    for p, (_, group, counts) in zip(holm([p for p, *_ in tested]), tested, strict=True):
        if p > FEW:
            continue
        make = seen.text(a.ja4[group[0]])
        method = Method(_ACTION.get(int(trial.fate[group[0]]), "drop"), "fingerprint", "unknown", make)
        subject = f"target {seen.text(a.target[group[0]])} at hello {make}"
        found.append(_about(HELLO_EFFECT, subject, a[group], tally(p, [counts]), method))
    return found


def _networks(trial: _Trial, failed: np.ndarray) -> list[Finding]:
    """At a server: client networks that fail against others, target by target."""
    a, seen = trial.a, trial.seen
    at_server = (a.vantage == Vantage.SERVER) & (a.synacks > 0)
    if not (at_server & failed).any():
        return []
    clients, where = np.unique(a.client, return_inverse=True)
    names = [client_network(seen.text(c) or "") for c in clients.tolist()]
    of_network = np.unique(names, return_inverse=True)[1].reshape(-1)[where.reshape(-1)]
    tested = []
    for group in groups_of(a, at_server & failed, "target"):
        target = at_server & (a.target == a.target[group[0]])
        for number in np.unique(of_network[group]).tolist():
            own = target & (of_network == number)
            first, last = a.start[own & failed].min(), a.start[own & failed].max()
            other = target & (of_network != number) & (a.start >= first - K1_WITHIN) & (a.start <= last + K1_WITHIN)
            if (own & failed).sum() < NAMED or not (other & ~failed).any():
                continue
            counts = _counts(failed, own, other)
            tested.append((fisher(*counts), np.flatnonzero(own & failed), counts))
    found = []
    for p, (_, group, counts) in zip(holm([p for p, *_ in tested]), tested, strict=True):
        if p > FEW:
            continue
        method = Method(_ACTION.get(int(trial.fate[group[0]]), "drop"), "none_seen", "unknown")
        subject = f"target {seen.text(a.target[group[0]])} at {client_network(seen.text(a.client[group[0]]) or '')}"
        rule = NETWORK_EFFECT if p <= SURE else NETWORK_EFFECT_FEW
        found.append(_about(rule, subject, a[group], tally(p, [counts]), method))
    return found


def _large_hellos(trial: _Trial) -> list[Finding]:
    """Servers where size decides and not the name."""
    a, fate = trial.a, trial.fate
    hello = (a.ja4 >= 0) & (a.synacks > 0) & (a.vantage != Vantage.SERVER)
    large = a.new_up >= TWO_SEGMENTS
    found = []
    for group in groups_of(a, hello & large & (fate == Fate.SILENT), "client", "server", "port"):
        one = group[0]
        here = hello & (a.server == a.server[one]) & (a.port == a.port[one]) & (a.client == a.client[one])
        names = len(np.unique(a.name[group]))
        passed_large, passed_small = here & large & (fate == Fate.FINE), here & ~large & (fate == Fate.FINE)
        if names >= AGAIN and not passed_large.any() and passed_small.sum() >= AGAIN:
            measured = {"names": names, "large_failed": len(group), "small_fine": int(passed_small.sum())}
            subject = f"address {trial.seen.text(a.server[one])}"
            found.append(_about(LARGE_FAILS, subject, a[group], measured, None, a[passed_small]))
    return found


def _about(
    rule: Rule, subject: str, mine: Table, measured: dict, method: Method | None, baseline: Table | None = None
) -> Finding:
    role = "trigger" if rule.leans == "interference" else "baseline"
    witnesses = [Witness(frame, role) for frame in (mine if baseline is None else baseline).asked_frame.tolist()[:8]]
    flows, last = tuple(mine.flow.tolist()), int(mine.end.max())
    return Finding(rule, subject, flows, last, measured, tuple(w for w in witnesses if w.frame >= 0), method)
