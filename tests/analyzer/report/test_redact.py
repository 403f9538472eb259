"""What is safe to forward: private strings are gone from every field, the same one is the same stand-in everywhere."""

from __future__ import annotations

from dataclasses import replace

from analyzer.report.redact import discreet, forwardable
from analyzer.result import Control
from tests.analyzer.report import results


def test_no_private_string_is_left_in_any_field():
    said = repr(forwardable(results.whole()))
    assert [text for text in results.PRIVATE if text in said] == []


def test_what_the_answer_needs_is_kept():
    verdict = forwardable(results.whole()).answers[0]
    assert verdict.target == "web.whatsapp.com" and verdict.addresses == ("157.240.0.60",)
    assert verdict.methods[0].flows[0].server == "157.240.0.60" and verdict.methods[0].flows[0].stream == 2
    assert verdict.methods[0].witnesses == results.blocked().methods[0].witnesses


def test_the_same_string_gets_the_same_stand_in():
    given = results.whole()
    safe = forwardable(given)
    clients = {flow.client for verdict in safe.answers for named in verdict.methods for flow in named.flows}
    assert clients == {"client A"}
    assert safe.answers[0].findings[0].measured["asked_by"] == "client A"


def test_times_keep_their_distances_and_the_hour_of_the_day():
    given, safe = results.whole(), forwardable(results.whole())
    shift = given.capture.start - safe.capture.start
    assert safe.answers[0].first == given.answers[0].first - shift
    assert safe.answers[0].methods[0].onset == given.answers[0].methods[0].onset - shift
    hour = 3600 * 10**9
    assert 0 <= safe.capture.start < 24 * hour
    assert safe.capture.start // hour == given.capture.start // hour % 24


def test_names_that_no_verdict_needs_become_sites():
    unknown = [results.visited("a.example"), results.visited("b.example"), results.impaired()]
    safe = forwardable(results.result(*unknown))
    assert [verdict.target for verdict in safe.answers] == ["site A", "site B", "api.example.org"]


def test_machines_of_the_home_network_are_hidden_even_in_a_verdict():
    sample = results.result(results.blocked("nas.anna.lan", service=None, role=None, addresses=("192.168.77.9",)))
    said = repr(forwardable(sample))
    assert "anna" not in said and "192.168.77" not in said


def test_client_networks_that_served_as_controls_are_hidden():
    control = Control("other_client_networks", "198.51.100.0/24", 3, 3)
    assert "198.51.100" not in repr(forwardable(results.result(results.blocked(controls=(control,)))))


def test_tools_are_hidden_in_both_forms():
    sample = results.result(results.works("get.wireguard.example", None, None, is_control=True), results.blocked())
    assert "wireguard" in repr(sample) and "wireguard" not in repr(discreet(sample))
    assert discreet(sample).capture == sample.capture
    assert "wireguard" not in repr(forwardable(sample))


def test_an_ordinary_result_is_left_as_it_is():
    sample = replace(results.whole(), flow_table=None)
    assert discreet(sample) == sample


NODE, CACHE = "rr1---sn-n8v7znz7.googlevideo.com", "203.0.113.9"


def test_nodes_that_lead_to_a_provider_or_city_are_named_by_their_network():
    slow = results.throttled(
        target=NODE,
        service="youtube",
        methods=(results.forged_reset(NODE, flows=(results.flow(2, server=CACHE),)),),
        findings=(results.finding(host=f"{NODE}:443", said=f"cut at {NODE}."),),
        addresses=(CACHE,),
    )
    fine = results.works("media.flhe4-1.fna.whatsapp.net", "whatsapp", "media", addresses=("203.0.113.10",))
    near = results.works("instagram.fsvo1-2.fna.fbcdn.net", "instagram", "media")
    control = Control("same_service_other_channel", "scontent-arn2-1.xx.fbcdn.net", 3, 3)
    whole = results.result(slow, fine, near, results.blocked(controls=(control,)))
    safe = forwardable(whole)
    said = repr(safe)
    hidden = ("sn-n8v7znz7", "flhe4", "fsvo1", "arn2", "203.0.113.9", "203.0.113.10")
    assert [text for text in hidden if text in said] == []
    assert safe.answers[0].target == safe.answers[0].methods[0].method.trigger_detail == "*.googlevideo.com"
    assert [verdict.target for verdict in safe.answers[1:3]] == ["*.fna.whatsapp.net", "*.fna.fbcdn.net"]
    assert safe.answers[3].target == "web.whatsapp.com"
    assert NODE in repr(discreet(whole))


def test_a_site_that_merely_worked_meanwhile_is_not_named_for_having_been_a_control():
    visit = results.visited(is_control=True)
    control = Control("same_protocol_other_service", results.PRIVATE_NAME, 3, 3)
    safe = forwardable(results.result(results.blocked(controls=(control,)), visit))
    assert results.PRIVATE_NAME not in repr(safe)
    assert safe.answers[0].controls[0].target == safe.answers[1].target == "site A"
