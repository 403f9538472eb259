"""Frames are counted as tshark counts them, on every capture that tshark reads."""

import csv

import pytest

from analyzer.errors import CaptureError
from analyzer.sources import open_source


def _count(path) -> int:
    """Frames and what else Wireshark numbers."""
    with open_source(path) as source:
        for block in source.blocks():
            assert len(block.ts) > 0
    return source.info.frames + source.info.other_records


def test_packet_counts(real_captures):
    with open(real_captures / "tshark_truth.csv", newline="") as file:
        truth = [row for row in csv.DictReader(file) if row["tshark_rc"] == "0"]
    assert len(truth) > 1000
    differing = []
    for row in truth:
        try:
            count = _count(real_captures / row["file"])
        except CaptureError as error:
            count = str(error)
        if count != int(row["packets"]):
            differing.append((row["file"], int(row["packets"]), count))
    assert differing == []


@pytest.mark.parametrize("folder", ["benign", "interference", "torture"])
def test_no_capture_raises_anything_but_capture_errors(real_captures, folder):
    unusable = read = 0
    for path in sorted((real_captures / folder).iterdir()):
        if path.is_dir():
            continue
        try:
            _count(path)
            read += 1
        except CaptureError as error:
            unusable += 1
            assert "\n" not in str(error)
    assert read > 20 * unusable
