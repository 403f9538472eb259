"""Network traffic interference analyzer: from a packet capture to a verdict that can be checked.

`open_capture` and `analyze` are the whole public door; they are loaded on first use, so that
`import analyzer` stays light (no pandas, numba, scapy or typer behind it; a test asserts it).
"""

from importlib import import_module

__version__ = "0.1.0"
__all__ = ["Result", "analyze", "open_capture"]


def __getattr__(name):
    if name in __all__:
        return getattr(import_module("analyzer.api"), name)
    raise AttributeError(f"module 'analyzer' has no attribute {name!r}")
