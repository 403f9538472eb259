"""Verdicts → words: terminal, Markdown and JSON. Nothing is analysed here.

`sentences` decides what is said; `phrases` and `causes` hold how it is said in English, `locale/` how in other
languages; `escape` makes text from the wire safe to show and `redact` makes a result safe to forward; the renderers
only arrange.
"""
