"""Lost clients: a server greets them, and then they break off in the middle, or deny what they have just begun.

**How it shows.** A filter on the way takes the hello, or what follows it. Seen from the server a connection was made,
perhaps half a message came, perhaps an answer went out and is resent and resent; then nothing, not even a close. Or only
the server's packets are taken: then the client says again and again what the server has acknowledged, or asks again
for the connection that it was granted. Or the client was made to end it, by a reset, a close or a page that only it has
seen: then its machine answers the server's next packet like one that knows of no connection. A machine that has left
its network or crashed does the same once, and no more comes from it; here its next connection is greeted, others are
served meanwhile, and those to one target are lost each time.

**What it cannot see.** Whether a hello that does not arrive was taken on the way or by a filter on the client's own
device: both leave the server the same packets. Therefore one client accuses nobody of that; only several of one network,
against other networks. A connection that was opened and never used may be a browser's that wants to be quicker later,
until it does not even answer when it is closed. Which name was spoken, where that was in the part that was taken. What
it was that ended the connection at the client.

**References.** Sundara Raman et al., *Global, Passive Detection of Connection Tampering*, SIGCOMM 2023, on what a
server sees of tampering, and how often scanners, preconnecting browsers and vanished clients look alike; RFC 6298 on
resending; RFC 9293 §3.6 on closing, §3.10.7.1 on resets where no connection is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from analyzer.addresses import client_network
from analyzer.controls import GAVE_UP, Fate, counted, fates, groups_of
from analyzer.exact import fisher, holm
from analyzer.signature import Finding, Knowledge, Method, Rule, Seen, Witness
from analyzer.tables import Cut, End, Stage, Table, Vantage

METHOD = "lost_clients"

SECOND = 1_000_000_000
RESENT = 3  # three resends are lost together once in 1,000 at 10 % loss
IDLE_FOR = 120 * SECOND  # browsers close sooner what they opened ahead and did not use
UNHEARD_FOR = 2 * SECOND  # three resends take 0.2 + 0.4 + 0.8 s and more (RFC 6298, Linux)
QUIC_HANDSHAKE = 4  # packets with which a client has finished it: a hello of two, an acknowledgment, Finished
QUIC_PROBED = SECOND // 4  # by then a server has probed for what was not acknowledged (RFC 9002 §6.2)
YOUNG = 20 * SECOND  # of talk: a hello is judged at once, or after some packets
AGAIN = 3  # attempts that must break off alike: three against three is the least that an exact test can use
HALVES = 2  # a hello's two segments leave together: to vanish between them is luck, and twice is none
PART = 0.25  # of a client's connections to an address: of thousands behind one address some vanish every minute
TWO_SEGMENTS = 1300  # bytes: what fits no single segment may have met a path MTU hole
SAME_MINUTES = 300 * SECOND  # of the failures, for other client networks
CLIENTS = 2  # of a network: one may have a filter of its own
CLEAN = 0.2  # share that may fall silent elsewhere
MOST = 200  # groups of a kind that are looked at: each is held against all attempts
SURE = 0.01  # one-sided, after Holm over what was tested
_NOT_WHOLE = Cut.MIDWAY | Cut.ONE_DIRECTION | Cut.PROXIED | Cut.PROBE | Cut.GAP


def _rule(name, strength, says, blind, source, family="silence", action="drop") -> Rule:
    return Rule(f"server.{name}", "interference", strength, family, says, blind, source, action)


UNHEARD = _rule(
    "answers_unheard", "strong",
    "Seen at the server: each time the client repeats what was acknowledged, and acknowledges nothing that it is answered, "
    "while its other connections are fine.",
    "Clients that cannot receive from this server for a reason of their own.",
    "net4people/bbs #489: the hello passes, nothing of the server does",
)  # fmt: skip
BROKEN_OFF = _rule(
    "broken_off_again", "strong",
    "Seen at the server: each time the client breaks off in the middle of the handshake and does not even close, while its "
    "other connections are fine.",
    "Several devices behind one address, of which some vanish.",
    "Sundara Raman et al., SIGCOMM 2023; RFC 9293 §3.6",
)  # fmt: skip
HALF_SAID = _rule(
    "half_said_again", "supporting",
    "Seen at the server: again and again the first segment of a hello arrives, its end never does and no close either, "
    "while other connections of the client are fine.",
    "A filter on the client's device, which looks the same from here.",
    "Sundara Raman et al., SIGCOMM 2023; RFC 6298 on resending",
)  # fmt: skip
NETWORK_SILENT = _rule(
    "network_falls_silent", "strong",
    "Seen at the server: clients of one network are greeted at this address and soon never heard again, although they are "
    "served elsewhere; those of other networks talk on. Chance does that in less than one case in a hundred.",
    "A fault inside that network; devices there that are run alike.",
    "Fisher's exact test over attempts, Holm over what was tested",
)  # fmt: skip
DENIED = _rule(
    "denied_again", "strong",
    "Seen at the server: each time the client's machine denies the connection that it has just opened and never closed, "
    "while its other connections are fine.",
    "Which forged ending the client has met; closes that are lost on the way, again and again.",
    "RFC 9293 §3.10.7.1; Linux tcp_v4_send_reset: no ACK flag where no socket is left",
    family="header", action="rst",
)  # fmt: skip

RULES = (UNHEARD, BROKEN_OFF, DENIED, HALF_SAID, NETWORK_SILENT)


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Targets that the same client, or the same network, is lost to each time."""
    a = seen.attempts
    a = a[(a.vantage == Vantage.SERVER) & (a.cut & _NOT_WHOLE == 0) & ((a.synacks > 0) | (a.proto == 17))]
    if not np.logical_or.reduce(_losses(a, seen)).any():
        return []
    scene, found = _Scene.of(a, seen), []
    for rule, befell in ((UNHEARD, scene.unheard), (BROKEN_OFF, scene.broken), (DENIED, scene.denied)):
        for group in _repeated(scene.a, befell, AGAIN, "client", "target", "port", "proto"):
            found += _each_time(scene, group, rule)
    for group in _repeated(scene.a, scene.half, HALVES, "client", "server", "port"):
        found += _halves(scene, group)
    return found + _network_silent(scene)


