"""Every notebook runs from top to bottom, shows what it is about, and is kept without outputs."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PROJECT = Path(__file__).resolve().parents[2]
NOTEBOOKS = PROJECT / "notebooks"


def stored(name: str) -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOKS / name, as_version=4)


def executed(name: str) -> nbformat.NotebookNode:
    """The notebook after running it where it stands; an exception in a cell is raised here."""
    notebook = stored(name)
    where = {"metadata": {"path": str(NOTEBOOKS)}}
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources=where)
    return client.execute(env={**os.environ, "PYTHONPATH": str(PROJECT)})


def shown(notebook: nbformat.NotebookNode, kind: str) -> list[str]:
    """What its cells put out of one MIME type; printed text counts as plain."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    printed = [output.text for output in outputs if output.output_type == "stream" and kind == "text/plain"]
    return printed + [output.data[kind] for output in outputs if "data" in output and kind in output.data]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_it_is_kept_without_outputs(path: Path):
    for cell in stored(path.name).cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None


def test_the_first_capture():
    notebook = executed("01_first_capture.ipynb")
    text = "\n".join(shown(notebook, "text/plain"))
    assert "web.whatsapp.com  blocked         5       5     sni    rst  on_path" in text
    assert "same_address_other_name: www.whatsapp.com, 5 of 5 worked" in text
    assert "rst.server_talks_on: " in text
    assert "forged" in text
    assert len(shown(notebook, "text/html")) >= 4  # tables
    assert len(shown(notebook, "image/svg+xml")) == 2  # timeline and ladder
    assert len(shown(notebook, "image/png")) == 1
