"""Call blocking: messages go through, but calls never connect, or fall silent after some seconds.

**How it shows.** To set up a call the app asks several relays at once (STUN and TURN, or a protocol of its own such as
Telegram's reflectors) and none answers, although STUN elsewhere is answered and the chat of the same service works. Or
the relay answers, media flow, and then nothing more is heard while the client sends on; or the relay answers STUN and
no media ever come.

**What it cannot see.** Whether the relay's address or the look of the packets was recognised; calls carried over TCP
or QUIC to the chat servers; peers that talk directly, whose silence may be the peer's; a relay that is the only one
asked: one silent relay of many is ordinary, and so is silence where no datagram of any kind is answered. Away from
the client only lost answers show, by the questions asked again; lost questions and cut media leave no trace there.

**References.** RFC 8489 (STUN), RFC 8656 (TURN); reports of August to October 2025 on WhatsApp and Telegram calls in
Russia (relays on UDP 596 to 599, 1400 and 3478 asked twice a second, no answer; text works); ooni/probe #1645,
"Detect VOIP blocking". In open benign captures the relays of a service were silent at two addresses at once in a
single one, which held one direction only and is not judged; no rule fires.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from analyzer.controls import Fate, fates, groups_of
from analyzer.exact import fisher
from analyzer.signature import Finding, Finished, Knowledge, Method, Rule, Seen, Segment, Wants, Witness, rules_of
from analyzer.tables import End, Table, Vantage
from analyzer.wire import stun

METHOD = "call_blocking"

SECOND = 1_000_000_000
UDP, DNS = 17, 53
RELAYS = 2  # one silent relay of many is ordinary
ASKED = 2  # datagrams to each: WhatsApp asks each relay twice within a second
UNHEARD = 4  # times the same question; three answers are lost together once in 1,000 at 10 % loss
ASKED_IN_ALL = 6  # at 10 % loss each way, all of them and all answers are lost less than once in 10,000 calls
WAITED = (
    2 * SECOND
)  # from the first question; Telegram asks twice a second, STUN after 0.5, 1.5, 3.5 s (RFC 8489 §6.2.1)
ONE_CALL = 60 * SECOND  # between the relays of one call; also: what was answered meanwhile
NEXT_CALL = 5 * SECOND  # a relay asked anew so much later is asked for another call
SAME_MINUTES = 300 * SECOND
MEDIA_PACKETS, MEDIA_FOR = (
    20,
    2 * SECOND,
)  # sent on unheard: voice is 16 to 50 packets a second; who hung up stops sooner
ONE_WAY_PACKETS, ONE_WAY_SHARE = (
    100,
    0.1,
)  # receivers of media report back more often than every tenth packet (RFC 3550, TWCC)
STUN_SIZED = 160  # bytes in a datagram of STUN; voice is larger or comes often
SURE, FEW = 0.01, 0.05  # one-sided
ENOUGH = 1000  # addresses: more change no p-value that matters
MOST = 64  # calls of one target that are held to what else was heard

_rule = rules_of("calls", "drop", needs_headers=False)

RELAYS_SILENT = _rule(
    "relays_silent", "strong", "silence",
    "Relays of this service in different places stay silent, while other datagrams are answered.",
    "Relays that are all down at once; whether address or protocol was recognised.",
    "Flowseal #6148, youtubeUnblock #265, 2025; 0 of 723 captures |",
)  # fmt: skip
SILENT_ONLY = _rule(
    "relays_silent_only", "supporting", "silence",
    "Relays of this service in different places stay silent while its messages pass; no other datagram was answered.",
    "Networks that let no datagrams pass but name lookups, as those of offices and hotels do.",
    "Reports of 2025 on calls in Russia; RFC 9308 §2 on networks without UDP",
)  # fmt: skip
OTHERS_ANSWERED = _rule(
    "others_answered", "strong", "control",
    "Relays of this service are silent and other STUN servers are not; chance does that in less than one case in 100.",
    "One operator's fault.",
    "Fisher's exact test over addresses",
    action=None,
)  # fmt: skip
OTHERS_ANSWERED_FEW = _rule(
    "others_answered_few", "supporting", "control",
    "Relays of this service are silent and other STUN servers are not; with so few chance does that once in 20 cases.",
    "One operator's fault.",
    "Fisher's exact test over addresses",
    action=None,
)  # fmt: skip
MEDIA_DIES = _rule(
    "media_dies", "strong", "silence",
    "A call was answered, then nothing more was heard, while the client sent on and others were heard.",
    "A relay that breaks down in the middle of the call.",
    "zapret-openwrt #377, 2025; ends of calls stop both ways within a second",
    action="delayed_drop",
)  # fmt: skip
MEDIA_DIED_ONCE = _rule(
    "media_died_once", "weak", "silence",
    "A call was answered, then nothing more was heard, while the client sent on.",
    "A lost radio link, a peer that vanished.",
    "RFC 3550 §6.3",
    action="delayed_drop",
)  # fmt: skip
ONE_WAY = _rule(
    "media_one_way", "supporting", "silence",
    "The relay answers, but for all the media that the client sends, none come back.",
    "Calls that nobody took; broadcasts.",
    "RFC 3550 §6: receivers of media report on them",
)  # fmt: skip
ONE_WAY_AGAIN = _rule(
    "media_one_way_again", "strong", "silence",
    "Call after call the relay answers and none of the media come back, while another service's media do.",
    "Calls that nobody took, where the client sends media all the same.",
    "RFC 3550 §6; in calls that are not taken, apps ring their relays and send no media",
)  # fmt: skip
ANSWERS_UNHEARD = _rule(
    "answers_unheard", "strong", "silence",
    "Away from the client: it asks the same question again and again although each was answered.",
    "A firewall at the client that lets questions out and no answers in.",
    "RFC 8489 §6.2.1: a client stops asking when it is answered",
)  # fmt: skip
RULES = (
    RELAYS_SILENT, SILENT_ONLY, OTHERS_ANSWERED, OTHERS_ANSWERED_FEW, MEDIA_DIES, MEDIA_DIED_ONCE, ONE_WAY, ONE_WAY_AGAIN,
    ANSWERS_UNHEARD,
)  # fmt: skip


def _away_from_the_client(flows: Table) -> np.ndarray:
    far = (flows.vantage == Vantage.SERVER) | (flows.vantage == Vantage.MIDDLE)
    return far & (flows.proto == UDP) & (flows.protocol == "stun") & (flows.packets_up >= UNHEARD)


WANTS = Wants(_away_from_the_client, packets=False, heads=True)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """Questions that are asked again although they were answered; the rest is known only when the capture has ended."""
    found = []
    for i, flow in enumerate(done.flows.rows()):
        answers: dict[bytes, list[int]] = defaultdict(list)
        for piece in done.segments(i, False):
            answers[_transaction(piece.data)].append(piece.ts)
        asked: dict[bytes, list[Segment]] = defaultdict(list)
        for piece in done.segments(i, True):
            if stun.is_stun(piece.data):
                asked[_transaction(piece.data)].append(piece)
        worst = max(asked.values(), key=len, default=[])
        if len(worst) < UNHEARD or worst[-1].ts - worst[0].ts < WAITED:
            continue
        times = answers[_transaction(worst[0].data)]
        if sum(any(a.ts < at < b.ts for at in times) for a, b in pairwise(worst)) < UNHEARD - 1:
            continue
        measured = {
            "asked": len(worst),
            "answered": len(times),
            "over_s": round((worst[-1].ts - worst[0].ts) / SECOND, 1),
        }
        witnesses = tuple(Witness(piece.frame, "contradicts") for piece in worst[1:5])
        method = Method("drop", "protocol", "in_path", "STUN")
        found.append(
            Finding(ANSWERS_UNHEARD, f"flow {flow.flow}", (flow.flow,), worst[-1].ts, measured, witnesses, method)
        )
    return found


def _transaction(message: bytes) -> bytes:
    return message[8:20]  # RFC 8489 §5


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Relays of one service and the media that went through them, held to what else was answered."""
    a = seen.attempts
    a = a[a.vantage != Vantage.SERVER]
    role = seen.number("calls")
    a = a[np.isin(a.client, a.client[(a.proto == UDP) & (a.role == role)])] if role >= 0 else a[:0]
    fine = fates(a, seen.text) == Fate.FINE
    found: list[Finding] = []
    for rows in groups_of(a, np.ones(len(a), bool), "client"):
        mine = a[rows]
        calls = (mine.proto == UDP) & (mine.role == role) & (mine.service >= 0)
        for unit in _calls(mine, np.flatnonzero(calls)):
            found += _silent_relays(mine, unit, fine[rows], seen)
        found += _media(mine, calls, seen)
    return found


