"""Starting up is quick because little is imported: heavy packages wait until somebody needs them."""

import subprocess
import sys

import pytest

HEAVY = "dask", "jinja2", "matplotlib", "numba", "pandas", "pyarrow", "pyshark", "rich", "scapy", "typer"


def imported(*statements: str) -> set[str]:
    """The top-level packages that a fresh interpreter holds after these statements."""
    code = "\n".join((*statements, "import sys", "print(*{name.partition('.')[0] for name in sys.modules})"))
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("package", ["analyzer", "signatures"])
def test_importing_brings_nothing_heavy(package: str):
    names = imported(f"import {package}")
    assert package in names
    assert not names.intersection(HEAVY)


def test_loading_the_signatures_brings_nothing_heavy():
    assert not imported("import signatures", "signatures.load()").intersection(HEAVY)


def test_analysing_a_small_capture_brings_nothing_heavy():
    names = imported("import analyzer, signatures", "analyzer.analyze(None, signatures.load())")
    assert not names.intersection(HEAVY)
