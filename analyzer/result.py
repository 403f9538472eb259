"""What an analysis answers: verdicts, coverage, the network finding and where they came from, as plain data.

Everything a person reads is a sentence made by `analyzer.report` from these codes and values; nothing here is prose.
The code words below are closed lists: the report has a sentence for each in every language, and a test holds it to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from analyzer.community_id import with_community_id
from analyzer.signature import Finding, Method, Rule, Witness, findings_table, witnesses_table
from analyzer.tables import FLOWS, PACKETS, SERIES, VERDICTS, Table

STATES = (
    "blocked",
    "throttled",
    "likely_blocked",
    "likely_throttled",
    "impaired",
    "down",
    "insufficient",
    "ok",
)  # surest and worst first
ACCUSING = frozenset(STATES[:4])
NETWORKS = ("normal", "no_connectivity", "captive_portal", "domestic_only", "all_slow", "no_udp", "no_quic", "unknown")
CONTROL_KINDS = (  # in order of strength
    "same_address_other_name",
    "same_name_other_address",
    "same_service_other_channel",
    "same_protocol_other_service",
    "connectivity_check",
    "domestic_service",
    "other_client_networks",
)
LIMITS = (  # what keeps a verdict from saying more
    "no_network",
    "given_up",
    "certificate_refused",
    "answered_no",
    "no_control",
    "few_attempts",
    "one_direction",
    "probes",
    "begun_midway",
    "snaplen",
    "gaps",
    "capture_ended",
    "controls_failed_too",
    "not_interleaved",
    "headers_invented",
    "evicted",
    "single_address",
    "tunnelled",
    "no_demand",
    "local_packet_tool",
    "single_client",
)
EXPLANATIONS = (  # ordinary causes that a verdict considers
    "server_down",
    "network_down",
    "server_refused",
    "closed_port",
    "client_aborted",
    "server_closed",
    "nat_timeout",
    "packet_loss",
    "congestion",
    "slow_server",
    "capture_loss",
    "access_line",
    "server_rejects_name",
    "dns_failure",
    "path_mtu",
    "quic_nowhere",
    "local_filter",
)
NEXT_STEPS = (
    "capture_with_network",
    "capture_from_start",
    "capture_with_control",
    "capture_longer",
    "capture_more_attempts",
    "capture_full_packets",
    "capture_both_directions",
    "capture_without_proxy",
    "capture_at_server",
    "capture_at_client",
    "check_server_elsewhere",
    "check_device",
    "check_certificate",
    "download_something_large",
)


UNTOLD = 5  # names of which nothing can be told that are shown where nothing else is


class Control(NamedTuple):
    """Other traffic of the same capture that should have met the same fate if the cause were ordinary."""

    kind: str
    target: str
    attempts: int
    fine: int
    frames: tuple[int, ...] = ()  # a frame of each, to look at
    flows: tuple[int, ...] = ()  # their flows


class RuledOut(NamedTuple):
    """An ordinary explanation that was considered: excluded because of something seen, or still open."""

    explanation: str
    excluded: bool
    rule: str | None = None  # rule id that excludes it (or the kind of control)
    values: dict[str, Any] = {}  # noqa: RUF012 (nobody changes it)


class FlowKey(NamedTuple):
    """Enough of a flow to find it in Wireshark."""

    flow: int
    stream: int | None
    protocol: str  # tcp or udp
    client: str
    client_port: int
    server: str
    server_port: int


@dataclass(frozen=True, slots=True)
class Named:
    """One method that a verdict names, with its proof."""

    method: Method
    rules: tuple[str, ...]
    witnesses: tuple[Witness, ...]
    frames_total: int
    flows: tuple[FlowKey, ...]
    onset: int | None = None  # ns since 1970
    rate_kbps: float | None = None
    rate_low_kbps: float | None = None  # 95 % interval
    rate_high_kbps: float | None = None
    bucket_bytes: int | None = None
    freeze_bytes: int | None = None  # the middle of several
    freeze_low_bytes: int | None = None
    freeze_high_bytes: int | None = None
    injector: str | None = None
    hops: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer about one target."""

    target: str
    state: str
    service: str | None = None
    role: str | None = None
    attempts: int = 0
    failed: int = 0
    methods: tuple[Named, ...] = ()
    controls: tuple[Control, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    limits: tuple[str, ...] = ()
    next: str | None = None
    findings: tuple[Finding, ...] = ()  # all evidence about it, for and against
    first: int | None = None  # time of its first attempt, ns since 1970
    last: int | None = None
    addresses: tuple[str, ...] = ()
    is_control: bool = False  # it served as control to another
    closed: tuple[int, ...] = ()  # ports that refused every attempt, where another of its ports answered

    @property
    def notable(self) -> bool:
        """Worth a line unasked: a known service, a control, or a name that something happened to."""
        happened = self.state not in ("ok", "insufficient") or bool(self.closed)
        return self.service is not None or self.is_control or happened


class Network(NamedTuple):
    """What is to be said of the whole network before any service."""

    state: str = "normal"
    why: str = "some_foreign_traffic_works"  # code for a sentence
    values: dict[str, Any] = {}  # noqa: RUF012 (nobody changes it)


@dataclass(slots=True)
class Coverage:
    """What was not seen. Counts are of packets or flows; limits_reached are names from `analyzer.limits`."""

    packets: int = 0
    packets_bad: int = 0
    bad: dict[str, int] = field(default_factory=dict)  # by `tables.Bad` name
    links_unknown: dict[int, int] = field(default_factory=dict)  # link type -> frames
    flows: int = 0
    flows_midway: int = 0
    gaps: int = 0  # ACKs of bytes that are not in the capture
    snaplen_cut: int = 0
    one_direction: int = 0
    evicted: int = 0  # flows finished early for want of memory
    duplicates: int = 0
    mirrored: bool = False  # ordinary packets double too
    fragments: int = 0
    icmp_unmatched: int = 0
    clock_steps: int = 0
    offload: bool = False
    proxied: bool = False
    tunnelled: int = 0  # flows whose inside is sealed
    tunnels: dict[str, int] = field(default_factory=dict)  # by `tables.Tunnel` name: packets that were read out of one
    kernel_drops: int | None = None
    cut_at_byte: int | None = None
    cut_why: str | None = None
    limits_reached: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CaptureInfo:
    name: str
    format: str | None = None
    sha256: str | None = None  # of the file as given; null for streams
    packets: int = 0  # as Wireshark counts them: `other_records` included
    bytes: int = 0
    start: int | None = None  # ns since 1970
    end: int | None = None
    vantage: str = "unknown"
    comments: tuple[str, ...] = ()
    capturer: str | None = None  # program, as the file names it
    other_records: int = 0  # journal entries and custom blocks of pcapng: no packets, but they have frame numbers


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A flow to look at: one that a verdict names, or one of its controls.

    `packets` are the rows that were kept of it (tables.PACKETS), `series` every packet up to the cap, only where a
    verdict is about speed. `rtt` (ns) is the shortest way there and back between the capture and the far end.
    """

    key: FlowKey
    target: str
    vantage: str = "unknown"
    rtt: int | None = None
    packets: Table = field(default_factory=lambda: Table.empty(PACKETS))
    series: Table = field(default_factory=lambda: Table.empty(SERIES))

    def with_series(self, series: Table) -> Exhibit:
        return replace(self, series=series)


@dataclass(frozen=True, slots=True)
class Result:
    """One analysed capture. `error` is set instead of an exception when the capture was unusable."""

    capture: CaptureInfo
    answers: tuple[Verdict, ...] = ()  # worst first; as a table: `verdicts`
    network: Network = Network()
    coverage: Coverage = field(default_factory=Coverage)
    findings: tuple[Finding, ...] = ()
    flow_table: Table | None = None
    rules: dict[str, Rule] = field(default_factory=dict)
    rules_version: str = ""
    services_date: str = ""
    service_names: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    exhibits: tuple[Exhibit, ...] = ()  # packets of the flows that verdicts name, and of controls
    ja3: dict[int, str] = field(default_factory=dict)  # by flow number; only where it was asked for
    asked: bool = False  # these answers are what was asked for: each is worth a line

    def shown(self, everything: bool = False) -> tuple[Verdict, ...]:
        """The verdicts that a report lists, worst first; with `everything`, those about any other name too.

        Where nothing is worth a line, what cannot be told of some names is: silence would read as "all is well".
        """
        found = tuple(verdict for verdict in self.answers if everything or self.asked or verdict.notable)
        return found or tuple(verdict for verdict in self.answers if verdict.state == "insufficient")[:UNTOLD]

    @property
    def verdicts(self):
        """One row per target and method, worst first, as a pandas DataFrame (columns: `tables.VERDICTS`)."""
        return verdicts_table(self.answers).to_pandas()

    @property
    def flows(self):
        """The flows table as a pandas DataFrame (columns: `tables.FLOWS` and `tables.COMMUNITY_ID`)."""
        return with_community_id(self.flow_table or Table.empty(FLOWS)).to_pandas()

    @property
    def evidence(self):
        """One row per rule firing, as a pandas DataFrame (columns: `tables.EVIDENCE`)."""
        return findings_table(self.findings, self._targets()).to_pandas()

    @property
    def witnesses(self):
        """Frames behind each evidence row, as a pandas DataFrame (columns: `tables.WITNESSES`)."""
        return witnesses_table(self.findings).to_pandas()

    def _targets(self) -> dict[int, str]:
        if self.flow_table is None:
            return {}
        return dict(zip(self.flow_table.flow.tolist(), self.flow_table.target.tolist(), strict=True))


def verdicts_table(answers: Iterable[Verdict]) -> Table:
    """tables.VERDICTS: one row per target and method; one row, without method, where none is named."""
    return Table.of(VERDICTS, (row for verdict in answers for row in _verdict_rows(verdict)))


def _verdict_rows(verdict: Verdict) -> Iterator[dict[str, Any]]:
    about = {
        "target": verdict.target,
        "service": verdict.service,
        "role": verdict.role,
        "state": verdict.state,
        "attempts": verdict.attempts,
        "failed": verdict.failed,
        "controls": sum(control.attempts for control in verdict.controls),
        "controls_fine": sum(control.fine for control in verdict.controls),
        "limits": ",".join(verdict.limits),
        "next": verdict.next,
    }
    for named in verdict.methods or (None,):
        if named is None:
            yield about
            continue
        yield about | {
            "trigger": named.method.trigger,
            "trigger_detail": named.method.trigger_detail,
            "action": named.method.action,
            "position": named.method.position,
            "onset": named.onset,
            "rules": ",".join(named.rules),
            "flows": len(named.flows),
            "first_frame": min((witness.frame for witness in named.witnesses), default=-1),
            "rate_kbps": named.rate_kbps,
            "bucket_bytes": named.bucket_bytes,
            "freeze_bytes": named.freeze_bytes,
        }
