"""Captures at the two vantages, by dumpcap: its ring buffer is the kernel's, and the file says how many packets it lost."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from tests.lab.namespace import enter

_RETIRE = (
    0.6  # seconds until the kernel hands over a ring block that is not full; stopping sooner loses the last packets
)


class Recorder:
    """A running capture of one interface of one machine."""

    def __init__(self, machine: str, interface: str, file: Path, snaplen: int = 0):
        command = ["dumpcap", "-q", "-B", "16", "-i", interface, "-w", str(file)] + (
            ["-s", str(snaplen)] if snaplen else []
        )
        self._process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, preexec_fn=lambda: enter(machine), text=True
        )
        for line in self._process.stderr:
            if line.startswith("File:"):
                return
        raise RuntimeError(f"dumpcap does not capture on {interface} of {machine}")

    @staticmethod
    def stop(recorders: list[Recorder]) -> None:
        time.sleep(_RETIRE)
        for recorder in recorders:
            recorder._process.send_signal(signal.SIGINT)
        for recorder in recorders:
            recorder._process.communicate(timeout=20)
