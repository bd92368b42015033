"""A judge's call is told from the one whose text it judges: it costs, and says nothing in a conversation."""

import json
from decimal import Decimal

import pytest

from ledger.logs import Machine, asked, call_id, closed, follow, open_index, opened
from trunkline.audit.format.sealing import NO_KEYS
from trunkline.ledger.answers import SessionsQuestion
from trunkline.ledger.archive import Archive
from trunkline.ledger.place_answers import PlacesQuestion
from trunkline.ledger.places import places_of
from trunkline.ledger.questions import list_sessions
from trunkline.ledger.sessions import show_session

CLIENT, JUDGE = 1, 2


def written(machine: Machine) -> None:
    """A call of a client and, while it runs, that of a judge."""
    request = json.dumps({"model": "voice", "messages": [{"role": "user", "content": "Hello?"}]}).encode()
    verdict = b'{"choices": [{"message": {"role": "assistant", "content": "a verdict"}}]}'
    answer = verdict.replace(b"a verdict", b"Hello!")
    machine.write(opened(CLIENT, session="s"), bodies={"request": request})
    about = opened(JUDGE, session="s", purpose="judge", judged_call=call_id(CLIENT))
    machine.write(about, bodies={"request": request.replace(b"Hello?", b"a rubric")})
    machine.write(closed(JUDGE), bodies={"response": verdict})
    machine.write(closed(CLIENT), bodies={"response": answer})
    machine.flush()


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    written(made)
    yield made
    made.stop()


@pytest.fixture
def index(machine):
    made = open_index(machine.path)
    follow(made, machine.path)
    yield made
    made.close()


def test_it_names_the_call_that_it_judges(index):
    rows = asked(index, "SELECT CAST(id AS VARCHAR), CAST(judged_call AS VARCHAR), purpose FROM calls ORDER BY id")
    assert rows == [(call_id(CLIENT), None, "production"), (call_id(JUDGE), call_id(CLIENT), "judge")]


def test_its_place_in_the_logs_says_what_it_is(index):
    places = places_of(index, PlacesQuestion(since=0.0, until=4e9), 0).calls
    assert [(place.call, place.judging) for place in places] == [(call_id(CLIENT), False), (call_id(JUDGE), True)]


def test_it_is_part_of_what_a_session_costs_and_not_of_its_calls(index):
    assert asked(index, "SELECT calls, cost FROM sessions") == [(1, Decimal("0.000034"))]
    ((*_, calls, cost),) = list_sessions(index, SessionsQuestion()).rows
    assert (calls, Decimal(cost)) == (1, Decimal("0.000034"))


def test_it_is_not_part_of_a_conversation(machine, index):
    shown = show_session(index, Archive(machine.path, NO_KEYS), "s", None)
    assert (shown.calls, Decimal(shown.cost)) == (1, Decimal("0.000034"))
    assert [line.text for line in shown.lines] == ["Hello?", "Hello!"]