def _calls(a: Table, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Row numbers of what was asked of one service's relays, in one protocol, for one call or several in a row."""
    rows = rows[np.lexsort((a.start[rows], a.protocol[rows], a.service[rows]))]
    other = (np.diff(a.service[rows]) != 0) | (np.diff(a.protocol[rows]) != 0) | (np.diff(a.start[rows]) > ONE_CALL)
    yield from np.split(rows, np.flatnonzero(other) + 1)


def _silent_relays(a: Table, unit: np.ndarray, fine: np.ndarray, seen: Seen) -> list[Finding]:
    silent = (a.packets_down[unit] == 0) & (a.packets_up[unit] >= ASKED) & (a.ended_by[unit] != End.ICMP)
    rows = unit[silent & (seen.end - a.start[unit] >= WAITED)]
    relays = len(np.unique(a.server[rows]))
    if relays < RELAYS or a.packets_up[rows].sum() < ASKED_IN_ALL:
        return []
    first, last = a.start[rows].min(), a.end[rows].max()
    same, calls = a.service == a.service[rows[0]], a.role == a.role[rows[0]]
    heard = (a.packets_down > 0) & (a.last_down >= first - ONE_CALL) & (a.start <= last + ONE_CALL)
    spared = len(np.unique(a.server[same & calls & heard & (a.proto == UDP) & (a.protocol == a.protocol[rows[0]])]))
    if spared and (relays <= spared or _silent_again(a, rows, seen) < RELAYS):
        return []  # the silent ones are spares
    near = (a.end >= first - SAME_MINUTES) & (a.start <= last + SAME_MINUTES)
    datagrams = near & ~same & (a.proto == UDP) & (a.port != DNS) & (a.packets_down > 0)
    elsewhere = np.flatnonzero(datagrams & (calls | (a.protocol == seen.number("stun"))))
    chat = np.flatnonzero(near & same & ~calls & fine)
    rule = RELAYS_SILENT
    if not len(elsewhere) and not (len(chat) and datagrams.any()):
        if not len(chat):
            return []
        rule = SILENT_ONLY  # datagrams may be off altogether
    measured = {
        "relays_silent": relays, "relays_answering": spared, "datagrams_unanswered": int(a.packets_up[rows].sum()),
        "stun_answered_elsewhere": len(elsewhere), "same_service_fine": len(chat),
    }  # fmt: skip
    answered = len(np.unique(a.server[elsewhere]))
    p = fisher(min(relays, ENOUGH), min(relays + spared, ENOUGH), 0, min(answered, ENOUGH))
    baseline = [Witness(f, "baseline") for f in a.frame[elsewhere].tolist()[:4] + a.frame[chat].tolist()[:2]]
    asked = np.zeros(len(a), bool)
    asked[rows] = True
    found = []
    for some in groups_of(a, asked, "target"):
        witnesses = [Witness(f, "trigger") for f in a.asked_frame[some].tolist()[:8] if f >= 0]
        witnesses += [Witness(f, "missing_after") for f in a.last_frame[some].tolist()[:8]]
        found.append(_about(rule, a[some], measured, witnesses + baseline, seen))
        if answered and p <= FEW:
            control = {"p": float(f"{p:.3g}"), "relays_silent": relays, "others_answered": answered}
            found.append(
                _about(OTHERS_ANSWERED if p <= SURE else OTHERS_ANSWERED_FEW, a[some], control, baseline, seen)
            )
    return found


def _media(a: Table, calls: np.ndarray, seen: Seen) -> list[Finding]:
    """Media that die, and media that never come."""
    tail = a.last_up - a.last_down
    answered = calls & (a.packets_down > 0) & (a.ended_by != End.ICMP)
    dead = answered & (a.alone_up >= MEDIA_PACKETS) & (tail >= MEDIA_FOR)
    one_way = answered & ~dead & (a.packets_up >= ONE_WAY_PACKETS) & (a.end - a.start >= MEDIA_FOR)
    one_way &= (a.packets_down < ONE_WAY_SHARE * a.packets_up) & (a.bytes_down <= STUN_SIZED * a.packets_down)
    found = []
    for some in groups_of(a, dead, "target"):
        again = a.start[some].max() > a.last_down[some].min()  # the next call was answered again, and died again
        sure = again or any(_heard_meanwhile(a, i) for i in some.tolist()[:MOST])
        measured = {
            "calls": len(some), "unheard_s": round(float(tail[some].max()) / SECOND, 1),
            "heard_for_s": [round(s / SECOND, 1) for s in (a.last_down - a.start)[some].tolist()[:8]],
            "sent_on_packets": int(a.alone_up[some].max()),
        }  # fmt: skip
        found.append(_about(MEDIA_DIES if sure else MEDIA_DIED_ONCE, a[some], measured, _ends(a, some), seen, "media"))
    for some in groups_of(a, one_way, "target"):
        measured = {"packets_up": int(a.packets_up[some].sum()), "packets_down": int(a.packets_down[some].sum())}
        found.append(_about(ONE_WAY, a[some], measured, _ends(a, some), seen, "media"))
        if _next_call(a, some) and _both_ways_meanwhile(a, some):
            found.append(_about(ONE_WAY_AGAIN, a[some], measured, _ends(a, some), seen, "media"))
    return found


def _next_call(a: Table, some: np.ndarray) -> bool:
    """Whether these conversations belong to more than one call."""
    return bool(a.start[some].max() - a.end[some].min() >= 0 and a.start[some].max() - a.start[some].min() >= NEXT_CALL)


def _both_ways_meanwhile(a: Table, some: np.ndarray) -> bool:
    """Whether another service's media came back around these calls."""
    near = (a.start <= a.end[some].max() + ONE_CALL) & (a.end >= a.start[some].min() - ONE_CALL)
    media = (a.proto == UDP) & (a.port != DNS) & (a.service >= 0) & (a.service != a.service[some[0]])
    both = (a.packets_up >= ONE_WAY_PACKETS) & (a.packets_down >= ONE_WAY_PACKETS)
    return bool((near & media & both).any())


def _heard_meanwhile(a: Table, i: int) -> bool:
    """Whether another server was heard while the client sent on unheard in conversation i."""
    low, high = a.last_down[i] + SECOND // 2, a.last_up[i]
    others = a.server != a.server[i]
    times = (a.first_down_data, a.last_new_down, a.last_down)
    return any(bool((others & (at >= low) & (at <= high)).any()) for at in times)


def _silent_again(a: Table, rows: np.ndarray, seen: Seen) -> int:
    """Unrelated networks with relays that were silent in one call and in the next."""
    servers, which = np.unique(a.server[rows], return_inverse=True)
    first, last = np.full(len(servers), seen.end), np.zeros(len(servers), np.int64)
    np.minimum.at(first, which, a.start[rows])
    np.maximum.at(last, which, a.start[rows])
    return len({_network(seen.text(server) or "") for server in servers[last - first >= NEXT_CALL].tolist()})


def _network(address: str) -> str:
    """Addresses in different /16 (IPv4) or /32 (IPv6) are unrelated enough."""
    return ":".join(address.split(":")[:2]) if ":" in address else ".".join(address.split(".")[:2])


def _ends(a: Table, some: np.ndarray) -> list[Witness]:
    return [Witness(frame, "missing_after") for frame in a.last_frame[some].tolist()[:8]]


def _about(
    rule: Rule, mine: Table, measured: dict, witnesses: list[Witness], seen: Seen, look: str | None = None
) -> Finding:
    detail = look or ("STUN" if (mine.protocol == seen.number("stun")).any() else "call relay")
    method = Method(rule.action or "drop", "protocol", "in_path", detail)
    subject = (
        f"target {seen.text(mine.target[0])} at {seen.text(mine.client[0])} ({detail}, from frame {mine.frame[0]})"
    )
    return Finding(rule, subject, tuple(mine.flow.tolist()), int(mine.end.max()), measured, tuple(witnesses), method)
