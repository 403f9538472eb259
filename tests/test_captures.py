"""Every case in `captures/` is answered as its `expected.json` says, which was written from what happened in it."""

import json
from pathlib import Path
from typing import Any

import pytest

import analyzer
import signatures
from analyzer import kernels
from analyzer.api import demo_capture
from analyzer.report.machine import document

CASES = Path(__file__).resolve().parents[1] / "captures"


def captures() -> dict[str, tuple[Path, Path]]:
    """Case: its capture and what is expected. The bundled example lies inside the package, to be installed with it."""
    found = {"demo": (demo_capture(), demo_capture().with_name("demo.expected.json"))}
    for expected in sorted(CASES.glob("*/expected.json")):
        found[expected.parent.name] = (next(expected.parent.glob("capture.*")), expected)
    return found


def picked(found: Any, expected: Any) -> Any:
    """Of what was found, what the expectation speaks of: keys of objects, all entries of lists."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return {key: picked(found.get(key), value) for key, value in expected.items()}
    if isinstance(expected, list) and isinstance(found, list):
        speaks = [*expected, *[expected[-1] if expected else None] * (len(found) - len(expected))]
        return [picked(one, like) for one, like in zip(found, speaks, strict=False)]
    return found


@pytest.mark.parametrize("form", ["interpreted", "compiled"])
@pytest.mark.parametrize("case", captures())
def test_a_case_is_answered_as_it_was_made(case: str, form: str):
    capture, path = captures()[case]
    expected = json.loads(path.read_text("utf-8"))
    with kernels.forced(form):
        found = document(analyzer.analyze(capture, signatures.load()))
    assert picked(found, {"verdicts": expected["verdicts"]}) == {"verdicts": expected["verdicts"]}


@pytest.mark.parametrize(
    "folder", [path for path in sorted(CASES.iterdir()) if path.is_dir()], ids=lambda path: path.name
)
def test_a_case_says_how_it_was_made_and_why_it_is_here(folder: Path):
    text = (folder / "README.md").read_text("utf-8")
    for part in ("Made by", "Why it is here", "Licence"):
        assert f"**{part}" in text
    assert f"({folder.name}/README.md)" in (CASES / "README.md").read_text("utf-8")
