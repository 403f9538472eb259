"""Captures that are written: what nothing came into does not stay."""

from analyzer.capture_writer import CaptureWriter


def test_a_capture_without_a_packet_does_not_refuse_the_next_try(tmp_path):
    for _ in range(2):
        with CaptureWriter(tmp_path / "kept.pcapng"):
            pass
    assert list(tmp_path.iterdir()) == []
