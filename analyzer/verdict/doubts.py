"""What else could explain it, what keeps the verdict from saying more, and what to capture next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from analyzer.controls import Fate
from analyzer.result import ACCUSING, Control, Coverage, Named, RuledOut
from analyzer.signature import STRENGTHS, Finding
from analyzer.tables import Cut

AT_HOME = ("rst.from_device", "device.deaf", "device.refused_at_once")  # they find the cause on the device or beside it
SEALED = "device.sealed_tunnel"  # a conversation that cannot be looked into
INTERCEPTOR = "tls.known_interceptor"  # an authority that whole networks intercept with, and no app on a device
FEW = 3  # attempts below which chance is hard to exclude: three of three is the least an exact test can use

_ORDINARY = {  # action -> the ordinary causes that look like it
    "rst": ("server_refused", "server_down", "nat_timeout", "server_rejects_name"),
    "fin": ("server_closed", "server_rejects_name"),
    "tls_alert": ("server_rejects_name",),
    "drop": ("server_down", "network_down", "packet_loss", "path_mtu"),
    "delayed_drop": ("server_down", "network_down", "packet_loss", "nat_timeout"),
    "freeze": ("slow_server", "network_down", "packet_loss"),
    "icmp_reject": ("server_refused", "network_down"),
    "forged_synack": ("capture_loss",),
    "forged_dns": ("dns_failure",),
    "nxdomain": ("dns_failure",),
    "blockpage": ("server_refused",),
    "forged_data": ("capture_loss",),
    "tls_mitm": ("local_filter",),
    "police": ("access_line", "congestion", "packet_loss", "slow_server"),
    "shape": ("access_line", "congestion", "slow_server"),
    "random_loss": ("packet_loss", "congestion", "access_line"),
    "ack_drop": ("packet_loss", "congestion"),
}
_THE_SERVERS = ("server_down", "server_refused", "server_closed", "server_rejects_name")
_BY_FATE = {  # failures without a case: what remains possible
    Fate.SYN_SILENT: ("server_down", "network_down"),
    Fate.REFUSED: ("closed_port", "server_down"),
    Fate.SILENT: ("server_down", "packet_loss", "slow_server"),
    Fate.STALLED: ("packet_loss", "path_mtu", "nat_timeout", "slow_server"),
    Fate.RESET: ("server_refused", "nat_timeout"),
    Fate.CLOSED: ("server_closed",),
    Fate.ALERT: ("server_rejects_name",),
    Fate.ICMP: ("network_down", "closed_port"),
}
_EXCLUDED_BY_CONTROL = {  # explanation -> the kinds of control that exclude it
    "server_down": ("same_address_other_name", "other_client_networks"),
    "network_down": (
        "same_address_other_name", "same_protocol_other_service", "same_service_other_channel", "connectivity_check",
        "domestic_service", "other_client_networks", "same_name_other_address",
    ),
    "packet_loss": ("same_address_other_name",),
    "path_mtu": ("same_address_other_name",),
}  # fmt: skip
_EXCLUDED_BY_FAMILY = {  # explanation -> the family of a strong finding that excludes it
    "server_down": ("order",),
    "server_refused": ("order", "timing"),
    "server_closed": ("order", "timing", "header"),
    "server_rejects_name": ("order", "timing"),
    "nat_timeout": ("order", "timing"),
    "packet_loss": ("silence", "volume"),
    "congestion": ("volume",),
    "access_line": ("control",),
    "slow_server": ("volume",),
    "capture_loss": ("content", "order"),
    "dns_failure": ("content", "order", "timing"),
}


def doubts_of(
    state: str,
    named: Sequence[Named],
    findings: Sequence[Finding],
    controls: Sequence[Control],
    fate: np.ndarray,
    quic_nowhere: bool = False,
    at_server: bool = False,
) -> tuple[RuledOut, ...]:
    """Ordinary explanations, each excluded by something seen or still open.

    `quic_nowhere`: all that failed are datagrams, and none of the kind is answered in this capture. `at_server`: captured
    there, so that what the server did is seen.
    """
    if state in ACCUSING:
        wanted = [cause for method in named for cause in _ORDINARY.get(method.method.action, ())]
    else:
        failed = sorted({Fate(value) for value in fate.tolist() if value >= Fate.FAILED})
        wanted = [cause for how in failed for cause in _BY_FATE.get(how, ())]
    if quic_nowhere and state not in ACCUSING:
        wanted = ["quic_nowhere"]
    if at_server:
        wanted = [cause for cause in wanted if cause not in _THE_SERVERS]
    if any(f.rule.id in AT_HOME for f in findings):
        wanted.insert(0, "local_filter")
    if (fate == Fate.REFUSED).any() and "network_down" in wanted:  # something answered
        wanted = [cause for cause in wanted if cause != "network_down"]
    strong = [f for f in findings if f.rule.leans == "interference" and f.rule.strength in ("conclusive", "strong")]
    # The strongest reason is the one that is told.
    strong.sort(key=lambda finding: STRENGTHS.index(finding.rule.strength))
    out = []
    for cause in dict.fromkeys(wanted):
        by_control = next((c.kind for c in controls if c.fine and c.kind in _EXCLUDED_BY_CONTROL.get(cause, ())), None)
        by_rule = next((f.rule.id for f in strong if cause in _excludes(f)), None)
        reason = by_rule or by_control
        out.append(RuledOut(cause, reason is not None, reason))
    return tuple(sorted(out, key=lambda one: not one.excluded))


class Gaps(NamedTuple):
    """What is known of a target's flows beside their fates."""

    cut: np.ndarray  # tables.Cut of each flow
    unknown: np.ndarray  # whose fate is not known
    void: np.ndarray  # that tell of the network only
    given_up: int  # that the client's side reset itself before they were answered
    refusals: set[str]  # how one side turned the other away, where nobody got in
    servers: int  # addresses tried
    clients: int  # that were seen from a server; 0 where the capture is not a server's
    others_worked: bool  # whether other targets did, though not under the circumstances that make a control


