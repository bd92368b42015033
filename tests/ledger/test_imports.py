"""What is imported is in the index once, and in the report of whoever it belongs to."""

from datetime import UTC, datetime

import msgspec
import pytest

from ledger.logs import Machine, closed, follow, open_index, opened, tables
from ledger.rows import Book, second
from trunkline.ledger.cost_answers import DIMENSIONS, CostsQuestion, PaidQuestion, Span
from trunkline.ledger.costs import paid, report
from trunkline.ledger.follow import rebuild
from trunkline.ledger.schema import FACTS

JUNE = Span(second("2026-06-01"), second("2026-07-01"))


@pytest.fixture
def book(tmp_path):
    made = Book(tmp_path)
    yield made
    made.close()


def bring(book, amount, **fields):
    row = {"at": "2026-06-20T12:00:00Z", "tenant": "harbor", "kind": "speech", "amount": amount} | fields
    columns = ", ".join(f'"{name}"' for name in row)
    book.index.ask(
        f"INSERT INTO {FACTS}.imports ({columns}) VALUES ({', '.join('?' for _ in row)})", list(row.values())
    )


def told(book, *by, **asked):
    return report(book.index, CostsQuestion(by=by, span=JUNE, **asked))


def totals(found):
    return {row.group: (row.cost, row.imported, row.total) for row in found.rows}


def test_what_a_session_costs_besides_counts_for_who_had_it(book):
    book.add(session="s-1", user_id="ann", team="west", subject="client-7", cost="1")
    book.add(session="s-2", user_id="bob", cost="2")
    bring(book, "0.5", session="s-1")
    bring(book, "0.25", session="s-1", kind="telephony")
    assert totals(told(book, "user")) == {("ann",): ("1", "0.75", "1.75"), ("bob",): ("2", "0", "2")}
    assert totals(told(book, "team"))[("west",)] == ("1", "0.75", "1.75")
    assert totals(told(book, "subject"))[("client-7",)] == ("1", "0.75", "1.75")
    total = told(book, "user").total
    assert (total.calls, total.conversations, total.total) == (2, 2, "3.75")
    assert total.cost_per_conversation == "1.875000"


def test_what_was_imported_is_beside_what_was_paid_by_day_and_kind(book):
    book.add(session="s-1", user_id="ann", team="west", cost="1")
    bring(book, "0.5", session="s-1")
    bring(book, "0.25", session="s-1")
    bring(book, "-0.25", session="s-1")
    bring(book, "0.75", user_id="bob", team="desk", kind="telephony", at="2026-06-21T00:00:00Z")
    bring(book, "9", at="2026-07-01T00:00:00Z")
    bring(book, "9", tenant="other")
    found = paid(book.index, PaidQuestion(span=JUNE, by=("team", "user", "tag:env"), tenant="harbor")).others
    assert [(row.group, row.day, row.kind, row.charges, row.amount) for row in found] == [
        (("desk", "bob", None), "2026-06-21", "telephony", 1, "0.75"),
        (("west", "ann", None), "2026-06-20", "speech", 2, "0.75"),
        (("west", "ann", None), "2026-06-20", "speech", 1, "-0.25"),
    ]
    assert paid(book.index, PaidQuestion(span=JUNE, purpose="eval")).others == ()
    by_all = tuple(name for name in DIMENSIONS if name not in {"day", "month", "tenant", "provider", "model"})[:8]
    assert len(paid(book.index, PaidQuestion(span=JUNE, by=by_all)).others) == 4


def test_costs_are_told_apart_by_cost_centre_imported_ones_too(book):
    book.add(session="s-1", cost_center="CC-40", cost="1")
    book.add(session="s-2", cost="2")
    bring(book, "0.5", session="s-1")
    bring(book, "0.25", user_id="bob", cost_center="CC-52")
    assert totals(told(book, "cost_center")) == {
        ("CC-40",): ("1", "0.5", "1.5"),
        ("CC-52",): ("0", "0.25", "0.25"),
        (None,): ("2", "0", "2"),
    }


