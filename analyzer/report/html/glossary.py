"""The words of the report, explained for somebody who never saw a packet."""

from __future__ import annotations

from analyzer.report.words import N_

STATES = {
    "blocked": N_("It fails, interference was shown, and ordinary causes were ruled out."),
    "likely_blocked": N_("It fails in a way that points to interference, but ordinary causes are not ruled out."),
    "throttled": N_("It works, but is held to a rate that others are not."),
    "likely_throttled": N_("It looks held to a rate, but ordinary causes are not ruled out."),
    "impaired": N_("It fails or is slow, and this file does not show why."),
    "down": N_("The server answered, and its own answer was no."),
    "insufficient": N_("This file does not hold enough to judge: neither good nor bad news."),
    "ok": N_("It was tried here and nothing interfered with it."),
}

TERMS = {
    N_("ClientHello, SNI"): N_(
        "The first message of an encrypted connection. It names the site in clear text: the SNI."
    ),
    N_("Comparison (control)"): N_("Other traffic in the same file that an ordinary fault would have hit as well."),
    N_("Forged"): N_("Sent by a third machine in another's name."),
    N_("Packet number"): N_("The number of a packet in Wireshark."),
    N_("Reset (RST)"): N_("A packet that ends a connection at once."),
    N_("There and back (RTT)"): N_("The time a packet needs to the server, together with that of its answer."),
    N_("TTL"): N_("A counter that falls by one at every router: two values mean two distances."),
    N_("Beside the path, in the path"): N_(
        "Beside the path, a machine sees copies and can add packets. In the path it carries them and can remove them."
    ),
    N_("Rate limit, bucket"): N_(
        "A first lump passes (the bucket), then whatever exceeds a rate is thrown away or waits."
    ),
    N_("Attempt"): N_("One try of an app to reach a server; what it repeats within ten seconds counts once."),
    N_("p"): N_("How often chance alone would divide failures and successes at least this unevenly."),
}