class _Scene(NamedTuple):
    """Attempts at a server, retries merged, and how they fell silent (masks)."""

    seen: Seen
    a: Table
    fine: np.ndarray
    unheard: np.ndarray  # the client talks and hears nothing
    broken: np.ndarray  # it says no more in the middle of the handshake, or of the first answer
    half: np.ndarray  # it has said half of the first thing it says
    wordless: np.ndarray  # it has said nothing
    deaf: np.ndarray  # it asks again and again for the connection that it is granted
    denied: np.ndarray  # its machine knows nothing of it any more

    @classmethod
    def of(cls, flows: Table, seen: Seen) -> _Scene:
        fate = fates(flows, seen.text)
        fate = np.where(np.logical_or.reduce(_losses(flows, seen)), np.int8(Fate.SILENT), fate)
        a, merged = counted(flows, fate)
        lost = merged == Fate.SILENT
        return cls(seen, a, merged == Fate.FINE, *(mask & lost for mask in _losses(a, seen)))

    def others_fine(self, group: np.ndarray) -> np.ndarray:
        """Fine attempts (rows) of the same client, begun between the first and the last of a group, at something else."""
        mine = self.a[group]
        between = (self.a.start > mine.start.min()) & (self.a.start < mine.start.max())
        same = (self.a.client == mine.client[0]) & (self.a.proto == mine.proto[0])
        return np.flatnonzero(self.fine & between & same)


