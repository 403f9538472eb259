"""Packets per second and peak memory, beside tshark, in one run: `make bench`.

Both read the same file in turn, several times; medians are shown, with the least and the greatest. tshark is asked for
what an analysis starts from: conversation, server name and expert analysis of every packet. Environment:

BENCH_CAPTURES  folder of captures to mix (without: invented traffic)
BENCH_PACKETS   how many packets at least (2,000,000)
BENCH_RUNS      how often (3)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

BUILD = Path(__file__).resolve().parents[2] / "build" / "bench"
FIELDS = "frame.number", "tcp.stream", "udp.stream", "tls.handshake.extensions_server_name", "tcp.analysis.flags"


class Run(NamedTuple):
    seconds: float
    peak: float  # MB


def measured(command: list[str]) -> Run:
    """One run of a program: wall clock, and the most memory it held."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return Run(time.perf_counter() - begin, usage.ru_maxrss / 1000)


def capture(wanted: int, folder: str | None) -> Path:
    """The mix, written the first time that it is asked for."""
    path = BUILD / f"{'real' if folder else 'synthetic'}-{wanted}.pcapng"
    if not path.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        print(f"writing {path.name}", file=sys.stderr)
        python("tests.bench.mix", str(draft), str(wanted), *([folder] if folder else []))
        draft.rename(path)
    return path


def python(module: str, *arguments: str) -> str:
    """What a module prints. In a process of its own: a child is charged with the memory of the one that started it."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def shown(name: str, runs: list[Run], packets: int) -> str:
    seconds = [run.seconds for run in runs]
    spread = f"{median(seconds):8.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
    return f"{name:14} {packets / median(seconds):12,.0f} {median(run.peak for run in runs):9,.0f} MB  {spread}"


def main() -> None:
    wanted, runs = int(os.environ.get("BENCH_PACKETS", 2_000_000)), int(os.environ.get("BENCH_RUNS", 3))
    folder = os.environ.get("BENCH_CAPTURES")
    path = capture(wanted, folder)
    packets = json.loads(python("analyzer", "analyze", "--json", str(path)))["capture"][
        "packets"
    ]  # warms everything up
    print(f"{packets:,} packets, {path.stat().st_size / 1e6:,.0f} MB ({folder or 'invented traffic'})")
    programs = {
        "interference": [sys.executable, "-m", "analyzer", "analyze", "--json", str(path)],
        "tshark": ["tshark", "-n", "-r", str(path), "-T", "fields", *(f"-e{field}" for field in FIELDS)],
    }
    found: dict[str, list[Run]] = {name: [] for name in programs}
    for _ in range(runs):
        for name, command in programs.items():
            found[name].append(measured(command))
    print(f"\n{'':14} {'packets/s':>12} {'peak':>12}  {f'median of {runs}':>10} (least to greatest)")
    for name in programs:
        print(shown(name, found[name], packets))
    print(f"\nstage by stage, within one process:\n{python('tests.bench.stages', str(path))}", end="")


if __name__ == "__main__":
    main()
