"""All scenarios by name, in families."""

from importlib import import_module

from tests.lab.scenario import Scenario

FAMILIES = (
    "rst",
    "sni",
    "address",
    "dns",
    "quic",
    "http",
    "throttle",
    "call",
    "mixed",
    "clients",
    "server",
    "path",
    "app",
    "network",
    "device",
    "capture",
)

SCENARIOS: dict[str, Scenario] = {}
for family in FAMILIES:
    for scenario in import_module(f"tests.lab.scenarios.{family}").ALL:
        assert scenario.name not in SCENARIOS, scenario.name
        SCENARIOS[scenario.name] = scenario
