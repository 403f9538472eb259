"""What a name, an address and bytes say about the service, and what they must not say."""

from __future__ import annotations

import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.signature import Label
from signatures.knowledge.services import Services

TCP, UDP = 6, 17
KNOWN = Services.load()


# -- by name ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "service", "role"),
    [
        ("web.whatsapp.com", "whatsapp", "web"),
        ("e7.whatsapp.net", "whatsapp", "chat"),
        ("mmg.whatsapp.net", "whatsapp", "media"),
        ("media-mxp1-1.cdn.whatsapp.net", "whatsapp", "media"),
        ("v.whatsapp.net", "whatsapp", "auth"),
        ("web.telegram.org", "telegram", "web"),
        ("cdn4.cdn-telegram.org", "telegram", "media"),
        ("chat.signal.org", "signal", "chat"),
        ("turn3.voip.signal.org", "signal", "calls"),
        ("api.oneme.ru", "max", "chat"),
        ("web.max.ru", "max", "web"),
        ("sun9-10.userapi.com", "vk", "media"),
        ("rr3---sn-x.googlevideo.com", "youtube", "media"),
        ("www.youtube.com", "youtube", "web"),
        ("esia.gosuslugi.ru", "gosuslugi", "auth"),
        ("g-4f.0.threema.ch", "threema", "chat"),
        ("captive.apple.com", "connectivity_checks", "check"),
        ("12-courier.push.apple.com", "apns", "push"),
        ("mtalk.google.com", "fcm", "push"),
        ("dns.google", "google_dns", "dns"),
        ("stun.l.google.com", "stun_public", "calls"),
        ("2.pool.ntp.org", "time", "time"),
    ],
)
def test_names(name, service, role):
    assert KNOWN.label_name(name) == Label(service, role, "name")


def test_the_longest_suffix_wins():
    assert KNOWN.label_name("crashlogs.whatsapp.net") == Label("whatsapp", None, "name")
    assert KNOWN.label_name("edge-mqtt.facebook.com").service == "facebook_messenger"
    assert KNOWN.label_name("m.facebook.com").service == "facebook"
    assert KNOWN.label_name("common.dot.dns.yandex.net").service == "yandex_dns"
    assert KNOWN.label_name("avatars.mds.yandex.net").service == "yandex"


def test_names_compare_without_case_and_final_dot():
    assert KNOWN.label_name("WEB.WhatsApp.COM.") == KNOWN.label_name("web.whatsapp.com")


@pytest.mark.parametrize(
    "name", ["notwhatsapp.com", "whatsapp.com.example", "net", "com", "tt.co", "netflix.com", "example.org"]
)
def test_a_suffix_ends_at_a_dot(name):
    assert KNOWN.label_name(name) is None


@pytest.mark.parametrize("name", ["www.google.com", "www.apple.com", "www.gstatic.com", "docs.fedoraproject.org"])
def test_an_ordinary_site_is_no_connectivity_check_by_its_name(name):
    assert KNOWN.label_name(name) is None


def test_hosts_shared_by_apps_name_the_operator():
    for name in ("calls.okcdn.ru", "vu.mycdn.me", "i.okcdn.ru"):
        assert KNOWN.label_name(name).service == "vk_group"


@given(
    st.one_of(
        st.text(max_size=300), st.lists(st.sampled_from(["a", "", "t", "me", "\0", "é"]), max_size=200).map(".".join)
    )
)
def test_hostile_names_are_answered(name):
    label = KNOWN.label_name(name)
    assert label is None or label.by == "name"


def test_a_name_of_a_megabyte_is_answered_at_once():
    name = "a." * 500_000 + "t.me"
    start = time.perf_counter()
    assert KNOWN.label_name(name).service == "telegram"
    assert time.perf_counter() - start < 0.5


