"""One scenario of every family, live: real stacks, a real middlebox, then the analyzer. As root; about a minute."""

import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lab import check, scoreboard
from tests.lab.accuracy import Judged, captures, judge
from tests.lab.namespace import why_not
from tests.lab.run import run
from tests.lab.scenarios import FAMILIES, SCENARIOS

pytestmark = pytest.mark.lab
_SIDE_BY_SIDE = 8
_LATE = 5_000  # microseconds at the 99th percentile; a box as late as that blurs what it does, and plays once more
PLAYED = (
    "rst-bare", "sni-drop-tail", "address-icmp-13", "dns-lie", "quic-sni-drop", "http-page-iran",
    "throttle-police-512k-50kB", "call-whatsapp-stun", "mixed-name-and-quic", "clients-reset", "server-refuses-name-reset",
    "path-wifi", "app-aborts", "network-portal", "device-firewall-in", "capture-reset-phone",
)  # fmt: skip


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all of them finished. Without root there is nothing to try; as root, whatever is missing is an error."""
    if os.geteuid() != 0:
        pytest.skip("the laboratory needs root, to make network namespaces")
    reason = why_not()
    assert reason is None, reason
    folder = tmp_path_factory.mktemp("lab")
    play(folder, PLAYED, _SIDE_BY_SIDE)
    play(folder, [name for name in PLAYED if was_late(folder / name)], _SIDE_BY_SIDE // 2)
    return folder


def play(folder: Path, names: Iterable[str], side_by_side: int) -> None:
    with ThreadPoolExecutor(side_by_side) as pool:
        problems = {name: pool.submit(run, SCENARIOS[name], folder) for name in names}
    assert {name: problem for name, each in problems.items() if (problem := each.result())} == {}


def was_late(folder: Path) -> bool:
    """Whether the machine was too busy for the box to pass packets on in time."""
    box = json.loads((folder / "scenario.json").read_text())["boxes"]["box"]
    return box["missed"] > 0 or box["late_us"]["p99"] > _LATE


def judged(folder: Path, name: str) -> list[Judged]:
    return [judge(file, vantage) for file, vantage in captures([folder / name])]


def test_every_family_is_played():
    assert {SCENARIOS[name].family for name in PLAYED} == set(FAMILIES)


@pytest.mark.parametrize("name", PLAYED)
def test_the_truth_is_on_the_wire(played: Path, name: str):
    held, broken = check.check(played / name)
    assert broken == []
    assert sum(held.values()) > 10


@pytest.mark.parametrize("name", [name for name in PLAYED if SCENARIOS[name].interferes])
def test_what_was_done_is_found_at_the_client(played: Path, name: str):
    client = next(each for each in judged(played, name) if each.vantage == "client")
    assert client.truth
    found = [scoreboard.outcome(done, client.said) for done in client.truth]
    assert all(word == "found" for word in found), (found, client.said)


@pytest.mark.parametrize("name", PLAYED)
def test_nobody_genuine_is_accused(played: Path, name: str):
    assert {each.vantage: scoreboard.accused(each) for each in judged(played, name) if scoreboard.accused(each)} == {}
