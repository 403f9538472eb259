"""The middlebox: a bump in the cable that passes every frame on by hand, and interferes as its rules say.

It exists because the kernels at hand cannot do it (no netem, no policer, no fair queues), and because a box that does it
packet by packet can write down what it did: every packet that it forged, dropped, rewrote or held is a line of its log,
which is the laboratory's truth. It also writes down how late it was itself, since a late box blurs what is measured.

A packet takes half of the path's delay before the box sees it and half after, on each side, so that forged packets arrive
sooner than the path allows, as from real boxes, and genuine ones do not.
"""

from __future__ import annotations

import gc
import heapq
import json
import random
import select
import signal
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import SimpleNamespace

from tests.lab.flow import Flow
from tests.lab.packet import ICMP6, TCP, UDP, Packet, fingerprint, parse
from tests.lab.rules import Drop, Fate, Hold, Rewrite, Rule
from tests.lab.topology import FAR, NEAR

_SOL_PACKET, _PACKET_STATISTICS, _PACKET_IGNORE_OUTGOING = 263, 6, 23  # linux/if_packet.h
_SO_RCVBUFFORCE = 33
_RECEIVE_BUFFER = 32 << 20  # holds a second of 10,000 large packets a second
_MOST_AT_ONCE = 64  # frames read before timers are looked at again


@dataclass(frozen=True)
class Delays:
    """One-way delays, seconds: client to box, box to server (and other ones for some addresses); jitter of each pass."""

    near: float = 0.010
    far: float = 0.030
    far_of: dict[str, float] = field(default_factory=dict)
    near_of: dict[str, float] = field(default_factory=dict)
    jitter: float = 0.0
    reorders: bool = False  # whether jitter may change the order of packets


