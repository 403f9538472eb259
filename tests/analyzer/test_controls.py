"""What became of attempts, which connections are one attempt, and which other traffic is a control."""

import numpy as np
import pytest

from analyzer.controls import Fate, attempt_numbers, controls_of, counted, fates, groups_of
from analyzer.tables import ATTEMPTS, Cut, End, Stage, Table, Vantage
from tests.conversation import Names

SECOND = 1_000_000_000
WORDS = ("nothing", "alert 40", "server_hello", "tls", "whatsapp", "vk", "check")
_USUAL = {"proto": 6, "syns": 1, "synacks": 1, "port": 443, "final": True, "answer": 0}


def text(number):
    return WORDS[number] if number >= 0 else None


def table(*rows):
    """Attempts; what a row leaves out is as usual, null or nothing. `at` is the start in seconds."""
    full = []
    for flow, row in enumerate(rows):
        row = dict(row)
        start = round(row.pop("at", 0.0) * SECOND)
        plain = {column.name: 0 if column.null is None else column.null for column in ATTEMPTS}
        full.append(plain | _USUAL | {"flow": flow, "frame": flow + 1, "start": start, "end": start + SECOND} | row)
    return Table.of(ATTEMPTS, full)


def fate(**row):
    return Fate(fates(table(row), text)[0])


