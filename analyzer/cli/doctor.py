"""`interference doctor`: what is installed, what is missing for what, and whether the analyzer works here."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

import signatures
from analyzer import __version__, api, kernels
from analyzer.cli.exits import UNUSABLE
from analyzer.cli.outlet import console
from analyzer.report import columns, languages
from analyzer.report.escape import visible
from analyzer.report.machine import document
from analyzer.sources.live import may_capture

PACKAGES = (
    "numpy", "numba", "pandas", "pyarrow", "typer", "rich", "jinja2", "cryptography", "scapy", "pyshark", "dask",
)  # fmt: skip
PROGRAMS = {  # program -> what it is wanted for
    "tshark": "full dissection (inspect)",
    "dumpcap": "live capture, unless there is tcpdump",
    "tcpdump": "live capture, unless there is dumpcap",
}

Selftest = Annotated[bool, typer.Option("--selftest", help="Answer the bundled example, and compare.")]


def doctor(selftest: Selftest = False) -> None:
    """What is installed, what is missing, and whether it works here.

    With --selftest, interpreted and compiled kernels answer the bundled example. Exits with 3 where that answer is not as
    it should be.
    """
    columns.show_pairs(_installation(), console())
    if not selftest:
        return
    console().print()
    troubles = {form: _trouble(form) for form in ("interpreted", "compiled")}
    fine = "the example is answered as it should be"
    columns.show_pairs([(f"kernels {form}", [trouble or fine]) for form, trouble in troubles.items()], console())
    if any(troubles.values()):
        raise typer.Exit(UNUSABLE)


def _installation() -> Iterator[tuple[str, list[str]]]:
    loaded = signatures.load()
    rules = sum(len(module.RULES) for module in loaded.signatures)
    yield "interference-analyzer", [__version__]
    yield "rules", [f"{loaded.version}, {rules} rules in {len(loaded.signatures)} signatures"]
    yield "services", [loaded.date]
    yield "languages", [" ".join(languages())]
    yield "Python", [f"{platform.python_version()}, {platform.system()} {platform.release()}"]
    yield "packages", [_package(name) for name in PACKAGES]
    for program, purpose in PROGRAMS.items():
        yield program, [_program(program) or f"not installed; it is wanted for {purpose}"]
    yield "live capture", ["this user may capture" if may_capture() else "needs root, or the right to run dumpcap"]
    yield "compiled kernels", [_kernels()]


def _package(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} is not installed"


def _program(name: str) -> str | None:
    """First line of what it says about itself, and where it is."""
    path = shutil.which(name)
    if path is None:
        return None
    said = subprocess.run([path, "--version"], capture_output=True, check=False, timeout=30)
    lines = (said.stdout or said.stderr).decode(errors="replace").splitlines() or [""]
    return f"{path}: {visible(lines[0])}"


def _kernels() -> str:
    folder = kernels.cache_folder()
    count = sum(1 for _ in folder.rglob("*.nbc"))
    return (
        f"{folder}: {count} of them"
        if count
        else f"{folder}: none yet; the first big capture takes some 20 seconds more"
    )


def _trouble(form: str) -> str | None:
    """What is wrong with the answer to the bundled example when kernels run in this form."""
    expected = json.loads(api.demo_capture().with_name("demo.expected.json").read_text("utf-8"))
    with kernels.forced(form):
        result = api.analyze(None, signatures.load())
    if result.capture.sha256 != expected["sha256"]:
        return "the example is not the one that came with this version: install it again"
    if not _agrees(document(result)["verdicts"], expected["verdicts"]):
        return "the example is NOT answered as it should be: please report it, with the lines above"
    return None


def _agrees(found: Any, expected: Any) -> bool:
    """Whether what was found holds all that was expected; it may hold more keys."""
    if isinstance(expected, dict):
        return all(key in found and _agrees(found[key], value) for key, value in expected.items())
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(_agrees, found, expected))
    return found == expected
