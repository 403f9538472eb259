"""Pictures of a result: what `analyzer.plot` draws, in the words of a language.

Each function takes a result (forwardable or not) and gives finished drawings; a notebook shows them as they are::

    from analyzer.report import Words, pictures
    pictures.timeline(result, Words()).wide
"""

from analyzer.report.pictures.ladder import Ladder, Note, ladder
from analyzer.report.pictures.speed import Speed, speed
from analyzer.report.pictures.timeline import timeline
from analyzer.report.pictures.twice import Twice

__all__ = ["Ladder", "Note", "Speed", "Twice", "ladder", "speed", "timeline"]
