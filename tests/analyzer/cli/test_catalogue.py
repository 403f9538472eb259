"""`interference rules` and `interference services`: all of them, and all about one."""

from __future__ import annotations

import pytest

import signatures
from analyzer.cli.catalogue import COUNTED
from analyzer.report.redact import TOOLS
from signatures.knowledge.services import Services
from tests.analyzer.cli.command import call

RULES = [rule for module in signatures.load().signatures for rule in module.RULES]
SERVICES = Services.load().all_services()


def test_every_rule_has_a_line():
    ran = call("rules")
    assert (ran.code, ran.err) == (0, "")
    assert [line.split()[0] for line in ran.out.splitlines()[1:]] == [rule.id for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_all_about_a_rule(rule):
    ran = call("rules", rule.id)
    assert ran.code == 0
    for text in (rule.says, rule.blind, COUNTED.split(rule.source)[0], rule.leans, rule.strength):
        assert text in ran.out
    assert not COUNTED.search(ran.out)  # what was counted is said in words


def test_every_service_has_a_line():
    ran = call("services")
    assert [line.split()[0] for line in ran.out.splitlines()[1:]] == [service.id for service in SERVICES]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.id)
def test_all_about_a_service_but_no_circumvention_tool(service):
    ran = call("services", service.id)
    assert ran.code == 0
    assert service.operator in ran.out
    assert all(" ".join(names) in ran.out for names in service.names.values())
    assert not TOOLS.search(ran.out.lower())


def test_lists_made_for_circumvention_tools_are_named_when_asked_for():
    quiet, open_ = call("services", "telegram"), call("services", "telegram", "--show-circumvention")
    assert "(--show-circumvention)" in quiet.out
    assert TOOLS.search(open_.out.lower())


def test_address_blocks_are_counted_rather_than_listed_unless_all_are_asked_for():
    whatsapp = next(service for service in SERVICES if service.id == "whatsapp")
    short, whole = call("services", "whatsapp").out, call("services", "whatsapp", "--all").out
    assert f"and {len(whatsapp.prefixes) - 8} more (--all)" in short and whatsapp.prefixes[8] not in short
    assert " ".join(whatsapp.prefixes) in whole and "(--all)" not in whole


@pytest.mark.parametrize("command", ["rules", "services"])
def test_what_there_is_not(command):
    ran = call(command, "nonsense")
    assert (ran.code, ran.out) == (2, "")
    assert f"`interference {command}` lists them all" in ran.err
