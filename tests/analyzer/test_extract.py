"""Evidence as a capture: only the flows in question, byte for byte, with the argument readable in tshark."""

import subprocess

import pytest
from scapy.utils import RawPcapNgReader, rdpcap

import signatures
from analyzer import api
from analyzer.errors import UsageError
from analyzer.extract import extract
from tests.conversation import Conversation, icmp_error, packets_of, pcap_of

NAME, OTHER, HOST = "web.whatsapp.com", "cdn.example.net", "157.240.0.60"
ELSEWHERE = "198.51.100.200"


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    """Forged resets on one name, fine neighbours, and somebody's unrelated visit."""
    talks = []
    for n in range(3):
        talks.append(Conversation(NAME, HOST, at=20_000 * n, rtt=200).open().hello().reset(after=5, ttl=100).answer())
        talks.append(Conversation(OTHER, HOST, at=20_000 * n + 9_000).works())
    visit = Conversation("clinic.example", ELSEWHERE, at=400_000, dport=8443).works()
    path = tmp_path_factory.mktemp("extract") / "all.pcap"
    path.write_bytes(pcap_of(packets_of(*talks, visit)))
    return path


def evidence_of(capture, path, **how):
    result = api.analyze(capture, signatures.load())
    return result, extract(result, lambda: api.open_capture(capture), path, **how)


def test_only_the_flows_in_question_and_every_byte_of_them(capture, tmp_path):
    _, (written, commented) = evidence_of(capture, tmp_path / "e.pcapng")
    before = [(float(p.time), bytes(p)) for p in rdpcap(str(capture)) if ELSEWHERE not in (p["IP"].src, p["IP"].dst)]
    after = [(float(p.time), bytes(p)) for p in rdpcap(str(tmp_path / "e.pcapng"))]
    assert written == len(after) == len(before)
    assert [data for _, data in after] == [data for _, data in before]
    assert [round(at, 6) for at, _ in after] == [round(at, 6) for at, _ in before]
    assert 0 < commented < written


def test_tshark_reads_the_argument_at_each_witness(capture, tmp_path):
    result, _ = evidence_of(capture, tmp_path / "e.pcapng")
    fields = ["-T", "fields", "-e", "frame.comment", "-e", "tcp.flags.reset"]
    out = subprocess.run(
        ["tshark", "-r", str(tmp_path / "e.pcapng"), *fields], capture_output=True, text=True, check=True
    )
    rows = [line.split("\t") for line in out.stdout.splitlines()]
    forged = [comment for comment, reset in rows if reset in ("1", "True")]
    assert len(forged) == 3
    assert all("rst.server_talks_on [forged]" in comment and "after_ms" in comment for comment in forged)
    witnesses = {w.frame for v in result.answers if v.target == NAME for f in v.findings for w in f.witnesses}
    assert sum(bool(comment) for comment, _ in rows) == len(witnesses)


def test_the_evidence_gives_the_same_verdict(capture, tmp_path):
    result, _ = evidence_of(capture, tmp_path / "e.pcapng", target=NAME)
    again = api.analyze(tmp_path / "e.pcapng", signatures.load())
    one, other = (next(v for v in r.answers if v.target == NAME) for r in (result, again))
    assert (one.state, one.attempts, one.failed) == (other.state, other.attempts, other.failed)
    assert [m.method for m in one.methods] == [m.method for m in other.methods]
    assert [(c.kind, c.attempts, c.fine) for c in one.controls] == [
        (c.kind, c.attempts, c.fine) for c in other.controls
    ]


def test_errors_about_a_flow_belong_to_it(tmp_path):
    talk = Conversation(NAME, HOST, rtt=200).open().hello().reset(after=5, ttl=100).answer()
    quoted = talk.packets[0][1]
    (tmp_path / "c.pcap").write_bytes(pcap_of([*talk.packets, icmp_error("203.0.113.1", quoted, 900.0)]))
    evidence_of(tmp_path / "c.pcap", tmp_path / "e.pcapng")
    assert any(p.haslayer("ICMP") for p in rdpcap(str(tmp_path / "e.pcapng")))


def test_nothing_is_overwritten_and_nothing_invented(capture, tmp_path):
    evidence_of(capture, tmp_path / "e.pcapng")
    before = (tmp_path / "e.pcapng").read_bytes()
    with pytest.raises(UsageError, match="exists"):
        evidence_of(capture, tmp_path / "e.pcapng")
    assert (tmp_path / "e.pcapng").read_bytes() == before
    with pytest.raises(UsageError, match="no verdict"):
        evidence_of(capture, tmp_path / "f.pcapng", target="nobody.example")
    assert not (tmp_path / "f.pcapng").exists()


def test_the_file_is_pcapng_whose_blocks_add_up(capture, tmp_path):
    _, (written, _) = evidence_of(capture, tmp_path / "e.pcapng")
    with RawPcapNgReader(str(tmp_path / "e.pcapng")) as reader:
        assert sum(1 for _ in reader) == written