def _excludes(finding: Finding) -> set[str]:
    if finding.rule.id == "pair.dropped":
        return {"server_down", "server_refused", "slow_server", "packet_loss"}
    excluded = {cause for cause, families in _EXCLUDED_BY_FAMILY.items() if finding.rule.family in families}
    if finding.rule.strength == "conclusive" and finding.rule.family == "content":
        excluded.add("server_refused")  # a known block page, or another content beside the server's own
    if finding.rule.id == INTERCEPTOR:
        excluded.add("local_filter")
    return excluded


_REFUSED = {"alert": "certificate_refused", "http": "answered_no"}  # first word of a refusal -> limit
_CUT_WORDS = tuple(
    (int(bit), word)
    for bit, word in (
        (Cut.PROBE, "probes"), (Cut.ONE_DIRECTION, "one_direction"), (Cut.MIDWAY, "begun_midway"),
        (Cut.PROXIED, "headers_invented"), (Cut.PART, "evicted"),
        (Cut.CAPTURE_END, "capture_ended"), (Cut.SNAPLEN, "snaplen"), (Cut.GAP, "gaps"),
    )
)  # fmt: skip


def limits_of(
    gaps: Gaps,
    controls: Sequence[Control],
    tried: int,
    state: str,
    coverage: Coverage,
    findings: Sequence[Finding],
) -> tuple[str, ...]:
    """What keeps a verdict from saying more, the weightiest first."""
    if state == "ok":
        return ()
    out = []
    cut, unknown = gaps.cut, gaps.unknown

    of_unknown = int(np.bitwise_or.reduce(cut[unknown]))  # every bit that any of them has
    told = of_unknown if state == "insufficient" and unknown.any() else int(np.bitwise_or.reduce(cut))
    if state == "insufficient" and gaps.void.any():
        out.append("no_network")
    if state == "insufficient" and gaps.given_up:
        out.append("given_up")
    if state == "impaired":
        out += sorted({_REFUSED[refusal.partition(" ")[0]] for refusal in gaps.refusals})
    for bit, word in _CUT_WORDS:
        if bit & (of_unknown if word == "capture_ended" else told):
            out.append(word)
    if any(f.rule.leans == "limit" and f.rule.id != SEALED for f in findings):
        out.append("local_packet_tool")
    if coverage.tunnelled and (not len(cut) or any(f.rule.id == SEALED for f in findings)):
        out.append("tunnelled")
    if gaps.clients == 1:
        out.append("single_client")
    if not controls:
        if state in ACCUSING or not gaps.others_worked:
            out.append("no_control")
    elif not any(control.fine for control in controls):
        out.append("controls_failed_too")
    if tried < FEW:
        out.append("few_attempts")
    if gaps.servers == 1:
        out.append("single_address")
    return tuple(out)


_NEXT = {
    "no_network": "capture_with_network",
    "given_up": "check_device",
    "certificate_refused": "check_certificate",
    "answered_no": "check_server_elsewhere",
    "one_direction": "capture_both_directions",
    "begun_midway": "capture_from_start",
    "headers_invented": "capture_without_proxy",
    "capture_ended": "capture_longer",
    "snaplen": "capture_full_packets",
    "gaps": "capture_full_packets",
    "single_client": "capture_at_client",
    "no_control": "capture_with_control",
    "controls_failed_too": "check_server_elsewhere",
    "few_attempts": "capture_more_attempts",
}


def next_step(state: str, limits: Sequence[str], named: Sequence[Named], at_home: bool, at_server: bool) -> str | None:
    """The capture that could answer what this one cannot; none where it answered."""
    if state in ("ok", "blocked", "throttled", "down"):
        return None
    if at_home:
        return "check_device"
    if "probes" in limits:  # longer waiting changes nothing: they were not meant to arrive
        return None
    for word in limits:
        if word in _NEXT:
            return _NEXT[word]
    other_end = "capture_at_client" if at_server else "capture_at_server"
    return other_end if named else "check_server_elsewhere"
