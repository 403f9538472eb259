"""How the rest is said: the network, controls, ordinary explanations, limits, what was not seen, what to do next.

Doubt is part of the answer, so it gets sentences of its own. Circumvention tools have two wordings: the ordinary one
names none, because the wrong person may read a report; `NAMED` holds the open one, said only when asked for.
"""

from __future__ import annotations

from analyzer.report.words import N_

NETWORKS = {
    "normal": N_("The network itself works."),
    "no_connectivity": N_("The network itself does not work: nothing was reached at all, so no service can be judged."),
    "captive_portal": N_(
        "The network asks for a sign-in first (captive portal): no service can be judged before that."
    ),
    "domestic_only": N_("Only domestic services can be reached: everything abroad fails alike."),
    "all_slow": N_("The whole network is slow, not one service."),
    "no_udp": N_("UDP gets no answer anywhere in this capture, name lookups apart: calls cannot work."),
    "no_quic": N_("QUIC gets no answer anywhere in this capture: programs have to fall back to TCP."),
    "unknown": N_("Nothing can be said of the network."),
}

FINDINGS = {  # reasons for which a network's state is said in other words
    "stopped_answering": N_(
        "The network itself stopped working while this file was captured: what was tried after that tells of no service."
    ),
    "nothing_readable": N_(
        "Nothing in this file could be read: it was captured on a sort of link that is not known here."
    ),
}

WHY = {
    "one_target_works": N_("One single service was reached, which shows little of the network."),
    "some_foreign_traffic_works": N_("Some services abroad can be reached."),
    "nothing_answered": N_("Not one request in this file was answered."),
    "only_domestic_works": N_("Domestic services answered; abroad, name lookups apart, nothing did."),
    "stopped_answering": N_("From some moment on nothing at all was answered any more: the network itself went down."),
    "nothing_judged": N_("Nothing in this file shows whether the network itself works."),
    "only_a_tunnel": N_(
        "All traffic in this file runs inside a tunnel: what it carries, and how that fares, cannot be told."
    ),
    "portal_page_everywhere": N_("The same sign-in page came back whatever was asked for."),
    "everything_slow": N_("Services that have nothing to do with each other were slow at the same time."),
    "datagrams_unanswered": N_(
        "Servers in several networks were asked in vain, and TCP works. Networks, firewalls of a place and apps on the "
        "device drop UDP; this file does not show which of them does."
    ),
    "quic_unanswered": N_(
        "Servers in several networks were asked in vain, and TCP works. Networks, firewalls of a place and apps on the "
        "device drop QUIC; this file does not show which of them does."
    ),
    "nothing_captured": N_("There is not one packet in this file."),
    "nothing_readable": N_("Not one of its packets could be read beyond the link layer."),
    "no_conversations": N_("There are packets in this file, but no conversation with a server."),
}

CONTROLS = {  # kind -> who {target} is and how its attempts fared
    "same_address_other_name": N_("{target}, another name at the same address: {fine} of {attempts} worked"),
    "same_name_other_address": N_("{target}, the same name at another address: {fine} of {attempts} worked"),
    "same_service_other_channel": N_("{target}, another channel of the same service: {fine} of {attempts} worked"),
    "same_protocol_other_service": N_("{target}, another service with the same protocol: {fine} of {attempts} worked"),
    "connectivity_check": N_("{target}, a connectivity check: {fine} of {attempts} worked"),
    "domestic_service": N_("{target}, a domestic service: {fine} of {attempts} worked"),
    "other_client_networks": N_("{target}, other clients in the same minutes: {fine} of {attempts} worked"),
}

BECAUSE = {  # kind of control -> why it excludes an ordinary explanation
    "same_address_other_name": N_("another name at the same address works"),
    "same_name_other_address": N_("the same name works at another address"),
    "same_service_other_channel": N_("another channel of the same service works"),
    "same_protocol_other_service": N_("another service with the same protocol works"),
    "connectivity_check": N_("the connectivity check works"),
    "domestic_service": N_("a domestic service works"),
    "other_client_networks": N_("other clients were served in the same minutes"),
}

EXCLUDED = {
    "server_down": N_("the server is not down"),
    "network_down": N_("the network is not down"),
    "server_refused": N_("it is not the server that refuses"),
    "closed_port": N_("the port of the server is not closed"),
    "client_aborted": N_("the app did not give up by itself"),
    "server_closed": N_("the server did not close the connection by itself"),
    "nat_timeout": N_("no router on the way forgot the connection (NAT timeout)"),
    "packet_loss": N_("ordinary packet loss does not explain it"),
    "congestion": N_("a crowded network does not explain it"),
    "slow_server": N_("the server is not slow"),
    "capture_loss": N_("the capture did not miss these packets"),
    "access_line": N_("the line to the provider is not the bottleneck"),
    "server_rejects_name": N_("the server does not reject this name"),
    "dns_failure": N_("the name lookup did not simply fail"),
    "quic_nowhere": N_("QUIC is answered elsewhere in this capture"),
    "path_mtu": N_("large packets are not what gets lost (path MTU)"),
    "local_filter": N_("no app on the device and no router next to it does this"),
}

