"""HTTP block pages: a page or a redirect in place of what was asked for, because of the Host that was named.

**How it shows.** The answer is word for word a page that measurement projects know; or a redirect to a bare address at
a port of its own, which is told what was asked for; or it comes with a goodbye in the same packet, though nobody asked
to close. Several unrelated names lead to one stranger while other names answer for themselves.

**What it cannot see.** A page that nobody has listed, made by a machine in the path that behaves as the server would
(forged_data tells who made it); anything inside TLS; the server's own refusals, which are pages too. Where a
connectivity check is answered by somebody's page, and nothing else gets through, that is a sign-in page for all and not
a block of any name.

**References.** OONI and Citizen Lab, *blocking fingerprints* (scopes isp and nat accuse, fp vetoes); RFC 9112 §9.6 on
closing; RFC 8952 on captive portals. "x |" counts flows that fire in open benign captures (311 HTTP flows).
"""

from __future__ import annotations

import re
from collections import defaultdict
from ipaddress import ip_address
from operator import itemgetter
from types import SimpleNamespace

import numpy as np

from analyzer.controls import groups_of
from analyzer.serial import ahead
from analyzer.signature import Finding, Finished, Knowledge, Method, Rule, Seen, Segment, Wants, Witness
from analyzer.tables import TCP_FIN, Cut, Stage, Table
from analyzer.wire import http
from signatures.knowledge.pages import known_page

METHOD = "http_blocking"

ALIKE = 2  # unrelated names that lead to one stranger
STRANGERS = 64  # hosts redirected to that are looked at, the most frequent ones: portals and block pages are
PORTAL_NAMES = 3  # of them, where everything does and no connectivity check says so
_WEB_PORTS = ("", "80", "443")
_CLOSES = re.compile(rb"HTTP/1\.0\r?\n|\nconnection:[ \t]*close", re.IGNORECASE)


def _rule(
    name: str, strength: str, family: str, says: str, blind: str, source: str, leans: str = "interference"
) -> Rule:
    action = "blockpage" if leans == "interference" else None
    return Rule(f"http.{name}", leans, strength, family, says, blind, source, action, needs_headers=family == "header")


PAGE_KNOWN = _rule(
    "page_known", "conclusive", "content",
    "The answer is a block page that measurement projects have documented.",
    "Pages that nobody has listed. Says nothing of where on the path it was made.",
    "OONI and Citizen Lab, blocking fingerprints of scope isp or nat; counted as confirmed there too",
)  # fmt: skip
REDIRECT_TELLS = _rule(
    "redirect_tells_name", "strong", "content",
    "The answer leads to a bare address, at a port of its own or inside the network, and tells it which site was asked for.",
    "Sign-in pages and gateways of a house.",
    "CenTrace captures, 2022; 0 of 311 |",
)  # fmt: skip
FIN_WITH_PAGE = _rule(
    "fin_with_page", "supporting", "header",
    "The first packet of the answer ends the connection, which nobody had asked to close.",
    "Servers that save themselves a packet and do not say so.",
    "RFC 9112 §9.6; 0 of 311 |",
)  # fmt: skip
REDIRECTS_ALIKE = _rule(
    "redirects_alike", "supporting", "content",
    "Unrelated names lead to one stranger, while others answer for themselves.",
    "Advertisers that pass visitors on to each other.",
    "Iran, Indonesia, Russia: one page for all that is blocked",
)  # fmt: skip
PORTAL_PAGE = _rule(
    "portal_page", "strong", "none",
    "Whatever was asked for, a connectivity check among it, led to one sign-in page.",
    "A network that blocks every site.",
    "RFC 8952",
    leans="genuine",
)  # fmt: skip
PORTAL_EVERYWHERE = _rule(
    "portal_everywhere", "supporting", "none",
    "Nothing else than a sign-in page was reached in all this capture.",
    "A network that blocks every site.",
    "RFC 8952",
    leans="neutral",
)  # fmt: skip
RULES = (PAGE_KNOWN, REDIRECT_TELLS, FIN_WITH_PAGE, REDIRECTS_ALIKE, PORTAL_PAGE, PORTAL_EVERYWHERE)

WANTS = Wants(
    lambda flows: (flows.protocol == "http") & (flows.new_down > 0) & (flows.cut & Cut.MIDWAY == 0),
    packets=True, heads=True,
)  # fmt: skip


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """What each answer is."""
    findings = []
    for i, flow in enumerate(done.flows.rows()):
        asked, stream, pieces = done.stream(i, True), done.stream(i, False), done.segments(i, False)
        if not pieces:
            continue
        response = http.parse_response(stream) or None
        page = known_page(response, stream)
        if page is not None and page.scope == "fp":
            continue  # a server's own page
        if page is not None:
            brought = _brought(pieces, stream, response)
            findings.append(_page(PAGE_KNOWN, flow, brought, {"page": page.id, "source": page.source}))
        if response is not None and response.location and _tells(flow, response.location):
            findings.append(_page(REDIRECT_TELLS, flow, pieces[:1], {"leads_to": response.location[:200]}))
        closes = _CLOSES.search(asked) or (response is not None and (response.connection or "").lower() == "close")
        if not closes and not flow.cut & Cut.PROXIED and flow.fin_down >= 0 and _ends_at_once(done.rows(i)):
            findings.append(_page(FIN_WITH_PAGE, flow, pieces[:1], {"answer": flow.answer}))
    return findings


