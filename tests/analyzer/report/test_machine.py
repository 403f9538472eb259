"""JSON is a public contract: the schema, the closed lists of words in it, and plain values."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator

from analyzer import result as codes
from analyzer import signature as axes
from analyzer.report import causes, machine, render
from analyzer.result import Network
from analyzer.tables import Tunnel
from tests.analyzer.report import results

SCHEMA = json.loads((files("analyzer") / "data" / "result.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
SAMPLES = ("whole", "empty", "unusable", "domestic_only", "hostile")


@pytest.mark.parametrize("redact", [False, True])
@pytest.mark.parametrize("sample", SAMPLES)
def test_documents_fit_the_schema(sample, redact):
    document = machine.document(getattr(results, sample)(), redact=redact, everything=True)
    VALIDATOR.validate(json.loads(json.dumps(document, allow_nan=False)))
    assert document.get("redacted", False) is redact


def test_the_schema_is_a_schema_and_closed():
    Draft202012Validator.check_schema(SCHEMA)
    document = machine.document(results.whole())
    assert list(VALIDATOR.iter_errors(document | {"extra": 1}))
    document["verdicts"][0]["state"] = "censored"
    assert list(VALIDATOR.iter_errors(document))


def test_the_schema_knows_the_words_of_the_code_and_no_others():
    verdict, method = SCHEMA["$defs"]["verdict"]["properties"], SCHEMA["$defs"]["method"]["properties"]
    assert verdict["state"]["enum"] == list(codes.STATES)
    assert verdict["limits"]["items"]["enum"] == list(codes.LIMITS)
    assert verdict["next"]["enum"] == [*codes.NEXT_STEPS, None]
    assert verdict["ruled_out"]["items"]["properties"]["explanation"]["enum"] == list(codes.EXPLANATIONS)
    assert method["trigger"]["enum"] == list(axes.TRIGGERS)
    assert method["action"]["enum"] == list(axes.ACTIONS)
    assert method["position"]["enum"] == list(axes.POSITIONS)
    assert method["witnesses"]["items"]["properties"]["role"]["enum"] == list(axes.ROLES)
    assert SCHEMA["$defs"]["control"]["properties"]["kind"]["enum"] == list(codes.CONTROL_KINDS)
    network = SCHEMA["properties"]["network"]["properties"]
    assert network["state"]["enum"] == list(codes.NETWORKS)
    assert set(network["why"]["enum"]) == set(causes.WHY)
    tunnels = SCHEMA["properties"]["coverage"]["properties"]["tunnels"]["propertyNames"]["enum"]
    assert tunnels == [kind.name.lower() for kind in Tunnel if kind]


def test_one_capture_is_one_line():
    lines = render([results.whole(), results.unusable()], "json").splitlines()
    assert [json.loads(line)["error"] for line in lines] == [None, "not a capture (at byte 0)"]


def test_an_accusation_lists_its_flows_frames_and_controls():
    document = machine.document(results.whole())
    method = document["verdicts"][0]["methods"][0]
    assert method["flows"][0] == {
        "flow": 2, "stream": 2, "protocol": "tcp", "client": results.CLIENT, "client_port": results.PORT,
        "server": "157.240.0.60", "server_port": 443,
    }  # fmt: skip
    assert {"frame": 15, "role": "forged"} in method["witnesses"]
    assert document["verdicts"][0]["controls"][0] == {
        "kind": "same_address_other_name", "target": "mmg.whatsapp.net", "attempts": 4, "fine": 4,
    }  # fmt: skip
    assert {one["explanation"] for one in document["verdicts"][0]["ruled_out"]} == {
        "server_down", "server_refused", "packet_loss",
    }  # fmt: skip


def test_null_is_null_and_hostile_numbers_stay_json():
    named = results.forged_reset(rate_kbps=float("nan"), bucket_bytes=-1, onset=1 << 70, hops=None)
    document = machine.document(results.result(results.blocked(methods=(named,))))
    method = document["verdicts"][0]["methods"][0]
    assert (method["rate_kbps"], method["bucket_bytes"], method["onset"], method["hops"]) == (None,) * 4
    VALIDATOR.validate(document)


def test_networks_have_their_state_and_reason():
    for state in codes.NETWORKS:
        document = machine.document(replace(results.whole(), network=Network(state, "nothing_answered")))
        assert document["network"] == {"state": state, "why": "nothing_answered"}


@pytest.mark.parametrize("redact", [False, True])
def test_hidden_times_are_null_and_their_distance_stays(redact):
    given = results.whole()
    document = machine.document(given, redact=redact)
    method = document["verdicts"][0]["methods"][0]
    assert (document["capture"]["start"] is None, method["onset"] is None) == (redact, redact)
    assert method["onset_s"] == (given.answers[0].methods[0].onset - given.capture.start) / 1e9
