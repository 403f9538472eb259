"""Results built by hand, one for each kind of answer: what the renderers are tested on."""

from __future__ import annotations

from dataclasses import replace

from analyzer.result import CaptureInfo, Control, Coverage, FlowKey, Named, Network, Result, RuledOut, Verdict
from analyzer.signature import Finding, Method, Rule, Witness

START = 1_770_904_774_123_456_789  # 2026-02-12 13:59:34 UTC
SECOND = 10**9
CLIENT = "192.168.77.23"
PORT = 50412
FILE = "anna-home-wifi.pcapng"
DEVICE = "Pixel 8 of Anna"
PRIVATE_NAME = "clinic.example.net"  # visited, nothing happened to it
PRIVATE_ADDRESS = "203.0.113.77"
MAC = "02:00:5e:10:00:01"
PRIVATE = (CLIENT, str(PORT), FILE, DEVICE, PRIVATE_NAME, PRIVATE_ADDRESS, MAC, "2026-02-12")

TALKS_ON = Rule(
    "rst.server_talks_on",
    "interference",
    "conclusive",
    "order",
    "The server talked on after 'its' reset.",
    "Injectors that drop the server's packets too.",
    "Weaver, Sommer, Paxson, NDSS 2009",
    action="rst",
)
NAME_EFFECT = Rule(
    "sni.name_effect",
    "interference",
    "strong",
    "control",
    "At the same address only this name fails.",
    "A server that rejects the name.",
    "Fisher 1935",
    needs_headers=False,
)


def flow(number: int, stream: int | None = None, server: str = "157.240.0.60", protocol: str = "tcp") -> FlowKey:
    return FlowKey(number, number if stream is None else stream, protocol, CLIENT, PORT, server, 443)


def forged_reset(detail: str = "web.whatsapp.com", **more) -> Named:
    values = {
        "method": Method("rst", "sni", "on_path", detail),
        "rules": ("rst.server_talks_on", "sni.name_effect"),
        "witnesses": (
            Witness(14, "trigger"),
            Witness(15, "forged"),
            Witness(18, "contradicts"),
            Witness(12, "baseline"),
        ),
        "frames_total": 9,
        "flows": (flow(2), flow(5)),
        "onset": START + 21 * SECOND,
        "hops": 4,
    }
    return Named(**values | more)


def finding(rule: Rule = TALKS_ON, **measured) -> Finding:
    return Finding(
        rule,
        "flow 2",
        (2,),
        START + 21 * SECOND,
        measured or {"gap_ms": 215.04, "asked_by": f"{CLIENT}:{PORT}"},
        (Witness(15, "forged"),),
    )


def blocked(target: str = "web.whatsapp.com", **more) -> Verdict:
    values = {
        "target": target,
        "state": "blocked",
        "service": "whatsapp",
        "role": "web",
        "attempts": 5,
        "failed": 5,
        "methods": (forged_reset(target),),
        "controls": (
            Control("same_address_other_name", "mmg.whatsapp.net", 4, 4, (160, 164)),
            Control("connectivity_check", "connectivitycheck.gstatic.com", 2, 2),
        ),
        "ruled_out": (
            RuledOut("server_down", True, "same_address_other_name"),
            RuledOut("server_refused", True, "rst.server_talks_on"),
            RuledOut("packet_loss", True),
            RuledOut("access_line", False),
        ),
        "limits": ("single_address",),
        "next": "check_server_elsewhere",
        "findings": (finding(), finding(NAME_EFFECT, p=0.008)),
        "first": START + 20 * SECOND,
        "last": START + 260 * SECOND,
        "addresses": ("157.240.0.60",),
    }
    return Verdict(**values | more)


def throttled(**more) -> Verdict:
    values = {
        "target": "telegram/media",
        "state": "throttled",
        "service": "telegram",
        "role": "media",
        "attempts": 3,
        "failed": 3,
        "methods": (
            Named(
                Method("police", "ip_address", "in_path", "149.154.160.0/20"),
                ("police.bucket_fits", "rate.below_controls"),
                (Witness(3773, "trigger"), Witness(6578, "missing_after")),
                518,
                (flow(40, server="149.154.167.151"),),
                onset=START + 157 * SECOND,
                rate_kbps=128.2,
                bucket_bytes=32_000,
            ),
        ),
        "controls": (Control("same_protocol_other_service", "signal/media", 5, 5),),
        "ruled_out": (RuledOut("congestion", True, "police.flat_delay"), RuledOut("slow_server", False)),
    }
    return Verdict(**values | more)


