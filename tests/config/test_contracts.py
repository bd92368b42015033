"""Contract prices with dates: which one counts when, and that there always is one."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from config_samples import GOOD, compiled, problems_of, the_problem
from hypothesis import given
from hypothesis import strategies as st

from trunkline.config.canonical import decode_snapshot
from trunkline.config.contracts import uncovered
from trunkline.model.snapshot import DatedPrice, Price
from trunkline.policy.pricing import NEVER, price_at

LISTED, OWN = "openai/gpt-4o", "openai/own-model"
UNKNOWN = GOOD.replace("models: [gpt-4o-mini]", "models: [gpt-4o-mini, own-model]")


def at(day: str) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()


def prices(name: str, *dated: str, text: str = GOOD) -> str:
    rows = "".join(
        f"    - {{{days}input_per_million: {n}, output_per_million: {n}}}\n" for n, days in enumerate(dated, 1)
    )
    return text + f'prices:\n  "{name}":\n{rows}'


def input_at(text: str, name: str, day: str) -> Decimal:
    return price_at(compiled(text).snapshot.prices[name], at(day))[0].tiers[0].input


def test_a_contracts_price_counts_on_its_days_and_the_list_on_others():
    text = prices(LISTED, "from: 2026-01-01, to: 2026-06-30, ", "from: 2026-08-01, ")
    listed = compiled(GOOD).snapshot.prices[LISTED].tiers[0].input
    days = (
        "2025-12-31T23:59:59",
        "2026-01-01",
        "2026-06-30T23:59:59",
        "2026-07-01",
        "2026-07-31T23:59:59",
        "2026-08-01",
    )
    assert [input_at(text, LISTED, day) for day in days] == [listed, 1, 1, listed, listed, 2]


def test_a_record_can_tell_the_prices_of_one_contract_apart():
    found = compiled(prices(LISTED, "to: 2026-06-30, ", "from: 2026-07-01, ")).snapshot.prices[LISTED]
    assert len({dated.price.version for dated in found.dated} | {found.version}) == 3


def test_dated_prices_survive_the_snapshots_bytes():
    good = compiled(prices(LISTED, "to: 2026-06-30, ", "from: 2026-07-01, "))
    assert decode_snapshot(good.canonical) == good.snapshot


def test_one_price_may_be_written_as_a_list_too():
    text = GOOD + f'prices: {{"{LISTED}": {{input_per_million: 1, output_per_million: 1}}}}\n'
    assert compiled(prices(LISTED, "")).snapshot == compiled(text).snapshot
    assert compiled(text).snapshot.prices[LISTED].dated == ()


@pytest.mark.parametrize(
    ("dated", "message"),
    [
        (("from: 2026-07-01, to: 2026-06-30, ",), "is before `from`"),
        (("to: 2026-06-30, ", "from: 2026-06-30, "), "has days in common with the price on line"),
        (("", "from: 2026-06-30, "), "has days in common with the price on line"),
        (("from: 30.06.2026, ",), "is no day"),
        (("from: 2026-02-30, ",), "is no day of the calendar"),
    ],
)
def test_days_that_cannot_be_are_told(dated, message):
    assert message in the_problem(prices(LISTED, *dated)).message


@pytest.mark.parametrize(
    ("dated", "good"),
    [
        (("from: 2026-01-01, ",), True),
        (("to: 2026-12-31, ", "from: 2027-01-01, "), True),
        (("to: 2025-12-31, ", "from: 2026-01-01, "), True),
        (("from: 2026-01-01, to: 2026-12-31, ",), False),
        (("from: 2027-01-01, ",), False),
        (("from: 2026-01-01, to: 2026-12-30, ", "from: 2027-01-01, "), False),
    ],
)
def test_a_model_that_no_list_has_needs_a_price_from_now_on_without_end(dated, good):
    found = problems_of(prices(OWN, *dated, text=UNKNOWN))  # now is in September 2026
    assert [("days without a price" in problem.message) for problem in found] == ([] if good else [True])


NONE = Price("v", "override", ())
SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20)), max_size=5)


@given(SPANS, st.booleans(), st.integers(0, 60))
def test_at_most_one_price_counts_and_the_next_change_is_told(spans, endless, now):
    dated, reached = [], 0
    for gap, length in spans:
        start = reached + gap
        reached = start + length
        dated.append(DatedPrice(Price(f"p{start}", "override", ()), start, reached))
    if endless and dated:
        dated[-1] = DatedPrice(dated[-1].price, dated[-1].start, None)
    price = Price("v", "list", (), dated=tuple(dated))

    def naive(second: int) -> str:
        holding = [d for d in dated if d.start <= second and (d.end is None or second < d.end)]
        return holding[0].price.version if holding else "v"

    found, until = price_at(price, now)
    assert found.version == naive(now)
    horizon = 400
    assert all(naive(second) == found.version for second in range(now, min(horizon, int(min(until, horizon)))))
    if until != NEVER:
        assert until > now
    elif naive(horizon) != found.version:
        raise AssertionError("a change was not told")
    assert uncovered(dated, now) == any(naive(second) == "v" for second in range(now, horizon))


def test_a_day_begins_at_midnight_in_utc():
    found = compiled(prices(LISTED, "from: 2026-07-01, to: 2026-07-01, ")).snapshot.prices[LISTED]
    first = datetime.combine(date(2026, 7, 1), datetime.min.time(), UTC)
    assert (found.dated[0].start, found.dated[0].end) == (first.timestamp(), (first + timedelta(days=1)).timestamp())
