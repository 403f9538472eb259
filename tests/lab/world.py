"""The servers of the laboratory: services by their real names and addresses (resolved only inside), so that they are recognised.

Addresses are the services' published ones; none of them is ever reached, since no interface leads out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Site:
    """One server address. `behaviour` names what is odd about its server program (see servers.py)."""

    name: str
    v4: str
    v6: str | None = None
    also: tuple[str, ...] = ()  # other names that live there
    ttl: int = 64  # initial
    behaviour: str = ""
    up: bool = True  # down: nothing answers there
    closed: tuple[int, ...] = ()  # ports that refuse
    h3: bool = True  # whether QUIC is served
    issuer: str = "DigiCert Inc"
    intercepted: tuple[str, ...] = ()  # names for which a machine in between answers with a certificate of its own
    intercepts_every: int = 1  # which of the connections
    backlog: int = 128
    relay: bool = False  # STUN, reflectors, media
    cname: str | None = None  # the resolver says that the name is an alias of this

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.also)

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self.v4, self.v6) if self.v6 else (self.v4,)


CLIENT, CLIENT6 = "198.51.100.23", "2001:db8:c11e::23"
INTERCEPTOR = "Qaznet Trust Network"
RESOLVER = "8.8.8.8"
RESOLVER6 = "2001:4860:4860::8888"
DOMESTIC_RESOLVER = "77.88.8.8"
PROXY = "10.20.0.8"  # of an enterprise
PROVIDER_RESOLVER = "203.0.115.53"
LOCAL_RESOLVER = "192.168.1.1"  # the home router, or a filter in the house
RESOLVERS = (RESOLVER, RESOLVER6, DOMESTIC_RESOLVER, PROVIDER_RESOLVER, LOCAL_RESOLVER)

_META, _TG = "2a03:2880:f2ff:c5:face:b00c:0:167", "2001:67c:4e8:f002::a"
SITES: dict[str, Site] = {
    site.name: site
    for site in (
        Site(
            "web.whatsapp.com",
            "157.240.0.60",
            _META,
            cname="mmx-ds.cdn.whatsapp.net",
            also=("cdn.example.net", "www.whatsapp.com", "static.whatsapp.net"),
        ),
        Site("g.whatsapp.net", "157.240.0.61", also=("v.whatsapp.net", "e1.whatsapp.net")),
        Site("mmg.whatsapp.net", "157.240.205.60"),
        Site("edge-chat.messenger.com", "157.240.0.17"),
        Site("web.telegram.org", "149.154.167.99", _TG, also=("t.me", "core.telegram.org"), issuer="GoDaddy.com, Inc."),
        Site("dc2.telegram", "149.154.167.51"),
        Site("dc4.telegram", "149.154.167.91"),
        Site("dc5.telegram", "91.108.56.130"),
        Site("chat.signal.org", "76.223.92.165", issuer="Amazon"),
        Site("storage.signal.org", "142.251.1.121", issuer="Amazon"),
        Site(
            "discord.com",
            "162.159.128.233",
            also=("gateway.discord.gg", "shop.example.org"),
            issuer="Google Trust Services",
        ),
        Site("www.youtube.com", "142.250.74.78", ttl=128, issuer="Google Trust Services"),
        Site("rr1---sn-n8v7znz7.googlevideo.com", "173.194.1.71", issuer="Google Trust Services"),
        Site("x.com", "104.244.42.1", also=("t.co",), issuer="Let's Encrypt"),
        Site("www.instagram.com", "157.240.0.174"),
        Site("example.org", "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", also=("www.example.org",)),
        Site("example.com", "93.184.215.34", also=("www.example.com",)),
        Site(
            "www.wikipedia.org",
            "185.15.59.224",
            "2a02:ec80:300:ed1a::1",
            also=("en.wikipedia.org",),
            ttl=128,
            issuer="Let's Encrypt",
        ),
        Site("github.com", "140.82.121.4", also=("api.github.com",), issuer="Sectigo Limited"),
        Site(
            "connectivitycheck.gstatic.com", "142.250.74.35", also=("www.gstatic.com",), issuer="Google Trust Services"
        ),
        Site("captive.apple.com", "17.253.57.203", issuer="Apple Inc."),
        Site("vk.com", "87.240.132.67", also=("api.vk.com", "m.vk.com"), issuer="GlobalSign nv-sa"),
        Site("api.oneme.ru", "155.212.192.10", also=("web.max.ru",), issuer="GlobalSign nv-sa"),
        Site("ya.ru", "77.88.55.242", also=("yandex.ru", "mail.yandex.ru"), issuer="GlobalSign nv-sa"),
        Site("www.gosuslugi.ru", "213.59.253.7", issuer="GlobalSign nv-sa"),
        Site("dns.google", "8.8.4.4", issuer="Google Trust Services"),
        Site("cloudflare-ech.com", "104.18.10.118", also=("crypto.cloudflare.com",), issuer="Google Trust Services"),
        Site("proxy.corp.example", PROXY, h3=False),
        Site("ads.example.net", "203.0.113.20", also=("doubleclick.net", "adservice.google.com")),
        Site("stun.l.google.com", "74.125.250.129", relay=True),
        Site("stun1.l.google.com", "74.125.250.130", relay=True),
        Site("stun2.l.google.com", "142.250.82.9", relay=True),
        Site("stun.example.net", "203.0.113.40", relay=True),
        Site("stun.example.org", "203.0.114.41", relay=True),
        Site("relay4.whatsapp", "102.132.96.62", relay=True),
        Site("relay1.whatsapp", "157.240.0.62", relay=True),
        Site("relay2.whatsapp", "31.13.84.62", relay=True),
        Site("reflector1.telegram", "91.108.13.34", relay=True),
        Site("reflector2.telegram", "91.108.9.21", relay=True),
        Site("reflector3.telegram", "149.154.166.113", relay=True),
        Site("relay3.whatsapp", "179.60.195.62", relay=True),
        Site("voice1.discord.media", "66.22.216.10", relay=True),
        Site("voice2.discord.media", "66.22.217.10", relay=True),
        Site("turn.voip.signal.org", "35.190.0.1", relay=True),
    )
}


def world(changes: dict[str, dict[str, object]]) -> dict[str, Site]:
    """The sites with some of them changed, by name; a name that is not there yet is a new site."""
    sites = dict(SITES)
    for name, change in changes.items():
        sites[name] = replace(sites[name], **change) if name in sites else Site(name, **change)
    return sites
