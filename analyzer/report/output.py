"""One entry for every format: the same results, as text or into a file whose name says the format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from analyzer.errors import UsageError
from analyzer.report import machine
from analyzer.report.words import SOURCE, Words
from analyzer.result import Result

FORMATS = {  # suffix of a file -> format
    ".html": "html", ".htm": "html", ".md": "markdown", ".json": "json", ".jsonl": "json", ".csv": "csv",
    ".parquet": "parquet",
}  # fmt: skip


def write(
    results: Sequence[Result],
    path: Path,
    *,
    full: bool = False,
    redact: bool = False,
    langs: Sequence[str] = (SOURCE,),
    everything: bool = False,
    show_circumvention: bool = False,
    meta: Mapping[str, str] | None = None,
) -> None:
    """Write results in the format that the file's suffix names.

    Parameters
    ----------
    results : sequence of Result
        One per capture, in the order to be shown.
    path : Path
        Ends in .html, .md, .json, .csv or .parquet.
    full : bool
        HTML and Markdown show everything; by default they hide what points to the person who captured.
    redact : bool
        JSON, CSV and Parquet hide it too; by default they are complete.
    langs : sequence of str
        Languages of HTML and Markdown; several stand in one file, one after the other.
    everything : bool
        The verdicts about all other names too.
    show_circumvention : bool
        Circumvention tools may be named.
    meta : mapping
        Columns added to CSV and Parquet.

    Raises
    ------
    UsageError
        The suffix names no format, there is no such language, or a `meta` key is taken.
    OSError
        The file cannot be written.
    """
    path = Path(path)
    format = format_of(path)
    if format == "parquet":
        from analyzer.report import flat, tabular

        verdicts = flat.table(
            results, redact=redact, everything=everything, circumvention=show_circumvention, meta=meta
        )
        tabular.write_parquet(verdicts, path)
        return
    text = render(
        results,
        format,
        full=full,
        redact=redact,
        langs=langs,
        everything=everything,
        show_circumvention=show_circumvention,
        meta=meta,
    )
    # surrogates: a file name is bytes, and may be no UTF-8; newline: CSV brings its own
    path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")


def format_of(path: Path) -> str:
    """The format that a file's suffix names."""
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise UsageError(f"{path.name}: a report ends in .html, .md, .json, .csv or .parquet") from None


def render(
    results: Sequence[Result],
    format: str,
    *,
    full: bool = False,
    redact: bool = False,
    langs: Sequence[str] = (SOURCE,),
    everything: bool = False,
    show_circumvention: bool = False,
    meta: Mapping[str, str] | None = None,
) -> str:
    """The same as text: `format` is html, markdown, json (one line per capture) or csv."""
    if format == "json":
        documents = (
            machine.document(result, redact=redact, everything=everything, circumvention=show_circumvention)
            for result in results
        )
        return "".join(json.dumps(document, allow_nan=False) + "\n" for document in documents)
    if format == "csv":
        from analyzer.report import flat, tabular

        return tabular.csv_text(
            flat.table(results, redact=redact, everything=everything, circumvention=show_circumvention, meta=meta)
        )
    words = [Words(lang) for lang in langs]
    if format == "markdown":
        from analyzer.report import markdown

        return "\n\n---\n\n".join(
            markdown.render(result, said, full=full, circumvention=show_circumvention, everything=everything)
            for said in words
            for result in results
        )
    if format == "html":
        from analyzer.report import html

        return html.render(results, words, full=full, circumvention=show_circumvention, everything=everything)
    raise UsageError(f"no report format {format!r}; there is {', '.join(dict.fromkeys(FORMATS.values()))}")
