"""Results as one HTML file: the report that leaves the machine.

It opens from disk, asks the network for nothing, needs no script, and its content security policy forbids all but its
own style sheet, by hash. `page` decides what stands where, `proof` shows the evidence of one verdict, the template and
the style sheet beside them arrange.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from analyzer.plot import STYLE
from analyzer.plot.svg import DARK, LIGHT
from analyzer.report.html.marks import rich
from analyzer.report.html.page import Page
from analyzer.report.words import Words
from analyzer.result import Result


def render(
    results: Sequence[Result],
    words: Sequence[Words],
    *,
    full: bool = False,
    circumvention: bool = False,
    everything: bool = False,
) -> str:
    """All results in all languages, one article each.

    Parameters
    ----------
    results : sequence of Result
        One per capture.
    words : sequence of Words
        The languages, in the order in which they are to stand.
    full : bool
        Hide nothing of the client.
    circumvention : bool
        Circumvention tools may be named.
    everything : bool
        The verdicts about all other names too, and small print about the capture.
    """
    pages = [
        Page(result, said, f"{said.lang}{number}-", full, circumvention, everything)
        for said in words
        for number, result in enumerate(results, 1)
    ]
    style = _style()
    return _template().render(pages=pages, style=Markup(style), policy=_policy(style))


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["rich"] = rich
    return environment.from_string(_read("report.html"))


@cache
def _style() -> str:
    page = _read("report.css")
    dark = f"@media (prefers-color-scheme:dark){{:root{{{DARK}}}}}"
    return f":root{{{LIGHT}}}\n{dark}\n{page}\n{STYLE}@media print{{:root{{{LIGHT}--paper:#fff}}}}\n"


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _read(name: str) -> str:
    return (files("analyzer.report.html") / name).read_text(encoding="utf-8")
