"""Community ID: the published keys, and what must not be told by one."""

import pytest

import analyzer
import signatures
from analyzer.community_id import community_id, with_community_id
from analyzer.report.redact import forwardable


@pytest.mark.parametrize(
    ("proto", "client", "server", "key"),
    [  # baseline of the specification, seed 0
        (6, ("128.232.110.120", 34855), ("66.35.250.204", 80), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (17, ("192.168.1.52", 54585), ("8.8.8.8", 53), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    ],
)
def test_published_keys_whichever_end_comes_first(proto, client, server, key):
    assert community_id(proto, *client, *server) == key
    assert community_id(proto, *server, *client) == key


def test_every_conversation_of_a_capture_has_its_own():
    result = analyzer.analyze(None, signatures.load())
    keys = with_community_id(result.flow_table).community_id.tolist()
    assert len(set(keys)) == len(keys) > 10 and None not in keys
    assert result.flows.community_id.tolist() == keys


def test_a_hidden_client_cannot_be_found_through_it():
    # 2^32 addresses are tried in minutes: a key made of the true address would give it away
    hidden = forwardable(analyzer.analyze(None, signatures.load()))
    assert set(with_community_id(hidden.flow_table).community_id.tolist()) == {None}
