"""Namespaces that end with the run.

The whole laboratory lives below one `unshare`: its own network, mount and process namespaces. When the run ends, by itself, by
Ctrl-C or by a kill, the kernel ends every process in it and takes every interface with it, so there is nothing to clean up;
names like `client` cannot clash with another laboratory beside it; and no interface leads to the host's network.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys

_INSIDE = "INTERFERENCE_LAB_INSIDE"
_UNSHARE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
_CLONE_NEWNET = 0x40000000
_SIOCETHTOOL = 0x8946
# linux/ethtool.h: set receive checksum, transmit checksum, scatter-gather, TSO, GSO, GRO
_OFFLOADS = (0x15, 0x17, 0x19, 0x1F, 0x24, 0x2C)


def why_not() -> str | None:
    """The reason why no laboratory can run here, or None."""
    if not sys.platform.startswith("linux"):
        return "the laboratory needs Linux network namespaces"
    if os.geteuid() != 0:
        return "the laboratory needs root, to make network namespaces"
    for tool in ("unshare", "ip", "dumpcap"):
        if not any(os.access(os.path.join(place, tool), os.X_OK) for place in os.environ["PATH"].split(":")):
            return f"the laboratory needs `{tool}`"
    trial = subprocess.run([*_UNSHARE, "true"], capture_output=True, text=True)
    return None if trial.returncode == 0 else f"namespaces are not allowed here: {trial.stderr.strip()}"


def isolate(module: str, arguments: list[str]) -> None:
    """Go on inside fresh namespaces: runs `module` again there and ends with its exit code; returns only inside."""
    if os.environ.get(_INSIDE) and os.getpid() == 1:  # the first process of its process namespace
        subprocess.run(["mount", "-t", "tmpfs", "lab", "/run/netns"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    os.makedirs("/run/netns", exist_ok=True)
    again = [*_UNSHARE, sys.executable, "-m", module, *arguments]
    raise SystemExit(subprocess.run(again, env={**os.environ, _INSIDE: "1"}).returncode)


def enter(name: str) -> None:
    """Move the calling process into a namespace made by `ip netns add`."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{name}") as handle:
        if libc.setns(handle.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter namespace {name}")


def ip(*lines: str, inside: str | None = None, v6: bool = False) -> None:
    """Run `ip` commands in one batch."""
    command = ["ip", *(["-6"] if v6 else []), *(["-n", inside] if inside else []), "-batch", "-"]
    done = subprocess.run(command, input="\n".join(lines) + "\n", text=True, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"ip: {done.stderr.strip()} in\n" + "\n".join(lines))


def offloads(interface: str, on: bool) -> None:
    """Checksum, segmentation and receive offloads of an interface of the present namespace.

    A frame that left a stack with offloads has no checksum yet and may be 64 kB long: fit for a capture that shows what
    offloads look like, unfit for a middlebox that passes frames on by hand.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in _OFFLOADS:
            value = bytearray(struct.pack("=II", command, on))
            address = (ctypes.c_char * len(value)).from_buffer(value)
            request = struct.pack("=16sQ", interface.encode(), ctypes.addressof(address)) + bytes(16)
            fcntl.ioctl(any_socket, _SIOCETHTOOL, request)


def sysctl(name: str, value: object) -> None:
    """Set a kernel parameter of the present namespace; `name` is its path below /proc/sys."""
    with open("/proc/sys/" + name, "w") as file:
        file.write(str(value))


def interfaces() -> list[str]:
    """Cables of the present namespace."""
    return [name for _, name in socket.if_nameindex() if name.startswith(("up", "down", "near", "far"))]