class Box:
    """State and event loop of one middlebox; runs in the namespace `box` until SIGTERM."""

    def __init__(self, path: Delays, rules: tuple[Rule, ...], log: Path, seed: int):
        self.path, self.rules = path, rules
        self.seed, self.dice = seed, random.Random(seed)
        self.flows: dict[tuple, Flow] = {}
        self.seen: list[Flow] = []
        self.residuals: dict[tuple, tuple[float, int]] = {}
        self.now = self.started = 0.0
        self.lateness: list[float] = []
        self.handled = 0
        self._log = open(log, "w", buffering=1 << 16)  # noqa: SIM115  (closed by run)
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._last_due: dict[tuple, float] = {}
        self._ethernet: dict[bool, bytes] = {}  # direction -> the addresses that its frames carry
        self._memory: dict[tuple, SimpleNamespace] = {}
        self._acting = 0
        self._numbers = count()
        self._alike: Counter[tuple] = Counter()  # flows so far between the same hosts

    # -- the loop ----------------------------------------------------------------------------------------------
    def run(self, ready: Callable[[], None]) -> None:
        """Pass frames on until SIGTERM, then write the summary."""
        self._ends = {True: _open(NEAR), False: _open(FAR)}
        stop_read, stop_write = socket.socketpair()
        stop_write.setblocking(False)
        signal.set_wakeup_fd(stop_write.fileno())
        signal.signal(signal.SIGTERM, lambda *_: None)
        up_of = {self._ends[True]: True, self._ends[False]: False}
        gc.disable()  # a collection would make packets late, and nothing here is cyclic
        self.started, self.began_ns = time.monotonic(), time.time_ns()
        ready()
        while True:
            self.now = time.monotonic()
            wait = max(0.0, self._queue[0][0] - self.now) if self._queue else None
            for readable in select.select([*up_of, stop_read], [], [], wait)[0]:
                if readable is stop_read:
                    self._finish()
                    return
                self._receive(readable, up_of[readable])
            self._run_due()

    def _receive(self, end: socket.socket, up: bool) -> None:
        for _ in range(_MOST_AT_ONCE):
            try:
                frame = end.recv(65535)
            except BlockingIOError:
                return
            self._arrive(frame, up)

    def _run_due(self) -> None:
        while self._queue and self._queue[0][0] <= time.monotonic():
            due, _, event = heapq.heappop(self._queue)
            self.now = time.monotonic()
            self.lateness.append(self.now - due)
            event()

    def at(self, due: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (due, next(self._order), event))

    # -- the way of a packet -------------------------------------------------------------------------------------
    def _arrive(self, frame: bytes, up: bool) -> None:
        packet = parse(frame, up)
        if packet is None or (packet.proto == ICMP6 and packet.frame[packet.l4] in range(133, 138)):
            self._ends[not up].send(frame)  # ARP and neighbour discovery are the cable's business
            return
        if not frame[0] & 1:  # what routers say to groups leads a forged packet nowhere
            self._ethernet[up] = frame[:12]
        self.handled += 1
        due = self._in_order(time.monotonic() + self._delay(packet, before=True), ("before", up))
        self.at(due, lambda: self._inspect(packet))

    def _delay(self, packet: Packet, before: bool) -> float:
        near = packet.up == before  # the client's side of the box
        by_address = self.path.near_of.get(packet.client[0]) if near else self.path.far_of.get(packet.server[0])
        base = by_address if by_address is not None else self.path.near if near else self.path.far
        return base + (self.dice.random() * self.path.jitter if self.path.jitter else 0.0)

    def _in_order(self, due: float, lane: tuple) -> float:
        if not self.path.reorders:
            due = self._last_due[lane] = max(due, self._last_due.get(lane, 0.0))
        return due

    def _inspect(self, packet: Packet) -> None:
        flow = self._flow(packet)
        if flow is None:
            self.forward(packet)
            return
        flow.see(packet, self.now)
        held = 0.0
        for number, rule in enumerate(self.rules):
            fate = self._apply(number, rule, flow, packet)
            if fate is None:
                continue
            assert rule.needs_path, "a box beside the path can only forge"
            if isinstance(fate, Drop):
                self.log("dropped", number, flow, packet)
                return
            if isinstance(fate, Hold):
                held += fate.seconds
                self.log("held", number, flow, packet, seconds=round(fate.seconds, 4))
            elif isinstance(fate, Rewrite):
                self.log("taken", number, flow, packet)
                packet = parse(fate.frame, packet.up)
                self.log("rewritten", number, flow, packet)
        self.forward(packet, held, lane=flow.number if held else None)

    def _apply(self, number: int, rule: Rule, flow: Flow, packet: Packet) -> Fate:
        if not rule.begins <= self.now - self.started < rule.ends:
            return None
        self._acting = number
        memory = flow.memory(rule, acts=None, spared=None)  # the action that this flow has been met with
        if memory.acts:
            if memory.acts is rule.afterwards and rule.residual and rule.residual.renewed:
                self._remember(number, rule, flow)
            return memory.acts.each(self, flow, packet)
        if rule.residual and self.residuals.get((number, *rule.residual.key(flow)), 0.0) > self.now:
            memory.acts = rule.afterwards or rule.action
            self.log("residual", number, flow, packet)
            return memory.acts.start(self, flow, packet)
        if not rule.trigger.holds(flow):
            return None
        if memory.spared is None:
            memory.spared = flow.dice[True].random() >= rule.trigger.chance
        if memory.spared:
            return None
        memory.acts = rule.action
        self.log("trigger", number, flow, packet)
        self._remember(number, rule, flow)
        return rule.action.start(self, flow, packet)

    def _remember(self, number: int, rule: Rule, flow: Flow) -> None:
        if rule.residual:
            self.residuals[number, *rule.residual.key(flow)] = self.now + rule.residual.seconds

    def _flow(self, packet: Packet) -> Flow | None:
        if packet.proto not in (TCP, UDP):
            return None
        key = (packet.proto, packet.client, packet.server)
        flow = self.flows.get(key)
        if flow is None or flow.is_over(packet):
            flow = self.flows[key] = Flow(
                packet.proto,
                packet.client,
                packet.server,
                next(self._numbers),
                began=self.now - self.started,
                dice=self._dice_for(packet),
            )
            self.seen.append(flow)
        return flow

    def _dice_for(self, packet: Packet) -> dict[bool, random.Random]:
        """For each direction of the nth flow between two hosts, the same in every run: which of its packets chance takes."""
        hosts = packet.proto, packet.client[0], *packet.server
        self._alike[hosts] += 1
        return {up: random.Random(repr((self.seed, *hosts, self._alike[hosts], up))) for up in (True, False)}

    # -- what actions use ----------------------------------------------------------------------------------------
    def forward(self, packet: Packet, held: float = 0.0, lane: int | None = None) -> None:
        """Pass a packet on towards where it was going."""
        due = self._in_order(self.now + held + self._delay(packet, before=False), ("after", packet.up, lane))
        self.at(due, lambda: self._ends[not packet.up].send(packet.frame))

    def inject(self, flow: Flow, to_client: bool, build: Callable[[bytes], bytes], after: float) -> None:
        """Send a forged packet. `build` gets the two Ethernet addresses to use and gives the frame."""
        number = self._acting
        ethernet = self._ethernet.get(not to_client)
        if ethernet is None:  # nothing came from there yet: turn the other direction's addresses round
            ethernet = self._ethernet[to_client][6:] + self._ethernet[to_client][:6]
        packet = parse(build(ethernet), up=not to_client)

        def send() -> None:
            self.log("forged", number, flow, packet)
            self.at(self.now + self._delay(packet, before=False), lambda: self._ends[to_client].send(packet.frame))

        self.at(self.now + after, send)

    def memory(self, owner: object, key: object = None, **initial: object) -> SimpleNamespace:
        """What an action keeps beyond a single flow."""
        return self._memory.setdefault((id(owner), key), SimpleNamespace(**initial))

    def log(self, what: str, rule: int, flow: Flow, packet: Packet, **more: object) -> None:
        """One line of truth."""
        flow.counts[f"{rule}:{what}"] += 1
        line = {
            "at": round(self.now - self.started, 6), "what": what, "rule": rule,
            "flow": flow.number, "up": packet.up, "packet": fingerprint(packet), "length": packet.length,
            "ttl": packet.ttl, "flags": packet.flags, "seq": packet.seq, "ack": packet.ack, **more,
        }  # fmt: skip
        self._log.write(json.dumps(line) + "\n")

    def _finish(self) -> None:
        for flow in self.seen:
            self._log.write(json.dumps({"what": "flow", **_row(flow)}) + "\n")
        late = sorted(self.lateness) or [0.0]
        lost = sum(
            struct.unpack("II", end.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1] for end in self._ends.values()
        )
        summary = {
            "what": "summary", "began_ns": self.began_ns, "packets": self.handled, "missed": lost,
            "late_us": {f"p{q}": round(1e6 * late[min(len(late) - 1, len(late) * q // 100)]) for q in (50, 90, 99, 100)},
        }  # fmt: skip
        self._log.write(json.dumps(summary) + "\n")
        self._log.close()


def _row(flow: Flow) -> dict:
    return {
        "flow": flow.number, "began": round(flow.began, 6), "proto": flow.proto, "client": flow.client,
        "server": flow.server, "sni": flow.sni, "host": flow.host, "qname": flow.qname,
        "packets_up": flow.packets[True], "packets_down": flow.packets[False],
        "octets_up": flow.octets[True], "octets_down": flow.octets[False], "counts": flow.counts,
    }  # fmt: skip


def _open(interface: str) -> socket.socket:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    end.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    end.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
    end.bind((interface, 0))
    end.setblocking(False)
    return end