ASKED = {"stage": Stage.ASKED, "new_up": 300, "first_up_data": 0}
ANSWERED = ASKED | {"stage": Stage.ANSWERED, "new_down": 4000}
SERVED = ANSWERED | {"stage": Stage.SERVED}
UNHEARD = {"unacked_up": 300, "resent_up": 2}
LAST_WORD = {"ended_by": End.SILENCE} | UNHEARD
STARVED = {"vantage": Vantage.CLIENT, "unacked_down": 900, "last_new_down": SECOND, "fin_up": 9 * SECOND}
RESET = {"ended_by": End.RST_DOWN, "rst_at": 5}
AT_SERVER = {"vantage": Vantage.SERVER}
GONE = AT_SERVER | {"ended_by": End.RST_UP, "rst_at": 5, "rst_bare": True}
UDP = {"proto": 17, "packets_up": 3, "stage": Stage.ASKED}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"stage": Stage.NONE}, Fate.UNKNOWN),
        (UDP | {"stage": Stage.NONE}, Fate.UNKNOWN),  # to many: nobody in particular was to answer
        (SERVED | {"cut": Cut.MIDWAY}, Fate.UNKNOWN),
        (SERVED | {"cut": Cut.ONE_DIRECTION}, Fate.UNKNOWN),
        (ASKED | LAST_WORD | {"cut": Cut.PROBE}, Fate.UNKNOWN),
        ({"stage": Stage.SYN, "ended_by": End.RST_DOWN}, Fate.REFUSED),
        ({"stage": Stage.SYN, "ended_by": End.ICMP}, Fate.ICMP),
        ({"stage": Stage.SYN, "ended_by": End.SILENCE, "syns": 3}, Fate.SYN_SILENT),
        ({"stage": Stage.SYN, "ended_by": End.SILENCE, "syns": 2}, Fate.UNKNOWN),  # one may be lost by chance
        ({"stage": Stage.SYNACK}, Fate.UNKNOWN),
        ({"stage": Stage.OPEN}, Fate.UNKNOWN),
        (ANSWERED | {"answer": 1}, Fate.ALERT),
        (SERVED | {"answer": 1}, Fate.FINE),
        (ASKED | RESET, Fate.RESET),
        (ANSWERED | RESET, Fate.RESET),
        (ASKED | RESET | {"fin_up": 4}, Fate.UNKNOWN),  # the client had enough
        (ANSWERED | RESET | {"fin_down": 4}, Fate.UNKNOWN),
        (SERVED | RESET, Fate.FINE),
        ({"stage": Stage.OPEN} | RESET, Fate.UNKNOWN),  # nothing was asked
        (ANSWERED | {"ended_by": End.RST_UP, "rst_at": 5}, Fate.FINE),  # the client's own doing
        (ANSWERED | GONE, Fate.RESET),  # its machine knows its young connection no more
        (ANSWERED | GONE | {"rst_bare": False}, Fate.FINE),  # its program aborted
        (ANSWERED | GONE | {"fin_up": 4}, Fate.FINE),  # and had closed
        (ANSWERED | GONE | {"vantage": Vantage.CLIENT}, Fate.FINE),
        (SERVED | GONE, Fate.FINE),
        (ANSWERED | AT_SERVER | {"unacked_down": 900, "resent_down": 3}, Fate.SILENT),  # it hears no answer
        (ANSWERED | AT_SERVER | {"unacked_down": 900, "resent_down": 2}, Fate.FINE),
        (ANSWERED | AT_SERVER | {"unacked_down": 900, "resent_down": 3, "rst_at": 5}, Fate.FINE),  # aborted
        (ASKED | UNHEARD, Fate.SILENT),
        (ASKED | UNHEARD | {"resent_up": 1}, Fate.UNKNOWN),
        (ASKED | {"end": 5 * SECOND}, Fate.SILENT),  # acknowledged, and never answered
        (ASKED | {"end": 4 * SECOND}, Fate.UNKNOWN),  # given up at once
        (ASKED | {"end": 5 * SECOND, "cut": Cut.PROXIED, "ended_by": End.OPEN}, Fate.SILENT),
        (ANSWERED | {"fin_up": 5 * SECOND, "first_down_data": 6 * SECOND}, Fate.SILENT),  # when the client had given up
        (ANSWERED | {"fin_up": 4 * SECOND, "first_down_data": 6 * SECOND}, Fate.FINE),  # it had no more to ask
        (ANSWERED | {"fin_up": 6 * SECOND, "first_down_data": 5 * SECOND}, Fate.FINE),
        (ANSWERED | AT_SERVER | {"fin_up": 5 * SECOND, "first_down_data": 6 * SECOND}, Fate.FINE),
        (ASKED | {"fin_down": 4}, Fate.CLOSED),
        (ASKED | {"fin_down": 4, "fin_up": 5}, Fate.CLOSED),
        (ASKED | {"fin_down": 5, "fin_up": 4}, Fate.UNKNOWN),
        (ANSWERED | LAST_WORD, Fate.STALLED),
        (SERVED | LAST_WORD, Fate.STALLED),
        (SERVED | STARVED, Fate.STALLED),  # a hole in what the server sent, until the client left
        (SERVED | STARVED | {"cut": Cut.GAP}, Fate.FINE),  # it is the capture that lost packets
        (SERVED | STARVED | {"fin_up": 3 * SECOND}, Fate.FINE),  # it left too early to tell
        (SERVED | STARVED | {"vantage": Vantage.SERVER}, Fate.FINE),
        (SERVED | LAST_WORD | {"resent_up": 1}, Fate.FINE),
        (SERVED | UNHEARD | {"ended_by": End.FIN}, Fate.FINE),
        (ANSWERED, Fate.FINE),
        (ANSWERED | {"new_down": 0}, Fate.UNKNOWN),
        (SERVED | {"ended_by": End.FIN}, Fate.FINE),
        (UDP | {"packets_down": 1}, Fate.FINE),
        (UDP | {"ended_by": End.ICMP}, Fate.ICMP),
        (UDP, Fate.SILENT),
        (UDP | {"packets_up": 2}, Fate.UNKNOWN),
        (UDP | {"end": SECOND // 2}, Fate.UNKNOWN),
    ],
)
def test_fates(row, expected):
    assert fate(**row) == expected


@pytest.mark.parametrize(("cut", "expected"), [(Cut.PROXIED, Fate.SILENT), (0, Fate.UNKNOWN)])
def test_behind_a_proxying_capturer_an_app_waits_without_a_packet(cut, expected):
    waits = ASKED | {"ended_by": End.OPEN, "last_up": 0, "cut": cut}
    assert fates(table(waits, SERVED | {"at": 5.0}), text)[0] == expected
    assert fates(table(waits, SERVED | {"at": 3.0}), text)[0] == Fate.UNKNOWN, "it may have left by now"


def test_what_says_nothing_against_the_path_lies_below_failed():
    assert {each for each in Fate if each < Fate.FAILED} == {Fate.UNKNOWN, Fate.FINE}


# -- one attempt or several -------------------------------------------------------------------------------------

BAD = ASKED | UNHEARD | {"client": 1, "target": 1, "server": 1, "ja4": 1, "resent_up": 3}
GOOD = SERVED | {"client": 1, "target": 2, "server": 1, "ja4": 1}
DEAD = {
    "client": 1,
    "target": 1,
    "server": 1,
    "synacks": 0,
    "syns": 4,
    "stage": Stage.SYN,
    "ended_by": End.SILENCE,
}


