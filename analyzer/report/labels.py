"""Labels and banners that every renderer shares."""

from __future__ import annotations

from analyzer.report.words import N_

LABELS = {
    "trigger": N_("Triggered by"),
    "action": N_("What is done"),
    "seen": N_("What was seen"),
    "position": N_("Where from"),
    "pattern": N_("Known pattern"),
    "since": N_("Since"),
    "proof": N_("Proof"),
    "conversations": N_("Conversations"),
    "filter": N_("In Wireshark"),
    "controls": N_("Compared with"),
    "excluded": N_("Ruled out"),
    "open": N_("Still open"),
    "limits": N_("Limits"),
    "next": N_("Next step"),
    "evidence": N_("Evidence"),
}

SAFE = N_(
    "Safe to forward: the addresses, ports and names of the capturing device, the file's name, exact times and the "
    "names of unconcerned sites are hidden."
)
COMPLETE = N_(
    "Complete: this report holds the addresses, names and times of the person who captured. Forward it with care."
)
