"""Refusals that the host did not make: somebody on the path says no in its name, or in his own.

**How it shows.** Hosts in unrelated networks refuse a service's connections in one voice: the same distance, the same
delay, one numbering. Or a refusal is sooner than that host can be reached. Or a router says that hosts are prohibited
or unreachable, of one service and of no other; or says so, and the host answers the same packet after all. Or one SYN
is greeted by two machines, or one machine greets for several networks and then cuts everybody off.

`resets`: what refuses by RST; `errors`: what refuses by ICMP; `greetings`: SYN/ACKs that the host did not make. `scene`
holds what they are compared with.

**What it cannot see.** A host that refuses by itself, at its own distance and in its own time: a closed port. A forger
as far away as the host, that refuses once and drops the rest, looks the same.

**References.** RFC 9293 §3.10.7.1; RFC 1812 §5.2.7.1 and RFC 4443 §3.1 (ICMP); net4people/bbs #106 (TSPU answers SYNs with
RST/ACK), #294 (sinks that take connections); Wang et al., IMC 2017 (forged SYN/ACKs).
"""

from __future__ import annotations

from analyzer.signature import Finding, Finished, Knowledge, Seen, Wants
from signatures.ip_refusal import errors, greetings, resets
from signatures.ip_refusal.scene import Scene

METHOD = "ip_refusal"
RULES = (*resets.RULES, *errors.RULES, *greetings.RULES)
WANTS = Wants(greetings.greeted_twice, packets=True)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """SYN/ACKs to one SYN that two machines made."""
    return greetings.of_two_machines(done)


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Refusals beside each other, and beside what the same hosts and others do."""
    scene = Scene(seen, known)
    return [*resets.refusals(scene), *greetings.greeters(scene), *errors.of_routers(scene)]
