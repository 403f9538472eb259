"""Verdicts → words: terminal, HTML, Markdown, JSON and tables. Nothing is analysed here.

`overview` and `sentences` decide what is said; `phrases` and `causes` hold how it is said in English, `locale/` how in
other languages; `escape` makes text from the wire safe to show and `redact` makes a result safe to forward; the
renderers only arrange. `render` and `write` are the way in for every format, `terminal.show` the one for a console.
"""

from analyzer.report.output import FORMATS, format_of, render, write
from analyzer.report.words import Words, languages

__all__ = ["FORMATS", "Words", "format_of", "languages", "render", "write"]
