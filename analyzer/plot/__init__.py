"""Drawings as SVG: ladder, timeline, rate and sequence graphs; one set for notebooks and the report.

Here is geometry only: what to draw and every word in it come from the caller (`analyzer.report.pictures` makes them
from a result), so that a drawing can be in any language and hides what its result hides. Drawn by hand rather than with
a plotting library: text stays text that can be searched, colours follow the reader's light or dark page, a picture
weighs a few kilobytes, and drawing one costs milliseconds.
"""

from analyzer.plot.svg import STYLE, Drawing

__all__ = ["STYLE", "Drawing"]
