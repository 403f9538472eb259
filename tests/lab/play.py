"""Plays one scenario in namespaces of its own and leaves captures and truth: `python -m tests.lab.play NAME FOLDER`."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.lab import datagrams, namespace, truth, vpn
from tests.lab.clients import Device
from tests.lab.middlebox import Box, Delays
from tests.lab.recorder import Recorder
from tests.lab.scenario import Scenario
from tests.lab.scenarios import SCENARIOS
from tests.lab.servers import Servers
from tests.lab.topology import BOX, DEVICE
from tests.lab.world import RESOLVERS

_LONGEST = 150.0  # seconds; a scenario that takes longer hangs
_PUNCTUAL = 10  # real-time priority of the boxes: a busy machine must not make them late


def play(scenario: Scenario, folder: Path) -> None:
    """Build the network, run everybody, stop the captures, write the truth. Only inside fresh namespaces."""
    folder.mkdir(parents=True, exist_ok=True)
    sites, topology = scenario.sites, scenario.topology
    addresses = [address for site in sites.values() if site.up for address in site.addresses]
    ttls = {address: site.ttl for site in sites.values() if site.ttl != 64 and site.up for address in site.addresses}
    topology.build(scenario.clients, dict.fromkeys([*addresses, *RESOLVERS, vpn.GATEWAY]), ttls)
    for name in topology.names:
        _wait(_fork(name, lambda name=name: topology.settle(name)))
    servers = Servers(sites, scenario.congestion, folder, folder / "servers.jsonl")
    _start("server", lambda ready: _serve(servers, scenario, ready))
    boxes = [_start(BOX, lambda ready: _box(scenario, False, folder, ready))]
    if topology.device:
        boxes.append(_start(DEVICE, lambda ready: _box(scenario, True, folder, ready)))
    recorders = [
        Recorder(*topology.client_vantage, folder / "client.pcapng"),
        Recorder(*topology.server_vantage, folder / "server.pcapng"),
    ]
    if scenario.vpn:
        _start("server", vpn.run_gateway)
        _start("client", vpn.run_client)
    device = Device(scenario.resolver, scenario.hosts, scenario.congestion, servers.trusted, scenario.seed)
    reading, writing = os.pipe()
    _fork("client", lambda: _play_client(device, scenario, writing))
    os.close(writing)
    os.read(reading, 1)
    time.sleep(scenario.tail)
    Recorder.stop(recorders)
    for pid in boxes:
        os.kill(pid, signal.SIGTERM)
        _wait(pid)
    truth.write(scenario, folder)


def _serve(servers: Servers, scenario: Scenario, ready: Callable[[], None]) -> None:
    servers.listen()
    datagrams.listen(scenario.sites, scenario.zones, servers.authorities)
    ready()
    signal.pause()


def _box(scenario: Scenario, device: bool, folder: Path, ready: Callable[[], None]) -> None:
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_PUNCTUAL))
    log = folder / ("device.jsonl" if device else "box.jsonl")
    Box(Delays(0.0, 0.0) if device else scenario.path, scenario.rules_of(device), log, scenario.seed).run(ready)


def _play_client(device: Device, scenario: Scenario, done: int) -> None:
    device.play(scenario.does)
    os.write(done, b"!")
    signal.pause()  # connections left open stay so until the captures have ended


def _start(machine: str, run: Callable[[Callable[[], None]], None]) -> int:
    """Fork a long-lived process and wait until it is ready."""
    reading, writing = os.pipe()
    pid = _fork(machine, lambda: run(lambda: os.write(writing, b"!") and None))
    os.close(writing)
    if not os.read(reading, 1):
        raise RuntimeError(f"{machine} did not start")
    os.close(reading)
    return pid


def _fork(machine: str, run: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        namespace.enter(machine)
        run()
        code = 0
    except BaseException as error:
        print(f"{machine}: {error!r}", file=sys.stderr)
        raise
    finally:
        os._exit(code)


def _wait(pid: int) -> None:
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise RuntimeError("a machine of the laboratory failed")


def main(arguments: list[str]) -> None:
    namespace.isolate("tests.lab.play", arguments)
    signal.alarm(int(_LONGEST))
    name, folder = arguments
    play(SCENARIOS[name], Path(folder))
    shutil.rmtree(Path(folder) / "ca")


if __name__ == "__main__":
    main(sys.argv[1:])