def numbers(*rows):
    """Attempt numbers, counted from the first that is seen."""
    rows = table(*rows)
    given = attempt_numbers(rows, fates(rows, text)).tolist()
    order = {number: n for n, number in enumerate(dict.fromkeys(given)) if number >= 0}
    return [order.get(number, -1) for number in given]


@pytest.mark.parametrize(
    ("starts", "expected"),
    [
        ((0, 9.9), [0, 0]),
        ((0, 10), [0, 1]),
        ((0, 9, 18, 27), [0, 0, 0, 0]),  # a client that never rests makes one attempt
        ((0, 0.1, 30, 30.1), [0, 0, 1, 1]),
    ],
)
def test_retries_within_ten_seconds_are_one_attempt(starts, expected):
    assert numbers(*(BAD | {"at": at} for at in starts)) == expected


@pytest.mark.parametrize("column", ["client", "target", "server", "port", "ja4"])
def test_another_one_is_no_retry(column):
    """Another make of hello (JA4) too: a filter may spare it."""
    assert numbers(BAD, BAD | {"at": 1, column: 9}) == [0, 1]


def test_a_failure_is_no_retry_of_what_was_fine():
    fine = SERVED | {"client": 1, "target": 1, "server": 1, "ja4": 1}
    assert numbers(fine, BAD | {"at": 2}, BAD | {"at": 4}) == [0, 1, 1]
    assert numbers(fine, BAD | {"at": 0.3}) == [0, 0], "opened together"
    assert numbers(BAD, fine | {"at": 2}) == [0, 0], "the retry that worked"


def test_another_protocol_is_no_retry():
    assert numbers(BAD, BAD | {"at": 1, "proto": 17, "packets_down": 1}) == [0, 1]


def test_what_is_not_known_is_no_attempt():
    assert numbers(BAD, BAD | {"at": 1, "stage": Stage.NONE}, BAD | {"at": 2}) == [0, -1, 0]
    assert numbers() == []


def test_a_turn_in_between_makes_two_attempts():
    assert numbers(BAD, GOOD | {"at": 2}, BAD | {"at": 4}) == [0, 1, 2]
    assert numbers(GOOD, BAD | {"at": 2}, GOOD | {"at": 4}) == [0, 1, 2], "the other way round"
    assert numbers(GOOD, GOOD | {"at": 2}) == [0, 0]


@pytest.mark.parametrize(
    "between",
    [
        BAD | {"target": 2},  # fared alike
        GOOD | {"client": 9, "server": 9},  # neither by this client nor at this server
        GOOD | {"stage": Stage.NONE},
    ],
)
def test_what_is_no_turn(between):
    given = numbers(BAD, between | {"at": 2}, BAD | {"at": 4})
    assert given[0] == given[2]


@pytest.mark.parametrize("who", [{"client": 9}, {"server": 9}])
def test_a_turn_of_the_same_client_or_at_the_same_server(who):
    assert numbers(BAD, GOOD | {"at": 2} | who, BAD | {"at": 4}) == [0, 1, 2]


def test_what_a_client_opens_at_once_is_one_attempt_whatever_happens():
    assert numbers(BAD, GOOD | {"at": 0.2}, BAD | {"at": 0.49}) == [0, 1, 0]
    assert numbers(BAD, GOOD | {"at": 0.2}, BAD | {"at": 0.5}) == [0, 1, 2]


def test_residual_blocking_counts_with_its_trigger():
    """Dead SYNs, which speak no hello, within three minutes of a failure may be what that failure left behind."""
    assert numbers(BAD, DEAD | {"at": 100}) == [0, 0]
    assert numbers(BAD, DEAD | {"at": 20}, DEAD | {"at": 60}, DEAD | {"at": 170}) == [0, 0, 0, 0]
    assert numbers(BAD, DEAD | {"at": 180}) == [0, 1]
    assert numbers(BAD, DEAD | {"at": 100}, DEAD | {"at": 200}) == [0, 0, 1]
    assert numbers(BAD, BAD | {"at": 100}) == [0, 1], "greeted again: a trigger of its own"
    assert numbers(GOOD | {"target": 1}, DEAD | {"at": 100}) == [0, 1], "nothing had failed"
    assert numbers(DEAD, DEAD | {"at": 100}) == [0, 1], "nothing had been said"
    assert numbers(BAD, DEAD | {"at": 100, "server": 9}) == [0, 1]
    assert numbers(BAD, BAD | {"at": 60, "ja4": 9}, DEAD | {"at": 100}) == [0, 1, 1], "with the last one"