def _losses(a: Table, seen: Seen) -> tuple[np.ndarray, ...]:
    """The masks of a `_Scene`."""
    tcp = a.proto == 6
    mute = (a.fin_up < 0) & (a.rsts_up == 0) & (a.zero_windows == 0) & (seen.end - a.last_up >= GAVE_UP)
    young = (a.first_up_data < 0) | (a.last_up - a.first_up_data < YOUNG)
    dead = (a.unacked_down > 0) & (a.resent_down >= RESENT)
    unheard = tcp & dead & (a.resent_up >= RESENT) & (a.lost_up == 0) & (a.new_down == a.unacked_down)
    greeted = (a.stage == Stage.ANSWERED) & (a.ja4 >= 0) & (a.left_up == 0)  # a handshake, of which the end is due
    broken = tcp & mute & young & ~unheard & ((dead & (a.stage >= Stage.ANSWERED)) | greeted)
    quic = (a.proto == 17) & (a.quic >= 0) & (a.packets_up <= QUIC_HANDSHAKE) & (a.alone_down >= RESENT)
    broken |= quic & (a.last_down - a.last_up >= QUIC_PROBED) & (seen.end - a.last_up >= GAVE_UP)
    started = (a.stage == Stage.ASKED) & (a.new_down == 0) & (a.lost_up == 0)
    half = tcp & mute & started & ((a.left_up > 0) | a.unfinished_up)
    closed = (a.fin_down >= 0) & (a.last_down - a.fin_down >= UNHEARD_FOR) & (a.alone_down > RESENT)
    wordless = tcp & mute & (a.stage == Stage.OPEN) & (closed | (seen.end - a.last_up >= IDLE_FOR))
    denied = tcp & (a.ended_by == End.RST_UP) & a.rst_bare & (a.fin_up < 0) & (a.fin_down < 0) & (a.unacked_down > 0)
    denied &= a.rst_at - a.first_up_data < YOUNG
    deaf = tcp & (a.stage == Stage.SYNACK) & (a.syns >= RESENT) & (a.packets_up == a.syns)
    return unheard, broken, half, wordless, deaf, denied


def _repeated(a: Table, mask: np.ndarray, times: int, *names: str) -> list[np.ndarray]:
    """Groups of so many attempts at least, the first of them."""
    return [group for group in groups_of(a, mask, *names) if len(group) >= times][:MOST]


def _each_time(scene: _Scene, group: np.ndarray, rule: Rule) -> list[Finding]:
    """A client that is lost to one target each time, and not to others at the same address.

    At the same address, because a firewall on the client's device knows addresses, and no names.
    """
    a, mine = scene.a, scene.a[group]
    others = scene.others_fine(group)
    same = (a.target[others] == mine.target[0]) & (a.port[others] == mine.port[0])
    beside = a[others[np.isin(a.server[others], mine.server)]]
    if same.any() or not len(beside) or _path_mtu(mine, beside):
        return []
    method = Method("rst") if rule is DENIED else Method(_dropped(mine), position="in_path")
    subject = f"target {scene.seen.text(mine.target[0])} at port {mine.port[0]} from {scene.seen.text(mine.client[0])}"
    found = _found(rule, subject, mine, a[others], method)
    return [replace(found, witnesses=_denials(scene.seen, found)) if rule is DENIED else found]


def _denials(seen: Seen, found: Finding) -> tuple[Witness, ...]:
    """The same, ended by resets that are the machine's own and deny what it has opened: no silence follows."""
    resets = seen.resets
    first = resets.up & (resets.nth == 0) & np.isin(resets.flow, found.flows)
    denials = [Witness(frame, "contradicts") for frame in resets.frame[first].tolist()[:8]]
    return (*(w for w in found.witnesses if w.role != "missing_after"), *denials)


def _dropped(mine: Table) -> str:
    """Whether at first something still passed."""
    heard = (mine.proto == 17) | (mine.new_down > np.maximum(mine.unacked_down, 0))
    return "delayed_drop" if heard.mean() > 0.5 else "drop"


def _path_mtu(mine: Table, others: Table) -> bool:
    """Whether large segments may not have fitted through: none of others did."""
    return bool((mine.unacked_down >= TWO_SEGMENTS).any()) and not (others.new_down >= TWO_SEGMENTS).any()


