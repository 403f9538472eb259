"""TLS interception: somebody answers in the server's place, with a certificate of his own, and reads along.

**How it shows.** In TLS 1.2 and older the certificate travels in clear. One name comes under two issuers, one of them no
public authority; or a known service under an issuer that never signed for it while other names come as always; or the
issuer is one that was measured intercepting a whole country. The client may say that it does not accept it.

**What it cannot see.** TLS 1.3, which encrypts certificates; an interceptor with a certificate of a public authority;
whose machine it is. Security software and company gateways do the same for almost every name, with consent or without:
where most names come under one unknown issuer, that is said and nobody is accused. An unknown issuer alone says
nothing: benign captures are full of them.

**References.** Sundara Raman et al., *Investigating Large Scale HTTPS Interception in Kazakhstan*, IMC 2020; Durumeric
et al., *The Security Impact of HTTPS Interception*, NDSS 2017; OONI, *Kazakhstan: TLS MITM attacks*, 2024; RFC 5246 §7.4.2.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from analyzer.controls import groups_of
from analyzer.signature import Finding, Finished, Knowledge, Method, Rule, Seen, Wants, Witness
from analyzer.tables import Table
from analyzer.wire.server_flight import client_alerts
from signatures.knowledge.issuers import issuers

METHOD = "tls_interception"

NOT_ACCEPTED = ("bad_certificate", "unknown_ca", "certificate_unknown")  # RFC 5246 §7.2.2; expiry is the server's fault
SHORT = 4096  # bytes of a client that said no more than a hello, at most a long one, and an alert
FOREIGN_KINDS = ("messenger", "social")  # services whose certificates the world knows


def _rule(name: str, strength: str, says: str, blind: str, source: str, leans: str = "interference") -> Rule:
    action = "tls_mitm" if leans == "interference" else None
    return Rule(f"tls.{name}", leans, strength, "content", says, blind, source, action, needs_headers=False)


KNOWN_INTERCEPTOR = _rule(
    "known_interceptor", "conclusive",
    "The certificate is signed by an authority that was measured intercepting connections.",
    "Sites of that authority's own.",
    "data/issuers.toml: IMC 2020, Censored Planet 2020, OONI 2024",
)  # fmt: skip
ISSUERS_DIFFER = _rule(
    "issuers_differ", "strong",
    "The same name comes under two issuers, one of which is no public authority.",
    "A site that changes from a certificate of its own to a public one in these minutes.",
    "IMC 2020; 0 of 330 certificates |",
)  # fmt: skip
UNFIT_ISSUER = _rule(
    "unfit_issuer", "strong",
    "A known service comes under an issuer that never signed for it, while most names come under others.",
    "Gateways that open only some kinds of sites.",
    "Mozilla's root store; the services' own authorities; 0 of 330 certificates |",
)  # fmt: skip
ONE_FOR_ALL = _rule(
    "one_issuer_for_all", "supporting",
    "Most names come under one issuer that is no public authority: a gateway or security software, not a block of a name.",
    "A network that intercepts everything.",
    "Durumeric et al., NDSS 2017",
    leans="neutral",
)  # fmt: skip
NOT_TRUSTED = _rule(
    "client_distrusts", "supporting",
    "The client of a known service refused the certificate as signed by nobody it trusts.",
    "Wrong clocks, old root stores, tests with certificates of one's own.",
    "RFC 5246 §7.2.2",
)  # fmt: skip
# Security software on the device shows certificates of its own too, so that these alone do not tell where it is done.
_METHOD = Method("tls_mitm")
_BY_NETWORK = Method("tls_mitm", position="in_path")
RULES = (KNOWN_INTERCEPTOR, ISSUERS_DIFFER, UNFIT_ISSUER, ONE_FOR_ALL, NOT_TRUSTED)


def _refusable(flows: Table) -> np.ndarray:
    """Connections of known services whose client never came further than a hello and an alert."""
    known = np.array([service is not None for service in flows.service.tolist()], bool)
    return known & (flows.protocol == "tls") & (flows.proto == 6) & (flows.new_down > 0) & (flows.new_up < SHORT)


WANTS = Wants(_refusable, packets=False, heads=True)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """Clients that refuse what they were shown."""
    found = []
    for i, flow in enumerate(done.flows.rows()):
        alert = next((a for a in client_alerts(done.stream(i, True)) if a.name in NOT_ACCEPTED), None)
        if alert is None or known.kind(flow.service) not in FOREIGN_KINDS:
            continue
        refusal = done.segments(i, True)[-1]
        witnesses = (Witness(flow.asked_frame, "trigger"), Witness(refusal.frame, "contradicts"))
        measured = {"alert": alert.name, "issuer": flow.issuer}
        found.append(Finding(NOT_TRUSTED, f"flow {flow.flow}", (flow.flow,), refusal.ts, measured, witnesses, _METHOD))
    return found


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Names held to the issuers that they came under."""
    a = seen.attempts
    a = a[(a.issuer >= 0) & (a.name >= 0)]
    found: list[Finding] = []
    for rows in groups_of(a, np.ones(len(a), bool), "client"):
        shown = _Shown(a[rows], seen)
        found += _caught(shown) + _differing(shown)
        for signer, names in shown.signed.items():
            if signer not in shown.public:
                found += _unfit(shown, signer, names, known)
    return found