def test_a_merged_attempt_is_fine_if_any_of_it_was():
    rows = table(
        BAD | {"at": 1}, BAD, GOOD | {"target": 1, "at": 2}, BAD | {"at": 60}, BAD | {"at": 61, "stage": Stage.NONE}
    )
    merged, fate = counted(rows, fates(rows, text))
    assert merged.flow.tolist() == [1, 3], "the first connection stands for them"
    assert fate.tolist() == [Fate.FINE, Fate.SILENT]


def test_the_aftermath_is_no_attempt_of_its_own():
    rows = table(BAD, DEAD | {"at": 20}, DEAD | {"at": 100}, BAD | {"at": 400})
    merged, fate = counted(rows, fates(rows, text))
    assert merged.flow.tolist() == [0, 3]
    assert fate.tolist() == [Fate.SILENT, Fate.SILENT]


def test_nothing_is_counted_of_nothing():
    rows = table(BAD | {"stage": Stage.NONE})
    merged, fate = counted(rows, fates(rows, text))
    assert (len(merged), len(fate)) == (0, 0)


# -- controls ---------------------------------------------------------------------------------------------------


class Known(Names):
    """`vk` is at home, `check` is a connectivity check."""

    def kind(self, service):
        return "check" if service == "check" else super().kind(service)

    def is_domestic(self, service):
        return service == "vk"


class Texts:
    @staticmethod
    def text(number):
        return text(number)


MINE = {"client": 1, "target": 1, "server": 1, "name": 1, "service": 4, "protocol": 3}


def kinds(*others):
    """Kind of control of each other attempt (None for none); the first row is mine."""
    rows = table(MINE, *(MINE | other for other in others))
    found = controls_of(np.array([0]), rows, Texts, Known())
    by_row = {row: fared.kind for fared in found for row in fared.rows.tolist()}
    return [by_row.get(n) for n in range(1, len(rows))]


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        ({"target": 2, "name": 2}, "same_address_other_name"),
        ({"target": 2, "name": -1, "service": -1}, "same_protocol_other_service"),  # no name: not a name's control
        ({"target": 2, "name": 2, "port": 80, "service": -1}, "same_protocol_other_service"),
        ({"server": 2}, "same_name_other_address"),
        ({"target": 2, "name": 2, "server": 2}, "same_service_other_channel"),
        ({"target": 2, "name": 2, "server": 2, "service": -1}, "same_protocol_other_service"),
        ({"target": 2, "name": 2, "server": 2, "service": 5}, "domestic_service"),
        ({"target": 2, "name": 2, "server": 2, "service": 6}, "connectivity_check"),
        ({"client": 2}, "other_client_networks"),
        ({"client": 2, "port": 80}, None),
        ({"client": 2, "server": 2}, None),
        ({"target": 2, "name": 2, "server": 2, "service": -1, "protocol": 0}, None),
        ({"target": 2, "name": 2, "server": 2, "service": -1, "proto": 17}, None),
        ({"target": 2, "name": 2, "at": 301}, None),  # another time, perhaps another network
        ({"target": 2, "name": 2, "at": 300}, "same_address_other_name"),
        ({}, None),  # the same thing again
    ],
)
def test_kinds_of_controls(other, kind):
    assert kinds(other) == [kind]


def test_controls_come_strongest_first_and_count_once():
    rows = table(MINE, MINE | {"client": 2}, MINE | {"target": 2, "name": 2}, MINE | {"server": 2})
    found = controls_of(np.array([0]), rows, Texts, Known())
    assert [(fared.kind, fared.rows.tolist()) for fared in found] == [
        ("same_address_other_name", [2]), ("same_name_other_address", [3]), ("other_client_networks", [1]),
    ]  # fmt: skip


def test_groups_come_in_the_order_of_their_first_rows():
    rows = table({"client": 2, "at": 3}, {"client": 1, "at": 2}, {"client": 2, "at": 1}, {"client": 3})
    groups = groups_of(rows, rows.client < 3, "client", "target")
    assert [group.tolist() for group in groups] == [[2, 0], [1]]
    assert groups_of(rows, rows.client > 9, "client") == []