STILL_OPEN = {
    "server_down": N_("the server may be down"),
    "network_down": N_("the network may have been down"),
    "server_refused": N_("the server itself may refuse"),
    "closed_port": N_("the port of the server may be closed"),
    "client_aborted": N_("the app may have given up by itself"),
    "server_closed": N_("the server may have closed the connection by itself"),
    "nat_timeout": N_("a router on the way may have forgotten the connection (NAT timeout)"),
    "packet_loss": N_("ordinary packet loss may explain it"),
    "congestion": N_("a crowded network may explain it"),
    "slow_server": N_("the server may be slow"),
    "capture_loss": N_("the capture may have missed the packets in question"),
    "access_line": N_("the plan may allow no more, or the line to the provider may be the bottleneck"),
    "server_rejects_name": N_("the server may reject this name"),
    "dns_failure": N_("the name lookup may simply have failed"),
    "quic_nowhere": N_("QUIC is not answered anywhere in this capture"),
    "path_mtu": N_("large packets may be what gets lost (path MTU)"),
    "local_filter": N_("an app on the device, or the router next to it, does this"),
}

LIMITS = {
    "no_network": N_("the network itself was down, or asked for a sign-in first"),
    "given_up": N_("connections were reset from the client's side before anything came back"),
    "certificate_refused": N_("the device did not accept the server's certificate"),
    "answered_no": N_(
        "every answer was a refusal (HTTP 403 or 451), which the server itself or somebody in its place may have sent"
    ),
    "no_control": N_("there is nothing in the file to compare with"),
    "few_attempts": N_("there are too few attempts"),
    "one_direction": N_("only one direction of the traffic was captured"),
    "probes": N_("these are probes, which were sent with a limited number of hops (TTL)"),
    "begun_midway": N_("the connection was already open when the capture began"),
    "snaplen": N_("the packets were cut short by the capture's settings"),
    "gaps": N_("packets are missing from the capture"),
    "capture_ended": N_("the capture ends before the connection does"),
    "controls_failed_too": N_("the traffic to compare with failed too"),
    "not_interleaved": N_("what failed and what worked did not happen in the same minutes"),
    "headers_invented": N_("the capturing app wrote its own packet headers, so that they prove nothing"),
    "evicted": N_("there were too many connections at once to follow all to their end"),
    "single_address": N_("only one address of the server was tried"),
    "single_client": N_("this server saw it with one client only, whose own device could do the same"),
    "tunnelled": N_("the traffic runs inside a tunnel that cannot be looked into"),
    "no_demand": N_("nothing large was asked for, so that its speed was not tested"),
    "local_packet_tool": N_("a program on the device changes the packets before they are sent"),
}

NAMED = {  # said instead, when circumvention tools may be named
    "tunnelled": N_("the traffic runs inside a circumvention tool or a VPN that cannot be looked into"),
    "local_packet_tool": N_("a desync tool (zapret, GoodbyeDPI, ByeDPI or the like) changes the packets on the device"),
}

NEXT_STEPS = {
    "capture_with_network": N_(
        "Capture again when the network itself works: after the sign-in, where it asks for one."
    ),
    "capture_from_start": N_(
        "Start the capture first, then open the app, so that the connections are seen from their start."
    ),
    "capture_with_control": N_(
        "Capture again, and open a few other sites and apps in the same minutes, to compare with."
    ),
    "capture_longer": N_("Capture again and wait longer: at least a minute after the app gives up."),
    "capture_more_attempts": N_("Capture again and try at least five times, with other sites in between."),
    "capture_full_packets": N_("Capture again with whole packets (tcpdump: -s 0)."),
    "capture_both_directions": N_("Capture again where both directions pass: on the device itself or on its router."),
    "capture_without_proxy": N_(
        "Capture again on the router, or with root, so that the packets are those of the network."
    ),
    "capture_at_server": N_(
        "Capture at the server in the same minutes: the two files together show what was lost on the way."
    ),
    "capture_at_client": N_(
        "Capture at the client in the same minutes: the two files together show what was lost on the way."
    ),
    "check_server_elsewhere": N_("Try the same server from another network in the same minutes."),
    "check_device": N_(
        "Look at what filters on the device (firewall, security or ad-blocking app, data saver) and on its router; try "
        "again without it."
    ),
    "check_certificate": N_(
        "Look at the date and time of the device, and try the same server from another network: is its certificate "
        "accepted there?"
    ),
    "download_something_large": N_("Capture again while you send or download something large (several megabytes)."),
}
