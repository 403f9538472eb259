"""Options that several commands take, declared once so that they mean the same everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

Captures = Annotated[list[str] | None, typer.Argument(metavar="CAPTURE", hidden=True)]
Read = Annotated[list[str] | None, typer.Option("-r", "--read", metavar="FILE", help="A capture, as tcpdump names it.")]
Output = Annotated[  # several are refused rather than the last one taken
    list[str] | None,
    typer.Option("-o", "--output", metavar="FILE", help="Write a report: .html, .md, .json, .csv or .parquet."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line for each capture.")]
Target = Annotated[str | None, typer.Option(metavar="NAME", help="Only this service, service/role or server name.")]
FailOn = Annotated[str, typer.Option(metavar="STATE,...", help="Exit with 1 when a verdict has one of these states.")]
Full = Annotated[bool, typer.Option("--full", help="HTML and Markdown: hide nothing of who captured.")]
Redact = Annotated[bool, typer.Option("--redact", help="JSON, CSV and Parquet: hide who captured.")]
Lang = Annotated[str, typer.Option(metavar="LANG,...", help="Language of the answer; several follow one another.")]
Everything = Annotated[bool, typer.Option("--all", help="Every name seen, and the evidence behind each verdict.")]
Circumvention = Annotated[bool, typer.Option("--show-circumvention", help="Circumvention tools may be named.")]
Meta = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="CSV and Parquet: a column of yours, such as country=IR."),
]
