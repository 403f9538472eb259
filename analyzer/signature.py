"""The words that signatures speak.

A signature is a module: a docstring (what it is, how it shows on the wire, what it cannot see, references), `METHOD`,
`RULES`, and one or both of two pure functions: `detect` (facts inside one flow, of those that `WANTS` picks) and `across`
(facts over many). Both return findings; a finding is one rule firing on one subject, with measured values and the frames
that prove it.
A finding never decides: `analyzer.verdict` combines them with controls and with what the capture cannot show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from analyzer.tables import EVIDENCE, WITNESSES, Table

TRIGGERS = (
    "dns_name",
    "ip_address",
    "port",
    "address_family",
    "sni",
    "http_host",
    "protocol",
    "fingerprint",
    "volume",
    "none_seen",
)
ACTIONS = (
    "rst", "fin", "drop", "delayed_drop", "ack_drop", "freeze", "police", "shape", "random_loss", "forged_dns", "nxdomain",
    "blockpage", "forged_data", "forged_synack", "tls_alert", "tls_mitm", "icmp_reject",
)  # fmt: skip
POSITIONS = ("on_path", "in_path", "endpoint", "device", "unknown")
LEANS = ("interference", "genuine", "neutral", "limit")
STRENGTHS = ("conclusive", "strong", "supporting", "weak")
FAMILIES = ("order", "timing", "header", "silence", "control", "content", "volume", "none")
ROLES = ("trigger", "forged", "contradicts", "resent", "baseline", "missing_after")
_GENUINE = ("contradicts", "baseline")  # what a forged packet cannot be too


@dataclass(frozen=True, slots=True)
class Method:
    """What was done, on which trigger, from where: three independent axes, in the words above and no others."""

    action: str
    trigger: str = "none_seen"
    position: str = "unknown"
    trigger_detail: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be seen on the wire and what it leans towards. Its id is public contract: never renamed, never reused.

    `needs_headers` marks rules about TTL, IP-ID, flags, sequence numbers or retransmissions: they are off where a
    capturing device invented the TCP/IP headers (`Cut.PROXIED`).
    """

    id: str
    leans: str
    strength: str
    family: str
    says: str  # one plain sentence: what it means when it fires
    blind: str  # what it cannot see, or must not be taken for
    source: str  # paper, RFC, code or measurement behind it
    action: str | None = None  # the action it is evidence of, when it is evidence of one
    needs_headers: bool = True

    def __post_init__(self):
        assert self.leans in LEANS, self.leans
        assert self.strength in STRENGTHS, self.strength
        assert self.family in FAMILIES, self.family
        assert self.action is None or self.action in ACTIONS, self.action


def rules_of(method: str, usual: str | None = None, *, needs_headers: bool = True) -> Callable[..., Rule]:
    """What makes the interference rules `METHOD.name` of a module; `usual` is the action of those that name none."""

    def rule(
        name: str, strength: str, family: str, says: str, blind: str, source: str, action: str | None = usual
    ) -> Rule:
        return Rule(f"{method}.{name}", "interference", strength, family, says, blind, source, action, needs_headers)

    return rule