def works(
    target: str = "chat.signal.org", service: str | None = "signal", role: str | None = "chat", **more
) -> Verdict:
    return Verdict(target, "ok", service, role, **{"attempts": 4} | more)


def cannot_tell(**more) -> Verdict:
    values = {"limits": ("begun_midway", "no_control"), "next": "capture_from_start", "attempts": 1}
    return Verdict("www.facebook.com", "insufficient", "facebook", "web", **values | more)


def impaired(**more) -> Verdict:
    values = {"attempts": 6, "failed": 2, "ruled_out": (RuledOut("packet_loss", False),), "limits": ("few_attempts",)}
    return Verdict("api.example.org", "impaired", **values | more)


def down(**more) -> Verdict:
    return Verdict("irc.example.org", "down", **{"attempts": 2, "failed": 2, "addresses": ("198.51.100.7",)} | more)


def visited(target: str = PRIVATE_NAME, **more) -> Verdict:
    return works(target, None, None, addresses=(PRIVATE_ADDRESS,), **more)


def result(*answers: Verdict, **more) -> Result:
    values = {
        "capture": CaptureInfo(
            FILE,
            "pcapng",
            "ab" * 32,
            18204,
            9_123_456,
            START,
            START + 412 * SECOND,
            "client",
            (f"taken on {DEVICE}, {MAC}",),
            f"dumpcap on {DEVICE}",
        ),
        "answers": answers,
        "rules": {rule.id: rule for rule in (TALKS_ON, NAME_EFFECT)},
        "rules_version": "3f9a",
        "services_date": "2026-11-01",
        "service_names": {
            "whatsapp": "WhatsApp", "telegram": "Telegram", "signal": "Signal", "facebook": "Facebook", "max": "MAX",
        },
    }  # fmt: skip
    return Result(**values | more)


def whole() -> Result:
    """A bit of everything, as a help desk gets it."""
    return result(
        blocked(),
        throttled(),
        impaired(),
        down(),
        cannot_tell(),
        works("mmg.whatsapp.net", "whatsapp", "media", is_control=True),
        works(),
        works("api.oneme.ru", "max", "chat", attempts=1),
        visited(),
        network=Network("normal", "some_foreign_traffic_works"),
        coverage=Coverage(
            packets=18204,
            flows=110,
            flows_midway=3,
            gaps=1,
            packets_bad=2,
            links_unknown={147: 12},
            cut_at_byte=9_123_456,
            limits_reached=["series"],
            offload=True,
        ),
    )


def empty() -> Result:
    return result(capture=CaptureInfo(FILE, "pcap", "cd" * 32), network=Network("no_connectivity", "nothing_captured"))


def unusable() -> Result:
    return result(capture=CaptureInfo(FILE), error="not a capture (at byte 0)")


def domestic_only() -> Result:
    return result(
        cannot_tell(limits=("controls_failed_too",)),
        works("api.oneme.ru", "max", "chat"),
        network=Network("domestic_only", "only_domestic_works"),
    )


HOSTILE = (
    "<script>alert(1)</script>",
    "\u202egro.lanigiro\u202c.example",
    "\x1b[31mred\x1b[0m\x07",
    "=cmd()|'/c calc'!A1",
    "[click](https://evil.example) ![x](http://evil.example/x.png)",
    "[bold red]markup[/]",
    "a\u200bb\u2066c\n# heading\n| cell |",
    "`code` **bold** <b>tag</b> &lt; https://www.evil.example",
)


def by_injector(name: str) -> Verdict:
    """Text from strangers in every field that can hold it."""
    return blocked(
        name,
        service=None,
        role=None,
        controls=(Control("same_address_other_name", name, 3, 3),),
        methods=(forged_reset(name, injector=name),),
    )


def hostile() -> Result:
    start = whole()
    answers = tuple(map(by_injector, HOSTILE))
    return replace(start, answers=answers, capture=replace(start.capture, name=HOSTILE[2]), error=None)
