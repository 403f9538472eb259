"""The network before any service: whether anything works at all, and whether only what is at home does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzer.addresses import Place, place
from analyzer.controls import Fate
from analyzer.result import Coverage, Network
from analyzer.signature import Finding, Knowledge, Seen
from analyzer.tables import Table
from analyzer.verdict.doubts import SEALED

TRIED = 3  # targets that must have been tried and failed before a whole network is called dead or walled
GRACE, SILENCE = 2_000_000_000, 10_000_000_000  # ns after the last answer, and without any, before all is called silent
HOME = 2  # domestic targets that must work before "only domestic ones do" is said
LOCAL_PORTS = (53, 67, 123, 137, 138, 139, 1900, 5353, 5355)  # lookup, clock, neighbourhood: not yet a use of it


def network_finding(
    a: Table, fate: np.ndarray, seen: Seen, known: Knowledge, findings: Sequence[Finding], coverage: Coverage
) -> Network:
    """State of the network, with a code for the reason."""
    if not coverage.packets:
        return Network("normal", "nothing_captured")
    if not len(a):
        return Network("normal", "no_conversations")
    if any(f.rule.id == "http.portal_everywhere" for f in findings):
        return Network("captive_portal", "portal_page_everywhere")
    use = ~np.isin(a.port, LOCAL_PORTS) & (fate != Fate.UNKNOWN)
    sealed = np.isin(a.flow, [flow for finding in findings if finding.rule.id == SEALED for flow in finding.flows])
    if (use & sealed).any() and not (use & ~sealed).any():
        return Network("normal", "only_a_tunnel")
    targets, where = np.unique(a.target[use], return_inverse=True)
    fine = np.bincount(where.reshape(-1), fate[use] == Fate.FINE, minlength=len(targets)) > 0
    if not fine.any():
        answered = bool((a.packets_down[~np.isin(a.port, LOCAL_PORTS)] > 0).any())
        dead = len(targets) >= TRIED and not answered
        return Network("no_connectivity", "nothing_answered") if dead else Network("normal", "nothing_judged")
    if (stopped := _stopped(a)) is not None:
        return Network("no_connectivity", "stopped_answering", {"after_s": round((stopped - seen.start) / 1e9, 1)})
    service = np.full(len(targets), -1, np.int64)
    service[where.reshape(-1)] = a.service[use]
    server = np.full(len(targets), -1, np.int64)
    server[where.reshape(-1)] = a.server[use]
    home = np.array([known.is_domestic(seen.text(s)) for s in service.tolist()], bool)
    public = np.array([_public(seen.text(s)) for s in server.tolist()], bool)
    abroad_failed = ~home & ~fine
    if not (fine & ~home).any() and (fine & home).sum() >= HOME and abroad_failed.sum() >= TRIED:
        values = {"domestic_fine": int((fine & home).sum()), "foreign_failed": int(abroad_failed.sum())}
        return Network("domestic_only", "only_domestic_works", values)
    if any(f.rule.id == "throttle.shared_by_all" for f in findings):
        return Network("all_slow", "everything_slow")
    return Network() if (fine & ~home & public).any() else Network("normal", "nothing_judged")


def _stopped(a: Table) -> int | None:
    """When everything fell silent for the rest of the capture (ns): new attempts at several targets met nothing at all."""
    last = int(a.last_down.max())
    later = (a.start > last + GRACE) & (a.packets_up > 0)
    silent = len(np.unique(a.target[later & ~np.isin(a.port, LOCAL_PORTS)]))
    return last if silent >= TRIED and int(a.end.max()) - last >= SILENCE else None


def _public(address: str | None) -> bool:
    """Whether an address is one of the internet's, and no network's own."""
    return address is not None and place(address) is Place.PUBLIC
