"""App names from PCAPdroid's trailer and Apple's PKTAP, and the phone's virtual interface."""

import struct
import zlib

import numpy as np
from scapy.layers.inet import IP

import signatures
from analyzer.api import analyze
from analyzer.engine import Analysis
from analyzer.result import CaptureInfo, Result
from analyzer.sources.chain import Chain
from analyzer.tables import Cut
from tests.analyzer.sources import build
from tests.conversation import Conversation, frames_of, packets_of

ETHERNET, PKTAP, RAW_BSD = 1, 258, 12


def with_trailer(packet: bytes, app: bytes) -> bytes:
    frame = bytes(12) + b"\x08\x00" + packet + bytes(-len(packet) % 4)
    frame += struct.pack(">Ii20s", 0x01072021, 10123, app)
    return frame + struct.pack("<I", zlib.crc32(frame))


def with_pktap(packet: bytes, process: bytes) -> bytes:
    return struct.pack("<III24sIIIII17s", 108, 1, RAW_BSD, b"en0", 1, 2, 0, 0, 77, process).ljust(108, b"\0") + packet


def result_of(wrap, link: int, *talks: Conversation) -> Result:
    frames = frames_of([(at, wrap(packet)) for at, packet in packets_of(*talks)])
    analysis = Analysis(signatures.load())
    analysis.feed(frames._replace(link=np.full(len(frames.ts), link, np.int32)))
    return analysis.finish(CaptureInfo("phone"))


def test_the_trailer_names_the_app_and_is_no_payload():
    talk = Conversation("example.org").works()
    result = result_of(lambda p: with_trailer(p, b"Telegram"), ETHERNET, talk)
    flow = result.flow_table.row(0)
    assert (flow.app, flow.service, flow.identified_by, flow.sni) == ("Telegram", "telegram", "app", "example.org")
    assert flow.bytes_up == sum(len(bytes(IP(p)["TCP"].payload)) for _, p in talk.packets if IP(p).src == talk.client)


def test_pktap_names_the_process():
    result = result_of(lambda p: with_pktap(p, b"WhatsApp"), PKTAP, Conversation("web.whatsapp.com").works())
    flow = result.flow_table.row(0)
    assert (flow.app, flow.service, flow.role, flow.identified_by) == ("WhatsApp", "whatsapp", "web", "app")


def in_pcapng(before: bytes, options: bytes, *talks: Conversation) -> bytes:
    """A capture of raw IP packets, each with the same options."""
    data = build.section() + build.interface(link=101) + before
    for at, packet in packets_of(*talks):
        data += build.enhanced(build.Packet(1_700_000_000_000_000 + int(at * 1000), packet), options=options)
    return data


def test_pcapdroid_names_apps_in_pcapng():
    marks = build.user_map(10123, b"org.telegram.messenger", b"Telegram"), build.option(1, b"u-10123")
    result = analyze(in_pcapng(*marks, Conversation("example.org").works()), signatures.load())
    flow = result.flow_table.row(0)
    assert (flow.app, flow.service, flow.identified_by) == ("Telegram", "telegram", "app")


def test_a_rotated_capture_names_apps_file_by_file(tmp_path):
    talks = Conversation("example.org").works(), Conversation("example.org", sport=50_123).works()
    for name, app, talk in zip(("a", "b"), (b"Telegram", b"WhatsApp"), talks, strict=True):
        (tmp_path / name).write_bytes(in_pcapng(build.process(app), build.process_of(0), talk))
    result = analyze(Chain([tmp_path / "a", tmp_path / "b"]), signatures.load())
    assert result.flow_table.app.tolist() == ["Telegram", "WhatsApp"]


def test_an_app_that_probes_anothers_host_is_not_the_other():
    result = result_of(lambda p: with_trailer(p, b"MAX"), ETHERNET, Conversation("web.telegram.org").works())
    assert result.flow_table.row(0).service == "max"


def test_an_unknown_app_changes_nothing():
    result = result_of(lambda p: with_trailer(p, b"Some Game\xff"), ETHERNET, Conversation("web.telegram.org").works())
    flow = result.flow_table.row(0)
    assert (flow.app, flow.service, flow.identified_by) == ("Some Game", "telegram", "name")


def test_frames_without_ethernet_in_an_ethernet_file_are_read():
    """PCAPdroid beyond the snapshot length, and iOS through rvi."""
    result = result_of(lambda p: p, ETHERNET, Conversation("web.telegram.org").works())
    assert result.flow_table.row(0).sni == "web.telegram.org"


def test_on_the_phones_virtual_interface_headers_prove_nothing():
    """The same forged-looking resets accuse somebody on a wire, and nobody where the phone invented them."""

    def talks(client: str) -> list[Conversation]:
        return [
            Conversation("web.whatsapp.com", client=client, at=20_000 * n, rtt=200)
            .open().hello().reset(after=5, ttl=100).answer(after=195)
            for n in range(3)
        ]  # fmt: skip

    wire = result_of(lambda p: p, 101, *talks("10.0.0.2"))
    phone = result_of(lambda p: p, 101, *talks("10.215.173.1"))
    assert {f.rule.id for f in wire.findings} >= {"rst.server_talks_on", "rst.late_genuine_answer"}
    assert [f.rule.id for f in phone.findings if f.rule.needs_headers] == []
    assert phone.coverage.proxied
    assert (phone.flow_table.cut & Cut.PROXIED != 0).all()
    assert "headers_invented" in next(v for v in phone.answers if v.target == "web.whatsapp.com").limits
