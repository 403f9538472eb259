"""What the capture did not show, as sentences; only what could change an answer, unless everything is asked for."""

from __future__ import annotations

from analyzer.report.escape import visible
from analyzer.report.words import Words
from analyzer.result import Coverage

TUNNELS = {  # tables.Tunnel -> as engineers call it
    "ip_in_ip": "IP-in-IP",
    "six_in_four": "6in4",
    "gre": "GRE",
    "erspan": "ERSPAN",
    "vxlan": "VXLAN",
    "geneve": "Geneve",
    "gtp": "GTP-U",
    "teredo": "Teredo",
}


def sentences(seen: Coverage, words: Words, everything: bool = False, circumvention: bool = False) -> list[str]:
    """Most important first; empty when nothing was missed."""
    say, plural = words.say, words.plural
    out = []
    if seen.cut_at_byte is not None:
        out.append(
            say("The file breaks off at byte {byte}: what came after is not in this answer.", byte=seen.cut_at_byte)
        )
    for link, frames in sorted(seen.links_unknown.items()):
        out.append(
            plural(
                "{n} packet of the unknown link type {link} could not be read.",
                "{n} packets of the unknown link type {link} could not be read.",
                frames,
                link=link,
            )
        )
    damaged = seen.packets_bad - sum(seen.links_unknown.values())
    if damaged > 0:
        out.append(plural("{n} packet was damaged or cut.", "{n} packets were damaged or cut.", damaged))
    if seen.kernel_drops:
        out.append(
            plural(
                "The capturing program missed {n} packet.",
                "The capturing program missed {n} packets.",
                seen.kernel_drops,
            )
        )
    if seen.proxied:
        out.append(
            say("The capturing app wrote its own packet headers: tests that read headers and resets were left out.")
        )
    if seen.flows_midway:
        out.append(
            plural(
                "{n} connection was already open when the capture began.",
                "{n} connections were already open when the capture began.",
                seen.flows_midway,
            )
        )
    if seen.one_direction:
        out.append(
            plural(
                "Only one direction of {n} connection was captured.",
                "Only one direction of {n} connections was captured.",
                seen.one_direction,
            )
        )
    if seen.gaps:
        out.append(
            plural(
                "In {n} place packets arrived that are missing from the file.",
                "In {n} places packets arrived that are missing from the file.",
                seen.gaps,
            )
        )
    if seen.snaplen_cut:
        out.append(
            plural(
                "{n} packet was cut short by the capture's settings.",
                "{n} packets were cut short by the capture's settings.",
                seen.snaplen_cut,
            )
        )
    if seen.tunnelled:
        out.append(_tunnelled(seen.tunnelled, words, circumvention))
    if seen.clock_steps:
        out.append(
            plural(
                "The clock of the capture jumped {n} time.",
                "The clock of the capture jumped {n} times.",
                seen.clock_steps,
            )
        )
    if seen.evicted:
        out.append(
            plural(
                "{n} connection was not followed to its end: there were too many at once.",
                "{n} connections were not followed to their end: there were too many at once.",
                seen.evicted,
            )
        )
    if seen.limits_reached:
        names = words.listing(visible(name) for name in seen.limits_reached)
        out.append(say("Bounds of memory were reached ({names}): part of the traffic was left out.", names=names))
    return out + (_minor(seen, words) if everything else [])


def _tunnelled(flows: int, words: Words, circumvention: bool) -> str:
    if circumvention:
        return words.plural(
            "{n} connection runs inside a circumvention tool or a VPN and cannot be looked into.",
            "{n} connections run inside a circumvention tool or a VPN and cannot be looked into.",
            flows,
        )
    return words.plural(
        "{n} connection runs inside a tunnel and cannot be looked into.",
        "{n} connections run inside a tunnel and cannot be looked into.",
        flows,
    )


def _minor(seen: Coverage, words: Words) -> list[str]:
    """What is worth a line only to an engineer."""
    out = []
    if seen.duplicates:
        out.append(
            words.plural("{n} packet is a copy of another.", "{n} packets are copies of others.", seen.duplicates)
        )
    if seen.mirrored:
        out.append(words.say("The capture holds ordinary packets twice (a mirror port, or two interfaces)."))
    for kind, packets in seen.tunnels.items():
        out.append(
            words.plural(
                "{n} packet was read out of a tunnel ({kind}).",
                "{n} packets were read out of a tunnel ({kind}).",
                packets,
                kind=TUNNELS[kind],
            )
        )
    if seen.offload:
        out.append(words.say("The network card joined packets before they were captured (offload)."))
    if seen.fragments:
        out.append(words.plural("{n} packet came in fragments.", "{n} packets came in fragments.", seen.fragments))
    if seen.icmp_unmatched:
        out.append(
            words.plural(
                "{n} ICMP error is about no connection in this file.",
                "{n} ICMP errors are about no connection in this file.",
                seen.icmp_unmatched,
            )
        )
    return out
