"""RST injection: a machine that is not the other end tears the connection down in its name.

**How it shows.** A machine beside the path sees copies of packets and can only add some; its reset races what the real
end sends, and the race leaves traces: the real end talks on, its answer still arrives, the reset is sooner than the
path allows, or repeats with sequence numbers guessed ahead. A machine in the path may drop the rest and leaves timing
and header traces only.

`order`: what comes after the reset; `numbers`: its sequence and acknowledgment numbers; `headers`: how resets look;
`path`: how soon and from how far they came; `ordinary`: those that a host made itself. `talk` is what all five look at.

**What it cannot see.** A forger that copies TTL and IP-ID and drops everything after; packets rewritten into resets
(they carry the server's own header and timing); who owns the machine. A reset by a load balancer, a CDN edge or a
firewall at the server is also "not from that host": only controls tell interference by name from those.

**References.** Weaver, Sommer, Paxson, *Detecting Forged TCP Reset Packets*, NDSS 2009; RFC 9293 §3.10.7 and RFC 5961
§3.2 on what resets must look like; Clayton, Murdoch, Watson, *Ignoring the Great Firewall of China*, 2006. Figures
"benign | interference" are flows that fire in 561 benign captures (58,671 flows) and 120 with interference.
"""

from __future__ import annotations

import numpy as np

from analyzer.signature import Finding, Finished, Knowledge, Seen, Wants
from analyzer.tables import Cut, Table, Vantage
from signatures.rst_injection import headers, numbers, order, ordinary, path
from signatures.rst_injection.talk import RESTED, Race, Talk

METHOD = "rst_injection"
RULES = (*order.RULES, *path.RULES, *numbers.RULES, *headers.RULES, *ordinary.RULES)


def _with_resets(flows: Table) -> np.ndarray:
    # Of the server alone only one thing is judged: that it begins to answer after 'its' reset.
    known = (flows.cut & Cut.ONE_DIRECTION == 0) | ((flows.packets_up == 0) & (flows.synacks > 0))
    honest = (flows.proto == 6) & (flows.cut & Cut.PROXIED == 0) & known
    return honest & ((flows.rsts_down > 0) | (flows.rsts_up > 0) | _seen_with_gaps(flows))


def _seen_with_gaps(flows: Table) -> np.ndarray:
    """Away from the client, ACKs of bytes that are not there: the capture missed them, or the server never sent them."""
    far = (flows.vantage == Vantage.SERVER) | (flows.vantage == Vantage.MIDDLE)
    return far & (flows.cut & Cut.GAP != 0)


WANTS = Wants(_with_resets, packets=True)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """What the packets of one flow say about its resets."""
    findings: list[Finding] = []
    flows = done.flows
    first = done.resets[done.resets.nth == 0]
    position = np.searchsorted(flows.flow, first.flow)
    for reset, i in zip(first.rows(), position.tolist(), strict=True):
        flow = flows.row(i)
        if flow.cut & Cut.ONE_DIRECTION:
            # A client that had closed would not show: it has not, where the server had not even begun to answer.
            if not reset.up and not reset.heard and not reset.closed:
                findings += order.talks_on(Race(Talk(flow, done.rows(i), reset.up), reset))
        elif reset.closed or (reset.peer_closed and not reset.up):
            findings += ordinary.farewell(reset, flow)
        elif reset.up and flow.vantage in (Vantage.CLIENT, Vantage.UNKNOWN):
            continue  # what leaves the capturing machine is its own doing
        elif flow.synacks:
            race = Race(Talk(flow, done.rows(i), reset.up), reset)
            findings += ordinary.gone(reset) + order.contradicted(race) + numbers.impossible(race)
            findings += headers.habits(race) + path.distance_of_client(race)  # of servers, `across` knows more
    for i in np.flatnonzero(_seen_with_gaps(flows) & (flows.synacks > 0)).tolist():
        findings += numbers.unsent(Talk(flows.row(i), done.rows(i), True))
    return findings


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Resets held to what else came from their address: how soon it can answer, and from how far."""
    resets = seen.resets
    resets = resets[(resets.nth == 0) & ~resets.closed & ~resets.peer_closed & ~resets.up & (resets.pause < RESTED)]
    flows = seen.attempts[np.searchsorted(seen.attempts.flow, resets.flow)]
    honest = flows.cut & (Cut.PROXIED | Cut.ONE_DIRECTION) == 0
    resets, flows = resets[honest], flows[honest]
    endpoints = seen.endpoints[seen.endpoints.proto == 6]  # by server
    begins, ends = (np.searchsorted(endpoints.server, resets.server, side).tolist() for side in ("left", "right"))
    to_syn = ordinary.answers_syn(resets, flows, seen).tolist()
    found = []
    for reset, begin, end, answers_syn in zip(resets.rows(), begins, ends, to_syn, strict=True):
        at_server = endpoints[begin:end]
        if answers_syn:
            found += ordinary.refused(reset, at_server)
        if begin < end:
            own = ordinary.of_device(reset, at_server)
            found += own or path.timing(reset, at_server) + path.distance(reset, at_server)
    return found