class Witness(NamedTuple):
    frame: int
    role: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule firing on one subject.

    `flows` are the flows it speaks about: one for facts inside a flow, many for a name, an address or a unit.
    Findings are keyed by (rule, subject): a later one replaces an earlier one, which is how live equals offline.
    """

    rule: Rule
    subject: str  # "flow 3", "name web.whatsapp.com", "address 1.2.3.4", "target telegram/dc"
    flows: tuple[int, ...]
    ts: int  # packet time (ns) at which the last condition held
    measured: dict[str, Any] = field(default_factory=dict)  # value per quantity, unit in the key: {"rtt_ms": 41.2}
    witnesses: tuple[Witness, ...] = ()
    method: Method | None = None  # what it is evidence of, where it can say more than its rule's action


class Wants(NamedTuple):
    """What `detect` needs. Only flows picked by `flows` are gathered for it, with only the parts it names."""

    flows: Callable[[Table], np.ndarray]  # flows table -> mask
    packets: bool = True
    heads: bool = False
    series: bool = False


Payload = bytes | memoryview  # the first bytes of one direction, which need not be copied to be looked at


class Segment(NamedTuple):
    """A kept piece of payload: where it stood in the stream and in the capture."""

    frame: int
    ts: int
    seq: int  # TCP sequence number as sent; 0 for UDP
    data: bytes


class Finished(Protocol):
    """A batch of finished flows (or, live, snapshots of open ones), with what was kept of them."""

    flows: Table  # tables.FLOWS, one row a flow, by flow number

    @property
    def packets(self) -> Table:
        """tables.PACKETS of these flows, ordered by (flow, frame)."""

    @property
    def resets(self) -> Table:
        """tables.RESETS of these flows, ordered by (flow, frame)."""

    @property
    def which(self) -> np.ndarray:
        """Of which flow (its place in `flows`) each packet is: ascending."""

    def has(self, packets: np.ndarray) -> np.ndarray:
        """Flows (mask) that have any of some packets (mask)."""

    def rows(self, i: int) -> Table:
        """Packets of the i-th flow of this batch."""

    def segments(self, i: int, up: bool) -> list[Segment]:
        """Kept payload of the i-th flow in one direction, in capture order, copies included."""

    def overlapping(self, up: bool) -> np.ndarray:
        """Of each flow, whether a segment of its kept TCP payload in one direction begins before the end of the one before."""

    def stream(self, i: int, up: bool) -> bytes:
        """The same, reassembled from the first byte up to the first gap; the first copy of a byte wins."""

    def series(self, i: int) -> Table:
        """tables.SERIES of the i-th flow: every packet of it up to the cap."""


class Seen(Protocol):
    """All that outlives a flow: bounded, ordered by frame, never by arrival or batch."""

    end: int  # time of the capture's last packet, ns
    start: int  # and of its first

    @property
    def attempts(self) -> Table:
        """tables.ATTEMPTS, by flow number; text columns are interned: `text(id)`."""

    @property
    def endpoints(self) -> Table:
        """tables.ENDPOINTS, one row per (server, flow) that gave a baseline."""

    @property
    def resets(self) -> Table:
        """tables.RESETS, by (flow, frame)."""

    @property
    def names(self) -> Table:
        """tables.NAMES, by frame."""

    @property
    def questions(self) -> Table:
        """tables.QUESTIONS, by frame."""

    @property
    def icmp_errors(self) -> Table:
        """tables.ICMP_ERRORS, by frame."""

    def text(self, number: int) -> str | None:
        """The interned text; None for a null."""

    def number(self, text: str) -> int:
        """The number of an interned text; -1 when it never occurred."""

    def bulky(self) -> Sequence[int]:
        """Flows whose series outlived them."""

    def series(self, flow: int) -> Table:
        """tables.SERIES of one of them."""

    def resent(self, flow: int, up: bool) -> Sequence[int]:
        """Frames of the first segments that one of them had to send again, as far as they were kept."""


@dataclass(frozen=True, slots=True)
class Label:
    """Which service and role something belongs to, and how that is known."""

    service: str
    role: str | None
    by: str  # app, name, dns, bytes, prefix


class Knowledge(Protocol):
    """What is known of services and middleboxes, handed in by whoever loaded the signatures."""

    def label_app(self, app: str) -> Label | None: ...
    def label_name(self, name: str) -> Label | None: ...
    def label_address(self, address: str, port: int, proto: int) -> Label | None: ...
    def label_bytes(self, up: Payload, down: Payload, proto: int, address: str, port: int) -> Label | None: ...
    def service_name(self, service: str) -> str: ...
    def kind(self, service: str | None) -> str | None:
        """messenger, social, domestic, operator (shared addresses), check, resolver, stun, push or time."""

    def is_domestic(self, service: str | None) -> bool: ...
    def owns_address(self, service: str | None, address: str) -> bool:
        """Whether an address belongs to a service, or to its operator's addresses that it shares."""

    def has_addresses(self, service: str | None) -> bool:
        """Whether all addresses of a service are known: its own, or its operator's."""

    def is_resolver(self, address: str) -> bool:
        """Whether it is an address of a public DNS resolver."""


class Loaded(NamedTuple):
    """Signatures with their knowledge, as the engine is handed them."""

    signatures: tuple[Any, ...]  # modules
    knowledge: Knowledge
    version: str  # hash of all rules and data
    date: str  # newest date of the services data


def agreed(findings: Sequence[Finding]) -> list[Witness]:
    """Witnesses of findings, each once, in their order. Where rules disagree on a packet, the most certain one decides.

    Of rules that are equally certain the one decides that calls it forged: what gives a packet away is seen by one rule,
    and it looks ordinary to all others.
    """
    certain: dict[Witness, int] = {}  # the strongest of the rules that say so
    for finding in findings:
        at = STRENGTHS.index(finding.rule.strength)
        for witness in finding.witnesses:
            certain[witness] = min(at, certain.get(witness, at))

    def by(frame: int, *roles: str) -> int:
        return min(certain.get(Witness(frame, role), len(STRENGTHS)) for role in roles)

    def stands(witness: Witness) -> bool:
        genuine, forged = by(witness.frame, *_GENUINE), by(witness.frame, "forged")
        if witness.role == "forged":
            return forged <= genuine
        return witness.role not in _GENUINE or genuine < forged

    return [witness for witness in certain if stands(witness)]


def findings_table(findings: Sequence[Finding], targets: dict[int, str]) -> Table:
    """tables.EVIDENCE of findings; `targets` names the target of each flow."""
    return Table.of(
        EVIDENCE,
        (
            {
                "evidence": number,
                "rule": finding.rule.id,
                "leans": finding.rule.leans,
                "strength": finding.rule.strength,
                "subject": finding.subject,
                "target": targets.get(finding.flows[0]) if finding.flows else None,
                "flow": finding.flows[0] if finding.flows else -1,
                "ts": finding.ts,
                "measured": finding.measured,
            }
            for number, finding in enumerate(findings)
        ),
    )


def witnesses_table(findings: Sequence[Finding]) -> Table:
    """tables.WITNESSES of findings, numbered as in `findings_table`."""
    return Table.of(
        WITNESSES,
        (
            {"evidence": number, "frame": witness.frame, "role": witness.role}
            for number, finding in enumerate(findings)
            for witness in finding.witnesses
        ),
    )
