"""The service files themselves: each can be read, says where its facts are from, and contradicts no other."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from ipaddress import ip_network

import pytest

from signatures.knowledge.services import DATA, KINDS, NO_ROLE, ROLES, SCOPES, Services

FILES = sorted(DATA.glob("*.toml"))
DATED = re.compile(r"20[12]\d(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")
HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
FACTS = {"names", "addresses", "wire"}
KEYS = {
    "name", "operator", "kind", "date", "domestic_in", "addresses_of", "notes", "unverified", "names", "addresses",
    "ports", "wire", "sources", "checks", "service", "id",
}  # fmt: skip


def read(path):
    return tomllib.loads(path.read_text("utf-8"))


def members(facts):
    return [facts | member for member in facts["service"]] if "service" in facts else [facts]


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def facts(request):
    return read(request.param)


def test_the_expected_services_are_there():
    stems = {path.stem for path in FILES}
    assert len(stems) >= 40
    assert {"whatsapp", "telegram", "signal", "max", "facebook", "instagram", "x", "youtube", "vk", "yandex"} <= stems
    assert {"gosuslugi", "connectivity_checks", "public_resolvers", "stun_public", "push", "time"} <= stems


def test_fields_are_known_and_the_required_ones_given(facts):
    assert not facts.keys() - KEYS
    for member in members(facts):
        assert not member.keys() - KEYS
        assert member["name"] and member["operator"]
        assert member["kind"] in KINDS
        assert set(member.get("names", {})) <= {*ROLES, NO_ROLE}
        assert all(re.fullmatch("[A-Z]{2}", country) for country in member.get("domestic_in", ()))
        for row in (*member.get("ports", ()), *member.get("wire", ())):
            assert row.get("role", "web") in ROLES


def test_every_file_is_dated(facts):
    assert date.fromisoformat(facts["date"]) >= date(2026, 1, 1)


def test_every_kind_of_fact_has_a_source_with_a_date(facts):
    for row in facts.get("sources", ()):
        assert row["where"] and set(row["of"]) <= FACTS
        assert DATED.fullmatch(row.get("date") or row["read"]), row
        assert ("date" in row) != ("read" in row)
        assert row.get("date", facts["date"]) <= facts["date"], "a source from after the day it was read"
    told = {fact for row in facts.get("sources", ()) for fact in row["of"]}
    if facts.get("unverified") and not told:
        return  # a file of which nothing is verified says so
    for member in members(facts):
        has = {fact for fact in ("names", "addresses") if member.get(fact)}
        has |= {"wire"} if any(not row.get("unverified") for row in member.get("ports", ())) else set()
        has |= {"wire"} if member.get("wire") else set()
        assert has <= told | ({"names"} if facts.get("unverified") else set())


def test_names_are_plain_lower_case_host_names(facts):
    for member in members(facts):
        for names in member.get("names", {}).values():
            for name in names.split():
                assert HOST.fullmatch(name) and len(name) <= 253, name


def test_addresses_are_blocks_with_a_known_scope(facts):
    for member in members(facts):
        if "addresses" in member:
            assert member["addresses"]["scope"] in SCOPES
            blocks = [ip_network(prefix) for prefix in member["addresses"]["prefixes"].split()]
            assert blocks
            assert all(block.prefixlen >= (8 if block.version == 4 else 28) for block in blocks)


def test_a_rented_block_needs_ports(facts):
    for member in members(facts):
        if member.get("addresses", {}).get("scope") == "rented":
            assert member["ports"]


def test_a_rule_that_names_a_service_is_measured_or_carries_the_name(facts):
    for row in facts.get("wire", ()):
        assert row["name"] and row["where"] and row["rule"]
        if "proto" in row:
            assert row.get("measured") or row.get("stun_realms") or row.get("own_addresses"), row["name"]


def test_no_host_stands_in_two_files():
    owners: dict[str, set[str]] = {}
    for path in FILES:
        for member in members(read(path)):
            for names in member.get("names", {}).values():
                for name in names.split():
                    owners.setdefault(name, set()).add(member.get("id", path.stem))
    assert {name: who for name, who in owners.items() if len(who) > 1} == {}


def test_shared_addresses_belong_to_an_operator():
    services = {service.id: service for service in Services.load().all_services()}
    for service in services.values():
        if service.addresses_of:
            assert services[service.addresses_of].kind == "operator"
            assert services[service.addresses_of].prefixes


def test_no_circumvention_tool_is_named(facts):
    words = " ".join(str(member.get("name", "")) for member in members(facts)) + str(facts.get("notes", ""))
    assert not re.search(r"\b(vpn|tor|faketls|mtproxy|zapret|psiphon|shadowsocks|v2ray)\b", words, re.IGNORECASE)
