"""Every case of `captures/` that the laboratory made: what must fire fires, near misses stay silent, nobody genuine is accused.

And every rule of the analyzer has a case on which it fires and one on which it must not.
"""

import csv
import json

import pytest

import signatures
from analyzer.result import ACCUSING
from tests.golden import CASES, Case, cases, difference

ALL = cases()
MOST_BYTES = 25_000_000
_ASKED = {"what", "why", "source", "scenario", "vantage", "licence", "fires", "silent"}


def each_case(function):
    return pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)(function)


@each_case
def test_a_case_says_what_it_is(case: Case):
    assert case.about.keys() >= _ASKED
    assert case.about["fires"] or case.about["silent"]
    assert (case.folder / "truth.csv").exists()


@each_case
def test_rules_fire_and_keep_silent_as_the_case_says(case: Case):
    fired = {finding.rule.id for finding in case.result.findings}
    assert set(case.about["fires"]) - fired == set()
    assert set(case.about["silent"]) & fired == set()


@each_case
def test_the_answer_is_the_one_kept(case: Case):
    """A change is looked at with `python -m tests.golden` and kept with `--write`."""
    old = json.loads(case.golden.read_text("utf-8"))
    assert list(difference(old, json.loads(json.dumps(case.answer)))) == []


@each_case
def test_no_genuine_flow_is_accused(case: Case):
    rows = list(csv.DictReader((case.folder / "truth.csv").open()))
    harmed = {_ends(row) for row in rows if row["label"] != "genuine"}
    device = {_ends(row) for row in rows if row["position"] == "device"}
    genuine = {_ends(row) for row in rows} - harmed
    for verdict in case.result.answers:
        for named in verdict.methods if verdict.state in ACCUSING else ():
            accused = {(each.protocol, each.client_port, each.server, each.server_port) for each in named.flows}
            excused = device if named.method.position == "device" else set()
            assert accused & genuine - excused == set(), (verdict.target, named.method)


def _ends(row: dict[str, str]) -> tuple[str, int, str, int]:
    """Without the client's address: a phone's capture app shows another."""
    return row["protocol"], int(row["client_port"]), row["server"], int(row["server_port"])


def test_every_rule_has_a_case_and_a_near_miss():
    rules = {rule.id for module in signatures.load().signatures for rule in module.RULES}
    fires = {rule for case in ALL for rule in case.about["fires"]}
    silent = {rule for case in ALL for rule in case.about["silent"]}
    assert (fires | silent) - rules == set(), "cases speak of rules that do not exist"
    assert rules - fires == set(), "rules that fire in no case"
    assert rules - silent == set(), "rules without a near miss"


def test_the_captures_stay_small():
    assert sum(file.stat().st_size for file in CASES.rglob("*") if file.is_file()) <= MOST_BYTES
