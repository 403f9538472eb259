"""Signatures of interference methods, one module (or folder) each, and the knowledge they lean on.

`load()` hands them to the engine; nothing in `analyzer` below the command line imports this package.
"""

import hashlib
from functools import cache
from importlib import import_module
from pathlib import Path

from analyzer.signature import Loaded

MODULES = (
    "rst_injection",
    "sni_filtering",
    "name_effect",
    "residual_blocking",
    "two_captures",
    "http_blocking",
    "throttling",
    "volume_freeze",
    "dns_tampering",
    "dns_denial",
    "ip_blocking",
    "ip_refusal",
    "quic_filtering",
    "call_blocking",
    "call_throttling",
    "tls_interception",
    "tls_alerts",
    "forged_data",
    "lost_clients",
    "device_causes",
)  # in reading order


@cache
def load() -> Loaded:
    """All signatures and the knowledge about services, with a version that changes when any rule or fact does."""
    from signatures.knowledge.services import Services

    services = Services.load()
    modules = tuple(import_module(f"signatures.{name}") for name in MODULES)
    return Loaded(modules, services, _version(), services.date)


def _version() -> str:
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*here.rglob("*.py"), *here.rglob("*.toml")]):
        digest.update(path.relative_to(here).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
