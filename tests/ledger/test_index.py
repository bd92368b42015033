"""The index is made anew where it has to be, is for its owner alone, and says what it cannot do."""

import os
import subprocess
import sys
from functools import partial

import duckdb
import pytest

from ledger.logs import Machine, asked, closed, follow, open_index, opened
from trunkline.ledger.answers import CallsQuestion, SessionsQuestion, Unanswerable
from trunkline.ledger.index import DAMAGED, FILE, Index, IndexDamaged, IndexUnusable
from trunkline.ledger.ledger import Ledger
from trunkline.ledger.questions import list_sessions
from trunkline.ledger.schema import FACTS


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    for number in range(40):
        made.write(opened(number, session=f"s-{number % 20}"))
        made.write(closed(number))
    made.flush()
    yield made
    made.stop()


def test_an_index_of_another_version_is_made_anew(machine):
    index = open_index(machine.path)
    follow(index, machine.path)
    index._connected().execute(f"UPDATE {FACTS}.meta SET version = 0")
    index.close()
    assert index.open()
    assert asked(index, "SELECT count(*) FROM calls") == [(0,)]
    index.close()


def test_opening_twice_is_opening_once(machine):
    ledger = Ledger(machine.path, print)
    ledger.open()
    ledger.catch_up()
    ledger.open()
    assert ledger.status().caught_up
    ledger.close()


def test_a_file_that_is_no_index_is_told_and_can_be_made_again(machine):
    (machine.path / "index").mkdir()
    (machine.path / "index" / "ledger.duckdb").write_bytes(b"no database" * 1000)
    with pytest.raises(IndexDamaged):
        Index(machine.path).open()
    ledger = Ledger(machine.path, print)
    ledger.clear()
    ledger.catch_up()
    assert len(ledger.calls(CallsQuestion(limit=100)).rows) == 40
    ledger.close()


def cut(path, size):
    os.truncate(path, size)


def turned(path):
    """Turn bits of both heads."""
    data = bytearray(path.read_bytes())
    data[4200] ^= 0xFF
    data[8300] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        *(partial(cut, size=size) for size in (0, 1, 100, 4096, 12_288, 300_000)),
        turned,
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
    ],
)
def test_a_damaged_index_is_set_aside_and_made_again_by_whoever_opens_it(machine, damage):
    index = open_index(machine.path)
    follow(index, machine.path)
    index.close()
    path = machine.path / "index" / FILE
    assert path.stat().st_size > 300_000
    damage(path)
    damaged = path.read_bytes()
    ledger = Ledger(machine.path, print)
    assert FILE in (ledger.open() or "")
    ledger.catch_up()
    assert len(ledger.calls(CallsQuestion(limit=100)).rows) == 40
    ledger.close()
    assert path.with_name(FILE + DAMAGED).read_bytes() == damaged
    ledger = Ledger(machine.path, print)
    assert ledger.open() is None
    ledger.clear()
    ledger.close()
    assert sorted(os.listdir(path.parent)) == [FILE]


def test_an_index_that_another_process_has_is_not_taken_for_damaged(machine):
    open_index(machine.path).close()
    path = machine.path / "index" / FILE
    holding = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        with pytest.raises(IndexUnusable, match="lock") as raised:
            Ledger(machine.path, print).open()
        other.stdin.close()
    assert not isinstance(raised.value, IndexDamaged)
    assert Ledger(machine.path, print).open() is None


def test_an_index_that_is_in_use_is_told(machine):
    index = open_index(machine.path)
    with index.lent() as path, duckdb.connect(str(path), config={"threads": 1}) as other:
        other.execute("SELECT 1")
    assert asked(index, "SELECT count(*) FROM calls") == [(0,)]
    index.close()


def test_a_question_that_needs_too_much_memory_is_told_so(machine):
    index = open_index(machine.path)
    with pytest.raises(Unanswerable, match="shorter time"):
        index.ask("SELECT list(range) FROM range(100000000)")
    index.close()


def test_the_latest_sessions_are_found_in_as_many_calls_as_it_takes(machine, monkeypatch):
    index = open_index(machine.path)
    follow(index, machine.path)
    monkeypatch.setattr("trunkline.ledger.questions.FIRST_CALLS", 3)
    table = list_sessions(index, SessionsQuestion(limit=7))
    assert [row[0] for row in table.rows] == [f"s-{number}" for number in range(19, 12, -1)]
    assert {row[6] for row in table.rows} == {2}
    assert table.more
    assert not list_sessions(index, SessionsQuestion(limit=20)).more
    assert list_sessions(index, SessionsQuestion(tenant="other")).rows == []
    index.close()


def test_what_is_forgotten_is_gone_and_what_came_later_stays(machine):
    index = open_index(machine.path)
    follow(index, machine.path)
    ((middle,),) = asked(index, 'SELECT "at" FROM calls ORDER BY "at" LIMIT 1 OFFSET 10')
    assert index.forget(middle) == 10
    assert asked(index, "SELECT count(*) FROM calls") == [(30,)]
    index.close()


def test_what_has_expired_of_one_log_leaves_the_index(machine):
    index = open_index(machine.path)
    follow(index, machine.path)
    places = asked(index, "SELECT l.directory, c.segment FROM facts.calls c JOIN facts.logs l USING (log)")
    log, last = max(places)
    stays = [place for place in places if place[0] != log or place[1] >= last]
    assert index.expire(log, last) == len(places) - len(stays) > 0
    assert asked(index, "SELECT count(*) FROM calls") == [(len(stays),)]
    assert index.expire("gw-1/nobody", 10**9) == 0
    index.close()


def test_a_commit_that_fails_leaves_an_index_that_can_go_on(machine):
    index = open_index(machine.path)
    connection = index._connected()
    with pytest.raises(duckdb.Error):
        connection.execute("COMMIT")  # nothing was begun: as good as one that failed
    index._give_up(connection)
    follow(index, machine.path)
    assert asked(index, "SELECT count(*) FROM calls") == [(40,)]
    index.close()
