"""Keeps the message catalogues: finds every message in the code and in the rules, and compiles translations.

    python -m tests.analyzer.report.catalogue        # from the root of the project; prints what is not translated

Rules are written by signatures and say what they mean in English; they are read from the loaded rules, not from source.
"""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

import signatures
from analyzer.report.words import DOMAIN, SOURCE, languages
from analyzer.signature import Rule

ROOT = Path(__file__).parents[3]
LOCALE = ROOT / "analyzer" / "locale"
KEYWORDS = {"N_": None, "NN_": (1, 2), "say": None, "plural": (1, 2), "pgettext": ((1, "c"), 2)}
METHODS = [("**.py", "tests.analyzer.report.catalogue:calls"), ("**.html", "jinja2")]
JINJA = {"silent": "false"}


def messages() -> Catalog:
    """All that a report can say, in English."""
    found = Catalog(domain=DOMAIN)
    extracted = extract_from_dir(str(ROOT / "analyzer"), METHODS, keywords=KEYWORDS, options_map={"**.html": JINJA})
    for _, _, message, _, context in extracted:
        found.add(message, context=context)
    for rule in rules():
        if rule.says not in found:
            found.add(rule.says)
    return found


def calls(file: BinaryIO, keywords: Iterable[str], tags: Iterable[str], options: dict) -> Iterator[tuple]:
    """Messages in calls that name them outright; Babel's own extractor also takes strings that are keys of a table."""
    for node in ast.walk(ast.parse(file.read())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
            texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if name in keywords and texts and isinstance(node.args[0], ast.Constant):
                yield node.lineno, name, tuple(texts) if len(texts) > 1 else texts[0], []


def rules() -> list[Rule]:
    modules = [import_module(f"signatures.{name}") for name in signatures.MODULES]
    return [rule for module in modules for rule in module.RULES]


def catalogue(lang: str) -> Catalog:
    with (LOCALE / lang / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        return read_po(file, locale=lang, domain=DOMAIN)


def compiled(kept: Catalog) -> bytes:
    out = io.BytesIO()
    write_mo(out, kept)
    return out.getvalue()


def update(lang: str) -> list[str]:
    """Bring one language up to date; gives back what is not translated."""
    place = LOCALE / lang / "LC_MESSAGES"
    kept = catalogue(lang)
    created = kept.creation_date
    kept.update(messages(), no_fuzzy_matching=True)
    kept.creation_date = created  # the same messages give the same file
    kept.obsolete.clear()
    with (place / f"{DOMAIN}.po").open("wb") as file:
        write_po(file, kept, sort_output=True, no_location=True, omit_header=False, width=0)
    (place / f"{DOMAIN}.mo").write_bytes(compiled(catalogue(lang)))
    return untranslated(kept)


def untranslated(kept: Catalog) -> list[str]:
    return [_first(m.id) for m in kept if m.id and not all(_strings(m.string or ""))]


def _first(text: str | tuple[str, ...]) -> str:
    return text if isinstance(text, str) else text[0]


def _strings(text: str | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text


if __name__ == "__main__":
    for language in languages():
        if language != SOURCE:
            for message in update(language):
                print(f"{language}: {message}", file=sys.stderr)
