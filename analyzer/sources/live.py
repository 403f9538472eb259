"""Live capture: a capturing program's pipe is an ordinary pcap stream, so live is one more source and no other engine.

dumpcap first, tcpdump second: measured at 50,000 packets a second on loopback neither lost one, and both report what the
kernel dropped. scapy is the last resort (it lost 15 % at 5,000 a second), and the result says which program captured.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

from analyzer.decode import Frames
from analyzer.errors import CaptureError, MissingToolError
from analyzer.sources import Source, open_source

SNAPLEN = 1 << 18  # whole packets, offloaded super-packets too
_SETTLE = 3.0  # seconds a capturing program gets to write out what it holds after it was told to stop
_DUMPCAP_DROPS = re.compile(rb"dropped on interface[^:]*: \d+/(\d+)")
_TCPDUMP_DROPS = re.compile(rb"(\d+) packets? dropped by kernel")
_FEEDER = "analyzer.sources.scapy_feeder"


class LiveCapture:
    """A running capture. Iterate `blocks()`; call `stop()` from anywhere to end it, then `blocks()` runs dry.

    Parameters
    ----------
    iface : str
        Network interface, `any` included.
    bpf : str, optional
        Capture filter in libpcap's language.

    Raises
    ------
    MissingToolError
        Neither dumpcap nor tcpdump nor scapy is there.
    CaptureError
        The interface cannot be captured on (no such interface, no permission, bad filter).
    """

    def __init__(self, iface: str, bpf: str | None = None):
        self.program, command = capture_command(iface, bpf)
        # Its own session: Ctrl-C in the terminal is for us, and we tell the program when to stop.
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        self._said = bytearray()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        assert self._process.stdout is not None
        try:
            self.source: Source = open_source(self._process.stdout, name=iface)
        except CaptureError:
            self.stop()
            self._listener.join(_SETTLE)
            raise CaptureError(self._complaint(iface)) from None

    def blocks(self) -> Iterator[Frames]:
        """Frames as they come, until the capture ends."""
        yield from self.source.blocks()
        self.stop()
        self._listener.join(_SETTLE)
        self.source.info.kernel_drops = self._drops()
        self.source.info.application = self.program

    def stop(self) -> None:
        """Ask the capturing program to end; what it still holds is delivered first."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            patience = threading.Timer(_SETTLE, self._end)
            patience.daemon = True  # or it would hold up the end of our own program
            patience.start()

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()

    def close(self) -> None:
        """End the program and its pipes."""
        self._end()
        self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said += line

    def _drops(self) -> int | None:
        for pattern in (_DUMPCAP_DROPS, _TCPDUMP_DROPS):
            if found := pattern.search(self._said):
                return int(found[1])
        return None

    def _complaint(self, iface: str) -> str:
        """What the capturing program says went wrong, in one line without its advice."""
        said = self._said.decode(errors="replace")
        if "permission" in said.lower():
            return f"there is no permission to capture on {iface}: try it as root (sudo), or let this user run dumpcap"
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        own = [at for at, line in enumerate(lines) if line.startswith(f"{self.program}: ")]
        why = lines[own[0] : own[0] + 2] if own else lines[-1:] or [f"{self.program} ended without a word"]
        return f"cannot capture on {iface}: {' '.join(why).removeprefix(f'{self.program}: ')}"


def capture_command(iface: str, bpf: str | None) -> tuple[str, list[str]]:
    """(name of the program, its command line): whichever is installed first."""
    if path := shutil.which("dumpcap"):
        return "dumpcap", [path, "-q", "-P", "-i", iface, "-s", str(SNAPLEN), *(["-f", bpf] if bpf else []), "-w", "-"]
    if path := shutil.which("tcpdump"):
        # --immediate-mode: otherwise the kernel hands packets over a second late, and the last ones never
        quick = ["-U", "--immediate-mode", "-n"]
        return "tcpdump", [path, *quick, "-i", iface, "-s", str(SNAPLEN), "-w", "-", *([bpf] if bpf else [])]
    try:
        import scapy  # noqa: F401
    except ImportError:
        raise MissingToolError("nothing to capture with: install dumpcap (part of Wireshark) or tcpdump") from None
    return "scapy", [sys.executable, "-m", _FEEDER, iface, *([bpf] if bpf else [])]


def may_capture() -> bool:
    """Whether this user may capture at all, as far as can be told without trying."""
    if os.geteuid() == 0:
        return True
    dumpcap = shutil.which("dumpcap")
    return dumpcap is not None and os.access(dumpcap, os.X_OK)
