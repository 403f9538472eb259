"""Server names of real captures against what tshark read of them, a hello without a name included."""

from pathlib import Path

import dpkt
import pytest

from analyzer.wire.client_hello import ClientHello, parse_client_hello
from analyzer.wire.quic import InitialReader
from tests.analyzer.wire.payloads import streams, transport

# TLS that does not begin its TCP stream, or stands in a tunnel: to be found by whoever takes those apart.
NOT_AT_THE_START = {
    "arkime__adb_synthetic", "mercury__geneve", "ndpi__4in6tunnel", "ndpi__haproxy", "ndpi__http_connect",
    "ndpi__tls_heur__trojan-tcp-tls", "ndpi__tls_heur__vmess-tcp", "ndpi__tls_heur__vmess-websocket",
    "wireshark__wireguard-ping-tcp-dsb", "zeek__ldap-starttls", "zeek__psql-aws-ssl-preferred",
    "zeek__psql-aws-ssl-require",
}  # fmt: skip
NO_SALT = {"ndpi__quic-mvfst-22"}  # a draft before 23, spoken by one client in 2019

Seen = set[tuple[str, str, str]]  # source, destination, name


@pytest.fixture(scope="module")
def cases(real_captures) -> list[tuple[Path, Path]]:
    found = []
    for truth in sorted((real_captures / "sni_truth").iterdir()):
        name = truth.name.removesuffix(".txt")
        captures = [folder / name for folder in map(real_captures.joinpath, ("benign", "interference", "torture"))]
        found += [(path, truth) for path in captures if path.exists() and path.stat().st_size < 8 << 20]
    assert len(found) > 100
    return [case for case in found if case[0].name.partition(".")[0] not in NOT_AT_THE_START | NO_SALT]


def expected(truth: Path, protocol: str) -> Seen:
    rows = (line.split("\t") for line in truth.read_text().splitlines())
    return {(row[3], row[4], row[5]) for row in rows if row[0] == protocol}


def seen(source: str, sport: int, target: str, dport: int, hello: ClientHello) -> tuple[str, str, str]:
    return f"{source}:{sport}", f"{target}:{dport}", hello.sni or "-"


def test_names_over_tcp(cases):
    compared = 0
    for path, truth in cases:
        hellos = {flow: parse_client_hello(stream) for flow, stream in streams(path).items()}
        found = {seen(*flow, hello) for flow, hello in hellos.items() if isinstance(hello, ClientHello)}
        wanted = expected(truth, "tls")
        assert found == wanted, path.name
        compared += len(wanted)
    assert compared > 1000


def test_names_over_quic(cases):
    compared = 0
    for path, truth in cases:
        readers: dict[tuple[str, int, str, int], InitialReader] = {}
        for (source, sport, target, dport), datagram in transport(path):
            if isinstance(datagram, dpkt.udp.UDP):
                back = readers.get((target, dport, source, sport))
                reader = back or readers.setdefault((source, sport, target, dport), InitialReader())
                reader.feed(bytes(datagram.data), up=back is None)
        hellos = {flow: reader.hello for flow, reader in readers.items()}
        found = {seen(*flow, hello) for flow, hello in hellos.items() if isinstance(hello, ClientHello)}
        wanted = expected(truth, "quic")
        assert found == wanted, path.name
        compared += len(wanted)
    assert compared > 100
