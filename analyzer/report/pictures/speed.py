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
SEGMENTS, BEFORE = 220, 90  # of the sequence graph, and of them before the first loss
WINDOW = 30.0  # s of the arrival curve
KEPT, SHARED_GAIN = 1.05, 1.3  # times the limit that a sum may reach, times a single transfer that it must be


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
        """What got through the limit: of bytes that the sender sent again, the last copy."""
        if not self.at_sender:
            return self
        _, from_behind = np.unique(self.seq[::-1], return_index=True)
        last = np.sort(len(self.seq) - 1 - from_behind)
        return self._replace(**{name: getattr(self, name)[last] for name in ("t", "size", "seq", "kind")})


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
    together = _together(affected, best, named, words)
    return Speed(
        _rates([together] if together else affected, controls, named, words),
        _arrival(together or best, controls, named, words),
        _sequence(max((_leg(e, start) for e in slow), key=lambda leg: leg.size.sum()), words),
    )


def _leg(exhibit: Exhibit, start: int) -> _Leg:
    series = exhibit.series
    up = series.payload_len[series.up].sum() > series.payload_len[~series.up].sum()
    part = series[(series.up == up) & (series.payload_len > 0)]
    at_sender = exhibit.vantage == ("client" if up else "server")
    return _Leg(exhibit.target, (part.ts - start) / 1e9, part.payload_len + HEADERS, part.seq, part.kind, at_sender)


def _together(affected: list[_Leg], best: _Leg, named: Named, words: Words) -> _Leg | None:
    """The transfers as one, where they share one limit: their sum keeps to it, and no one of them comes near."""
    if named.rate_kbps is None or len(affected) < 2:
        return None
    name = words.say(N_("{name}, all together"), name=visible(best.name))
    order = np.argsort(np.concatenate([leg.t for leg in affected]), kind="stable")
    parts = {
        what: np.concatenate([getattr(leg, what) for leg in affected])[order] for what in ("t", "size", "seq", "kind")
    }
    every = _Leg(name, **parts, at_sender=best.at_sender)
    alone, all_of_them = (_used(leg, named) for leg in (best, every))
    return every if SHARED_GAIN * alone < all_of_them <= KEPT else None


def _used(leg: _Leg, named: Named) -> float:
    """What came in the window, over what the limit lets through in it."""
    seconds = min(float(leg.t[-1] - leg.t[0]), WINDOW)
    size = leg.size[leg.t - leg.t[0] <= seconds].sum()
    return float(size) / ((named.bucket_bytes or 0) + (named.rate_kbps or 0) * 125 * max(seconds, 1e-3))


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
    limit = words.rate(named.rate_kbps)
    if named.bucket_bytes:
        limit = words.say(N_("{rate} after {size}"), rate=limit, size=words.size(named.bucket_bytes))
    level = plot.Level(named.bucket_bytes or 0, limit, slope)
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
    """Around the first loss: at the receiver what filled a hole shows it, at the sender what was sent again."""
    again = ~np.isin(leg.kind, (Kind.NEW, Kind.FILL))
    late = again | (leg.kind == Kind.FILL)
    first = max(0, int(np.argmax(late)) - BEFORE) if late.any() else 0
    shown = slice(first, first + SEGMENTS)
    lost = ~again & np.isin(leg.seq, leg.seq[again]) if leg.at_sender else np.zeros(len(leg.seq), bool)
    t, again, lost = leg.t[shown] - leg.t[first], again[shown].tolist(), lost[shown].tolist()
    relative = ahead(leg.seq[shown], int(leg.seq[shown].min())).tolist()
    sizes = (leg.size[shown] - HEADERS).tolist()
    marks, expected = [], relative[0]
    for at, seq, size, twice, gone in zip(t.tolist(), relative, sizes, again, lost, strict=True):
        if seq > expected and not leg.at_sender:
            marks.append((at, expected, "missing"))
        marks.append((at, seq, "again" if twice else "missing" if gone else "seg"))
        expected = max(expected, seq + size)
    graph = plot.Graph(
        words.say(
            N_("Sequence graph of one transfer around its first loss: what came, what was lost, what was sent again")
        ),
        [],
        lambda t: words.duration(round(t * 1e9)),
        words.size_of,
        segments=marks,
    )
    return _both(graph, plot.HALF, 260)
