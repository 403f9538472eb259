"""What both ends show, as findings about flows of the client's capture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING

from analyzer.signature import Finding, Method, Rule, Witness
from analyzer.tables import TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, Table

if TYPE_CHECKING:
    from analyzer.pair import Event

SHARE = 0.5  # of a flow's later packets that are dropped, from which on it is no ordinary loss
DNS = 53
LEAST = 3  # dropped packets; fewer are lost together by chance


def findings_of(events: Sequence[Event], flows: Table, rules: dict[str, Rule]) -> list[Finding]:
    """Findings of the rules `pair.*`, one per flow and kind."""
    by_flow: dict[tuple[int, str, bool], list[Event]] = defaultdict(list)
    number = {(row.client, row.client_port, row.server, row.server_port): row for row in flows.rows()}
    for event in events:
        row = number.get((*event.client, *event.server))
        if row is not None and event.action != "icmp_reject":  # routers may say so honestly; other rules weigh that
            by_flow[row.flow, event.kind, event.up].append(event)
    rows = {row.flow: row for row in number.values()}
    out = []
    cut = {flow for flow, kind, _ in by_flow if kind == "dropped"}
    for (flow, kind, up), found in sorted(by_flow.items()):
        row = rows[flow]
        if kind == "dropped":
            sent = row.packets_up if up else row.packets_down + len(found)
            if len(found) < LEAST or len(found) < SHARE * sent:
                continue
        out.append(_finding(rules[f"pair.{kind}"], row, up, found, in_path=flow in cut or kind != "forged"))
    return out


def _finding(rule: Rule, row: SimpleNamespace, up: bool, events: Sequence[Event], in_path: bool) -> Finding:
    here = [event.client_frame for event in events if event.client_frame is not None]
    there = [event.server_frame for event in events if event.server_frame is not None]
    role = "missing_after" if rule.id == "pair.dropped" else "forged"
    measured = {"packets": len(events), "direction": "up" if up else "down", "server_frames": there[:16]}
    witnesses = tuple(Witness(frame, role) for frame in here[:16])
    action = events[0].action or ("drop" if row.new_down == 0 else "delayed_drop")
    method = Method(action, position="in_path" if in_path else "on_path")
    return Finding(rule, f"flow {row.flow}", (row.flow,), int(row.end), measured, witnesses, method)


def action_of(flags: int, payload: int, port: int) -> str:
    """What a forged packet does, by its TCP flags (-1: UDP) and the server's port."""
    if flags < 0:
        return "forged_dns" if port == DNS else "forged_data"
    if flags & TCP_RST:
        return "rst"
    if flags & (TCP_SYN | TCP_ACK) == TCP_SYN | TCP_ACK:
        return "forged_synack"
    if payload:
        return "forged_data"
    return "fin" if flags & TCP_FIN else "forged_data"
