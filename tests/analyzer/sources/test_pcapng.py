import pytest

import signatures
from analyzer.api import analyze
from analyzer.errors import CaptureError
from analyzer.sources import open_source, pcapng
from tests.analyzer.sources import build
from tests.analyzer.sources.build import BIG, LITTLE, PACKETS, Packet
from tests.analyzer.sources.reading import read

ORDERS = pytest.mark.parametrize("order", [LITTLE, BIG])


@ORDERS
def test_enhanced_packets(order):
    frames, info = read(build.pcapng(order=order))
    assert [(frame.ts, frame.data) for frame in frames] == [(p.ts * 1000, p.data) for p in PACKETS]
    assert [frame.origlen for frame in frames] == [5, 1500, 0, 256]
    assert info.format == "pcapng" and info.cut_why is None


@ORDERS
def test_obsolete_packets(order):
    data = build.section(order) + build.interface(order) + b"".join(build.obsolete(p, order) for p in PACKETS)
    assert read(data)[0] == read(build.pcapng())[0]


@ORDERS
def test_simple_packets_have_no_time_and_are_cut_by_the_first_interface(order):
    data = build.section(order) + build.interface(order, snaplen=8)
    data += build.simple(b"12345678", 100, order) + build.simple(b"abc", 3, order)
    frames, _ = read(data)
    assert [(f.ts, f.data, f.origlen) for f in frames] == [(0, b"12345678", 100), (0, b"abc", 3)]


