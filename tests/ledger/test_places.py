"""Where past calls stand, told some at a time."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from ledger.logs import Machine, abandoned, call_id, closed, follow, open_index, opened, refused
from trunkline.audit.format.sealing import NO_KEYS
from trunkline.ledger.answers import Misunderstood
from trunkline.ledger.archive import Archive
from trunkline.ledger.place_answers import PlacesQuestion
from trunkline.ledger.places import MOST_PLACES, places_of

ALL = PlacesQuestion(since=0.0, until=4e9)


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    for number in range(30):
        route = {"route": "fast"} if number % 3 == 0 else {"tenant": "haven"} if number % 3 == 1 else {}
        machine.write(opened(number, **route), f"worker-{number % 2}", {"request": b"asked %d" % number})
        end = abandoned(number) if number == 7 else closed(number)
        machine.write(end, f"worker-{number % 2}", {"response": b"said %d" % number})
    machine.write(opened(40), "worker-0", {"request": b"running"})
    machine.write(refused(41))
    machine.stop()
    return machine


@pytest.fixture
def index(machine):
    index = open_index(machine.path)
    follow(index, machine.path)
    yield index
    index.close()


def all_of(index, asked):
    """All places, as they come."""
    found = []
    while True:
        places = places_of(index, asked, 0)
        found.append(places)
        if places.last is None:
            return found
        asked = replace(asked, after=places.last)


@pytest.mark.parametrize("most", [1, 4, 30, 31, MOST_PLACES])
def test_every_call_comes_once_however_many_come_at_a_time(index, most):
    answers = all_of(index, replace(ALL, most=most))
    calls = [place for answer in answers for place in answer.calls]
    assert sorted(place.call for place in calls) == [call_id(number) for number in range(30)]
    assert [place.at for place in calls] == sorted(place.at for place in calls)
    assert answers[0].of == 30
    assert {answer.of for answer in answers[1:]} <= {0}
    assert all(len(answer.calls) == most for answer in answers[:-1])


def test_calls_of_one_moment_are_all_told(index):
    index.ask("UPDATE facts.calls SET \"at\" = TIMESTAMPTZ '2026-06-15 12:00:00.123456+00'")
    calls = [place for answer in all_of(index, replace(ALL, most=7)) for place in answer.calls]
    assert [place.call for place in calls] == [call_id(number) for number in range(30)]
    assert calls[0].at == "2026-06-15T12:00:00.123456Z"


def test_a_place_is_where_the_records_and_bodies_are(machine, index):
    archive = Archive(machine.path, NO_KEYS)
    for place in places_of(index, ALL, 0).calls:
        number = int(place.call[-4:])
        first = archive.stored(place.directory, *place.opened)
        last = archive.stored(place.directory, *place.ended)
        assert (first.members["id"], first.bodies()) == (place.call, {"request": b"asked %d" % number})
        assert (last.members["call"], last.bodies()) == (place.call, {"response": b"said %d" % number})
        assert (place.tenant, place.route, place.stream) == (first.members["tenant"], first.members["route"], False)
        assert place.outcome == ("abandoned" if number == 7 else "answered")


def test_tenant_route_and_time_choose(index):
    def numbers(**asked):
        return [int(place.call[-4:]) for place in places_of(index, replace(ALL, **asked), 0).calls]

    assert numbers(route="fast") == list(range(0, 30, 3))
    assert numbers(tenant="haven") == list(range(1, 30, 3))
    assert numbers(tenant="haven", route="fast") == []
    moment = datetime(2026, 6, 15, tzinfo=UTC)
    index.ask('UPDATE facts.calls SET "at" = ? WHERE id = ?::UUID', [moment, call_id(5)])
    assert numbers(since=moment.timestamp(), until=moment.timestamp() + 1) == [5]
    assert numbers(since=moment.timestamp() - 1, until=moment.timestamp()) == []


@pytest.mark.parametrize(
    "asked",
    [
        {"most": 0}, {"most": MOST_PLACES + 1}, {"since": 5.0, "until": 5.0}, {"since": 1e300, "until": 2e300},
        {"after": (1 << 70, call_id(1))}, {"after": (1, "rubbish")},
    ],
)  # fmt: skip
def test_a_question_that_is_none_is_refused(index, asked):
    with pytest.raises(Misunderstood):
        places_of(index, replace(ALL, **asked), 0)