def _brought(pieces: list[Segment], stream: bytes, response: http.Response | None) -> list[Segment]:
    """The segments that brought an answer, up to its end: not those with other bytes in its place, nor what follows these."""
    end = len(stream)
    if response is not None and response.content_length is not None:
        end = min(end, response.body_at + response.content_length)
    begin = min(ahead(piece.seq, pieces[0].seq) for piece in pieces)
    placed = [(ahead(piece.seq, pieces[0].seq) - begin, piece) for piece in pieces]
    brought, covered = [], 0
    for start, piece in sorted(placed, key=itemgetter(0)):
        if start <= covered and start < end and stream.startswith(piece.data, start):
            brought.append(piece)
            covered = max(covered, start + len(piece.data))
    return brought


def _tells(flow: SimpleNamespace, location: str) -> bool:
    """Whether a redirect leads to a stranger's bare address and carries the name that was asked for."""
    authority = http.host_of(location) or ""
    host, _, port = authority.rpartition(":") if authority.rpartition(":")[2].isdigit() else (authority, "", "")
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    beyond = location.partition(authority)[2].lower()
    odd = port not in _WEB_PORTS or address.is_private
    return odd and str(address) != flow.server and flow.host is not None and flow.host in beyond


def _ends_at_once(packets: Table) -> bool:
    first = packets[~packets.up & (packets.icmp < 0) & (packets.payload_len > 0)][:1]
    return bool((first.tcp_flags & TCP_FIN != 0).any())


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Names that lead to one stranger, and networks where everything does."""
    a = seen.attempts
    web = (a.redirect >= 0) & (a.name >= 0)
    a = a[np.isin(a.client, a.client[web])]
    found: list[Finding] = []
    for rows in groups_of(a, np.ones(len(a), bool), "client"):
        found += _strangers(a[rows], seen, known)
    return found


def _strangers(a: Table, seen: Seen, known: Knowledge) -> list[Finding]:
    led: dict[str, list[int]] = defaultdict(list)  # where to -> rows
    for i in np.flatnonzero((a.redirect >= 0) & (a.name >= 0)).tolist():
        where, name = seen.text(a.redirect[i]) or "", seen.text(a.name[i]) or ""
        if _site(where) != _site(name) and where != seen.text(a.server[i]):
            led[where].append(i)
    found = []
    for where, rows in sorted(led.items(), key=lambda one: -len(one[1]))[:STRANGERS]:
        sites = {_site(seen.text(a.name[i]) or "") for i in rows}
        checked = any(known.kind(seen.text(a.service[i])) == "check" for i in rows)
        if len(sites) < ALIKE and not checked:
            continue
        free = _free(a, where, seen)
        mine, subject = np.array(rows), f"redirect {where}"
        measured = {"leads_to": where, "names": len(sites), "others_reached": len(free)}
        if checked or (len(sites) >= PORTAL_NAMES and not len(free)):
            captive = mine[a.start[mine] < free.min()] if len(free) else mine
            if len(captive):
                found.append(_many(PORTAL_PAGE, a[captive], subject, measured))
            if not len(free):
                found.append(_many(PORTAL_EVERYWHERE, a[captive], subject, measured))
        elif len(sites) >= ALIKE and len(free):
            found.append(_many(REDIRECTS_ALIKE, a[mine], subject, measured))
    return found


def _free(a: Table, where: str, seen: Seen) -> np.ndarray:
    """Times at which another site than `where` answered for itself."""
    said = {number: seen.text(number) or "" for number in np.unique(a.answer).tolist()}
    itself = [number for number, word in said.items() if word in ("http 200", "http 204")]
    served = (a.protocol == seen.number("tls")) & (a.stage >= Stage.SERVED)
    reached = (np.isin(a.answer, itself) & (a.protocol == seen.number("http"))) | served
    places = {number: _site(seen.text(number) or "") for number in np.unique(a.target[reached]).tolist()}
    others = [number for number, site in places.items() if site != _site(where)]
    return a.start[reached & np.isin(a.target, others)]


def _site(name: str) -> str:
    """What a name and its neighbours share: its last two labels; an address is itself."""
    labels = name.split(".")
    return name if labels[-1].isdigit() or ":" in name else ".".join(labels[-2:])


def _page(rule: Rule, flow: SimpleNamespace, pieces: list[Segment], measured: dict) -> Finding:
    witnesses = [Witness(flow.asked_frame, "trigger")] * (flow.asked_frame >= 0)
    witnesses += [Witness(piece.frame, "forged") for piece in pieces[:4]]
    method = Method("blockpage", "none_seen", "unknown")
    return Finding(
        rule, f"flow {flow.flow}", (flow.flow,), max(piece.ts for piece in pieces), measured, tuple(witnesses), method
    )


def _many(rule: Rule, mine: Table, subject: str, measured: dict) -> Finding:
    witnesses = tuple(Witness(frame, "trigger") for frame in mine.asked_frame.tolist()[:8] if frame >= 0)
    method = Method("blockpage") if rule.action else None
    return Finding(rule, subject, tuple(mine.flow.tolist()), int(mine.end.max()), measured, witnesses, method)
