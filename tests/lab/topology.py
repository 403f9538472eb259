"""client – routers – middlebox – routers – server, as network namespaces joined by virtual cables.

Every router forwards for real, so TTLs fall and ICMP errors come from where they would. The addresses of both ends stand on their
loopback devices (as anycast and server farms do it), so one machine can be many servers or many clients. A box is a bump in
the cable: two interfaces without addresses, so that nothing passes unless it passes it on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from tests.lab import namespace
from tests.lab.namespace import ip

NEAR, FAR = "near", "far"  # a box's two sides: towards the client, towards the server
BOX, DEVICE = "box", "device"


@dataclass(frozen=True)
class Topology:
    """What stands on the path."""

    near_routers: int = 2  # before the middlebox
    far_routers: int = 3  # behind it
    device: bool = (
        False  # a second box between the client's programs and its network card: a firewall, a desync tool...
    )
    inside: bool = False  # the capture is made on the programs' side of that box
    client_offloads: bool = False
    kernel: tuple[tuple[str, str, object], ...] = ()  # (machine, parameter, value)
    commands: tuple[tuple[str, str], ...] = ()  # (machine, line for `ip`), when everything stands

    @property
    def chain(self) -> list[str]:
        near, far = range(self.near_routers), range(self.far_routers)
        return ["client", *(f"near{i}" for i in near), *(f"far{i}" for i in far), "server"]

    @property
    def boxes(self) -> dict[int, str]:
        """Which box stands in cable i, between chain[i] and chain[i + 1]."""
        assert self.near_routers or not self.device, "two boxes in one cable"
        return {**({0: DEVICE} if self.device else {}), self.near_routers: BOX}

    @property
    def names(self) -> list[str]:
        return [*self.chain, *self.boxes.values()]

    @property
    def client_vantage(self) -> tuple[str, str]:
        """Machine and interface of the capture at the client: its network card."""
        return (DEVICE, NEAR if self.inside else FAR) if self.device else ("client", "down0")

    @property
    def server_vantage(self) -> tuple[str, str]:
        return "server", f"up{len(self.chain) - 2}"

    def build(self, clients: Iterable[str], servers: Iterable[str], initial_ttl: dict[str, int]) -> None:
        """Make all namespaces and wire them up. `initial_ttl` gives servers another initial TTL than Linux's 64."""
        chain, boxes = self.chain, self.boxes
        ip(*(f"netns add {name}" for name in self.names))
        for i, (left, right) in enumerate(pairwise(chain)):
            if i in boxes:
                ip(f"link add down{i} netns {left} type veth peer name {NEAR} netns {boxes[i]}")
                ip(f"link add up{i} netns {right} type veth peer name {FAR} netns {boxes[i]}")
            else:
                ip(f"link add down{i} netns {left} type veth peer name up{i} netns {right}")
        clients, servers = list(clients), list(servers)
        for i, name in enumerate(chain):
            ip(*_wiring(chain, i, clients, servers), inside=name)
        for v6 in (False, True):
            ip(*_initial_ttls(initial_ttl, len(chain) - 2, v6), inside="server", v6=v6)
        for box in boxes.values():
            ip(f"link set {NEAR} up", f"link set {FAR} up", inside=box)
        for machine, line in self.commands:
            ip(line, inside=machine)

    def settle(self, name: str) -> None:
        """Kernel settings of a namespace; called from within it."""
        router = name.startswith(("near", "far"))
        namespace.sysctl("net/ipv4/ip_forward", int(router))
        namespace.sysctl("net/ipv6/conf/all/forwarding", int(router))
        namespace.sysctl("net/ipv4/conf/all/rp_filter", 0)
        namespace.sysctl("net/ipv4/icmp_ratelimit", 0)
        if name in (BOX, DEVICE):  # its own stack must not speak
            namespace.sysctl("net/ipv6/conf/all/disable_ipv6", 1)
        for machine, parameter, value in self.kernel:
            if machine == name:
                namespace.sysctl(parameter, value)
        for interface in namespace.interfaces():
            namespace.offloads(interface, on=name == "client" and self.client_offloads)


def _link(i: int) -> tuple[str, str, str, str]:
    """Addresses of cable i: left and right end, IPv4 and IPv6."""
    return f"100.64.{i}.1", f"100.64.{i}.2", f"2001:db8:{i + 1:x}::1", f"2001:db8:{i + 1:x}::2"


def router_address(i: int) -> str:
    """IPv4 address from which chain[i] answers towards the client."""
    return _link(i - 1)[1]


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
            yield f"route add 100.64.{k}.0/30 via {left4}"
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


def _initial_ttls(initial_ttl: dict[str, int], i: int, v6: bool) -> Iterable[str]:
    """Policy routes that give one server address its own initial TTL, whatever packet it sends."""
    for table, (address, ttl) in enumerate(initial_ttl.items(), start=100):
        if (":" in address) == v6:
            yield f"rule add from {address} table {table}"
            yield f"route add default via {_link(i)[2 if v6 else 0]} hoplimit {ttl} table {table}"
