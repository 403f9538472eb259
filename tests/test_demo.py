"""The bundled example is what its builder makes, and the frames that are called forged are the forger's."""

import hashlib
import json

import analyzer
import signatures
from analyzer.api import demo_capture
from captures.demo.build import FORGER, build


def test_the_builder_makes_it_byte_for_byte():
    expected = json.loads(demo_capture().with_name("demo.expected.json").read_text("utf-8"))
    assert build() == demo_capture().read_bytes()
    assert hashlib.sha256(demo_capture().read_bytes()).hexdigest() == expected["sha256"]


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
