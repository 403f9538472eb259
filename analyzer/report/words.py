"""The language of a report: English in the code, every other language a gettext catalogue beside it.

Messages are whole sentences or whole clauses with named placeholders, because word order, case and number differ
between languages. The English text is the message id, so that a missing translation still says something true. The
catalogues are kept with Babel: `python -m tests.analyzer.report.catalogue` finds the messages and compiles them.
"""

from __future__ import annotations

from collections.abc import Iterable
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files

from analyzer.errors import UsageError

DOMAIN = "interference"
SOURCE = "en"
HOUR, DAY, YEAR = 3600, 86_400, 365 * 86_400  # seconds
RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})


def N_(message: str) -> str:  # the name gettext's tools know
    """Marks a message that is looked up later, in `Words.say`."""
    return message


def NN_(one: str, many: str) -> tuple[str, str]:
    """The same for a message that depends on a number: for `Words.plural`."""
    return one, many


def languages() -> tuple[str, ...]:
    """The languages a report can be written in."""
    found = [place.name for place in files("analyzer").joinpath("locale").iterdir() if place.name.isalpha()]
    return (SOURCE, *sorted(found))


class Words:
    """Says things in one language.

    Parameters
    ----------
    lang : str
        A language as in `LANG`: "ru", "ru_RU.UTF-8" and "ru-RU" are all Russian.

    Raises
    ------
    UsageError
        There is no catalogue for it.
    """

    def __init__(self, lang: str = SOURCE):
        self.lang = lang.replace("-", "_").split(".")[0].split("_")[0].lower()
        self._catalogue: NullTranslations = NullTranslations()
        if self.lang == SOURCE:
            return
        if self.lang not in languages():
            raise UsageError(f"no report in the language {lang!r}; there is {', '.join(languages())}")
        with files("analyzer").joinpath("locale", self.lang, "LC_MESSAGES", f"{DOMAIN}.mo").open("rb") as catalogue:
            self._catalogue = GNUTranslations(catalogue)

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`, as HTML writes it."""
        return "rtl" if self.lang in RIGHT_TO_LEFT else "ltr"

    def say(self, message: str, **values: object) -> str:
        """The message in this language, with its placeholders filled."""
        return self._catalogue.gettext(message).format(**values)

    def plural(self, one: str, many: str, n: int, **values: object) -> str:
        """The same for a message that depends on a number; `{n}` is the number."""
        return self._catalogue.ngettext(one, many, n).format(**({"n": self.number(n)} | values))

    def rule(self, says: str) -> str:
        """What a rule means: signatures write it in English, a catalogue may have it in this language."""
        return self._catalogue.gettext(says) if says else says

    def service(self, name: str) -> str:
        """What a service is called: brands stay as they are, groups such as time servers have a name in every language."""
        return self._catalogue.gettext(name) if name else name

    def number(self, value: float, digits: int = 0) -> str:
        """A count or quantity with this language's separators (never for frame numbers: they are typed elsewhere)."""
        whole, _, fraction = f"{value:z,.{digits}f}".partition(".")  # z: what rounds to nothing has no sign
        whole = whole.replace(",", self._catalogue.pgettext("between thousands", ","))
        return whole + self._catalogue.pgettext("before decimals", ".") + fraction if fraction else whole

    def rate(self, kbps: float) -> str:
        if kbps >= 1000:
            return self.say("{rate} Mbit/s", rate=self.number(kbps / 1000, 1))
        return self.say("{rate} kbit/s", rate=self.number(kbps))

    def size(self, count: int) -> str:
        if count >= 1_000_000:
            return self.say("{size} MB", size=self.number(count / 1e6, 1))
        if count >= 1000:
            return self.say("{size} kB", size=self.number(count / 1000, 1))
        return self.plural("{n} byte", "{n} bytes", count)

    def size_of(self, count: float) -> str:
        """A size on an axis: no decimals."""
        if count >= 10_000_000:
            return self.say("{size} MB", size=self.number(count / 1e6))
        return self.size(round(count)) if count < 1000 else self.say("{size} kB", size=self.number(count / 1000))

    def duration(self, ns: int) -> str:
        """A length of time, as coarse as a reader needs it."""
        seconds = ns / 1e9
        if seconds >= 2 * YEAR:
            return self.plural("more than {n} year", "more than {n} years", int(seconds // YEAR))
        if seconds >= 2 * DAY:
            return self.plural("{n} day", "{n} days", round(seconds / DAY))
        if seconds >= 2 * HOUR:
            return self.say("{hours} h {minutes} min", hours=int(seconds // HOUR), minutes=int(seconds % HOUR // 60))
        if seconds >= 120:
            return self.say("{minutes} min {seconds} s", minutes=int(seconds // 60), seconds=int(seconds % 60))
        return self.say("{seconds} s", seconds=self.number(seconds, 0 if seconds >= 10 else 1))

    @staticmethod
    def sentence(clause: str) -> str:
        """A clause standing alone. Not for clauses that may begin with a name."""
        return clause[:1].upper() + clause[1:] + "."

    @staticmethod
    def listing(items: Iterable[str]) -> str:
        return ", ".join(items)
