"""Two networks: what differs beyond chance, and what only seems to."""

from __future__ import annotations

import signatures
from analyzer.compare import Difference, compare
from analyzer.report import Words
from analyzer.report.ends import comparison
from analyzer.result import Result
from tests.conversation import Conversation, analyze

NAME, OTHER, HOST = "web.whatsapp.com", "web.telegram.org", "157.240.0.60"


def capture(failed: int, fine: int, other: int = 3) -> Result:
    talks = [Conversation(NAME, HOST, at=30_000 * n).open().hello().resend(5) for n in range(failed)]
    talks += [Conversation(NAME, HOST, at=1e6 + 30_000 * n).works() for n in range(fine)]
    talks += [Conversation(OTHER, "149.154.167.99", at=30_000 * n + 15_000).works() for n in range(other)]
    return analyze(*talks, loaded=signatures.load())


def found(affected: Result, control: Result) -> dict[str, Difference]:
    return {difference.target: difference for difference in compare(affected, control)}


def test_what_fails_here_and_works_there_differs():
    rows = found(capture(5, 0), capture(0, 5))
    assert rows[NAME].differs and rows[NAME].worse
    assert rows[NAME].p < 0.01
    assert not rows[OTHER].differs and not rows[OTHER].worse
    assert next(iter(rows)) == NAME


def test_one_failure_against_one_success_is_chance():
    row = found(capture(1, 0), capture(0, 1))[NAME]
    assert not row.differs
    assert row.worse


def test_the_other_way_round_nothing_is_worse():
    row = found(capture(0, 5), capture(5, 0))[NAME]
    assert not row.differs and not row.worse
    assert row.p == 1.0


def test_a_target_of_one_capture_only_is_said_and_not_judged():
    row = found(capture(3, 0, other=3), capture(0, 3, other=0))[OTHER]
    assert row.control is None
    assert (row.p, row.differs, row.worse) == (None, False, False)


def test_unknown_names_that_nothing_happened_to_are_nobodys_business():
    visit = analyze(Conversation("clinic.example", "198.51.100.9").works(), loaded=signatures.load())
    assert compare(visit, visit) == []


def test_words_say_whether_more_attempts_would_tell():
    few = comparison(compare(capture(2, 0), capture(0, 2)), Words(), {})
    assert "too few attempts to tell; try it at least five times in both" in few and "Nothing differs" not in few
    enough = comparison(compare(capture(5, 0), capture(0, 5)), Words(), {})
    assert "too few" not in enough and "chance explains this" in enough
    same = comparison(compare(capture(0, 3), capture(0, 3)), Words(), {}, "a.pcap", "b.pcap")
    assert same.startswith("Here: a.pcap, where it does not work. There: b.pcap, the control.\n")
    assert "Working (3 of 3 worked)" in same and not same.endswith("\n")
    assert "too few" not in same and "Nothing differs" in same
