"""Reports of cost add up to the last digit, whoever is told apart by what."""

import tempfile
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import Book, second
from trunkline.ledger.answers import Misunderstood
from trunkline.ledger.cost_answers import DIMENSIONS, CostsQuestion, PaidQuestion, Span
from trunkline.ledger.costs import paid, report
from trunkline.model.records import OUTCOMES

JUNE = Span(second("2026-06-01"), second("2026-07-01"))
MAY = Span(second("2026-05-01"), second("2026-06-01"))


@pytest.fixture
def book(tmp_path):
    made = Book(tmp_path)
    yield made
    made.close()


def told(book, *by, **asked):
    return report(book.index, CostsQuestion(by=by, span=asked.pop("span", JUNE), **asked))


def costs(found):
    return {row.group: row.cost for row in found.rows}


def test_a_row_has_what_its_calls_used_and_cost(book):
    book.add(cost="0.001")
    book.add(cost="0.0000025", estimated=True, outcome="cancelled_after")
    book.add(cost="0.0010025", session="s-2", outcome="failed")
    book.add(cost=None, session=None, outcome="cancelled_before", prompt_tokens=None, completion_tokens=None)
    (row,) = told(book, "user").rows
    assert (row.group, row.calls, row.conversations) == (("ann",), 4, 2)
    assert (row.prompt_tokens, row.cached_tokens, row.completion_tokens) == (300, 160, 30)
    assert (row.cost, row.imported, row.total) == ("0.002005", "0", "0.002005")
    assert row.cost_per_conversation == "0.001002"  # of 0.0010025, rounded to even
    assert (row.estimated_share, row.cancelled_share, row.failed_share) == ("0.0012", "0.5000", "0.2500")


def test_what_costs_nothing_has_no_shares_of_it(book):
    book.add(cost=None, session=None)
    total = told(book, "user").total
    assert (total.cost, total.cost_per_conversation, total.estimated_share) == ("0", None, None)


def test_who_is_not_named_has_a_row_too(book):
    book.add(user_id=None, cost="3")
    book.add(user_id="", cost="2")
    book.add(cost="1")
    assert costs(told(book, "user")) == {(None,): "3", ("",): "2", ("ann",): "1"}


def test_the_most_expensive_comes_first_and_the_total_is_all(book):
    for cost, team in (("1", "west"), ("2.5", "desk"), ("0.000000000000000001", "east")):
        book.add(cost=cost, team=team)
    found = told(book, "team")
    assert [row.group[0] for row in found.rows] == ["desk", "west", "east"]
    assert found.total.cost == "3.500000000000000001"
    assert told(book).total == found.total
    assert told(book).rows == ()


def test_a_conversation_over_several_rows_is_one_in_the_total(book):
    book.add(model="a")
    book.add(model="b")
    book.add(model="a", tenant="other")  # another tenant's session of the same name
    found = told(book, "model")
    assert [row.conversations for row in found.rows] == [2, 1]
    assert found.total.conversations == 2


def test_only_production_counts_unless_asked(book):
    for purpose in ("production", "eval", "drill"):
        book.add(purpose=purpose, cost="1")
    assert told(book).total.cost == "1"
    assert told(book, purpose="eval").total.cost == "1"
    assert told(book, "purpose", purpose=None).total.cost == "3"


