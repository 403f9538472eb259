"""A result that is safe to forward.

A report travels further than its capture: to a lawyer, a newspaper, a bug tracker. What points back to the person who
captured it is replaced before anything is rendered, in one place, so that every format hides the same: the client's
addresses and ports, the names of file and device, and every name that is neither a known service nor a control nor part
of a verdict ("site A"); a site that merely worked in the same minutes is no better known for having been a control. Of
the caches that content networks keep inside providers only the network is named, because their names and addresses lead
to the provider and the city. Times keep their distances and the hour of the day: together with a server's address, an exact
time would be enough to find the client in somebody's logs.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from analyzer.report.words import N_, Words
from analyzer.result import CaptureInfo, Control, Exhibit, FlowKey, Named, Network, Result, RuledOut, Verdict
from analyzer.signature import Finding
from analyzer.tables import Table

HOUR = 3600 * 10**9
NOT_SHOWN = -1  # a port that is hidden

LOCAL = (".local", ".lan", ".home", ".internal", ".home.arpa", ".localdomain", ".fritz.box", ".intranet", ".corp")

TOOLS = re.compile(  # circumvention tools, in names and details; a report that names one can harm its owner
    r"(?<![a-z0-9])(tor|torproject|obfs[234]|shadowsocks\d*|getoutline|wireguard|amnezia\w*|vless|vmess|v2ray|v2fly"
    r"|psiphon\w*|getlantern|ultrasurf\w*|zapret|goodbyedpi|byedpi|fake-?tls|mtproto[-_]?proxy|tailscale)(?![a-z0-9])|vpn"
)
NODES = re.compile(  # caches named after their provider, exchange or city: rr1---sn-n8v7znz7.googlevideo.com
    r"[\w.-]+\.(googlevideo\.com|(?:fna|xx)\.fbcdn\.net|(?:fna|cdn)\.whatsapp\.net|cdninstagram\.com|nflxvideo\.net)"
)
STAND_INS = {
    "address": N_("address {letter}"),
    "client": N_("client {letter}"),
    "file": N_("file {letter}"),
    "network": N_("network {letter}"),
    "protocol": N_("protocol {letter}"),
    "site": N_("site {letter}"),
}
ELSEWHERE = ("same_protocol_other_service",)  # controls that prove as much without their names
SHORTEST = 3  # of a string that is replaced inside others: "-" is the name of standard input
TOKEN = re.compile(r"[\w.:%-]+")  # what may be a name, an address, or an address with a port


def forwardable(result: Result, words: Words | None = None) -> Result:
    """The same result with nothing in it that points to the person who captured it; stand-ins in that language."""
    return _Veil(result, True, words or Words()).result()


def discreet(result: Result, words: Words | None = None) -> Result:
    """The same result without a circumvention tool named in it."""
    return _Veil(result, False, words or Words()).result()


class _Veil:
    """Replaces private strings; the same string gets the same stand-in everywhere."""

    def __init__(self, result: Result, private: bool, words: Words):
        self.given = result
        self.words = words
        self.private = private
        self.stand_ins: dict[str, str] = {}
        self.shift = 0
        if private and result.capture.start is not None:
            start = result.capture.start
            self.shift = start - start % (24 * HOUR) // HOUR * HOUR
        self.numbers: Counter[str] = Counter()
        self._find()
        self.odd = [text for text in self.stand_ins if len(text) >= SHORTEST and not TOKEN.fullmatch(text)]

    def _find(self) -> None:
        result = self.given
        proving = {c.target for verdict in result.answers for c in verdict.controls if c.kind not in ELSEWHERE}
        unnamed = {
            verdict.target
            for verdict in result.answers
            if (self.private and not _known(verdict) and verdict.target not in proving)
            or self._hidden(verdict.target, verdict.service)
        }
        named = {
            address
            for verdict in result.answers
            if verdict.target not in unnamed and not NODES.fullmatch(verdict.target.lower())
            for address in verdict.addresses
        }
        if self.private and len(result.capture.name) >= SHORTEST:
            self._replace(result.capture.name, "file")
        for verdict in result.answers:
            if verdict.target in unnamed:
                self._replace(verdict.target, "site")
            for address in verdict.addresses if self.private else ():
                if address not in named:
                    self._replace(address, "address")
            for control in verdict.controls:
                if self.private and control.kind == "other_client_networks":
                    self._replace(control.target, "network")
                elif self._hidden(control.target, None):
                    self._replace(control.target, "site")
            for method in verdict.methods:
                detail = method.method.trigger_detail
                if detail and TOOLS.search(detail.lower()):
                    self._replace(detail, "site" if "." in detail else "protocol")
                for flow in method.flows if self.private else ():
                    self._replace(flow.client, "client")
        if self.private:
            self._find_clients()

    def _find_clients(self) -> None:
        """Clients of flows under no verdict may still be spoken of in a measured value."""
        table = self.given.flow_table
        shown = [exhibit.key.client for exhibit in self.given.exhibits]
        for client in dict.fromkeys([*shown, *(table.client.tolist() if table is not None else ())]):
            self._replace(client, "client")

    def _hidden(self, target: str, service: str | None) -> bool:
        if TOOLS.search(target.lower()):
            return True
        return self.private and service is None and _is_local(target)

    def _replace(self, text: str, kind: str) -> None:
        if not text or text.lower() in self.stand_ins:
            return
        self.stand_ins[text.lower()] = self.words.say(STAND_INS[kind], letter=_letters(self.numbers[kind]))
        self.numbers[kind] += 1

    def result(self) -> Result:
        given = self.given
        return replace(
            given,
            capture=self._capture(given.capture) if self.private else given.capture,
            answers=tuple(map(self._verdict, given.answers)),
            network=Network(given.network.state, given.network.why, self._values(given.network.values)),
            findings=tuple(map(self._finding, given.findings)),
            flow_table=self._flows(given.flow_table) if given.flow_table is not None else None,
            error=self._text(given.error),
            exhibits=tuple(map(self._exhibit, given.exhibits)),
        )

    def _capture(self, capture: CaptureInfo) -> CaptureInfo:
        return replace(
            capture,
            name=self.words.say("capture"),
            start=self._time(capture.start),
            end=self._time(capture.end),
            comments=(),
            capturer=None,
        )

    def _verdict(self, verdict: Verdict) -> Verdict:
        return replace(
            verdict,
            target=self._whole(verdict.target),
            methods=tuple(map(self._named, verdict.methods)),
            controls=tuple(self._control(control) for control in verdict.controls),
            ruled_out=tuple(
                RuledOut(r.explanation, r.excluded, r.rule, self._values(r.values)) for r in verdict.ruled_out
            ),
            findings=tuple(map(self._finding, verdict.findings)),
            first=self._time(verdict.first),
            last=self._time(verdict.last),
            addresses=tuple(map(self._whole, verdict.addresses)),
        )

    def _named(self, named: Named) -> Named:
        detail = named.method.trigger_detail
        return replace(
            named,
            method=replace(named.method, trigger_detail=self._text(detail)),
            flows=tuple(map(self._flow, named.flows)),
            onset=self._time(named.onset),
        )

    def _flow(self, flow: FlowKey) -> FlowKey:
        port = NOT_SHOWN if self.private else flow.client_port
        return flow._replace(client=self._whole(flow.client), client_port=port, server=self._whole(flow.server))

    def _control(self, control: Control) -> Control:
        return control._replace(target=self._whole(control.target))

    def _finding(self, finding: Finding) -> Finding:
        return replace(
            finding,
            subject=self._text(finding.subject),
            ts=self._time(finding.ts) or 0,
            measured=self._values(finding.measured),
        )

    def _values(self, values: dict[str, Any]) -> dict[str, Any]:
        return {key: self._value(value) for key, value in values.items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list | tuple):
            return type(value)(map(self._value, value))
        return self._values(value) if isinstance(value, dict) else value

    def _time(self, ts: int | None) -> int | None:
        return None if ts is None else ts - self.shift

    def _whole(self, text: str) -> str:
        """A field that is one name or address."""
        return self.stand_ins.get(text.lower()) or self._network_of(text) or text

    def _network_of(self, name: str) -> str | None:
        """What is said instead of the name of a content network's node."""
        node = NODES.fullmatch(name.lower().rstrip(".")) if self.private else None
        return f"*.{node[1]}" if node else None

    def _text(self, text: Any) -> Any:
        """A field in which a private string may occur among others."""
        if not isinstance(text, str) or not (self.private or self.stand_ins):
            return text
        for odd in self.odd:
            text = re.sub(re.escape(odd), self.stand_ins[odd], text, flags=re.IGNORECASE)
        return TOKEN.sub(lambda found: self._token(found[0]), text)

    def _token(self, token: str) -> str:
        bare = token.lower().rstrip(".:")
        if bare in self.stand_ins:
            return self.stand_ins[bare]
        address = bare.rpartition(":")[0]  # and with it the port, which is as private
        if address in self.stand_ins:
            return self.stand_ins[address]
        for at, char in enumerate(bare):  # a host below a hidden name
            if char == "." and bare[at + 1 :] in self.stand_ins:
                return self.stand_ins[bare[at + 1 :]]
        return self._network_of(bare) or self._network_of(address) or token

    def _exhibit(self, exhibit: Exhibit) -> Exhibit:
        packets, series = ({**t.columns, "ts": t.ts - self.shift} for t in (exhibit.packets, exhibit.series))
        return replace(
            exhibit,
            key=self._flow(exhibit.key),
            target=self._whole(exhibit.target),
            packets=Table(exhibit.packets.schema, packets),
            series=Table(exhibit.series.schema, series),
        )

    def _flows(self, table: Table) -> Table:
        """The flows table alike. A name that no shown verdict is about is hidden, verdict or not."""
        columns = dict(table.columns)
        if self.private:
            known = {
                v.target.lower() for v in self.given.answers if v.notable and v.target.lower() not in self.stand_ins
            }
            for name in ("target", "sni", "host", "qname", "dns_name"):
                for text in dict.fromkeys(columns[name].tolist()):
                    if text and text.lower() not in known and "/" not in text:
                        self._replace(text, "site")
            columns["client_port"] = np.full(len(table), NOT_SHOWN, columns["client_port"].dtype)
            for column in table.schema:
                if column.unit == "time":
                    values = columns[column.name]
                    columns[column.name] = np.where(values == column.null, values, values - self.shift)
        for name in ("client", "server", "target", "sni", "host", "qname", "dns_name"):
            veiled = np.empty(len(table), object)
            veiled[:] = [text and self._whole(text) for text in columns[name].tolist()]
            columns[name] = veiled
        return Table(table.schema, columns)


def _known(verdict: Verdict) -> bool:
    """A known service, or a name that something happened to."""
    return verdict.service is not None or verdict.state not in ("ok", "insufficient")


def _is_local(target: str) -> bool:
    """A machine of the client's own network rather than a site: it would name a device or a person."""
    try:
        return ipaddress.ip_address(target).is_private
    except ValueError:
        name = target.lower().rstrip(".")
        return name.endswith(LOCAL) or ("." not in name and "/" not in name)


def _letters(number: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    out = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        out = chr(ord("A") + digit) + out
    return out
