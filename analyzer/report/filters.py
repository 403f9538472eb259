"""Wireshark display filters that bring a verdict's packets up again; they paste as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable

from analyzer.result import FlowKey, Named

ADDRESS = re.compile(r"[0-9a-fA-F:.]+")  # a stand-in for a hidden one is no filter
MOST = 24  # members of a set: more no longer fits on a line, and nobody reads it


def frames(numbers: Iterable[int]) -> str:
    """These frames and no others."""
    return f"frame.number in {{{','.join(map(str, sorted(set(numbers))[:MOST]))}}}"


def conversations(flows: Iterable[FlowKey]) -> str | None:
    """The whole conversations, by tshark's stream numbers; by address and port where they have none."""
    streams: dict[str, set[int]] = {}
    loose: list[str] = []
    for flow in flows:
        if flow.stream is not None and flow.stream >= 0:
            streams.setdefault(flow.protocol, set()).add(flow.stream)
        elif ADDRESS.fullmatch(flow.server) and (filter_ := _ends(flow)) not in loose:
            loose.append(filter_)
    parts = [_stream(protocol, sorted(numbers)[:MOST]) for protocol, numbers in sorted(streams.items())] + loose[:4]
    if len(parts) > 1:
        return " || ".join(f"({part})" for part in parts)
    return parts[0] if parts else None


def of(named: Named) -> list[str]:
    """The filters worth having for one method: its conversations, then its witnesses."""
    found = [conversations(named.flows)]
    if named.witnesses:
        found.append(frames(witness.frame for witness in named.witnesses))
    return [filter_ for filter_ in found if filter_]


def _stream(protocol: str, numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"{protocol}.stream == {numbers[0]}"
    return f"{protocol}.stream in {{{','.join(map(str, numbers))}}}"


def _ends(flow: FlowKey) -> str:
    family = "ipv6" if ":" in flow.server else "ip"
    parts = [f"{family}.addr == {flow.server}", f"{flow.protocol}.port == {flow.server_port}"]
    if flow.client_port > 0:
        parts.append(f"{flow.protocol}.port == {flow.client_port}")
    return " && ".join(parts)


def endpoint(address: str, port: int) -> str:
    """An address with its port, as people write it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
