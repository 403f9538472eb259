"""client – routers – middlebox – routers – server, as network namespaces joined by virtual cables.

Every router forwards for real, so TTLs fall and ICMP errors come from where they would. The addresses of both ends stand on their
loopback devices (as anycast and server farms do it), so one machine can be many servers or many clients. The middlebox is a
bump in the cable: two interfaces without addresses, so that nothing passes unless it passes it on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.lab import namespace
from tests.lab.namespace import ip

NEAR, FAR = "near", "far"  # the middlebox's two sides: towards the client, towards the server


@dataclass(frozen=True)
class Topology:
    """What stands on the path. Routers before and behind the middlebox; the client's own offloads; the path's MTU."""

    near_routers: int = 2
    far_routers: int = 3
    client_offloads: bool = False
    congestion: str = "cubic"

    def build(self, clients: Iterable[str], servers: Iterable[str], initial_ttl: dict[str, int]) -> None:
        """Make all namespaces and wire them up. `initial_ttl` gives servers another initial TTL than Linux's 64."""
        near = [f"near{i}" for i in range(self.near_routers)]
        far = [f"far{i}" for i in range(self.far_routers)]
        chain = ["client", *near, *far, "server"]
        gap = len(near)  # the cable between chain[gap] and chain[gap + 1] runs through the box
        ip(*(f"netns add {name}" for name in [*chain, "box"]))
        for i, (left, right) in enumerate(zip(chain, chain[1:], strict=False)):
            if i == gap:
                ip(f"link add down{i} netns {left} type veth peer name {NEAR} netns box")
                ip(f"link add up{i} netns {right} type veth peer name {FAR} netns box")
            else:
                ip(f"link add down{i} netns {left} type veth peer name up{i} netns {right}")
        clients, servers = list(clients), list(servers)
        for i, name in enumerate(chain):
            ip(*_wiring(chain, i, clients, servers), inside=name)
            if name == "server":
                ip(*_initial_ttls(initial_ttl, len(chain) - 2), inside=name)
        ip(f"link set {NEAR} up", f"link set {FAR} up", inside="box")

    def settle(self, name: str, interfaces: Iterable[str]) -> None:
        """Kernel settings of a namespace; called from within it."""
        router = name.startswith(("near", "far"))
        namespace.sysctl(net__ipv4__ip_forward=int(router), net__ipv6__conf__all__forwarding=int(router))
        namespace.sysctl(net__ipv4__conf__all__rp_filter=0, net__ipv4__tcp_congestion_control=self.congestion)
        if name == "box":  # its own stack must not speak
            namespace.sysctl(net__ipv6__conf__all__disable_ipv6=1)
        for interface in interfaces:
            namespace.offloads(interface, on=name == "client" and self.client_offloads)

    @property
    def names(self) -> list[str]:
        near = [f"near{i}" for i in range(self.near_routers)]
        return ["client", *near, "box", *(f"far{i}" for i in range(self.far_routers)), "server"]

    @property
    def server_interface(self) -> str:
        return f"up{self.near_routers + self.far_routers}"


CLIENT_INTERFACE = "down0"


def _link(i: int) -> tuple[str, str, str, str]:
    """Addresses of cable i: left and right end, IPv4 and IPv6."""
    return f"100.64.{i}.1", f"100.64.{i}.2", f"2001:db8:{i + 1:x}::1", f"2001:db8:{i + 1:x}::2"


def _wiring(chain: list[str], i: int, clients: list[str], servers: list[str]) -> Iterable[str]:
    """Addresses and routes of one machine: everything unknown lies towards the servers, the clients' addresses behind."""
    yield "link set lo up"
    for own in clients if i == 0 else servers if i == len(chain) - 1 else []:
        yield f"addr add {own}/{128 if ':' in own else 32} dev lo" + (" nodad" if ":" in own else "")
    if i > 0:
        left4, own4, left6, own6 = _link(i - 1)
        yield f"addr add {own4}/30 dev up{i - 1}"
        yield f"addr add {own6}/64 dev up{i - 1} nodad"
        yield f"link set up{i - 1} up"
        for client in clients:
            yield f"route add {client} via {left6 if ':' in client else left4}"
        for k in range(i - 1):  # what the routers before it say (ICMP) needs a way back as well
            yield f"route add {_link(k)[0]}/30 via {left4}".replace(".1/30", ".0/30")
    if i < len(chain) - 1:
        own4, right4, own6, right6 = _link(i)
        yield f"addr add {own4}/30 dev down{i}"
        yield f"addr add {own6}/64 dev down{i} nodad"
        yield f"link set down{i} up"
        first = {":" in address: address for address in reversed(clients)} if i == 0 else {}
        yield f"route add default via {right4}" + (f" src {first[False]}" if False in first else "")
        yield f"route add default via {right6}" + (f" src {first[True]}" if True in first else "")
    else:
        yield f"route add default via {_link(i - 1)[0]}"
        yield f"route add default via {_link(i - 1)[2]}"


def _initial_ttls(initial_ttl: dict[str, int], i: int) -> Iterable[str]:
    """Policy routes that give one server address its own initial TTL, whatever packet it sends."""
    for table, (address, ttl) in enumerate(initial_ttl.items(), start=100):
        yield f"rule add from {address} table {table}"
        yield f"route add default via {_link(i)[2 if ':' in address else 0]} hoplimit {ttl} table {table}"
