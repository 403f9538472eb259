"""Two namespaces, a server, and a forger beside the path: `interference live` watches as a name is cut by forged resets.

python -m tests.analyzer.cli.forged_reset KEPT.pcapng     # as root; prints what the live run printed, exits as it did
"""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.analyzer.cli.command import PROGRAM
from tests.analyzer.wire.hellos import chrome, records
from tests.conversation import SERVER_HELLO
from tests.lab import namespace

CLIENT, SERVER = "10.9.0.2", "10.9.0.1"
CUT, FINE = "web.whatsapp.com", "www.whatsapp.com"
FORGED_TTL = 200  # the server's own packets arrive with 64
ANSWERS_AFTER_S = 0.08
PATIENCE_S = 120  # compiling the kernels may come first
HERE = "tests.analyzer.cli.forged_reset"


def play(kept: str) -> int:
    """Everything, from inside fresh namespaces; gives the live run's exit code."""
    namespace.ip("netns add server", "link add wlan0 type veth peer name eth0 netns server")
    namespace.ip(f"address add {CLIENT}/24 dev wlan0", "link set wlan0 up")
    namespace.ip(f"address add {SERVER}/24 dev eth0", "link set eth0 up", "link set lo up", inside="server")
    serving = [sys.executable, "-m", HERE, "--serve"]
    server = subprocess.Popen(["ip", "netns", "exec", "server", *serving], stdout=subprocess.PIPE)
    assert server.stdout is not None and server.stdout.readline() == b"ready\n"
    live = subprocess.Popen([*PROGRAM, "live", "-i", "wlan0", "-f", "not ip6", "-w", kept, "--json"])
    knock_until_heard(Path(kept))
    for name in (FINE, CUT, FINE, CUT):
        ask(name)
    time.sleep(0.5)
    live.send_signal(signal.SIGINT)
    return live.wait(PATIENCE_S)  # the server ends with the namespaces


def knock_until_heard(kept: Path) -> None:
    """Send datagrams until the first one is in the file: from then on everything is captured."""
    deadline = time.monotonic() + PATIENCE_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knocker:
        knocker.connect((SERVER, 9))
        while not kept.exists() or b"knock" not in kept.read_bytes():
            if time.monotonic() > deadline:
                raise TimeoutError("the live capture did not begin")
            with contextlib.suppress(ConnectionRefusedError):
                knocker.send(b"knock")
            time.sleep(0.2)


def ask(name: str) -> None:
    """One TLS connection as far as the server takes it."""
    with socket.create_connection((SERVER, 443), timeout=2) as connection, contextlib.suppress(ConnectionResetError):
        connection.sendall(records(chrome(name.encode())))
        connection.recv(1 << 16)
        connection.sendall(b"\x17\3\3\0\x20" + bytes(32))
        connection.recv(1 << 16)
    time.sleep(0.1)


def serve() -> None:
    """The server, which knows nothing of the forger, and the forger, who only sees copies of its packets."""
    threading.Thread(target=forge, daemon=True).start()
    with socket.create_server((SERVER, 443)) as listening:
        print("ready", flush=True)
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        while connection.recv(1 << 16):
            time.sleep(ANSWERS_AFTER_S)
            connection.sendall(SERVER_HELLO)


def forge() -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as beside:
        beside.bind(("eth0", 0))
        while True:
            frame, (_, _, kind, _, _) = beside.recvfrom(1 << 16)
            if kind != socket.PACKET_OUTGOING and CUT.encode() in frame:
                for _ in range(3):
                    beside.send(reset_to(frame))


def reset_to(frame: bytes) -> bytes:
    """A reset in the name of the server that this frame goes to."""
    ip = frame[14:]
    tcp = ip[20:]
    sport, dport, seq, ack = struct.unpack(">HHII", tcp[:12])
    payload = len(tcp) - (tcp[12] >> 4) * 4
    source, target = ip[16:20], ip[12:16]
    reset = struct.pack(">HHIIBBHHH", dport, sport, ack, seq + payload & 0xFFFFFFFF, 5 << 4, 0x14, 0, 0, 0)
    checksum = sum16(source + target + struct.pack(">BBH", 0, 6, len(reset)) + reset)
    reset = reset[:16] + struct.pack(">H", checksum) + reset[18:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(reset), 0, 0, FORGED_TTL, 6, 0) + source + target
    head = head[:10] + struct.pack(">H", sum16(head)) + head[12:]
    return frame[6:12] + frame[:6] + frame[12:14] + head + reset


def sum16(data: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        namespace.isolate(HERE, sys.argv[1:])
        raise SystemExit(play(sys.argv[1]))
