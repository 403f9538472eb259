"""Where an address can be."""

import numpy as np
import pytest

from analyzer.addresses import Place, network, networks, place


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("157.240.0.60", Place.PUBLIC),
        ("192.1.2.3", Place.PUBLIC),
        ("2a03:2880::1", Place.PUBLIC),
        ("64:ff9b::9df0:3c", Place.PUBLIC),
        ("not an address", Place.PUBLIC),
        ("10.0.0.1", Place.PRIVATE),
        ("172.31.255.255", Place.PRIVATE),
        ("172.32.0.0", Place.PUBLIC),
        ("100.64.0.1", Place.PRIVATE),
        ("169.254.1.1", Place.PRIVATE),
        ("fd00::1", Place.PRIVATE),
        ("0.0.0.0", Place.SINK),
        ("127.0.0.53", Place.SINK),
        ("::", Place.SINK),
        ("198.19.255.255", Place.TOOL),
        ("0.1.2.3", Place.IMPOSSIBLE),
        ("240.0.0.1", Place.IMPOSSIBLE),
        ("224.0.0.1", Place.IMPOSSIBLE),
        ("203.0.113.80", Place.IMPOSSIBLE),
        ("2001::1", Place.IMPOSSIBLE),
        ("2001:db8::1", Place.IMPOSSIBLE),
        ("d0::11", Place.IMPOSSIBLE),
    ],
)
def test_place(address, where):
    assert place(address) is where


def test_network():
    assert network("149.154.167.51") == "149.154"
    assert network("2001:67c:4e8::1") == "2001:67c"


def test_networks_of_interned_addresses():
    text = ["149.154.167.51", "149.154.175.50", "2001:67c:4e8::1"].__getitem__
    assert networks(np.array([0, 1, 0, 2]), text) == {"149.154", "2001:67c"}
    assert networks(np.array([], np.int32), text) == set()
