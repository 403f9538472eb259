"""Packets to flows: identity, sequence accounting, retention, vantage, and that no split of the packets matters."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror
from scapy.packet import Raw

import signatures
from analyzer import kernels, limits
from analyzer.decode import Frames
from analyzer.engine import Analysis
from analyzer.flows import arenas
from analyzer.flows.seen import SeenStore
from analyzer.flows.tracker import Tracker
from analyzer.result import CaptureInfo
from analyzer.tables import FLOWS, TABLES, Cut, End, Kind, Stage, Table, Vantage

CLIENT, SERVER = "10.0.0.2", "192.0.2.9"
RAW = 101
MS = 1_000_000


class Wire:
    """Packets of one TCP connection, written as they pass the capture point."""

    def __init__(self, sport=50001, dport=443, isn=1000, peer_isn=5000):
        self.ports, self.isn, self.peer = (sport, dport), isn, peer_isn
        self.packets: list[tuple[int, bytes]] = []

    def add(self, at_ms, packet):
        self.packets.append((int(at_ms * MS), bytes(packet)))
        return self

    def up(self, at, flags="A", seq=0, ack=0, data=b"", **ip):
        tcp = TCP(
            sport=self.ports[0],
            dport=self.ports[1],
            flags=flags,
            seq=(self.isn + seq) % 2**32,
            ack=(self.peer + ack) % 2**32,
        )
        return self.add(at, IP(src=CLIENT, dst=SERVER, **{"ttl": 64, **ip}) / tcp / Raw(data))

    def down(self, at, flags="A", seq=0, ack=0, data=b"", **ip):
        tcp = TCP(
            sport=self.ports[1],
            dport=self.ports[0],
            flags=flags,
            seq=(self.peer + seq) % 2**32,
            ack=(self.isn + ack) % 2**32,
        )
        return self.add(at, IP(src=SERVER, dst=CLIENT, **{"ttl": 52, **ip}) / tcp / Raw(data))

    def handshake(self, at=0.0, rtt=80.0):
        return self.up(at, "S").down(at + rtt, "SA", 0, 1).up(at + rtt + 0.1, "A", 1, 1)


def frames_of(packets) -> Frames:
    data = [packet for _, packet in packets]
    sizes = np.array([len(packet) for packet in data], np.int64)
    n = len(data)
    return Frames(
        data=np.frombuffer(b"".join(data), np.uint8).copy(),
        offset=np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64),
        caplen=sizes,
        origlen=sizes.copy(),
        ts=np.array([at for at, _ in packets], np.int64) + 10**18,
        link=np.full(n, RAW, np.int32),
        iface=np.zeros(n, np.int32),
        number=np.arange(1, n + 1, dtype=np.int64),
    )


def part(frames: Frames, start: int, stop: int) -> Frames:
    return Frames(frames.data, *(column[start:stop].copy() for column in frames[1:]))


def track(*pieces: Frames) -> list:
    """Finished batches of a tracker fed with frames, copied out."""
    tracker, batches = Tracker(), []
    for piece in pieces:
        batches += [copied(done) for done in tracker.feed(piece)]
    return batches + [copied(done) for done in tracker.close()]


def copied(done):
    heads = [(done.stream(i, True), done.stream(i, False)) for i in range(len(done))]
    return done.flows, done.packets, heads, [done.series(i) for i in range(len(done))]


def flow_of(wire: Wire):
    flows, packets, heads, series = track(frames_of(sorted(wire.packets, key=lambda p: p[0])))[0]
    assert len(flows) == 1
    return flows.row(0), packets, heads[0], series[0]


def equal(a: Table, b: Table) -> bool:
    return all((a.columns[name] == b.columns[name]).all() for name in a.columns)


def test_a_whole_conversation():
    wire = Wire().handshake().up(81, "PA", 1, 1, b"ask").down(160, "PA", 1, 4, b"answer").up(161, "A", 4, 7)
    wire.up(170, "PA", 4, 7, b"more").down(250, "PA", 7, 8, b"again").up(260, "FA", 8, 12).down(340, "FA", 12, 9).up(
        341, "A", 9, 13
    )
    flow, packets, (up, down), _ = flow_of(wire)
    assert (flow.client, flow.client_port, flow.server, flow.server_port) == (CLIENT, 50001, SERVER, 443)
    assert (flow.stage, flow.ended_by, flow.vantage) == (Stage.SERVED, End.FIN, Vantage.CLIENT)
    assert (flow.new_up, flow.new_down, flow.unacked_up, flow.unacked_down) == (7, 11, 0, 0)
    assert (flow.syn_rtt, flow.data_rtt) == (80 * MS, 79 * MS)
    assert (up, down) == (b"askmore", b"answeragain")
    assert packets.frame.tolist() == list(range(1, 12))
    assert packets.ttl[~packets.up].tolist() == [52] * 4


@pytest.mark.parametrize(
    ("build", "stage", "end"),
    [
        (lambda w: w.up(0, "S").up(1000, "S").up(3000, "S"), Stage.SYN, End.SILENCE),
        (lambda w: w.up(0, "S").down(80, "RA", 0, 1), Stage.SYN, End.RST_DOWN),
        (lambda w: w.up(0, "S").down(80, "SA", 0, 1).down(1080, "SA", 0, 1), Stage.SYNACK, End.OPEN),
        (lambda w: w.handshake(), Stage.OPEN, End.OPEN),
        (lambda w: w.handshake().up(90, "PA", 1, 1, b"ask").up(390, "PA", 1, 1, b"ask"), Stage.ASKED, End.SILENCE),
        (lambda w: w.handshake().up(90, "PA", 1, 1, b"ask").down(95, "RA", 1, 4), Stage.ASKED, End.RST_DOWN),
        (lambda w: w.handshake().up(90, "PA", 1, 1, b"ask").up(95, "RA", 4, 1), Stage.ASKED, End.RST_UP),
        (lambda w: w.handshake().up(90, "PA", 1, 1, b"ask").down(170, "PA", 1, 4, b"yes"), Stage.ANSWERED, End.OPEN),
    ],
)
def test_how_far_it_came_and_what_ended_it(build, stage, end):
    flow, *_ = flow_of(build(Wire()))
    assert (Stage(flow.stage), End(flow.ended_by)) == (stage, end)


def test_a_capture_at_the_server_knows_it():
    wire = Wire().up(0, "S", ttl=50).down(0.1, "SA", 0, 1, ttl=64).up(80, "A", 1, 1, ttl=50)
    assert flow_of(wire)[0].vantage == Vantage.SERVER


def test_in_the_middle_both_gaps_are_long():
    wire = Wire().up(0, "S", ttl=60).down(30, "SA", 0, 1, ttl=58).up(70, "A", 1, 1, ttl=60)
    assert flow_of(wire)[0].vantage == Vantage.MIDDLE


def test_kinds_of_segments():
    wire = Wire().handshake()
    wire.down(100, "A", 1, 1, b"a" * 10)
    wire.down(101, "A", 21, 1, b"c" * 10)  # opens a hole
    wire.down(102, "A", 11, 1, b"b" * 10)  # fills it at once: reordered
    wire.down(103, "A", 41, 1, b"e" * 10)  # another hole
    wire.down(300, "A", 31, 1, b"d" * 10)  # filled later than any reordering: it was lost
    wire.down(301, "A", 1, 1, b"a" * 10)  # seen before
    wire.down(302, "A", 50, 1, b"x")  # one byte below the next number
    flow, packets, (_, down), _ = flow_of(wire)
    kinds = packets.kind[~packets.up & (packets.payload_len > 0)].tolist()
    assert kinds == [Kind.NEW, Kind.NEW, Kind.FILL, Kind.NEW, Kind.RESENT, Kind.SPURIOUS, Kind.KEEPALIVE]
    assert (flow.lost_down, flow.resent_down, flow.new_down) == (1, 2, 50)
    assert down == b"a" * 10 + b"b" * 10 + b"c" * 10 + b"d" * 10 + b"e" * 10


def test_sequence_numbers_wrap():
    wire = Wire(peer_isn=2**32 - 6).handshake()
    wire.down(100, "A", 1, 1, b"0123456789").down(101, "A", 11, 1, b"abcdefghij").up(102, "A", 1, 21)
    flow, _, (_, down), _ = flow_of(wire)
    assert (flow.new_down, flow.lost_down, flow.unacked_down, down) == (20, 0, 0, b"0123456789abcdefghij")


def test_identical_copies_are_flagged_and_kept():
    wire = Wire().handshake().up(90, "PA", 1, 1, b"ask")
    for at in (95.0, 95.01, 95.02):
        wire.down(at, "RA", 1, 4, id=7, ttl=99)
    flow, packets, *_ = flow_of(wire)
    assert flow.rsts_down == 3
    assert packets.dup_of[packets.tcp_flags == 0x14].tolist() == [-1, 5, 6]


def test_acks_of_bytes_that_are_not_there_are_a_gap():
    flow, *_ = flow_of(Wire().handshake().up(90, "A", 1, 500))
    assert flow.cut & Cut.GAP


def test_the_same_ports_with_another_initial_number_are_a_new_connection():
    first, second = Wire(isn=1000).handshake(), Wire(isn=90000).handshake(at=500)
    flows = Table.concat(FLOWS, [batch[0] for batch in track(frames_of(first.packets + second.packets))])
    assert (flows.flow.tolist(), flows.stream.tolist(), flows.syns.tolist()) == ([0, 1], [0, 1], [1, 1])


def test_a_repeated_syn_is_the_same_connection():
    wire = Wire().up(0, "S").up(1000, "S").handshake(at=3000)
    assert flow_of(wire)[0].syns == 3
    assert flow_of(wire)[0].syn_rtt == -1  # which SYN was answered cannot be told


def test_an_icmp_error_joins_the_flow_that_it_quotes_and_opens_none():
    wire = Wire().up(0, "S")
    quoted = bytes(IP(src=CLIENT, dst=SERVER) / TCP(sport=50001, dport=443, seq=1000))[:28]
    strange = bytes(IP(src=CLIENT, dst=SERVER) / TCP(sport=4, dport=443))[:28]
    wire.add(20, IP(src="198.51.100.1", dst=CLIENT, ttl=250) / ICMP(type=3, code=13) / IPerror(quoted))
    wire.add(21, IP(src="198.51.100.1", dst=CLIENT) / ICMP(type=3, code=13) / IPerror(strange))
    flow, packets, *_ = flow_of(wire)
    assert (flow.ended_by, packets.icmp.tolist(), packets.up.tolist()) == (End.ICMP, [-1, 781], [True, False])
    assert packets.seq.tolist() == [1000, 1000]


@pytest.mark.parametrize("everybody", ["239.255.255.250", "255.255.255.255", "192.168.1.255", "204.57.7.255"])
def test_datagrams_to_many_are_no_failed_attempt(everybody):
    packets = [(i * MS, bytes(IP(src=CLIENT, dst=everybody) / UDP(sport=5000, dport=137) / b"hi")) for i in range(3)]
    flow = track(frames_of(packets))[0][0].row(0)
    assert (flow.stage, flow.ended_by) == (Stage.NONE, End.OPEN)


def test_a_host_whose_address_looks_like_a_broadcast_answers_all_the_same():
    host = "204.57.7.255"
    packets = [(0, bytes(IP(src=CLIENT, dst=host) / UDP(sport=5000, dport=137) / b"hi"))]
    packets += [(MS, bytes(IP(src=host, dst=CLIENT) / UDP(sport=137, dport=5000) / b"ho"))]
    assert track(frames_of(packets))[0][0].row(0).stage != Stage.NONE


def test_begun_midway_the_lower_port_is_the_server():
    flow, *_ = flow_of(Wire(sport=443, dport=50001).up(0, "PA", 1, 1, b"x").down(1, "A", 1, 2))
    assert (flow.client_port, flow.server_port) == (50001, 443)
    assert flow.cut & Cut.MIDWAY


def bulk(packets: int, size: int = 100) -> Wire:
    wire = Wire().handshake()
    for k in range(packets):
        wire.down(100 + k, "A", 1 + k * size, 1, bytes([k % 256]) * size)
    return wire


def test_what_is_kept_of_a_long_flow():
    wire = bulk(500).down(700, "FA", 50001, 1).up(701, "RA", 1, 50001)
    flow, packets, (_, down), series = flow_of(wire)
    kept = packets.frame.tolist()
    assert kept[: limits.FIRST_ROWS] == list(range(1, limits.FIRST_ROWS + 1))
    assert kept[-2:] == [504, 505]  # FIN and RST
    assert set(range(504 - limits.LAST_ROWS, 504)) <= set(kept)
    assert flow.cut & Cut.ROWS
    assert len(series) == 505  # every packet
    assert (np.diff(series.ts) >= 0).all()
    assert series.payload_len.sum() == 50000
    assert len(down) == limits.HEAD_DOWN_BYTES


def test_a_series_ends_where_its_clock_does():
    later = 13 * 3600 * 1000
    wire = bulk(100).down(later, "A", 10001, 1, b"a" * 100).down(later + 1, "A", 10101, 1, b"b" * 100)
    flow, _, _, series = flow_of(wire)
    assert flow.cut & Cut.SERIES
    assert series.payload_len.sum() == 10000
    assert (np.diff(series.ts) < 10**9).all()


def test_the_head_keeps_both_copies_of_a_conflicting_segment():
    wire = Wire().handshake().up(90, "PA", 1, 1, b"one").up(91, "PA", 1, 1, b"two").up(92, "PA", 4, 1, b"!")
    frames = frames_of(wire.packets)
    tracker = Tracker()
    assert not list(tracker.feed(frames))
    done = next(tracker.close())
    assert [segment.data for segment in done.segments(0, True)] == [b"one", b"two", b"!"]
    assert done.stream(0, True) == b"one!"


def test_assembly_stops_at_a_gap():
    wire = Wire().handshake().up(90, "PA", 1, 1, b"abc").up(91, "PA", 7, 1, b"xyz").up(92, "PA", 3, 1, b"cde")
    tracker = Tracker()
    assert not list(tracker.feed(frames_of(wire.packets)))
    assert next(tracker.close()).stream(0, True) == b"abcde"


def mixed_packets(seed: int, flows: int = 12, length: int = 60):
    """A jumble of connections with losses, copies and resets."""
    rng = np.random.default_rng(seed)
    packets = []
    for f in range(flows):
        wire = Wire(sport=40000 + f, isn=int(rng.integers(2**32)), peer_isn=int(rng.integers(2**32))).handshake(
            at=float(rng.integers(50))
        )
        at = 200.0
        for k in range(int(rng.integers(length))):
            at += float(rng.exponential(5))
            if rng.random() < 0.9:
                wire.down(at, "A", 1 + int(rng.integers(max(1, k), k + 2)) * 50, 1, bytes(50))
            if rng.random() < 0.2:
                wire.up(at + 0.5, "PA", 1 + k, 1 + k * 50, b"u")
            if rng.random() < 0.03:
                wire.down(at + 0.6, "R", 1 + k * 50, 0, ttl=int(rng.integers(30, 200)))
        packets += wire.packets
    return sorted(packets, key=lambda p: p[0])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**16), st.lists(st.integers(1, 400), max_size=6))
def test_no_split_of_the_packets_matters(seed, cuts):
    frames = frames_of(mixed_packets(seed))
    n = len(frames.offset)
    bounds = [0, *sorted(min(cut, n) for cut in cuts), n]
    whole = track(frames)
    split = track(*(part(frames, a, b) for a, b in pairwise(bounds)))
    for (flows, packets, heads, series), (flows2, packets2, heads2, series2) in zip(whole, split, strict=True):
        assert equal(flows, flows2)
        assert equal(packets, packets2)
        assert heads == heads2
        assert all(map(equal, series, series2))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**16))
def test_interpreted_and_compiled_kernels_agree(seed):
    frames = frames_of(mixed_packets(seed))
    answers = []
    for form in ("interpreted", "compiled"):
        with kernels.forced(form):
            answers.append(track(frames))
    for (flows, packets, heads, _), (flows2, packets2, heads2, _) in zip(*answers, strict=True):
        assert equal(flows, flows2)
        assert equal(packets, packets2)
        assert heads == heads2


def test_snapshots_show_open_flows_and_change_nothing():
    frames = frames_of(mixed_packets(3))
    half = len(frames.offset) // 2
    tracker = Tracker()
    assert not list(tracker.feed(part(frames, 0, half)))
    early = [copied(done) for done in tracker.snapshot()]
    assert early
    assert not early[0][0].final.any()
    assert not list(tracker.feed(part(frames, half, len(frames.offset))))
    late = [copied(done) for done in tracker.close()]
    assert equal(late[0][0], track(frames)[0][0])


@pytest.fixture
def few_slots(monkeypatch):
    monkeypatch.setitem(arenas._CAPS, "slots", 1 << 10)


def test_out_of_room_the_oldest_flows_end_early_and_go_on_as_another_part(few_slots):
    many = 1500
    packets = [
        (i * MS, bytes(IP(src=CLIENT, dst=SERVER) / UDP(sport=10000 + i, dport=443) / b"hi")) for i in range(many)
    ]
    packets.append((many * MS, bytes(IP(src=SERVER, dst=CLIENT) / UDP(sport=443, dport=10000) / b"back")))
    tracker, seen = Tracker(), SeenStore()
    batches = []
    for done in tracker.feed(frames_of(packets)):
        batches.append(done.flows)
    for done in tracker.close():
        batches.append(done.flows)
    flows = Table.concat(FLOWS, batches).sort("flow", "part")
    assert tracker.evicted > 0
    assert tracker.limits_reached == {"slots"}
    assert len(set(flows.flow.tolist())) == many
    again = flows[flows.flow == 0]
    assert again.part.tolist() == [0, 1]
    assert again.packets_down.tolist() == [0, 1]
    assert again.cut[0] & Cut.PART
    assert seen.limits_reached == set()


def test_out_of_room_conversations_that_are_over_leave_first_and_no_limit_is_told(few_slots):
    packets = []
    for i in range(1500):
        for ms, up, flags in ((0, True, "S"), (10, False, "SA"), (20, True, "FA"), (30, False, "FA"), (40, True, "A")):
            ends = (CLIENT, SERVER, 10000 + i, 443) if up else (SERVER, CLIENT, 443, 10000 + i)
            tcp = TCP(sport=ends[2], dport=ends[3], flags=flags, seq=ms, ack=ms)
            packets.append(((200 * i + ms) * MS, bytes(IP(src=ends[0], dst=ends[1]) / tcp)))
    late = bytes(IP(src=SERVER, dst=CLIENT) / TCP(sport=443, dport=10000, flags="R"))
    packets.append((300_000 * MS, late))
    tracker = Tracker()
    batches = [done.flows for done in tracker.feed(frames_of(packets))]
    assert batches
    batches += [done.flows for done in tracker.close()]
    flows = Table.concat(FLOWS, batches).sort("flow", "part")
    assert tracker.evicted == 0
    assert tracker.limits_reached == set()
    assert not (flows.cut & Cut.PART).any()
    assert len(set(flows.flow.tolist())) == 1500
    assert flows[flows.flow == 0].part.tolist() == [0, 1]  # and the reset that comes later is the same flow's


def test_beyond_the_limit_no_flow_is_remembered_and_that_is_said(monkeypatch):
    packets = [(i * MS, bytes(IP(src=CLIENT, dst=SERVER) / UDP(sport=10000 + i, dport=443) / b"hi")) for i in range(20)]
    monkeypatch.setattr("analyzer.limits.MAX_FLOWS_KEPT", 12)
    monkeypatch.setattr("analyzer.limits.FINISHED_BATCH", 5)
    analysis = Analysis(signatures.load())
    analysis.feed(frames_of(packets))
    result = analysis.finish(CaptureInfo("scan"))
    assert len(result.flow_table) == 10
    assert result.coverage.flows == 20
    assert result.coverage.limits_reached == ["flows"]


def test_a_frame_from_the_far_future_moves_no_clock():
    wire = Wire().handshake()
    wire.packets.insert(1, (10**17, bytes(IP() / UDP())))
    tracker = Tracker()
    assert not list(tracker.feed(frames_of(wire.packets)))
    assert tracker.clock < 10**18 + 10**12


def test_every_table_declares_its_columns_once():
    for schema in TABLES.values():
        names = [column.name for column in schema]
        assert len(names) == len(set(names))
        assert all(column.meaning for column in schema)
