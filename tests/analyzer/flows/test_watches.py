"""What is noted while packets pass: DNS questions and answers, ICMP errors, and the flows that they belong to."""

import numpy as np
import pytest

from analyzer.decode import Packets, decode
from analyzer.flows.dns_watch import DnsWatch
from analyzer.flows.icmp_watch import IcmpWatch
from analyzer.flows.ledger import Ledger
from analyzer.flows.seen import SeenStore
from analyzer.joins import flow_of
from analyzer.tables import ATTEMPTS, NAMES, Column, Table
from tests.conversation import Conversation, frames_of, icmp_error
from tests.lookups import Lookups

CLIENT = "10.0.0.2"


def watched(packets, kind=DnsWatch, snaplen=None):
    """A watch that has seen some packets, and what it entered."""
    seen = SeenStore()
    watch = kind(seen)
    frames = frames_of(packets)
    if snaplen:
        frames = frames._replace(caplen=np.minimum(frames.caplen, snaplen))
    columns = Packets.allocate(len(packets))
    decode(frames, 0, len(packets), columns)
    watch.look(columns, frames, 0, len(packets))
    return watch, seen


def test_a_question_and_its_answer():
    _, seen = watched(
        Lookups().ask("Web.WhatsApp.com").answer("157.240.0.60", "157.240.0.61", alias="front.net").packets
    )
    question, names = seen.questions.row(0), seen.names
    assert (question.times, question.answers, question.edns) == (1, 1, True)
    assert seen.text(question.name) == "web.whatsapp.com"
    assert [seen.text(a) for a in names.address] == ["157.240.0.60", "157.240.0.61"]
    assert seen.text(names.alias[0]) == "front.net"
    assert names.as_asked.all() and names.edns.all() and not names.malformed.any()
    assert names.asked[0] == question.ts


def test_a_repeated_question_is_one():
    _, seen = watched(Lookups().ask("a.org").again().again().answer("192.0.2.1").packets)
    assert (len(seen.questions), seen.questions.times[0], seen.questions.last_frame[0]) == (1, 3, 3)
    _, seen = watched(Lookups().ask("a.org").again(after=31_000).packets)
    assert len(seen.questions) == 2


def test_an_answer_without_its_question():
    _, seen = watched(Lookups().ask("a.org").answer("192.0.2.1").packets[1:])
    assert (seen.questions.times[0], seen.names.asked[0]) == (0, -1)


def test_a_denial_with_zone_and_reason():
    _, seen = watched(Lookups().ask("a.org").answer(rcode=3, zone="org", ede=15).packets)
    names = seen.names.row(0)
    assert (names.rcode, names.ede, seen.text(names.zone), names.address) == (3, 15, "org", -1)


def test_an_answer_that_the_capture_has_cut_denies_nothing():
    packets = Lookups().ask("web.whatsapp.com").answer("157.240.0.60").packets
    _, seen = watched(packets, snaplen=64)
    assert len(seen.names) == 0
    assert seen.questions.answers[0] == 1
    _, seen = watched(packets, snaplen=len(packets[1][1]) - 4)
    assert seen.names.edns[0], "its end may have held the record"


def test_names_of_addresses():
    dns = Lookups().ask("a.org", "AAAA").answer("2001:470::1")
    watch, _ = watched(dns.packets)
    assert watch.name_of(CLIENT, "2001:470::1", before=3) == "a.org"
    assert watch.name_of(CLIENT, "2001:470::1", before=2) is None, "not yet"
    assert watch.name_of("2001:470::99", "2001:470::1", before=3) == "a.org", "the same device, from another address"
    watch, _ = watched(dns.packets + Lookups(client="10.0.0.3", at=5000).ask("b.org").packets)
    assert watch.name_of("2001:470::99", "2001:470::1", before=99) is None, "two devices ask"


def test_icmp_errors():
    syn = Conversation(server="192.0.2.9", sport=40000).up("S", after=0).packets[0]
    packets = [syn, icmp_error("100.64.2.2", syn[1], 12.0), icmp_error("192.0.2.9", syn[1], 14.0, code=3)]
    _, seen = watched(packets, IcmpWatch)
    first, second = seen.icmp_errors.rows()
    assert [seen.text(n) for n in (first.router, first.client, first.server)] == ["100.64.2.2", CLIENT, "192.0.2.9"]
    assert (first.code, first.client_port, first.port, first.proto) == (3 * 256 + 13, 40000, 443, 6)
    assert (first.from_target, second.from_target) == (False, True)


def test_a_ledger_is_bounded_and_can_be_corrected():
    ledger = Ledger((Column("a", "i8", "", ""), Column("b", "?", "", "")), most=2)
    assert [ledger.add((i, i % 2)) for i in range(3)] == [0, 1, -1]
    assert ledger.full
    ledger.put(0, "a", 7)
    assert ledger.get(0, "a") == 7
    assert (ledger.table().a.tolist(), ledger.table().b.tolist()) == ([7, 1], [False, True])


@pytest.mark.parametrize(("ts", "flow"), [(5, -1), (10, 3), (40, 3), (60, 8)])
def test_the_flow_of_a_row_is_the_last_that_had_begun(ts, flow):
    row = dict.fromkeys((column.name for column in ATTEMPTS), 0) | {
        "client": 1,
        "client_port": 5000,
        "server": 2,
        "port": 53,
        "proto": 17,
    }
    attempts = Table.of(ATTEMPTS, [row | {"flow": 3, "start": 10}, row | {"flow": 8, "start": 50}])
    ends = (np.array([value]) for value in (1, 5000, 2, 53, 17, ts))
    assert flow_of(attempts, *ends).tolist() == [flow]


def test_no_rows_no_flows():
    empty = Table.empty(NAMES)
    none = np.empty(0, np.int64)
    assert len(flow_of(Table.empty(ATTEMPTS), none, none, none, none, none, none)) == len(empty) == 0
