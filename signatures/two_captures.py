"""Two captures of the same connections, one at each end: what neither end alone can know.

**How it shows.** A packet that one end received and the other never sent was forged on the way; one that was sent and
never arrived was dropped; one that left as one thing and arrived as another was rewritten. `interference pair` matches
them; alone, no capture can say this, and no rule here fires.

**What it cannot see.** Where between the two captures it happened. Ordinary loss drops packets too: only flows of which
most is dropped are called so.

**References.** Paxson, *On Calibrating Measurements of Packet Transit Times*, SIGMETRICS 1998; RFC 5905 §8 on two
clocks; Weaver, Sommer, Paxson, NDSS 2009.
"""

from __future__ import annotations

from analyzer.signature import Rule

METHOD = "two_captures"

FORGED = Rule(
    "pair.forged", "interference", "conclusive", "content",
    "This end received packets that the other end never sent: they were forged in between.",
    "Where in between; a program at the other end that sends below the point of capture.",
    "Both captures, packet by packet",
    needs_headers=False,
)  # fmt: skip
REWRITTEN = Rule(
    "pair.rewritten", "interference", "conclusive", "content",
    "Packets left one end as one thing and arrived as another: something in the path rewrote them.",
    "Where in between.",
    "Both captures, packet by packet",
    needs_headers=False,
)  # fmt: skip
DROPPED = Rule(
    "pair.dropped", "interference", "strong", "silence",
    "Most of what one end sent in this connection never arrived at the other, while other connections got through.",
    "An outage that begins with this connection.",
    "Both captures, packet by packet",
    needs_headers=False,
)  # fmt: skip

RULES = (FORGED, REWRITTEN, DROPPED)
