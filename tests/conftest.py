"""Fixtures shared by all rooms."""

from pathlib import Path

import pytest

REAL = Path(__file__).resolve().parents[2] / "shared" / "captures"


@pytest.fixture(scope="session")
def real_captures() -> Path:
    """The folder of real third-party captures; they are not part of the project, so tests say it when they skip."""
    if not (REAL / "manifest.csv").exists():
        pytest.skip("the real third-party captures are not beside this checkout (../shared/captures)")
    return REAL
