"""Every word that a result can hold has a sentence in every language, and every sentence fits its placeholders."""

from __future__ import annotations

import string

import pytest

from analyzer import result as codes
from analyzer import signature as axes
from analyzer.errors import UsageError
from analyzer.report import causes, labels, overview, phrases
from analyzer.report.words import SOURCE, Words, languages
from tests.analyzer.report import catalogue
from tests.analyzer.report.languages import Pseudo

OTHERS = [lang for lang in languages() if lang != SOURCE]


def test_there_is_english_and_russian():
    assert languages() == ("en", "ru")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (phrases.STATES, codes.STATES),
        (phrases.IN_PART, [state for state in codes.STATES if state != "ok"]),
        (phrases.DONE, axes.ACTIONS),
        (phrases.SEEN, axes.ACTIONS),
        (phrases.TRIGGERS, axes.TRIGGERS),
        (phrases.RECOGNISED, axes.TRIGGERS),
        (phrases.POSITIONS, axes.POSITIONS),
        (phrases.WITNESSES, axes.ROLES),
        (causes.NETWORKS, codes.NETWORKS),
        (causes.CONTROLS, codes.CONTROL_KINDS),
        (causes.BECAUSE, codes.CONTROL_KINDS),
        (causes.EXCLUDED, codes.EXPLANATIONS),
        (causes.STILL_OPEN, codes.EXPLANATIONS),
        (causes.LIMITS, codes.LIMITS),
        (causes.NEXT_STEPS, codes.NEXT_STEPS),
    ],
)
def test_every_code_word_has_a_sentence_and_no_sentence_is_left_over(said, words):
    assert sorted(said) == sorted(words)


def test_every_accusing_state_can_be_said_with_every_trigger():
    for state in codes.ACCUSING:
        for trigger in axes.TRIGGERS:
            assert (state, phrases.RECOGNISED[trigger]) in phrases.FOUND
    assert {state for state in codes.STATES if state != "insufficient"} <= {state for state, _ in phrases.FOUND}
    assert set(codes.STATES) == overview.HEADLINES.keys() - {None}


def test_circumvention_is_named_only_in_sentences_of_its_own():
    assert causes.NAMED.keys() <= causes.LIMITS.keys()
    spoken = [text for module in (phrases, causes, labels) for text in _texts(vars(module))]
    for text in set(spoken) - set(causes.NAMED.values()):
        assert not any(tool in text.lower() for tool in ("vpn", "zapret", "byedpi", "circumvention", "tor "))


def _texts(names: dict) -> list[str]:
    tables = [value for name, value in names.items() if name.isupper() and isinstance(value, dict)]
    return [text for table in tables for text in table.values() if isinstance(text, str)]


@pytest.mark.parametrize("lang", OTHERS)
def test_a_catalogue_holds_every_message_of_the_report_and_no_other(lang):
    rules = {rule.says for rule in catalogue.rules()}
    kept = {(m.context, m.id) for m in catalogue.catalogue(lang) if m.id and m.id not in rules}
    found = {(m.context, m.id) for m in catalogue.messages() if m.id and m.id not in rules}
    assert kept == found
    assert [text for text in catalogue.untranslated(catalogue.catalogue(lang)) if text not in rules] == []


@pytest.mark.parametrize("lang", OTHERS)
def test_every_rule_says_what_it_means_in_every_language(lang):
    kept = catalogue.catalogue(lang)
    assert [rule.id for rule in catalogue.rules() if not (rule.says in kept and kept[rule.says].string)] == []


@pytest.mark.parametrize("lang", OTHERS)
def test_the_compiled_catalogue_is_that_of_the_source(lang):
    place = catalogue.LOCALE / lang / "LC_MESSAGES" / "interference.mo"
    assert place.read_bytes() == catalogue.compiled(catalogue.catalogue(lang))


@pytest.mark.parametrize("lang", OTHERS)
def test_translations_have_the_placeholders_of_their_message(lang):
    for message in catalogue.catalogue(lang):
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        wanted = _placeholders(ids[-1])
        for text in message.string if isinstance(message.string, tuple) else (message.string,):
            assert message.id == "" or _placeholders(text) == wanted, message.id


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_russian_bends_words_to_numbers():
    words = Words("ru_RU.UTF-8")
    said = [words.plural("{n} packet", "{n} packets", n) for n in (1, 2, 5, 11, 21, 1234)]
    assert said == ["1 пакет", "2 пакета", "5 пакетов", "11 пакетов", "21 пакет", "1\u00a0234 пакета"]
    assert words.rate(1234.5) == "1,2 Мбит/с"


def test_an_unknown_language_is_a_usage_error_that_names_the_known_ones():
    with pytest.raises(UsageError, match="en, ru"):
        Words("tlh")


def test_quantities_are_as_coarse_as_a_reader_needs_them():
    words = Words()
    assert [words.duration(ns) for ns in (1_500_000_000, 42_400_000_000, 412_000_000_000)] == [
        "1.5 s", "42 s", "6 min 52 s",
    ]  # fmt: skip
    assert [words.duration(round(s * 1e9)) for s in (7300, 90_000, 200_000, 60 * 3_071_347)] == [
        "2 h 1 min", "25 h 0 min", "2 days", "more than 5 years",
    ]  # fmt: skip
    assert [words.number(value, 1) for value in (-0.04, -0.06, 1234.56)] == ["0.0", "-0.1", "1,234.6"]
    assert [words.rate(kbps) for kbps in (128.2, 24_000)] == ["128 kbit/s", "24.0 Mbit/s"]
    assert [words.size(count) for count in (1, 900, 16_384, 3_000_000)] == ["1 byte", "900 bytes", "16.4 kB", "3.0 MB"]


def test_the_pseudo_language_runs_from_right_to_left_and_keeps_values():
    words = Pseudo()
    said = words.say("{target} works", target="web.whatsapp.com")
    assert words.direction == "rtl" and Words("ru").direction == "ltr"
    assert said.startswith("web.whatsapp.com ") and "works" not in said
