"""Where a phone's capture app invented the headers, rules that need them are silent: on every case, told again as it would."""

from __future__ import annotations

import re

import pytest

import signatures
from analyzer.result import ACCUSING
from tests import phone
from tests.golden import CASES, Case

RULES = {rule.id: rule for module in signatures.load().signatures for rule in module.RULES}


@pytest.mark.parametrize("case", phone.at_clients(), ids=lambda case: case.name)
def test_only_rules_that_need_no_headers_speak(case: Case, tmp_path):
    result = phone.render(case, tmp_path)
    assert [rule for rule in phone.spoke(result) if not phone.may_speak(RULES[rule])] == []
    for verdict in result.answers:
        headers = [RULES[rule].needs_headers for named in verdict.methods for rule in named.rules if rule in RULES]
        assert verdict.state not in ACCUSING or not all(headers)


def test_the_table_in_the_readme_is_that_of_the_rules():
    text = (CASES / "README.md").read_text("utf-8").partition(phone.BEGIN)[2].partition(phone.END)[0]
    may, silent = set(), set()
    for line in text.splitlines():
        if line.startswith("|") and len(cells := line.split("|")) == 5:
            may |= set(re.findall(r"`([a-z_.]+)`", cells[2]))
            silent |= set(re.findall(r"`([a-z_.]+)`", cells[3]))
    assert may == {rule.id for rule in RULES.values() if phone.may_speak(rule)}, "write it again: python -m tests.phone"
    assert silent == {rule.id for rule in RULES.values() if not phone.may_speak(rule)}
