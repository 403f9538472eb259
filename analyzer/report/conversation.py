"""One conversation in words: how far it came, what ended it, and what speaks for and against interference with it."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from types import SimpleNamespace
from typing import TYPE_CHECKING

from analyzer.report import evidence, filters, overview, sentences
from analyzer.report.columns import show_pairs
from analyzer.report.escape import visible
from analyzer.report.labels import LABELS
from analyzer.report.words import N_, Words
from analyzer.result import FlowKey, Result
from analyzer.signature import Finding
from analyzer.tables import Cut, End, Stage, Vantage

if TYPE_CHECKING:
    from rich.console import Console

FRAMES_PER_ROLE = 12

STAGES = {
    Stage.NONE: N_("It cannot be told: it had begun before the capture, or nobody in particular was asked."),
    Stage.SYN: N_("The client asked for a connection; the server did not answer."),
    Stage.SYNACK: N_("The server agreed to a connection; the client did not confirm it."),
    Stage.OPEN: N_("The connection was open; the client asked for nothing."),
    Stage.ASKED: N_("The client asked for something; the server sent nothing back."),
    Stage.ANSWERED: N_("The client asked for something, and the server answered."),
    Stage.SERVED: N_("The client was served: the conversation went on after the first answer, or a long answer came."),
}
ENDS = {
    End.OPEN: N_("Nothing: it was still open when the capture ended, or nothing marked its end."),
    End.FIN: N_("It was closed the ordinary way (FIN)."),
    End.RST_DOWN: N_("A reset (RST) that came from the server's side."),
    End.RST_UP: N_("A reset (RST) that came from the client's side."),
    End.SILENCE: N_("Silence: what the client sent last was sent again, and nobody acknowledged or answered it."),
    End.ICMP: N_("An error message of the network (ICMP); nothing came after it."),
}
NAT64 = "64:ff9b::"

CUTS = {
    Cut.MIDWAY: N_("It was already open when the capture began."),
    Cut.ONE_DIRECTION: N_("Only one of its directions was captured."),
    Cut.SNAPLEN: N_("Its packets were cut short by the capture's settings."),
    Cut.GAP: N_("Packets of it are missing from the file."),
    Cut.ROWS: N_("It has more packets than are kept one by one."),
    Cut.HEAD: N_("It has more payload than is kept."),
    Cut.SERIES: N_("It is longer than what rates are fitted on."),
    Cut.PART: N_("It was not followed to its end: there were too many at once."),
    Cut.PROXIED: N_("The capturing app wrote its packet headers."),
    Cut.PROBE: N_("Payload was sent with another TTL than the first packet: a probe, or a program on the device."),
    Cut.CAPTURE_END: N_("Packets were still passing when the capture ended."),
}
KNOWN_BY = {
    "app": N_("the capturing app says so"),
    "name": N_("by its name"),
    "dns": N_("by a DNS answer before it"),
    "bytes": N_("by its first bytes"),
    "prefix": N_("by its address"),
}
LEANS = {
    "interference": N_("Speaks for interference"),
    "genuine": N_("Speaks for an ordinary cause"),
    "neutral": N_("Seen besides"),
    "limit": N_("Keeps from saying more"),
}


def show(result: Result, row: int, console: Console, words: Words) -> None:
    """Print what is known of one conversation.

    Parameters
    ----------
    result : Result
        With its flows table.
    row : int
        Row of that table.
    """
    from rich.text import Text

    result = overview.in_language(result, words)
    assert result.flow_table is not None
    flow = result.flow_table.row(row)
    console.print(Text(_title(flow, words), "bold"))
    console.print()
    show_pairs(_facts(result, flow, words), console)
    for leans, label in LEANS.items():
        findings = [
            finding for finding in result.findings if finding.rule.leans == leans and flow.flow in finding.flows
        ]
        if findings:
            console.print()
            console.print(Text(words.say(label), "bold"))
            show_pairs([(finding.rule.id, _reasons(finding, words)) for finding in findings], console)


def telling(result: Result, flow: int) -> int | None:
    """The frame that says most: of the strongest evidence about a conversation, rather what was done than what set it off."""
    about = [f for f in result.findings if f.flows == (flow,) and f.rule.leans in ("interference", "genuine")]
    for found in evidence.by_rule(about):
        if frames := sorted(found[0].witnesses, key=lambda witness: witness.role == "trigger"):
            return frames[0].frame
    return None


def key(flow: SimpleNamespace) -> FlowKey:
    """A row of the flows table as results name it."""
    ends = flow.client, flow.client_port, flow.server, flow.server_port
    return FlowKey(flow.flow, flow.stream, transport(flow.proto), *ends)


def transport(proto: int) -> str:
    return {6: "tcp", 17: "udp"}.get(proto, str(proto))


def _title(flow: SimpleNamespace, words: Words) -> str:
    client, server = _end(flow.client, flow.client_port), _end(flow.server, flow.server_port)
    return words.say(
        "Flow {flow}: {transport}, {client} → {server}",
        flow=flow.flow,
        transport=transport(flow.proto),
        client=client,
        server=server,
    )


def _facts(result: Result, flow: SimpleNamespace, words: Words) -> Iterable[tuple[str, list[str]]]:
    say = words.say
    lasted = say("it lasted {duration}", duration=words.duration(flow.end - flow.start))
    missing = [say(said) for cut, said in CUTS.items() if flow.cut & cut]
    verdicts = [verdict for verdict in result.answers if verdict.target == flow.target]
    yield (
        say("Spoken with"),
        [_partner(result, flow, words), _mapped(flow, words), _protocol(flow), _fingerprints(result, flow)],
    )
    yield say("How far it came"), [say(STAGES[Stage(flow.stage)])]
    yield say("What ended it"), [say(ENDS[End(flow.ended_by)])]
    yield say(LABELS["since"]), [sentences.moment(flow.start, result.capture.start, words), lasted]
    yield say("From the client"), [_traffic(flow.packets_up, flow.bytes_up, flow.resent_up, words)]
    yield say("From the server"), [_traffic(flow.packets_down, flow.bytes_down, flow.resent_down, words)]
    yield say("Round trip"), [say("{ms} ms", ms=words.number(flow.syn_rtt / 1e6, 1))] if flow.syn_rtt >= 0 else []
    yield say("Seen from"), [sentences.vantage(Vantage(flow.vantage).name.lower(), words)]
    yield say("Not whole"), missing
    yield (
        say("Verdict"),
        [sentences.summary(v, words, sentences.service_name(v, result.service_names)) for v in verdicts],
    )
    yield say(LABELS["filter"]), [filters.conversations([key(flow)]) or ""]


def _partner(result: Result, flow: SimpleNamespace, words: Words) -> str:
    name = visible(flow.target or flow.server)
    if flow.service is None:
        return name
    service = visible(result.service_names.get(flow.service, flow.service))
    if name == f"{flow.service}/{flow.role}":  # no name of its own: what the service uses it for
        name = sentences.role(flow.role, words) or name
    if flow.identified_by not in KNOWN_BY:
        return f"{name} ({service})"
    return words.say(
        "{name} ({service}, known {how})", name=name, service=service, how=words.say(KNOWN_BY[flow.identified_by])
    )


def _mapped(flow: SimpleNamespace, words: Words) -> str:
    """The IPv4 address that one of NAT64's well-known prefix stands for (RFC 6052 §2.1)."""
    if not flow.server.startswith(NAT64):
        return ""
    return words.say("through NAT64 with {address}", address=IPv4Address(IPv6Address(flow.server).packed[-4:]))


def _protocol(flow: SimpleNamespace) -> str:
    """What was spoken, in the abbreviations that engineers know."""
    parts = [flow.protocol, flow.alpn, flow.answer]
    return ", ".join(visible(part) for part in parts if part)


def _fingerprints(result: Result, flow: SimpleNamespace) -> str:
    """Of the ClientHello, by which lists of programs and middleboxes know who sent it."""
    parts = {"JA4": flow.ja4, "JA3": result.ja3.get(flow.flow)}
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value)


def _traffic(packets: int, size: int, resent: int, words: Words) -> str:
    said = words.plural("{n} packet", "{n} packets", packets) + ", " + words.size(size)
    return f"{said}, {words.plural('{n} sent again', '{n} sent again', resent)}" if resent > 0 else said


def _reasons(finding: Finding, words: Words) -> list[str]:
    measured = evidence.measured(finding, words)
    frames = sentences.witnesses(finding.witnesses, words, FRAMES_PER_ROLE)
    return [words.rule(finding.rule.says), f"[{finding.rule.strength}] {measured}".rstrip(), *frames]


def _end(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