@ORDERS
@pytest.mark.parametrize(
    ("resolution", "offset", "units", "expected"),
    [
        (0, 0, 1_700_000_000, 1_700_000_000 * 10**9),
        (3, 0, 1_700_000_000_123, 1_700_000_000_123 * 10**6),
        (6, 0, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (9, 0, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
        (12, 1_700_000_000, 123_456_789_999, 1_700_000_000_123_456_789),
        (0x80, 0, 1_700_000_000, 1_700_000_000 * 10**9),
        (0x80 | 10, 0, (1_700_000_000 << 10) + 512, 1_700_000_000_500_000_000),
        (0x80 | 32, 1_600_000_000, (100_000_000 << 32) + (1 << 31) + 1, 1_700_000_000_500_000_000),
        (0x80 | 50, 1_700_000_000, (3 << 50) + (1 << 48), 1_700_000_003_250_000_000),
        (6, -10, 5_000_000, 0),
        (6, 2**62, 5_000_000, 4_600_000_005 * 10**9),
        (0, 0, 2**40, 1 << 62),
        (6, 0, 2**64 - 1, 1 << 62),
        (0x80 | 1, 0, 2**61, 1 << 62),
    ],
)
def test_units_of_time(order, resolution, offset, units, expected):
    data = build.section(order) + build.interface(order, options=build.clock(resolution, offset, order))
    frames, _ = read(data + build.enhanced(Packet(units, b"x"), order))
    assert frames[0].ts == expected


@pytest.mark.parametrize("resolution", [20, 0x80 | 64])
def test_a_unit_of_time_too_small_to_count_in(resolution):
    with pytest.raises(CaptureError, match="unit of time"):
        read(build.section() + build.interface(options=build.clock(resolution)) + build.enhanced(PACKETS[0]))


def test_sections_have_their_own_byte_order_and_interfaces():
    first = build.section(BIG) + build.interface(BIG, link=113) + build.interface(BIG, link=101)
    second = build.section(LITTLE) + build.interface(LITTLE, options=build.clock(9))
    data = first + build.enhanced(Packet(1, b"a", interface=1), BIG) + build.enhanced(Packet(2, b"b"), BIG)
    frames, info = read(data + second + build.enhanced(Packet(3, b"c")))
    assert [(f.ts, f.link, f.iface, f.number) for f in frames] == [(1000, 101, 1, 1), (2000, 113, 0, 2), (3, 1, 2, 3)]
    assert [interface.link for interface in info.interfaces] == [113, 101, 1]


@ORDERS
def test_what_the_file_says_of_itself(order):
    said = [(2, b"ARMv8"), (3, b"Android 14"), (4, b"PCAPdroid"), (1, "caf\xe9 wifi".encode()), (1, b"\xff\0")]
    options = b"".join(build.option(code, value, order) for code, value in said)
    about = [(2, b"rmnet0"), (3, b"mobile"), (11, b"\0tcp port 443")]
    interface = b"".join(build.option(code, value, order) for code, value in about)
    _, info = read(build.section(order, options) + build.interface(order, 12, 96, interface))
    assert (info.hardware, info.os, info.application) == ("ARMv8", "Android 14", "PCAPdroid")
    assert info.comments == ["caf\xe9 wifi", "\ufffd"]
    found = info.interfaces[0]
    assert (found.name, found.description, found.filter) == ("rmnet0", "mobile", "tcp port 443")
    assert (found.link, found.snaplen) == (12, 96)


@ORDERS
def test_drops_are_the_last_word_of_each_interface(order):
    data = build.section(order) + build.interface(order) * 2
    assert read(data)[1].kernel_drops is None
    data += build.statistics(0, order, received=10, dropped=2) + build.statistics(1, order, dropped=0, dropped_by_os=5)
    assert read(data)[1].kernel_drops == 7
    assert read(data + build.statistics(0, order, dropped=4))[1].kernel_drops == 9
    assert read(data + build.statistics(9, order, dropped=4))[1].kernel_drops == 7


@ORDERS
def test_blocks_without_packets_are_passed_over(order):
    names, secrets, unknown = (build.block(kind, b"\x01" * 20, order) for kind in (4, 10, 0x80000001))
    packets = [build.enhanced(p, order, build.option(1, b"a comment", order)) for p in PACKETS]
    data = build.section(order) + names + build.interface(order) + unknown + secrets.join(packets) + names
    assert read(data)[0] == read(build.pcapng())[0]


@pytest.mark.parametrize("kind", [9, 0xBAD, 0x40000BAD, 0x204])
def test_blocks_that_wireshark_numbers_take_a_number(kind):
    data = build.section() + build.interface() + build.enhanced(PACKETS[0])
    frames, _ = read(data + build.block(kind, bytes(64)) + build.enhanced(PACKETS[1]))
    assert [frame.number for frame in frames] == [1, 3]


def named(data: bytes) -> list[str | None]:
    """The app that the file names for each frame."""
    with open_source(data) as source:
        places = [place for block in source.blocks() for place in block.app.tolist() or [-1] * len(block.ts)]
        return [source.info.apps[place] if place >= 0 else None for place in places]


@ORDERS
def test_pcapdroid_marks_packets_with_user_ids(order):
    comments = [b"u-10123", b"u-10123 ", b"u-", b"u-77", b"hello", b"u-10124", b"u-99999999999999"]
    options = [build.option(1, comment, order) + build.option(0, b"", order) for comment in comments]
    maps = build.user_map(10123, b"com.whatsapp", b"WhatsApp", order) + build.user_map(10124, b"org.app", b"", order)
    head = build.section(order) + build.interface(order) + build.enhanced(PACKETS[0], order, options[0])
    data = head + maps + b"".join(build.enhanced(PACKETS[1], order, each) for each in options)
    assert named(data) == [None, "WhatsApp", None, None, None, None, "org.app", None]
    assert [frame.number for frame in read(data)[0]] == [1, *range(4, 11)]  # Wireshark numbers custom blocks


def test_in_root_mode_the_direction_stands_before_the_mark():
    options = build.option(2, b"\2\0\0\0") + build.option(1, b"u-5")
    data = build.section() + build.interface() + build.user_map(5, b"", b"Signal")
    assert named(data + build.enhanced(PACKETS[3], options=options)) == ["Signal"]


def test_custom_blocks_of_others_name_nobody():
    data = build.section() + build.interface() + build.user_map(5, b"", b"Signal", number=4711)
    assert named(data + build.enhanced(PACKETS[0], options=build.option(1, b"u-5"))) == [None]


@ORDERS
def test_apple_refers_to_processes_by_their_place_in_the_section(order):
    head = build.section(order) + build.interface(order)
    first = head + build.process(b"Telegram", order) + build.process(b"networkd", order)
    second = head + build.process(b"WhatsApp", order)
    of = build.process_of
    data = first + build.enhanced(PACKETS[0], order, of(0, order)) + build.enhanced(PACKETS[1], order, of(5, order))
    on_behalf = of(1, order) + of(0, order, effective=True)
    data += build.enhanced(PACKETS[3], order, on_behalf) + build.obsolete(PACKETS[1], order)
    assert named(data + second + build.enhanced(PACKETS[0], order, of(0, order))) == [
        "Telegram", None, "Telegram", None, "WhatsApp",
    ]  # fmt: skip
    assert [frame.number for frame in read(data)[0]] == [1, 2, 3, 4]


def test_names_of_apps_are_bounded(monkeypatch):
    monkeypatch.setattr(pcapng, "_MAX_APPS", 3)
    data = build.section() + build.interface() + build.process(b"x") * 10
    with open_source(data + build.enhanced(PACKETS[0], options=build.process_of(9))) as source:
        assert [block.app.tolist() for block in source.blocks()] == [[-1]]
        assert source.info.apps == ["x"] * 3


def test_the_result_counts_as_wireshark_does_and_knows_what_was_lost():
    data = build.pcapng() + build.block(9, bytes(64)) + build.statistics(0, dropped=5)
    result = analyze(data, signatures.load())
    assert (result.capture.packets, result.coverage.packets, result.coverage.kernel_drops) == (5, 4, 5)


def test_a_block_larger_than_the_window_is_passed_over():
    head = build.section() + build.interface() + build.enhanced(PACKETS[0])
    huge = build.block(10, bytes(17 << 20))
    frames, info = read(head + huge + build.enhanced(PACKETS[1]))
    assert [frame.data for frame in frames] == [b"first", b"the second one"] and info.cut_why is None
    for cut in (head + huge[: 16 << 20], head + huge[:-2]):
        frames, info = read(cut)
        assert len(frames) == 1 and info.cut_at_byte == len(head) and "middle of a record" in info.cut_why


def test_lengths_that_are_no_multiple_of_four_are_rounded_up():
    packet = bytearray(build.enhanced(Packet(1, b"12345")))
    packet[4] = packet[-4] = len(packet) - 3
    frames, info = read(build.section() + build.interface() + bytes(packet) + build.enhanced(PACKETS[1]))
    assert [frame.data for frame in frames] == [b"12345", b"the second one"] and info.cut_why is None


def _changed(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + value.to_bytes(4, "little") + data[at + 4 :]


PACKET = build.enhanced(Packet(1, b"data"))


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (_changed(PACKET, 4, 8), "a block of 8 bytes"),
        (_changed(PACKET, 4, 0xFFFFFFF0), "a block of 4294967280 bytes"),
        (_changed(PACKET, len(PACKET) - 4, 40), "says at its end that it has 40"),
        (_changed(PACKET, 8, 1), "interface 1"),
        (_changed(PACKET, 20, 5), "a packet of 5 bytes in a block of 36"),
        (_changed(build.simple(b"data", 4), 8, 100), "a packet of 100 bytes"),
        (build.section(version=(2, 0)), r"version 2\.0"),
        (_changed(build.section(), 8, 0), "byte-order magic is 00 00 00 00"),
        (_changed(build.interface(), 4, 16), "a block of 16 bytes"),
        (build.block(0xBAD, b"")[:4] + bytes(12), "a block of 0 bytes"),
    ],
)
def test_damage_is_an_error_before_the_first_packet_and_a_cut_after_it(damage, why):
    head = build.section() + build.interface()
    with pytest.raises(CaptureError, match=why) as raised:
        read(head + damage + PACKET)
    assert raised.value.at_byte == len(head)
    frames, info = read(head + PACKET + damage + PACKET)
    assert len(frames) == 1 and info.cut_at_byte == len(head + PACKET)
    with pytest.raises(CaptureError, match=why):  # the same words
        raise CaptureError(info.cut_why)


def test_a_packet_before_any_interface_is_damage():
    for packet in (PACKET, build.simple(b"data", 4)):
        with pytest.raises(CaptureError, match="interface 0, which is not described"):
            read(build.section() + packet)


def test_a_damaged_first_header_is_an_error():
    for damage in (_changed(build.section(), 8, 1), _changed(build.section(), 4, 20), build.section(version=(3, 0))):
        with pytest.raises(CaptureError, match="at byte 0"):
            read(damage)


def test_options_that_make_no_sense_end_quietly():
    broken = build.option(2, b"eth0") + b"\x03\x00\xff\xff"
    _, info = read(build.section() + build.interface(options=broken))
    assert info.interfaces[0].name == "eth0" and info.cut_why is None


def test_interfaces_and_comments_are_bounded(monkeypatch):
    monkeypatch.setattr(pcapng, "_MAX_INTERFACES", 10)
    frames, info = read(build.section() + build.interface() * 10 + PACKET + build.interface() + PACKET)
    assert len(frames) == 1 and len(info.interfaces) == 10 and "more than 10 interfaces" in info.cut_why
    _, info = read(build.section(options=build.option(1, b"again") * 1000))
    assert len(info.comments) == 256
