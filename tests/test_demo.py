"""The bundled example is what its builder makes, and is answered as it was made."""

import hashlib
import json

import pytest

import analyzer
import signatures
from analyzer import kernels
from analyzer.api import demo_capture
from analyzer.report.machine import document
from captures.demo.build import FORGER, build

EXPECTED = json.loads(demo_capture().with_name("demo.expected.json").read_text("utf-8"))
METHOD = "trigger", "trigger_detail", "action", "position"


def test_the_builder_makes_it_byte_for_byte():
    assert build() == demo_capture().read_bytes()
    assert hashlib.sha256(demo_capture().read_bytes()).hexdigest() == EXPECTED["sha256"]


@pytest.mark.parametrize("form", ["interpreted", "compiled"])
def test_its_verdicts_are_what_was_built_into_it(form: str):
    with kernels.forced(form):
        found = document(analyzer.analyze(None, signatures.load()))["verdicts"]
    told = [{key: verdict[key] for key in ("target", "state", "attempts", "failed", "methods")} for verdict in found]
    for verdict in told:
        verdict["methods"] = [{key: method[key] for key in METHOD} for method in verdict["methods"]]
    assert told == EXPECTED["verdicts"]


def test_the_frames_named_as_forged_are_the_forger_s():
    witnesses = analyzer.analyze(None, signatures.load()).witnesses
    assert set(witnesses.frame[witnesses.role == "forged"]) == set(frames_with(ttl=FORGER["ttl"]))


def frames_with(ttl: int) -> list[int]:
    """Numbers of the frames with this TTL, read with nothing of the analyzer (pcap, raw IP)."""
    data, at, number, frames = demo_capture().read_bytes(), 24, 0, []
    while at < len(data):
        number += 1
        length = int.from_bytes(data[at + 8 : at + 12], "little")
        if data[at + 16 + 8] == ttl:
            frames.append(number)
        at += 16 + length
    return frames
