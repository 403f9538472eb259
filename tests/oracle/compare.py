"""Two views of one capture, difference by difference, each with its class.

A class says why both may be right. `unexplained` is the one that nobody should see: it is the list of what to look into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.oracle.view import TCP, UDP, WORDS, Stream, View

CLASSES = {
    "quoted": "tshark counts the packet that an ICMP error quotes as one of the conversation",
    "tunnel": "inside a tunnel that is not entered here, or the outside of one that is",
    "carrier": "on a link, or behind a tag, that is not read here",
    "damaged": "one of them makes something of a packet that contradicts itself, the other does not",
    "signalled": "made by tshark's dissector of a signalling protocol, for one port or ahead of the packets",
    "mapped": "addresses that stand for others: Mobile IPv6's home address, IPv4 in IPv6",
    "shifted": "the same conversation under another number, because of an earlier difference",
    "reopened": "the same ports again: only one of them sees a new connection",
    "later_name": "a further name in the same conversation; a flow is named by its first",
    "cut_hello": "the ClientHello is not complete in the capture, its name is",
    "decrypted": "tshark has the keys",
    "over_tcp": "asked over TCP, where the first question names the flow and the others are not read",
    "elsewhere": "a DNS message of a sort, or on a port, that only one of them reads",
    "no_payload": "a SYN, FIN or bare ACK sent again: counted as such and not as bytes",
    "inferred": "sent again with more behind it, or never seen before but counted by a bare ACK: new bytes here",
    "order": "one calls it late, the other out of order: they know the round trip to different accuracy",
    "keep_alive": "a keep-alive or a probe of a closed window",
    "rows": "more of them than are kept of a flow",
    "unreadable": "only one of them can read the file, or reads it to its end",
    "unexplained": "to be looked into",
}
CARRIERS = {"arcnet", "fddi", "tr", "etag", "nsh", "macsec", "null"}
SIGNALLED = {"rtp", "rtcp", "t38", "snmp", "tftp", "rpc", "portmap", "mount", "nfs", "sadmind"}
TUNNELS = {"gtp", "vxlan", "geneve", "teredo"}
ODD = re.compile(r"\\x[0-9a-f]{2}|\\\d{3}|\\|[^!-~]")  # bytes that no name should hold, however they are spelled


class Difference(NamedTuple):
    about: str  # packets, tcp, udp, stream, community_id, sni, dns or resent
    cls: str  # one of CLASSES
    detail: str


ABOUT = ("packets", "tcp", "udp", "stream", "community_id", "sni", "dns", "resent")


def differences(ours: View, theirs: View) -> list[Difference]:
    """All differences, in the order of ABOUT."""
    return [
        *_packets(ours, theirs),
        *(difference for proto in (TCP, UDP) for difference in _streams(proto, ours, theirs)),
        *_names(ours, theirs),
        *_questions(ours, theirs),
        *_resent(ours, theirs),
    ]


def _packets(ours: View, theirs: View) -> Iterator[Difference]:
    if ours.packets != theirs.packets:
        unreadable = ours.failed is not None or theirs.failed is not None
        detail = f"{ours.packets} here, {theirs.packets} there ({ours.failed or theirs.failed})"
        yield Difference("packets", "unreadable" if unreadable else "unexplained", detail)


def _streams(proto: int, ours: View, theirs: View) -> Iterator[Difference]:
    mine, other, word = ours.by_first_frame(proto), theirs.by_first_frame(proto), WORDS[proto]
    for frame in sorted(mine.keys() | other.keys()):
        layers = theirs.layers.get(frame, "")
        if frame not in mine:
            yield Difference(
                word, _why_alone(frame, theirs), f"frame {frame}, {word}.stream {other[frame][0]}: {layers}"
            )
        elif frame not in other:
            same = theirs.streams.get((proto, mine[frame][0]))  # begun earlier there, by a packet not counted here?
            begins = (frame, same.first_frame) if same is not None else (frame,)
            why = next((cls for begin in begins if (cls := _why_alone(begin, theirs)) != "unexplained"), "unexplained")
            yield Difference(word, why, f"frame {frame}, only here: {layers}")
        else:
            yield from _stream(word, frame, mine[frame], other[frame], theirs)


def _stream(
    word: str, frame: int, mine: tuple[int, Stream], other: tuple[int, Stream], theirs: View
) -> Iterator[Difference]:
    (number, stream), (their_number, their_stream) = mine, other
    if number != their_number:
        yield Difference("stream", "shifted", f"frame {frame}: {word}.stream {number} here, {their_number} there")
    if their_stream.key is not None and stream.key != their_stream.key:
        detail = f"frame {frame}: {stream.key} here, {their_stream.key} there: {theirs.layers[frame]}"
        yield Difference("community_id", _why_alone(frame, theirs), detail)


def _why_alone(frame: int, theirs: View) -> str:
    """Why something that begins with such a frame may be seen by only one of the two."""
    layers = theirs.layers.get(frame, "")
    names = set(layers.split(":"))
    if frame in theirs.damaged or not layers:
        return "damaged"
    if f":{layers}:".count(":ip:") + layers.count("ipv6:") > 1:
        return "quoted" if "icmp" in layers.rpartition(":ip")[0] else "tunnel"
    for cls, known in (("tunnel", TUNNELS), ("carrier", CARRIERS), ("signalled", SIGNALLED)):
        if names & known:
            return cls
    return "mapped" if "ipv6" in names else "unexplained"


def _names(ours: View, theirs: View) -> Iterator[Difference]:
    named = {(frame, proto) for frame, proto, _ in ours.names}
    for frame, proto, name in sorted(theirs.names - ours.names):
        cls = "later_name" if (frame, proto) in named else _why_alone(frame, theirs)
        yield Difference("sni", cls, f"frame {frame}, {WORDS.get(proto, proto)}: {name} only there")
    for frame, proto, name in sorted(ours.names - theirs.names):
        yield Difference("sni", "cut_hello", f"frame {frame}, {WORDS.get(proto, proto)}: {name} only here")


def _questions(ours: View, theirs: View) -> Iterator[Difference]:
    mine, other = ({ODD.sub("?", name): frame for name, frame in v.questions.items()} for v in (ours, theirs))
    for name in sorted(other.keys() - mine.keys()):
        yield Difference("dns", _why_unread(other[name], theirs), f"frame {other[name]}: {name} only there")
    for name in sorted(mine.keys() - other.keys()):
        yield Difference("dns", "elsewhere", f"{name} only here")


def _why_unread(frame: int, theirs: View) -> str:
    names = theirs.layers[frame].split(":")
    if {"tls", "wg"} & set(names):
        return "decrypted"
    cls = _why_alone(frame, theirs)
    if cls not in ("mapped", "unexplained"):
        return cls
    return "over_tcp" if "tcp" in names else "elsewhere"


def _resent(ours: View, theirs: View) -> Iterator[Difference]:
    for frame in sorted(ours.resent.keys() | theirs.resent.keys()):
        mine, other = ours.resent.get(frame, set()), theirs.resent.get(frame, set())
        for again in sorted(mine ^ other):
            here, there = ours.remarks.get(again, "new"), theirs.remarks.get(again, "")
            cls = _why_resent(here, there, frame in ours.partly and again not in mine)
            yield Difference("resent", cls, f"frame {again}: {here} here, {there or 'nothing'} there")


def _why_resent(here: str, there: str, lost: bool) -> str:
    if "no payload" in there:
        return "no_payload"
    if "out of order" in there or here == "fill":
        return "order"
    if here == "keepalive" or "keep-alive" in there or "probe" in there:
        return "keep_alive"
    if lost:
        return "rows"
    return "inferred" if here == "new" else "unexplained"
