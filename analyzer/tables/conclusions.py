"""What came of it: evidence, the frames that prove it, and verdicts."""

from __future__ import annotations

import numpy as np

from analyzer.tables.table import Column

EVIDENCE = (
    Column("evidence", "i8", "", "number of the row"),
    Column("rule", "O", "", "stable rule id"),
    Column("leans", "O", "", "towards interference, genuine, neutral or limit"),
    Column("strength", "O", "", "conclusive, strong, supporting or weak"),
    Column("subject", "O", "", "what it is about: flow 3, name web.whatsapp.com, ..."),
    Column("target", "O", "", "target of that subject", None),
    Column("flow", "i8", "", "first flow concerned", -1),
    Column("ts", "i8", "time", "packet time at which its last condition held"),
    Column("measured", "O", "", "measured values with their units in the key"),
)

WITNESSES = (
    Column("evidence", "i8", "", "row of the evidence table"),
    Column("frame", "i8", "", "Wireshark's frame number"),
    Column("role", "O", "", "trigger, forged, contradicts, resent, baseline or missing_after"),
)

VERDICTS = (
    Column("target", "O", "", "server name, service role or address that the verdict is about"),
    Column("service", "O", "", "service id", None),
    Column("role", "O", "", "role of the service", None),
    Column(
        "state", "O", "", "blocked, likely_blocked, throttled, likely_throttled, impaired, down, insufficient or ok"
    ),
    Column("attempts", "i8", "", "attempts on it"),
    Column("failed", "i8", "", "attempts that failed"),
    Column("trigger", "O", "", "what was recognised", None),
    Column("trigger_detail", "O", "", "the name, address or protocol", None),
    Column("action", "O", "", "what was done", None),
    Column("position", "O", "", "from where on the path", None),
    Column("onset", "i8", "time", "first packet of it", -1),
    Column("rules", "O", "", "rule ids, comma-separated", None),
    Column("flows", "i8", "", "flows affected", -1),
    Column("first_frame", "i8", "", "first witness frame", -1),
    Column("rate_kbps", "f8", "kbit/s", "rate of the limiter at the IP level", np.nan),
    Column("bucket_bytes", "i8", "bytes", "depth of its token bucket", -1),
    Column("freeze_bytes", "i8", "bytes", "payload after which flows froze", -1),
    Column("controls", "i8", "", "attempts of the controls"),
    Column("controls_fine", "i8", "", "of those, fine"),
    Column("limits", "O", "", "what keeps it from saying more, comma-separated"),
    Column("next", "O", "", "what to capture next", None),
)
