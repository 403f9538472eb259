"""How fast it was: rates of the slowed flows and their controls, and the one transfer that shows it best."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.plot import speed as plot
from analyzer.report.escape import visible
from analyzer.report.pictures.timeline import since
from analyzer.report.pictures.twice import Twice
from analyzer.report.words import N_, Words
from analyzer.result import Exhibit, Named, Result
from analyzer.serial import ahead
from analyzer.tables import Kind

HEADERS = 40  # bytes of IPv4 and TCP without options: what a limiter counts at least on top of the payload
BINS = 120
SHORTEST_BIN = 1.0  # s: below, a rate shows single packets
CONTROLS = 3  # other transfers that are drawn beside
POINTS = 400  # of a curve
SEGMENTS = 220  # of the sequence graph
WINDOW = 30.0  # s of the arrival curve


class Speed(NamedTuple):
    """Pictures of a limit; each may be missing."""

    rates: Twice
    arrival: Twice | None
    sequence: Twice | None


class _Leg(NamedTuple):
    """The bulky direction of one exhibit: seconds since the capture's start, IP bytes, and the series itself."""

    name: str
    t: np.ndarray
    size: np.ndarray
    seq: np.ndarray
    kind: np.ndarray
    at_sender: bool  # captured before the limit, lost copies included

    def through(self) -> _Leg:
        """What got through the limit: at the sender, first copies stand for it."""
        if not self.at_sender:
            return self
        first = (self.kind == Kind.NEW) | (self.kind == Kind.FILL)
        return self._replace(**{name: getattr(self, name)[first] for name in ("t", "size", "seq", "kind")})


def speed(result: Result, named: Named, words: Words) -> Speed | None:
    """Pictures of a method that slows; None where no series was kept of its flows."""
    start = result.capture.start or 0
    mine = {key.flow for key in named.flows}
    slow = [exhibit for exhibit in result.exhibits if exhibit.key.flow in mine and len(exhibit.series)]
    if not slow:
        return None
    affected = [_leg(exhibit, start).through() for exhibit in slow]
    slowed = {key.flow for v in result.answers for m in v.methods for key in m.flows} | mine
    clients = {key.client for key in named.flows}
    others = [e for e in result.exhibits if e.key.flow not in slowed and e.key.client in clients and len(e.series)][
        :CONTROLS
    ]
    controls = [_leg(exhibit, start).through() for exhibit in others]
    best = max(affected, key=lambda leg: leg.size.sum())
    return Speed(
        _rates(affected, controls, named, words),
        _arrival(best, controls, named, words),
        _sequence(max((_leg(e, start) for e in slow), key=lambda leg: leg.size.sum()), words),
    )


def _leg(exhibit: Exhibit, start: int) -> _Leg:
    series = exhibit.series
    up = series.payload_len[series.up].sum() > series.payload_len[~series.up].sum()
    part = series[(series.up == up) & (series.payload_len > 0)]
    at_sender = exhibit.vantage == ("client" if up else "server")
    return _Leg(exhibit.target, (part.ts - start) / 1e9, part.payload_len + HEADERS, part.seq, part.kind, at_sender)


def _both(graph: plot.Graph, wide: int = plot.WIDE, height: int = 240) -> Twice:
    return Twice(plot.draw(graph, wide, height), plot.draw(graph, plot.NARROW, 220))


def _rates(affected: list[_Leg], controls: list[_Leg], named: Named, words: Words) -> Twice:
    curves = [_rate(leg, "slow", k == 0) for k, leg in enumerate(affected)]
    curves += [_rate(leg, "control", k == 0) for k, leg in enumerate(controls)]
    level = [plot.Level(named.rate_kbps, words.rate(named.rate_kbps))] if named.rate_kbps else []
    return _both(
        plot.Graph(
            words.say(N_("Rate over time of the slowed transfers and of those to compare with, logarithmic")),
            curves,
            since,
            words.rate,
            level,
            log=True,
        )
    )


def _rate(leg: _Leg, look: str, named: bool) -> plot.Curve:
    first, last = float(leg.t[0]), float(leg.t[-1])
    bins = int(min(BINS, (last - first) / SHORTEST_BIN))
    name = visible(leg.name) if named else ""
    if bins <= plot.POINTS:
        length = max(last - first, 1e-3)
        return plot.Curve([(first + last) / 2], [float(leg.size.sum()) * 8e-3 / length], name, look)
    sums, edges = np.histogram(leg.t, bins, (first, last), weights=leg.size)
    width = edges[1] - edges[0]
    return plot.Curve(((edges[:-1] + edges[1:]) / 2).tolist(), (sums * 8e-3 / width).tolist(), name, look)


def _arrival(best: _Leg, controls: list[_Leg], named: Named, words: Words) -> Twice | None:
    if named.rate_kbps is None:
        return None
    curves = [_cumulated(leg, "control", words) for leg in controls[:1]] + [_cumulated(best, "slow", words)]
    slope = named.rate_kbps * 125
    top = max(max(curve.y) for curve in curves[-1:])
    curves = [_below(curve, 3 * top) for curve in curves]
    level = plot.Level(named.bucket_bytes or 0, words.rate(named.rate_kbps), slope)
    return _both(
        plot.Graph(
            words.say(N_("Bytes that arrived since the start of the transfer, against the fitted limit")),
            curves,
            lambda t: words.duration(round(t * 1e9)),
            words.size_of,
            [level],
        ),
        plot.HALF,
        260,
    )


def _cumulated(leg: _Leg, look: str, words: Words) -> plot.Curve:
    since = leg.t - leg.t[0]
    keep = since <= WINDOW
    t, total = since[keep], np.cumsum(leg.size[keep])
    step = max(1, len(t) // POINTS)
    return plot.Curve(t[::step].tolist(), total[::step].tolist(), visible(leg.name), look)


def _below(curve: plot.Curve, top: float) -> plot.Curve:
    """A control that is a hundred times as fast must not flatten the picture: it leaves through the top."""
    kept = [(t, y) for t, y in zip(curve.t, curve.y, strict=True) if y <= top] or [(curve.t[0], min(curve.y[0], top))]
    return curve._replace(t=[t for t, _ in kept], y=[y for _, y in kept])


def _sequence(leg: _Leg, words: Words) -> Twice:
    t, kind = leg.t[:SEGMENTS] - leg.t[0], leg.kind[:SEGMENTS]
    relative = ahead(leg.seq[:SEGMENTS], int(leg.seq[0])).tolist()
    sizes = (leg.size[:SEGMENTS] - HEADERS).tolist()
    marks, expected = [], 0
    for at, seq, size, sort in zip(t.tolist(), relative, sizes, kind.tolist(), strict=True):
        if seq > expected:
            marks.append((at, expected, "missing"))
        marks.append((at, seq, "seg" if sort in (Kind.NEW, Kind.FILL) else "again"))
        expected = max(expected, seq + size)
    graph = plot.Graph(
        words.say(N_("Sequence graph of the start of one transfer: what came, what was missing, what was sent again")),
        [],
        lambda t: words.duration(round(t * 1e9)),
        words.size_of,
        segments=marks,
    )
    return _both(graph, plot.HALF, 260)