class _Shown:
    """The certificates that one client was shown: who signed for which names."""

    def __init__(self, a: Table, seen: Seen):
        self.attempts, self.seen = a, seen
        self.chains = {number: (seen.text(number) or "").split("; ") for number in np.unique(a.issuer).tolist()}
        known = issuers().public
        self.public = {chain[0] for chain in self.chains.values() if not known.isdisjoint(chain)}
        self.rows: dict[tuple[int, str], list[int]] = defaultdict(list)  # of a name under the signer of its leaf
        self.signed: dict[str, set[int]] = defaultdict(set)  # signer -> names
        self.signers: dict[int, set[str]] = defaultdict(set)  # name -> signers
        for i, (name, number) in enumerate(zip(a.name.tolist(), a.issuer.tolist(), strict=True)):
            signer = self.chains[number][0]
            self.rows[name, signer].append(i)
            self.signed[signer].add(name)
            self.signers[name].add(signer)

    def about(self, rule: Rule, rows: Sequence[int] | np.ndarray, measured: dict[str, Any], subject: str | None = None):
        mine = self.attempts[np.asarray(rows)]
        witnesses = tuple(Witness(frame, "trigger") for frame in mine.asked_frame.tolist()[:8] if frame >= 0)
        subject = subject or f"name {self.seen.text(mine.name[0])}"
        method = (_BY_NETWORK if rule is KNOWN_INTERCEPTOR else _METHOD) if rule.action else None
        return Finding(rule, subject, tuple(mine.flow.tolist()), int(mine.end.max()), measured, witnesses, method)


def _caught(shown: _Shown) -> list[Finding]:
    """Names under documented interceptors, which choose their names: one that signs all there is, is only called so."""
    found = []
    for number, chain in shown.chains.items():
        caught = next((name for name in chain if name in issuers().interceptors), None)
        if caught and (len(shown.signed) > 1 or len(shown.signers) == 1):
            measured = {"issuer": caught, "source": issuers().interceptors[caught]}
            names = groups_of(shown.attempts, shown.attempts.issuer == number, "name")
            found += [shown.about(KNOWN_INTERCEPTOR, rows, measured) for rows in names]
    return found


def _differing(shown: _Shown) -> list[Finding]:
    """Names under two issuers. Of two that nobody knows, the one that signs less is the odd one, or else the later."""
    found = []
    for name, theirs in shown.signers.items():
        odd = sorted(
            theirs - shown.public, key=lambda signer: (len(shown.signed[signer]), -shown.rows[name, signer][0])
        )
        if odd and len(theirs) > 1:
            measured = {"issuer": odd[0], "others": sorted(theirs - {odd[0]})[:4]}
            found.append(shown.about(ISSUERS_DIFFER, shown.rows[name, odd[0]], measured))
    return found


def _unfit(shown: _Shown, signer: str, names: set[int], known: Knowledge) -> list[Finding]:
    """Known services under an issuer that is neither public nor theirs, if it is not simply everybody's."""
    victims = []
    for name in sorted(names):
        label = known.label_name(shown.seen.text(name) or "")
        if label and known.kind(label.service) in FOREIGN_KINDS and not known.is_domestic(label.service):
            if signer not in issuers().own.get(label.service, ()):
                victims.append(name)
    others = {name for other, theirs in shown.signed.items() if other != signer for name in theirs}
    strangers = [other for other in shown.signed if other != signer and other not in shown.public]
    measured = {"issuer": signer, "names_of_it": len(names), "names_of_others": len(others)}
    # Against public authorities half of the names will do; against another stranger, most must be the other's.
    if victims and others and (len(names) < len(others) or (not strangers and len(names) == len(others))):
        return [shown.about(UNFIT_ISSUER, shown.rows[name, signer], measured) for name in victims]
    if victims and len(names) > 1:
        rows = sorted(i for name in names for i in shown.rows[name, signer])
        return [shown.about(ONE_FOR_ALL, rows, measured, f"issuer {signer}")]
    return []