# -- by address ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("address", "port", "proto", "service", "role"),
    [
        ("157.240.0.60", 5222, TCP, "whatsapp", "chat"),
        ("149.154.167.51", 443, TCP, "telegram", "dc"),
        ("2001:67c:4e8:f002::a", 443, TCP, "telegram", "dc"),
        ("91.108.9.21", 597, UDP, "telegram", "calls"),
        ("91.108.9.113", 1400, UDP, "telegram", "calls"),
        ("8.8.8.8", 53, UDP, "google_dns", "dns"),
        ("1.1.1.1", 853, TCP, "cloudflare_dns", "dns"),
        ("155.212.205.186", 19302, UDP, "vk_group", "calls"),
        ("52.0.253.101", 4244, TCP, "viber", "chat"),
        ("17.57.144.10", 5223, TCP, "apns", "push"),
    ],
)
def test_addresses(address, port, proto, service, role):
    assert KNOWN.label_address(address, port, proto) == Label(service, role, "prefix")


def test_shared_addresses_say_the_operator_only():
    assert KNOWN.label_address("157.240.0.35", 443, TCP) == Label("meta", None, "prefix")
    assert KNOWN.label_address("17.248.146.144", 443, TCP) == Label("apple", None, "prefix")
    assert KNOWN.label_address("87.240.129.131", 443, TCP) == Label("vk_group", None, "prefix")


def test_addresses_of_hosters_say_nothing():
    assert KNOWN.label_address("66.22.216.1", 50004, UDP) is None  # AS49544: game servers too
    assert KNOWN.label_address("185.88.236.110", 443, TCP) is None  # AS29691
    assert KNOWN.label_address("1.12.0.1", 443, TCP) is None  # a cloud


def test_rented_addresses_need_a_port_of_the_service():
    assert KNOWN.label_address("52.0.253.101", 22, TCP) is None
    assert KNOWN.label_address("76.223.92.165", 443, TCP).service == "signal"
    assert KNOWN.label_address("76.223.92.165", 25, TCP) is None


def test_the_closest_block_wins():
    assert KNOWN.label_address("77.88.8.8", 53, UDP).service == "yandex_dns"
    assert KNOWN.label_address("77.88.8.9", 53, UDP).service == "yandex"


@pytest.mark.parametrize(
    "address", ["", "junk", "1.2.3", "256.1.1.1", "::g", "\0", "fe80::1%eth0", "1.1.1.1\0", "\ud800"]
)
def test_hostile_addresses_are_answered(address):
    assert KNOWN.label_address(address, 443, TCP) is None


def test_whose_address_it_is():
    assert KNOWN.owns_address("whatsapp", "157.240.0.60")
    assert KNOWN.owns_address("whatsapp", "157.240.0.35"), "addresses of the operator serve it too"
    assert not KNOWN.owns_address("telegram", "157.240.0.60")
    assert not KNOWN.owns_address("discord", "66.22.216.1"), "a hoster's address is nobody's own"
    assert not KNOWN.owns_address(None, "157.240.0.60")


# -- by bytes --------------------------------------------------------------------------------------------------------
TAG = bytes(range(16))
PING = TAG + b"\xff" * 12 + b"\xfe\xff\xff\xff" + b"abcdefgh"


def stun(kind: int, *attributes: tuple[int, bytes]) -> bytes:
    body = b"".join(struct.pack(">HH", n, len(v)) + v + bytes(-len(v) % 4) for n, v in attributes)
    return struct.pack(">HHI", kind, len(body), 0x2112A442) + b"transactions" + body


def by_bytes(up=b"", down=b"", proto=UDP, address="192.0.2.1", port=3478):
    label = KNOWN.label_bytes(up, down, proto, address, port)
    return label and (label.service, label.role, label.by)


