"""How the answer is said: states, the three axes of a method, roles. One phrase for each word of the closed lists.

A *clause* begins small and has no full stop, so that a sentence can be made of one or two of them; each is complete in
itself, so no language has to bend a word to its neighbour. "Forged" and "dropped" are said only where it was shown;
under "probably" and "not working well" stands what was seen.
"""

from __future__ import annotations

from analyzer.report.words import N_

STATES = {
    "blocked": N_("Blocked"),
    "likely_blocked": N_("Probably blocked (other causes not excluded)"),
    "throttled": N_("Slowed down"),
    "likely_throttled": N_("Probably slowed down (other causes not excluded)"),
    "impaired": N_("Not working well, cause not shown"),
    "down": N_("The server itself refused"),
    "insufficient": N_("Cannot tell from this file"),
    "ok": N_("Working"),
}

SHORT = {  # where a word must do, beside the full phrase
    "blocked": N_("Blocked"),
    "likely_blocked": N_("Probably blocked"),
    "throttled": N_("Slowed down"),
    "likely_throttled": N_("Probably slowed down"),
    "impaired": N_("Not working well"),
    "down": N_("Refused by the server"),
    "insufficient": N_("Cannot tell"),
    "ok": N_("Working"),
}

SHORT_IN_PART = {
    "blocked": N_("Blocked in part"),
    "likely_blocked": N_("Probably blocked in part"),
    "throttled": N_("Slowed down in part"),
    "likely_throttled": N_("Probably slowed down in part"),
    "impaired": N_("Not working well in part"),
    "down": N_("Refused in part"),
    "insufficient": N_("Cannot tell all"),
}

IN_PART = {  # a service of which something else works
    "blocked": N_("Blocked in part"),
    "likely_blocked": N_("Probably blocked in part (other causes not excluded)"),
    "throttled": N_("Slowed down in part"),
    "likely_throttled": N_("Probably slowed down in part (other causes not excluded)"),
    "impaired": N_("Not working well in part, cause not shown"),
    "down": N_("Works, but one of its servers refused"),
    "insufficient": N_("Works; this file cannot tell about some"),
}

RECOGNISED = {  # trigger -> how a sentence sums it up
    "dns_name": "name",
    "sni": "name",
    "http_host": "name",
    "ip_address": "address",
    "address_family": "address",
    "port": "port",
    "protocol": "look",
    "fingerprint": "look",
    "volume": "volume",
    "none_seen": None,
}

FOUND = {  # (state, what was recognised) -> a clause about {target}
    ("blocked", None): N_("{target} is blocked"),
    ("blocked", "name"): N_("{target} is blocked by name"),
    ("blocked", "address"): N_("{target} is blocked by address"),
    ("blocked", "port"): N_("{target} is blocked by port"),
    ("blocked", "look"): N_("{target} is blocked by what its traffic looks like"),
    ("blocked", "volume"): N_("{target} is blocked after a certain amount of data"),
    ("likely_blocked", None): N_("{target} is probably blocked"),
    ("likely_blocked", "name"): N_("{target} is probably blocked by name"),
    ("likely_blocked", "address"): N_("{target} is probably blocked by address"),
    ("likely_blocked", "port"): N_("{target} is probably blocked by port"),
    ("likely_blocked", "look"): N_("{target} is probably blocked by what its traffic looks like"),
    ("likely_blocked", "volume"): N_("{target} is probably blocked after a certain amount of data"),
    ("throttled", None): N_("{target} is slowed down"),
    ("throttled", "name"): N_("{target} is slowed down by name"),
    ("throttled", "address"): N_("{target} is slowed down by address"),
    ("throttled", "port"): N_("{target} is slowed down by port"),
    ("throttled", "look"): N_("{target} is slowed down by what its traffic looks like"),
    ("throttled", "volume"): N_("{target} is slowed down after a certain amount of data"),
    ("likely_throttled", None): N_("{target} is probably slowed down"),
    ("likely_throttled", "name"): N_("{target} is probably slowed down by name"),
    ("likely_throttled", "address"): N_("{target} is probably slowed down by address"),
    ("likely_throttled", "port"): N_("{target} is probably slowed down by port"),
    ("likely_throttled", "look"): N_("{target} is probably slowed down by what its traffic looks like"),
    ("likely_throttled", "volume"): N_("{target} is probably slowed down after a certain amount of data"),
    ("impaired", None): N_("{target} does not work well, and this file does not show why"),
    ("failed", None): N_("{target} failed, and this file does not show why"),  # impaired, without one success
    ("device", None): N_("{target} failed, and the cause is on the device itself or right next to it"),
    ("certificate_refused", None): N_("{target} failed: the device did not accept the server's certificate"),
    ("answered_no", None): N_(
        "{target} failed: every answer was a refusal (HTTP 403 or 451), which the server itself or somebody in its "
        "place may have sent"
    ),
    ("down", None): N_("{target} was refused by the server itself"),
    ("ok", None): N_("{target} works"),
}

