"""The network before any service: whether anything works at all, only what is at home, everything but datagrams."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzer.addresses import Place, networks, place
from analyzer.controls import QUIC_GAVE_UP, USED_BY_PEOPLE, Fate
from analyzer.result import Coverage, Network
from analyzer.signature import Finding, Knowledge, Seen
from analyzer.tables import Cut, Table, Vantage
from analyzer.verdict.doubts import SEALED

TRIED = 3  # targets that must have been tried and failed before a whole network is called dead or walled
GRACE, SILENCE = 2_000_000_000, 10_000_000_000  # ns after the last answer, and without any, before all is called silent
HOME = 2  # domestic targets that must work before "only domestic ones do" is said
ABROAD = 2  # targets elsewhere that must work before services abroad are said to
QUIC_NETWORKS, UDP_NETWORKS = 2, 3  # unrelated networks that were asked in vain: one site may have no QUIC, or be down
ASKED = 2  # datagrams: apps ask each relay of a call twice
SOLD_ABROAD = frozenset(  # used as if of no country
    ("ag", "ai", "am", "cc", "co", "fm", "gg", "io", "is", "la", "li", "ly", "me", "sh", "st", "to", "tv", "vc", "ws")
)
ALSO = {"su": "ru", "xn--p1ai": "ru", "xn--mgba3a4f16a": "ir", "xn--fiqs8s": "cn"}  # second top-level domains
LOCAL_PORTS = (53, 67, 123, 137, 138, 139, 1900, 5353, 5355)  # lookup, clock, neighbourhood: not yet a use of it


def network_finding(
    a: Table, fate: np.ndarray, seen: Seen, known: Knowledge, findings: Sequence[Finding], coverage: Coverage
) -> Network:
    """State of the network, with a code for the reason."""
    if not coverage.packets:
        return Network("normal", "nothing_captured")
    if sum(coverage.links_unknown.values()) == coverage.packets:
        return Network("unknown", "nothing_readable")
    if not len(a):
        return Network("normal", "no_conversations")
    if any(f.rule.id == "http.portal_everywhere" for f in findings):
        return Network("captive_portal", "portal_page_everywhere")
    use = ~np.isin(a.port, LOCAL_PORTS) & (fate != Fate.UNKNOWN)
    sealed = np.isin(a.flow, [flow for finding in findings if finding.rule.id == SEALED for flow in finding.flows])
    if (use & sealed).any() and not (use & ~sealed).any():
        return Network("normal", "only_a_tunnel")
    targets, where = np.unique(a.target[use], return_inverse=True)
    fine = np.bincount(where.reshape(-1), fate[use] == Fate.FINE, minlength=len(targets)) > 0
    if not fine.any():
        answered = bool((a.packets_down[~np.isin(a.port, LOCAL_PORTS)] > 0).any())
        dead = len(targets) >= TRIED and not answered
        return Network("no_connectivity", "nothing_answered") if dead else Network("normal", "nothing_judged")
    if (last_answer := stopped(a)) is not None:
        return Network("no_connectivity", "stopped_answering", {"after_s": round((last_answer - seen.start) / 1e9, 1)})
    last = np.full(len(targets), -1, np.int64)  # a row of each target
    last[where.reshape(-1)] = np.flatnonzero(use)
    home = _at_home(a[last], fine, seen, known)
    public = np.array([_public(seen.text(s)) for s in a.server[last].tolist()], bool)
    abroad_failed = ~home & ~fine
    failing = np.unique(a.service[last[abroad_failed]]).tolist()
    ordinary = any(known.kind(seen.text(s)) not in USED_BY_PEOPLE for s in failing)
    walled = not (fine & ~home).any() and (fine & home).sum() >= HOME and abroad_failed.sum() >= TRIED
    if walled and ordinary:
        values = {"domestic_fine": int((fine & home).sum()), "foreign_failed": int(abroad_failed.sum())}
        return Network("domestic_only", "only_domestic_works", values)
    if any(f.rule.id == "throttle.shared_by_all" for f in findings):
        return Network("all_slow", "everything_slow")
    abroad = int((fine & ~home & public).sum())
    if not abroad:
        return Network("normal", "nothing_judged")
    return _datagrams(a, fate, seen) or (Network() if abroad >= ABROAD else Network("normal", "one_target_works"))


def _at_home(a: Table, fine: np.ndarray, seen: Seen, known: Knowledge) -> np.ndarray:
    """Targets (mask; one row of `a` each) that are domestic: listed so, or named after the country where all that works is.

    The country is read off top-level domains, where those that work agree on one and the listed ones do not contradict.
    """
    listed = np.array([known.is_domestic(seen.text(s)) for s in a.service.tolist()], bool)
    plain = ~listed & (a.service < 0)
    here = None
    for name in a.name[plain & fine].tolist():
        country = _country(seen.text(name))
        if not country or (here is not None and country != here):
            return listed
        here = country
    agreed = {_country(seen.text(name)) for name in a.name[listed & fine].tolist()} - {""}
    if here is None or (agreed and here not in agreed):
        return listed
    return listed | (plain & np.array([_country(seen.text(name)) == here for name in a.name.tolist()], bool))


def _country(name: str | None) -> str:
    """The country of a name, by its top-level domain; empty for those of no country, and for no name."""
    last = (name or "").rpartition(".")[2].lower()
    code = ALSO.get(last, last)
    return code if len(code) == 2 and code.isascii() and code.isalpha() and code not in SOLD_ABROAD else ""


def _datagrams(a: Table, fate: np.ndarray, seen: Seen) -> Network | None:
    """Where TCP works and no datagram of an app is ever answered: whoever drops them, it is no matter of one service."""
    words = {n: seen.text(n) for n in np.unique(a.protocol).tolist()}
    quic = np.isin(a.protocol, [n for n, word in words.items() if word == "quic"])
    stun = np.isin(a.protocol, [n for n, word in words.items() if word == "stun"])
    udp = (a.proto == 17) & ~np.isin(a.port, LOCAL_PORTS) & (a.vantage != Vantage.SERVER)
    udp &= a.cut & Cut.ONE_DIRECTION == 0
    waited = udp & (a.packets_up >= ASKED) & (a.packets_down == 0) & (seen.end - a.start >= QUIC_GAVE_UP)

    def silent(those: np.ndarray, least: int) -> bool:
        answered = (udp & those & (a.packets_down > 0)).any()
        return not answered and len(networks(a.server[waited & those], seen.text)) >= least

    tcp = (a.proto == 6) & (fate == Fate.FINE)
    if not (tcp & np.isin(a.server, a.server[waited & quic])).any() and not len(np.unique(a.server[tcp])) >= TRIED:
        return None

    everything = np.ones(len(a), bool)
    calls = waited & ~quic & (stun | (a.service >= 0))
    several = len(np.unique(a.service[waited & (calls | quic)])) > 1
    if calls.any() and several and silent(everything, UDP_NETWORKS):
        return Network("no_udp", "datagrams_unanswered")
    return Network("no_quic", "quic_unanswered") if silent(quic, QUIC_NETWORKS) else None


def stopped(a: Table) -> int | None:
    """When everything fell silent for the rest of the capture (ns): new attempts at several targets met nothing at all."""
    last = int(a.last_down.max(initial=-1))
    if last < 0:
        return None
    later = (a.start > last + GRACE) & (a.packets_up > 0)
    silent = len(np.unique(a.target[later & ~np.isin(a.port, LOCAL_PORTS)]))
    return last if silent >= TRIED and int(a.end.max()) - last >= SILENCE else None


def _public(address: str | None) -> bool:
    """Whether an address is one of the internet's, and no network's own."""
    return address is not None and place(address) is Place.PUBLIC