def _halves(scene: _Scene, group: np.ndarray) -> list[Finding]:
    """A client whose hellos to one address end in the middle; whom they were for was in the other half."""
    a, mine = scene.a, scene.a[group]
    here = (a.client == mine.client[0]) & (a.server == mine.server[0]) & (a.port == mine.port[0])
    others = scene.others_fine(group)
    if len(group) < PART * here.sum() or not np.isin(a.server[others], mine.server).any():
        return []
    subject = f"address {scene.seen.text(mine.server[0])} port {mine.port[0]} from {scene.seen.text(mine.client[0])}"
    return [_found(HALF_SAID, subject, mine, a[others], Method("drop", position="in_path"))]


def _network_silent(scene: _Scene) -> list[Finding]:
    """Client networks whose connections to an address fall silent, against other networks, and other addresses.

    By address, not by target: whom a connection was for is not known where the hello was taken.
    """
    a, tested = scene.a, []
    silent = scene.deaf | scene.wordless | scene.half | scene.broken | scene.unheard
    judged, networks = silent | scene.fine, _networks(scene)
    for group in groups_of(a, silent, "server", "port", "proto"):
        one = group[0]
        here = judged & (a.server == a.server[one]) & (a.port == a.port[one]) & (a.proto == a.proto[one])
        for number in _of_several(networks[group], a.client[group]):
            mine = group[networks[group] == number]
            near = (a.start >= a.start[mine].min() - SAME_MINUTES) & (a.start <= a.start[mine].max() + SAME_MINUTES)
            own, other = near & here & (networks == number), near & here & (networks != number)
            elsewhere = near & judged & ~here & (a.proto == a.proto[one]) & np.isin(a.client, a.client[mine])
            served = a[np.flatnonzero(elsewhere & scene.fine)]
            if len(mine) < PART * own.sum() or not len(served) or _path_mtu(a[mine], served):
                continue
            if (elsewhere & silent).sum() <= CLEAN * elsewhere.sum() and (other & scene.fine).any():
                p = fisher(len(mine), int(own.sum()), int((other & silent).sum()), int(other.sum()))
                tested.append((p, mine, np.flatnonzero(other & scene.fine)))
    return list(_significant(scene, tested))


def _of_several(networks: np.ndarray, clients: np.ndarray) -> list[int]:
    """Networks of which there are several clients, those of most first."""
    numbers, counts = np.unique(np.unique(np.stack((networks, clients)), axis=1)[0], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return numbers[order][counts[order] >= CLIENTS][:MOST].tolist()


def _significant(scene: _Scene, tested: list[tuple[float, np.ndarray, np.ndarray]]) -> Iterator[Finding]:
    for p, (_, mine, others) in zip(holm([p for p, *_ in tested]), tested, strict=True):
        if p <= SURE:
            rows = scene.a[mine]
            where = client_network(scene.seen.text(rows.client[0]) or "")
            subject = f"address {scene.seen.text(rows.server[0])} port {rows.port[0]} from {where}"
            found = _found(NETWORK_SILENT, subject, rows, scene.a[others], Method(_dropped(rows), position="in_path"))
            found.measured["p"] = float(f"{p:.3g}")
            yield found


def _networks(scene: _Scene) -> np.ndarray:
    """The client network of each attempt, numbered."""
    clients, where = np.unique(scene.a.client, return_inverse=True)
    names = [client_network(scene.seen.text(client) or "") for client in clients.tolist()]
    return np.unique(names, return_inverse=True)[1].reshape(-1)[where.reshape(-1)]


def _found(rule: Rule, subject: str, mine: Table, others: Table, method: Method) -> Finding:
    measured = {"attempts": len(mine), "others_fine": len(others), "clients": len(np.unique(mine.client))}
    witnesses = [
        Witness(f, "trigger") for f in np.where(mine.asked_frame < 0, mine.frame, mine.asked_frame).tolist()[:8]
    ]
    witnesses += [Witness(frame, "missing_after") for frame in mine.last_frame.tolist()[:8]]
    witnesses += [Witness(frame, "baseline") for frame in others.frame.tolist()[:3]]
    return Finding(rule, subject, tuple(mine.flow.tolist()), int(mine.end.max()), measured, tuple(witnesses), method)
