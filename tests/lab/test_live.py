"""One scenario of every family, live: real stacks, a real middlebox, then the analyzer. As root; about a minute."""

import os
from pathlib import Path

import pytest

from tests.lab import check, scoreboard
from tests.lab.accuracy import Judged, captures, judge
from tests.lab.namespace import why_not
from tests.lab.run import play
from tests.lab.scenarios import FAMILIES, SCENARIOS

pytestmark = pytest.mark.lab
_SIDE_BY_SIDE = 8
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
    assert play([SCENARIOS[name] for name in PLAYED], folder, _SIDE_BY_SIDE) == {}
    return folder


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
