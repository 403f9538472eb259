"""Verdicts as one flat table: a row per method, so that many captures can be counted with a spreadsheet or pandas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analyzer.errors import UsageError
from analyzer.report.redact import discreet, forwardable
from analyzer.report.tabular import texts
from analyzer.result import Result, verdicts_table
from analyzer.tables import VERDICTS, Column, Table

CAPTURE = (
    Column("capture", "O", "", "name of the capture"),
    Column("sha256", "O", "", "SHA-256 of the capture as given"),
    Column("start", "i8", "time", "its first packet", -1),
    Column("vantage", "O", "", "where it was captured: client, server, middle or unknown"),
    Column("network", "O", "", "finding about the whole network"),
    Column("rules_version", "O", "", "hash of all rules and data"),
    Column("error", "O", "", "why the capture could not be used"),
)
SCHEMA = CAPTURE + tuple(column._replace(null=-1) if column.dtype == "i8" else column for column in VERDICTS)


def table(
    results: Sequence[Result],
    *,
    redact: bool = False,
    everything: bool = False,
    circumvention: bool = False,
    meta: Mapping[str, str] | None = None,
) -> Table:
    """One row per capture, target and method; a capture without verdicts keeps a row of its own.

    Parameters
    ----------
    redact, everything, circumvention : bool
        As in `machine.document`.
    meta : mapping
        Columns that the caller adds, the same in every row: where, who, which campaign.

    Raises
    ------
    UsageError
        A key of `meta` is the name of a column of ours.
    """
    meta = dict(meta or {})
    if taken := sorted({column.name for column in SCHEMA} & meta.keys()):
        raise UsageError(f"--meta {taken[0]}=...: the table has a column of that name already")
    schema = SCHEMA + texts(meta, "given with --meta")
    return Table.of(
        schema,
        (row | meta for result in results for row in _rows(result, redact, everything, circumvention)),
    )


def _rows(result: Result, redact: bool, everything: bool, circumvention: bool) -> Iterator[dict[str, Any]]:
    result = forwardable(result) if redact else result
    result = result if circumvention else discreet(result)
    capture = result.capture
    about = {
        "capture": capture.name,
        "sha256": capture.sha256,
        "start": capture.start,
        "vantage": capture.vantage,
        "network": result.network.state,
        "rules_version": result.rules_version or None,
        "error": result.error,
    }
    verdicts = verdicts_table(result.shown(everything))
    if not len(verdicts):
        yield about
    for row in verdicts.rows():
        yield about | row._asdict()
