"""Calls that break up: media pass, but a policer takes most of them, or they are lost at random ("gargling").

**How it shows.** RTP packets number themselves. Near the receiver the missing numbers are losses; where a token bucket
took them, packets pass exactly as its tokens come, and none waits. The chat of the same service works, for it asks for
less than the limit.

**What it cannot see.** Only the first packets of a call are kept (8 kB from the server, 4 kB from the client), so a
limit that begins later, and at a server most limits, stay unseen. Media of services that do not speak RTP in the open
(Telegram) count nothing. Whose limit it is: a plan's looks the same. Loss alone is a bad radio's as well as a censor's.

**References.** RFC 3550 §5.1 (sequence numbers), RFC 7983 (RTP beside STUN); RFC 2697 (the token bucket); Flowseal
#6148, 2025 (calls in Russia that are answered and not understood). In open benign captures no media were policed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.limiter.bucket import Bucket
from analyzer.limiter.media import Media, media, policed
from analyzer.limiter.numbers import kbps, word
from analyzer.limiter.units import seed_of
from analyzer.signature import Finding, Finished, Knowledge, Method, Rule, Wants, Witness
from analyzer.tables import Cut, Table, Vantage

METHOD = "call_throttling"

UDP, STUN_ONLY = 17, 100  # packets: a conversation of fewer is no call
NAMED = 8  # frames in a proof

MEDIA_BUCKET = Rule(
    "throttle.media_bucket", "interference", "strong", "volume",
    "A call's packets were dropped whenever a token bucket of one rate was empty, and never waited: a policer.",
    "Says that there is a rate limit, not whose: a plan's limit looks the same.",
    "RFC 3550 §5.1; RFC 2697; Flach et al., SIGCOMM 2016",
    "police", needs_headers=False,
)  # fmt: skip
MEDIA_LOST = Rule(
    "throttle.media_lost", "interference", "supporting", "volume",
    "At least one in ten of a call's packets never came, by no rule that shows.",
    "A bad radio link, on either side of the call, does the same.",
    "RFC 3550 §5.1; ITU-T G.113 (speech breaks up beyond some per cent)",
    "random_loss", needs_headers=False,
)  # fmt: skip
RULES = (MEDIA_BUCKET, MEDIA_LOST)


def _calls(flows: Table) -> np.ndarray:
    near = (flows.vantage == Vantage.CLIENT) | (flows.vantage == Vantage.SERVER)
    calls = (flows.protocol == "stun") | (flows.role == "calls")
    return near & calls & (flows.proto == UDP) & (flows.packets_up + flows.packets_down >= STUN_ONLY)


WANTS = Wants(_calls, packets=False, heads=True)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """Media of single calls, in the direction whose receiver is near."""
    found = []
    for i, flow in enumerate(done.flows.rows()):
        up = flow.vantage == Vantage.SERVER
        packets, size = (flow.packets_up, flow.ip_bytes_up) if up else (flow.packets_down, flow.ip_bytes_down)
        heard = media(done.segments(i, up), size / packets if flow.cut & Cut.SNAPLEN and packets else None)
        if heard is None or not heard.lossy:
            continue
        bucket = policed(heard, seed_of(flow.client, flow.client_port, flow.server, flow.start))
        lost = heard.offered.t[heard.offered.lost]
        measured: dict[str, Any] = {
            "loss_share": round(heard.share, 3), "lost": len(lost), "packets": len(heard.offered),
            "direction": word(up),
        }  # fmt: skip
        rule, action = (MEDIA_LOST, "random_loss") if bucket is None else (MEDIA_BUCKET, "police")
        measured |= _limit(bucket, heard, flow.start) if bucket else {}
        witnesses = tuple(Witness(frame, "missing_after") for frame in heard.frames[:NAMED])
        method = Method(action, position="in_path")
        when = heard.origin + round(float(lost[0]) * 1e9)
        found.append(Finding(rule, f"flow {flow.flow}", (flow.flow,), when, measured, witnesses, method))
    return found


def _limit(bucket: Bucket, heard: Media, start: int) -> dict[str, Any]:
    """A limit's numbers by name and unit; the onset counts from `start`, the flow's first packet (ns)."""
    first = heard.origin - start + float(heard.offered.t[heard.offered.lost][0]) * 1e9
    return {
        "rate_kbps": kbps(bucket.rate), "rate_low_kbps": kbps(bucket.rate_low), "rate_high_kbps": kbps(bucket.rate_high),
        "bucket_bytes": round(bucket.depth), "loss_epochs": bucket.epochs, "slope_spread_share": round(bucket.spread, 4),
        "auc": round(bucket.auc, 3), "onset_s": round(first / 1e9, 3),
        "wait_ms": round(1e3 * float(np.quantile(heard.waits, 0.75)), 1),
    }  # fmt: skip
