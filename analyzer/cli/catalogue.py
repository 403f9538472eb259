"""`interference rules` and `interference services`: what is looked for, and what is known, each with its source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import typer

import signatures
from analyzer.cli import asked, options
from analyzer.cli.outlet import console
from analyzer.errors import UsageError
from analyzer.report import Words, columns
from analyzer.report.redact import TOOLS
from analyzer.signature import Rule
from signatures.knowledge.services import Service, Services

RuleId = Annotated[str | None, typer.Argument(metavar="ID", hidden=True)]
All = Annotated[bool, typer.Option("--all", help="Every address block of a service.")]
COUNTED = re.compile(r"\b(\d+) \| (\d+)\b")  # flows that a rule fires on: benign | with interference
MOST_BLOCKS = 8  # address blocks shown unasked: some services have thousands
ServiceId = Annotated[str | None, typer.Argument(metavar="ID", hidden=True)]


def rules(rule: RuleId = None, lang: options.Lang = "en") -> None:
    """What can be seen on the wire, and which way it leans. With an ID, all about that one rule.

    A rule never decides alone unless it is physically conclusive.
    """
    words = Words(asked.languages(lang)[0])
    known = {found.id: (found, module.METHOD) for module in signatures.load().signatures for found in module.RULES}
    if rule is None:
        rows = [(r.id, r.leans, r.strength, words.rule(r.says)) for r, _ in known.values()]
        _print_table(("RULE", "LEANS TO", "STRENGTH", "MEANS"), rows)
    elif rule in known:
        columns.show_pairs(_about_rule(*known[rule], words), console())
    else:
        raise UsageError(f"there is no rule {rule!r}; `interference rules` lists them all")


def services(service: ServiceId = None, everything: All = False, circumvention: options.Circumvention = False) -> None:
    """The services that are known by name, address or bytes. With an ID, all about that one, with its sources."""
    known = {found.id: found for found in Services.load().all_services()}
    if service is None:
        rows = [(s.id, s.kind, s.name, " ".join(s.names)) for s in known.values()]
        _print_table(("ID", "KIND", "NAME", "ROLES"), rows)
    elif service in known:
        about = _about_service(known[service], everything)
        columns.show_pairs(about if circumvention else _discreet(about), console())
    else:
        raise UsageError(f"there is no service {service!r}; `interference services` lists them all")


def _about_rule(rule: Rule, method: str, words: Words) -> Iterator[tuple[str, list[str]]]:
    yield "rule", [rule.id]
    yield "means", [words.rule(rule.says)]
    yield "leans to", [f"{rule.leans} ({rule.strength})"]
    yield "evidence of", [rule.action or ""]
    yield "seen in", [rule.family]
    yield "cannot see", [rule.blind]
    yield "headers", ["" if rule.needs_headers else "not needed: it works where the capturing app wrote its own"]
    yield (
        "source",
        [COUNTED.sub(r"in real captures it fires on \1 ordinary flows and on \2 with interference", rule.source)],
    )
    yield "signature", [method]


def _about_service(service: Service, everything: bool) -> Iterator[tuple[str, list[str]]]:
    facts = service.facts
    yield "id", [service.id]
    yield "name", [service.name]
    yield "operator", [service.operator]
    yield "kind", [service.kind]
    yield "domestic in", [" ".join(service.domestic_in)]
    for role, names in service.names.items():
        yield f"names, {role}", [" ".join(names)]
    yield f"addresses, {service.scope}", _blocks(service.prefixes, everything)
    yield "addresses of", [service.addresses_of or ""]
    yield "ports", [f"{row['on']}  {row.get('role', '')}  {row.get('use', '')}" for row in facts.get("ports", ())]
    yield "on the wire", [f"{row['name']}, {row['where']}: {row['rule']}" for row in facts.get("wire", ())]
    yield "notes", list(facts.get("notes", ()))
    yield "sources", [f"{row['where']} ({row.get('date') or row.get('read')})" for row in facts.get("sources", ())]
    yield "date", [facts["date"]]


def _blocks(prefixes: Sequence[str], everything: bool) -> list[str]:
    more = 0 if everything else len(prefixes) - MOST_BLOCKS
    if more <= 0:
        return [" ".join(prefixes)]
    return [" ".join(prefixes[:MOST_BLOCKS]), f"and {more} more (--all)"]


def _discreet(rows: Iterable[tuple[str, list[str]]]) -> Iterator[tuple[str, list[str]]]:
    """Without the lines that name a circumvention tool: lists made for such tools are among the sources."""
    left_out = 0
    for label, lines in rows:
        kept = [line for line in lines if not TOOLS.search(line.lower())]
        left_out += len(lines) - len(kept)
        yield label, kept
    yield "left out", [f"{left_out} of these lines (--show-circumvention)"] if left_out else []


def _print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    for line in columns.table(head, rows, columns.width_of(console())):
        typer.echo(line)