@pytest.mark.parametrize(
    "hello",
    [
        b"ED\0\1",  # the first segment alone, as blocked connections show it
        b"ED\0\1\0\0\4\x08\x08\x05\x02WA\x05\x02\0\0\xee\x12\xeb\x01",
        b"WA\x05\x02\0\0\xee\x12\xeb\x01\x0a\x20",
        b"WA\x01\x05\0\0\x17\xf8\x05\x01",
    ],
)
def test_whatsapp_noise(hello):
    assert by_bytes(hello, proto=TCP, port=443) == ("whatsapp", "chat", "bytes")


@pytest.mark.parametrize(
    "hello", [b"EDIT x", b"WAIT 1\r\n", b"WANTED", b"ED", b"ED\0\1\7", b"WA\x05\x02\x09\x09\x09\x09"]
)
def test_not_whatsapp_noise(hello):
    assert by_bytes(hello, proto=TCP, port=443) is None


def test_whatsapp_calls():
    assert by_bytes(stun(0x0003, (0x4000, b"x" * 102))) == ("whatsapp", "calls", "bytes")
    assert by_bytes(stun(0x0801)) == ("whatsapp", "calls", "bytes")
    assert by_bytes(stun(0x0003, (0x0019, b"\x11\0\0\0"))) is None, "an ordinary Allocate names nobody"


@pytest.mark.parametrize("pings", [PING, PING * 3, TAG + b"\xff" * 16, (TAG + b"\xff" * 16) * 2])
def test_telegram_reflector(pings):
    assert by_bytes(pings, port=599) == ("telegram", "calls", "bytes")


def test_silence_of_a_voice_codec_is_no_reflector():
    rtp = b"\x80\x00\x12\x34" + bytes(8) + b"\xff" * 160  # G.711 codes silence as ff
    assert by_bytes(rtp * 3, port=599) is None


def test_mtproto_only_at_its_own_addresses():
    first = bytes(range(100, 164))
    assert by_bytes(first, proto=TCP, address="149.154.167.51", port=443) == ("telegram", "dc", "bytes")
    assert by_bytes(first, proto=TCP, address="192.0.2.1", port=443) is None


@pytest.mark.parametrize(
    ("realm", "service"),
    [
        (b"telegram.org", "telegram"),
        (b"signal.org", "signal"),
        (b"turn.voip.signal.org", "signal"),
        (b"facebook", "meta"),
    ],
)
def test_realms(realm, service):
    refused = stun(0x0113, (0x0009, b"\0\0\4\1"), (0x0014, realm))
    assert by_bytes(stun(0x0003), refused) == (service, "calls", "bytes")


@pytest.mark.parametrize("realm", [b"evil-signal.org", b"signal.org.example", b"", b"\xff" * 8])
def test_other_realms(realm):
    assert by_bytes(stun(0x0003), stun(0x0113, (0x0014, realm))) is None


def test_discord():
    assert by_bytes(b"\0\1\0\x46\0\0\xac\xe3" + bytes(66), port=50004) == ("discord", "calls", "bytes")
    assert by_bytes(b"\x13\x37\xca\xfe\0\0\0\x01", port=50004) is None, "seen in a game too: a hint, no name"


def test_threema_needs_address_and_port():
    hello = bytes(range(48))
    assert by_bytes(hello, proto=TCP, address="185.88.236.110", port=5222) == ("threema", "chat", "bytes")
    assert by_bytes(hello, proto=TCP, address="185.88.236.110", port=443) is None
    assert by_bytes(hello, proto=TCP, address="192.0.2.1", port=5222) is None
    xmpp = b"<?xml version='1.0'?><stream:stream to='example.org' xmlns='jabber:client'>"
    assert by_bytes(xmpp, proto=TCP, address="185.88.236.110", port=5222) is None


@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from([TCP, UDP, 0]), st.integers(0, 65535))
def test_noise_is_nobody(up, down, proto, port):
    assert KNOWN.label_bytes(up, down, proto, "192.0.2.1", port) is None