def test_what_a_user_costs_counts_for_the_team_of_that_day(book):
    bring(book, "1", user_id="ann", team="desk")
    bring(book, "2", user_id="ann", team="west")
    bring(book, "4")
    assert totals(told(book, "team", "user")) == {
        (None, None): ("0", "4", "4"),
        ("west", "ann"): ("0", "2", "2"),
        ("desk", "ann"): ("0", "1", "1"),
    }


def test_it_has_no_model_and_is_production_of_its_day(book):
    book.add(cost="1")
    bring(book, "2", at="2026-06-21T00:00:00Z")
    bring(book, "8", at="2026-07-01T00:00:00Z")
    assert totals(told(book, "model"))[(None,)] == ("0", "2", "2")
    assert totals(told(book, "day"))[("2026-06-21",)] == ("0", "2", "2")
    assert told(book, purpose="eval").total.imported == "0"
    assert told(book, tenant="other").total.imported == "0"


def test_a_session_of_another_tenant_is_another_one(book):
    book.add(session="s-1", user_id="ann", tenant="other")
    bring(book, "1", session="s-1")
    assert totals(told(book, "tenant", "user"))[("harbor", None)] == ("0", "1", "1")


def test_what_the_index_forgets_of_calls_it_forgets_of_imports(book):
    book.add(cost="1")
    bring(book, "2", at="2026-06-10T00:00:00Z")
    bring(book, "4", at="2026-06-20T00:00:00Z")
    assert book.index.forget(datetime(2026, 6, 18, tzinfo=UTC)) == 2
    assert told(book).total.total == "4"


def test_the_follower_takes_each_import_once_and_a_rebuild_makes_the_same(tmp_path):
    machine = Machine(tmp_path)
    index = open_index(machine.path)
    try:
        rows = [
            {
                "at": "2026-06-30T04:00:00.000000Z",
                "kind": "speech",
                "amount": "1.25",
                "session": "s-1",
                "team": "desk",
                "cost_center": "CC-40",
            },
            {"at": "2026-06-30T04:00:00.000000Z", "kind": "telephony", "amount": "-0.5", "user": "ann", "note": "n"},
        ]
        body = msgspec.json.Encoder().encode_lines(rows)
        machine.write(opened(1))
        for name in ("control", "worker-0"):  # a worker's log has no such record: nobody would take it for one
            machine.log(name).append("cost.imported", f"import-{name}", b'{"tenant":"harbor"}', {"costs": body})
        machine.write(closed(1))
        machine.flush()
        follow(index, machine.path)
        follow(index, machine.path)
        found = index.ask(
            'SELECT CAST("at" AS VARCHAR), tenant, team, user_id, session, kind, CAST(amount AS VARCHAR), note,'
            " cost_center FROM imports ORDER BY kind"
        )
        assert found == [
            ("2026-06-30 04:00:00+00", "harbor", "desk", None, "s-1", "speech", "1.250000000000000000", None, "CC-40"),
            ("2026-06-30 04:00:00+00", "harbor", None, "ann", None, "telephony", "-0.500000000000000000", "n", None),
        ]
        before = tables(index)
        assert rebuild(index, machine.path, lambda *_: None) == []
        assert tables(index) == before
    finally:
        index.close()
        machine.stop()


def test_an_import_that_cannot_be_read_is_noted_and_the_rest_goes_on(tmp_path):
    machine = Machine(tmp_path)
    index = open_index(machine.path)
    try:
        for n, body in enumerate(({"costs": b"{"}, {"other": b""}, {"costs": b'{"at":"x","kind":"k","amount":"y"}'})):
            machine.log("control").append("cost.imported", f"import-{n}", b'{"tenant":"harbor"}', body)
        machine.write(opened(1))
        machine.write(closed(1))
        machine.flush()
        follow(index, machine.path)
        assert index.ask("SELECT count(*) FROM calls") == [(1,)]
        assert index.ask("SELECT count(*) FROM imports") == [(0,)]
        assert index.ask(f"SELECT count(*) FROM {FACTS}.unreadable") == [(3,)]
    finally:
        index.close()
        machine.stop()