def test_tenant_team_and_user_can_be_chosen(book):
    book.add(tenant="other", cost="1")
    book.add(team="west", cost="2")
    book.add(user_id="bob", cost="4")
    assert told(book, "user", tenant="other").total.cost == "1"
    assert told(book, team="west").total.cost == "2"
    assert told(book, "team", user="bob").total.cost == "4"


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_a_day_and_a_month_are_those_of_the_time_zone(book, zone):
    midnight = datetime(2026, 6, 30, 23, 59, 59, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    book.add(at=midnight.isoformat(), cost="1")
    book.add(at=datetime(2026, 7, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC).isoformat(), cost="2")
    span = Span(JUNE.start, second("2026-08-01"))
    assert costs(told(book, "day", span=span, time_zone=zone)) == {("2026-07-01",): "2", ("2026-06-30",): "1"}
    assert costs(told(book, "month", span=span, time_zone=zone)) == {("2026-07",): "2", ("2026-06",): "1"}


def test_a_tag_a_model_and_a_prompt_are_told_apart_by(book):
    book.add(tags={"env": "prod", "odd'name": "x"}, cost="1")
    book.add(tags={"env": "test"}, cost="2", model="gpt-4o", prompt_name="hello", prompt_version="12")
    assert costs(told(book, "tag:env")) == {("test",): "2", ("prod",): "1"}
    assert costs(told(book, "tag:odd'name")) == {(None,): "2", ("x",): "1"}
    assert costs(told(book, "model", "prompt")) == {
        ("openai/gpt-4o", "hello@12"): "2",
        ("openai/gpt-4o-mini", f"sha256:{'f' * 12}"): "1",
    }


def test_the_period_before_is_beside_it_with_what_came_and_went(book):
    book.add(user_id="ann", cost="3")
    book.add(user_id="new", cost="1")
    book.add(user_id="ann", cost="2", at="2026-05-15T00:00:00Z")
    book.add(user_id="gone", cost="5", at="2026-05-15T00:00:00Z")
    found = told(book, "user", before=MAY)
    assert [(row.group[0], row.total, row.total_before, row.change) for row in found.rows] == [
        ("ann", "3", "2", "1"),
        ("new", "1", "0", "1"),
        ("gone", "0", "5", "-5"),
    ]
    assert (found.total.total, found.total.total_before, found.total.change) == ("4", "7", "-3")


@pytest.mark.parametrize(
    ("by", "zone"),
    [(("usr",), "UTC"), (("tag:",), "UTC"), (("user", "user"), "UTC"), (DIMENSIONS, "UTC"), ((), "X/Y")],
)
def test_what_nobody_can_be_told_apart_by_is_misunderstood(book, by, zone):
    with pytest.raises(Misunderstood):
        told(book, *by, time_zone=zone)


def test_a_report_that_nobody_can_read_is_refused(book, monkeypatch):
    monkeypatch.setattr("trunkline.ledger.cost_queries.MOST_ROWS", 2)
    for user in ("a", "b", "c"):
        book.add(user_id=user)
    assert told(book, "team").total.calls == 3
    with pytest.raises(Misunderstood, match="more than 2 rows"):
        told(book, "user")


CALLS = st.fixed_dictionaries(
    {
        "tenant": st.sampled_from(["t1", "t2"]),
        "user_id": st.none() | st.sampled_from(["ann", "bob"]),
        "session": st.none() | st.sampled_from(["s1", "s2"]),
        "outcome": st.sampled_from(OUTCOMES),
        "estimated": st.booleans(),
        "cost": st.none() | st.decimals(0, 10**6, places=18).map(str),
        "prompt_tokens": st.none() | st.integers(0, 10**6),
        "purpose": st.sampled_from(["production", "eval"]),
        "at": st.integers(int(JUNE.start) - 90_000, int(JUNE.end) + 90_000).map(
            lambda at: datetime.fromtimestamp(at, UTC).isoformat()
        ),
    }
)


@settings(max_examples=25, deadline=None)
@given(st.lists(CALLS, max_size=12))
def test_every_sum_is_that_of_its_calls_exactly(calls):
    with tempfile.TemporaryDirectory() as directory:
        book = Book(Path(directory))
        try:
            for call in calls:
                book.add(**call)
            found = told(book, "tenant", "user")
        finally:
            book.close()
    inside = [c for c in calls if c["purpose"] == "production" and "2026-06-01" <= c["at"] < "2026-07-01"]
    groups = defaultdict(list)
    for call in inside:
        groups[call["tenant"], call["user_id"]].append(call)
    assert {row.group for row in found.rows} == set(groups)
    for row in (*found.rows, found.total):
        of_row = inside if row is found.total else groups[row.group]
        assert row.calls == len(of_row)
        assert Decimal(row.cost) == sum(Decimal(c["cost"] or 0) for c in of_row)
        assert row.prompt_tokens == sum(c["prompt_tokens"] or 0 for c in of_row)
        assert row.conversations == len({(c["tenant"], c["session"]) for c in of_row if c["session"]})
    assert Decimal(found.total.cost) == sum(Decimal(row.cost) for row in found.rows)


def test_an_answer_survives_json(book):
    book.add()
    found = told(book, "user", before=MAY)
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found


def test_what_was_paid_is_told_by_day_model_and_class_of_tokens(book):
    lines = [("input", 60, "0.15", "0.000009"), ("output", 10, "0.6", "0.000006")]
    book.add(paid=lines, cost="0.000015")
    book.add(paid=lines, cost="0.000015", estimated=True, at="2026-06-15T23:59:59Z", purpose="eval")
    book.add(paid=[("request", 0, None, "0.01")], cost="0.01", at="2026-06-16T00:00:00Z")
    found = paid(book.index, PaidQuestion(span=JUNE, by=("user",))).rows
    assert [(r.day, r.token_class, r.tokens, r.calls, r.unit_price, r.amount, r.estimated) for r in found] == [
        ("2026-06-15", "input", 120, 2, "0.15", "0.000018", "0.000009"),
        ("2026-06-15", "output", 20, 2, "0.6", "0.000012", "0.000006"),
        ("2026-06-16", "request", 0, 1, None, "0.01", "0"),
    ]
    assert {(r.group, r.provider, r.model, r.price_version) for r in found} == {
        (("ann",), "openai", "gpt-4o-mini", "p1")
    }
