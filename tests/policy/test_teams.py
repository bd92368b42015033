from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.model.directory import Member, Membership, Place
from trunkline.policy.teams import Roster

ANN = Member("ann", (Membership("desk", last="2026-06-30"), Membership("west", first="2026-07-01", last="2026-07-31")))
BOB = Member("bob", (Membership("desk"),))


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def team(found: Place | None) -> str | None:
    return found.team if found is not None else None


def roster(zone: str = "UTC", *members: Member) -> Roster:
    return Roster("digest", zone, members or (ANN, BOB))


@pytest.mark.parametrize(
    ("moment", "wanted"),
    [
        ("2020-01-01T00:00:00", "desk"),
        ("2026-06-30T23:59:59.999", "desk"),
        ("2026-07-01T00:00:00", "west"),
        ("2026-07-31T23:59:59.999", "west"),
        ("2026-08-01T00:00:00", None),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Apia"])
def test_the_team_is_that_of_the_day_where_the_tenant_is(moment, wanted, zone):
    assert team(roster(zone).place_of("ann", at(moment, zone))) == wanted


def test_the_cost_centre_is_that_of_the_same_row():
    rows = (
        Membership("desk", cost_center="CC-40", last="2026-06-30"),
        Membership("desk", cost_center="CC-52", first="2026-07-01", last="2026-07-31"),
        Membership("west", first="2026-08-01"),
    )
    teams = roster("America/New_York", Member("ann", rows), Member("bob", (Membership("desk", cost_center="CC-1"),)))
    told = [teams.place_of("ann", at(f"2026-{month}T12:00:00")) for month in ("06-30", "07-01", "08-01")]
    assert told == [Place("desk", "CC-40"), Place("desk", "CC-52"), Place("west", None)]
    assert teams.place_of("bob", 0.0) == Place("desk", "CC-1")


def test_who_is_in_one_team_for_good_is_in_it_on_every_day():
    assert [team(roster().place_of("bob", now)) for now in (0.0, 4e9)] == ["desk", "desk"]


def test_who_is_not_in_the_directory_has_no_team_there():
    assert roster().place_of("eve", 0.0) is None


@pytest.mark.parametrize(
    ("zone", "day"),
    [("America/New_York", "2026-03-08"), ("America/New_York", "2026-11-01"), ("America/Sao_Paulo", "2018-11-04")],
)
def test_a_day_of_twenty_three_or_twenty_five_hours_is_one_day(zone, day):
    following = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    ann = Member("ann", (Membership("that", first=day, last=day), Membership("next", first=following, last=following)))
    teams = roster(zone, ann)
    begin = at(f"{day}T00:00:00", zone)
    told = [team(teams.place_of("ann", begin + hours * 3600)) for hours in range(27)]
    assert told == sorted(told, reverse=True)  # never back again
    changed = begin + told.index("next") * 3600
    assert datetime.fromtimestamp(changed, ZoneInfo(zone)).isoformat()[:10] == following


DAYS = st.dates(date(2026, 1, 1), date(2026, 12, 31))


@given(st.lists(DAYS, min_size=2, max_size=8, unique=True).map(sorted), st.lists(st.floats(1.76e9, 1.8e9), max_size=9))
def test_a_look_up_says_what_the_rows_say_whatever_was_asked_before(days, moments):
    rows = [
        Membership(f"team-{n}", first=first.isoformat(), last=(last - timedelta(days=1)).isoformat())
        for n, (first, last) in enumerate(pairwise(days))
    ]
    teams = roster("Europe/Berlin", Member("ann", tuple(rows)))
    for now in moments:
        day = datetime.fromtimestamp(now, ZoneInfo("Europe/Berlin")).date().isoformat()
        expected = [row.team for row in rows if row.first <= day <= row.last]
        assert team(teams.place_of("ann", now)) == (expected[0] if expected else None)