@given(st.binary(max_size=60))
def test_damaged_stun_is_answered(tail):
    KNOWN.label_bytes(stun(0x0001)[:8] + tail, b"", UDP, "192.0.2.1", 3478)


# -- facts -----------------------------------------------------------------------------------------------------------
def test_domestic_services():
    for service in ("max", "vk", "ok", "yandex", "gosuslugi", "mail_ru", "sber", "rutube", "dzen", "vk_group"):
        assert KNOWN.is_domestic(service), service
    for service in ("whatsapp", "telegram", "wechat", "line", "connectivity_checks", None, "nobody"):
        assert not KNOWN.is_domestic(service), service


def test_kinds():
    for service, kind in {
        "max": "messenger", "facebook": "social", "vk": "domestic", "meta": "operator", "connectivity_checks": "check",
        "quad9": "resolver", "stun_public": "stun", "apns": "push", "time": "time", None: None, "nobody": None,
    }.items():  # fmt: skip
        assert KNOWN.kind(service) == kind


def test_names_for_people():
    assert KNOWN.service_name("whatsapp") == "WhatsApp"
    assert KNOWN.service_name("nobody") == "nobody"


def test_resolvers():
    assert KNOWN.is_resolver("9.9.9.9") and KNOWN.is_resolver("2001:4860:4860::8888")
    assert not KNOWN.is_resolver("8.8.9.9") and not KNOWN.is_resolver("")


def test_connectivity_checks_are_known_by_host_and_path():
    assert KNOWN.check("www.google.com", "/generate_204").status == 204
    assert KNOWN.check("Detectportal.Firefox.com", "/success.txt").body == "success\n"
    assert KNOWN.check("www.google.com", "/search") is None


def test_all_services_are_listed_by_kind():
    services = KNOWN.all_services()
    assert len(services) > 60 and services[0].kind == "messenger"
    assert {service.id for service in services} >= {"whatsapp", "meta", "nsdi"}


def test_the_date_is_the_newest_of_the_data():
    assert KNOWN.date >= "2026-11-23"


def test_loading_is_quick():
    times = []
    for _ in range(5):
        start = time.perf_counter()
        Services.load()
        times.append(time.perf_counter() - start)
    assert min(times) < 0.08, "40 ms is the aim, twice that the limit on a slow machine"


# -- files that contradict -------------------------------------------------------------------------------------------
def written(folder, **files):
    for stem, text in files.items():
        (folder / f"{stem}.toml").write_text('operator = "-"\nkind = "messenger"\ndate = "2026-01-01"\n' + text)
    return folder


def test_a_new_messenger_is_one_file(tmp_path):
    written(
        tmp_path,
        new='name = "New"\n[names]\nchat = "new.example"\n[addresses]\nscope = "dedicated"\nprefixes = "192.0.2.0/24"',
    )
    known = Services.load(tmp_path)
    assert known.label_name("a.new.example") == Label("new", "chat", "name")
    assert known.label_address("192.0.2.200", 443, TCP) == Label("new", None, "prefix")


@pytest.mark.parametrize(
    "text",
    [
        '[names]\nweb = "a.example"',
        '[addresses]\nscope = "dedicated"\nprefixes = "192.0.2.0/24"',
        '[addresses]\nscope = "mine"\nprefixes = "192.0.3.0/24"',
        '[addresses]\nscope = "dedicated"\nprefixes = "192.0.2.1/24"',
        '[names]\nhome = "b.example"',
        '[[wire]]\nname = "empty"\nproto = "tcp"',
    ],
)
def test_contradictions_are_refused(tmp_path, text):
    written(
        tmp_path,
        a='name = "A"\n[names]\nweb = "a.example"\n[addresses]\nscope = "dedicated"\nprefixes = "192.0.2.0/24"',
        b='name = "B"\n' + text,
    )
    with pytest.raises(ValueError, match=r"belongs|held|known words|not an address|says nothing"):
        Services.load(tmp_path)