DONE = {  # action -> clause: what was done, where it was shown
    "rst": N_("a forged reset (RST) cuts the connection"),
    "fin": N_("a forged goodbye (FIN) ends the connection"),
    "drop": N_("its packets are dropped on the way"),
    "delayed_drop": N_("the connection may begin, then all its packets are dropped"),
    "ack_drop": N_("acknowledgments are dropped on the way, so that the sender waits in vain"),
    "freeze": N_("the transfer freezes after a certain amount of data"),
    "police": N_("everything above a fixed rate is thrown away"),
    "shape": N_("data is held back and let through at a fixed rate"),
    "random_loss": N_("a share of its packets is dropped on the way"),
    "forged_dns": N_("the name lookup gets a forged answer"),
    "nxdomain": N_("the name lookup is told that the name does not exist, though it does"),
    "blockpage": N_("another page, or a redirect to one, is sent in place of the real answer"),
    "forged_data": N_("bytes that the server never sent are put into the connection"),
    "forged_synack": N_("a forged reply to the connection request spoils the handshake"),
    "tls_alert": N_("a forged TLS alert ends the handshake"),
    "tls_mitm": N_("something on the way answers in the server's place with its own certificate"),
    "icmp_reject": N_("a forged ICMP error turns the packets away"),
}

SEEN = {  # action -> clause: what was seen, where it was not shown that somebody did it
    "rst": N_("the connection is cut by a reset (RST)"),
    "fin": N_("the connection is closed (FIN) before it is answered"),
    "drop": N_("its packets get no answer"),
    "delayed_drop": N_("the connection begins, then falls silent"),
    "ack_drop": N_("acknowledgments do not arrive"),
    "freeze": N_("the transfer stops after a certain amount of data"),
    "police": N_("packets are lost whenever a fixed rate is passed"),
    "shape": N_("data comes at a fixed rate and never faster"),
    "random_loss": N_("an unusual share of its packets is lost"),
    "forged_dns": N_("the name lookup gets a doubtful answer"),
    "nxdomain": N_("the name lookup is told that the name does not exist"),
    "blockpage": N_("an unexpected page, or a redirect to one, comes back"),
    "forged_data": N_("unexpected bytes appear in the connection"),
    "forged_synack": N_("the connection request gets a reply that does not fit"),
    "tls_alert": N_("a TLS alert ends the handshake"),
    "tls_mitm": N_("the certificate is not one that this server is known for"),
    "icmp_reject": N_("an ICMP error turns the packets away"),
}

MEASURED = {  # the same with what was measured: (action, shown or seen)
    ("police", True): N_("everything above {rate} is thrown away"),
    ("police", False): N_("packets are lost whenever {rate} is passed"),
    ("shape", True): N_("data is held back and let through at {rate}"),
    ("shape", False): N_("data comes at {rate} and never faster"),
    ("freeze", True): N_("the transfer freezes after {size}"),
    ("freeze", False): N_("the transfer stops after {size}"),
}

TRIGGERS = {
    "dns_name": N_("the name in the lookup (DNS)"),
    "ip_address": N_("the address of the server"),
    "port": N_("the port of the server"),
    "address_family": N_("the kind of address (IPv4 or IPv6)"),
    "sni": N_("the name in the TLS handshake (SNI)"),
    "http_host": N_("the name in the HTTP request (Host)"),
    "protocol": N_("what the traffic looks like (protocol)"),
    "fingerprint": N_("the fingerprint of the program (JA4)"),
    "volume": N_("the amount of data"),
    "none_seen": N_("not seen in this file"),
}

POSITIONS = {
    "on_path": N_("beside the path: it sees copies of the packets and can only add its own"),
    "in_path": N_("in the path: it can hold packets back or change them"),
    "endpoint": N_("the other end of the connection itself"),
    "device": N_("the capturing device itself (a local firewall, filter app or hosts file)"),
    "unknown": N_("not shown by this file"),
}

WITNESSES = {
    "trigger": N_("what set it off"),
    "forged": N_("forged"),
    "contradicts": N_("contradicts it"),
    "resent": N_("sent again: the copy before it was lost"),
    "baseline": N_("ordinary, to compare"),
    "missing_after": N_("the last before silence"),
}

ROLES = {  # of a service; any other word is shown as it is
    "web": N_("web"),
    "chat": N_("messages"),
    "media": N_("files"),
    "calls": N_("calls"),
    "api": N_("app data"),
    "auth": N_("sign-in"),
    "push": N_("notifications"),
    "dc": N_("main servers"),
    "cdn": N_("files"),
    "check": N_("connectivity check"),
    "dns": N_("name lookups"),
    "time": N_("clock"),
    "stun": N_("call setup"),
    "other": N_("other"),
}

GROUPS = (  # names of the services data that are no brands
    N_("Connectivity checks"),
    N_("Public STUN servers"),
    N_("Time servers"),
    N_("Apple push"),
    N_("Google push (FCM)"),
    N_("Huawei push"),
    N_("Mozilla push"),
    N_("RuStore push"),
    N_("Windows push"),
    N_("Xiaomi push"),
)

AUXILIARY = frozenset({"check", "dns", "time", "stun", "push"})  # roles that nobody uses for their own sake

VANTAGES = {
    "client": N_("captured at the client"),
    "server": N_("captured at the server"),
    "middle": N_("captured between client and server"),
    "unknown": N_("where it was captured is not shown"),
}
