"""The index has every record once, wherever reading stopped and whoever went on."""

import tempfile
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.logs import Machine, abandoned, asked, call_id, closed, follow, open_index, opened, refused, tables
from trunkline.audit.files.settings import CorruptLog
from trunkline.ledger.follow import Follower, rebuild


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def index(machine):
    made = open_index(machine.path)
    yield made
    made.close()


def no_damage(error):
    raise error


def test_a_call_becomes_a_row_when_it_has_ended(machine, index):
    machine.write(
        opened(
            1,
            cost_center="CC-40",
            tags={"env": "prod"},
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
    )
    machine.flush()
    follow(index, machine.path)
    assert asked(index, "SELECT count(*) FROM calls") == [(0,)]
    machine.write(closed(1))
    machine.flush()
    follow(index, machine.path)
    (row,) = asked(
        index,
        "SELECT CAST(id AS VARCHAR), tenant, team, cost_center, user_id, subject, provider, outcome, status, attempts,"
        " prompt_tokens, completion_tokens, cost, estimated, total_ms, tags['env'], trace_id, hold_ms FROM calls",
    )
    assert row == (
        call_id(1), "harbor", "wealth-desk", "CC-40", "advisor-1", "advisor-1", "second", "answered", 200, 1, 20,
        20, Decimal("0.000017"), False, 9.25, "prod", "0af7651916cd43dd8448eb211c80319c", 0.0,
    )  # fmt: skip


def test_attempts_and_costs_of_a_call_are_rows(machine, index):
    machine.write(opened(1))
    machine.write(closed(1))
    machine.flush()
    follow(index, machine.path)
    sql = 'SELECT n, a.provider, a.outcome, reason, started_at - "at" FROM attempts a, calls ORDER BY n'
    assert asked(index, sql) == [
        (1, "first", "skipped", "resting", None),
        (2, "second", "answered", None, asked(index, "SELECT to_microseconds(1500)")[0][0]),
    ]
    assert asked(index, "SELECT provider, model, token_class, tokens, amount, price_version FROM costs") == [
        ("second", "m-2", "input", 20, Decimal("0.000005"), "p1"),
        ("second", "m-2", "output", 20, Decimal("0.000012"), "p1"),
    ]


def test_a_call_whose_worker_died_costs_its_estimate(machine, index):
    machine.write(opened(1))
    machine.write(abandoned(1))
    machine.flush()
    follow(index, machine.path)
    assert asked(index, "SELECT outcome, status, cost, estimated, prompt_tokens FROM calls") == [
        ("abandoned", None, Decimal("0.001"), True, None)
    ]
    assert asked(index, "SELECT token_class, amount FROM costs") == [("estimate", Decimal("0.001"))]


def test_refused_calls_are_rows_with_their_count(machine, index):
    machine.write(refused(1))
    machine.write(refused(2, tenant=None, key_id=None, first_call=None, count=70_000))
    machine.flush()
    follow(index, machine.path)
    assert asked(
        index, 'SELECT CAST(first_call AS VARCHAR), tenant, outcome, "count" FROM refusals ORDER BY "count"'
    ) == [
        (call_id(1), "harbor", "denied", 3),
        (None, None, "denied", 70_000),
    ]


def test_sessions_are_those_of_a_tenant(machine, index):
    for number, tenant in ((1, "a"), (2, "a"), (3, "b")):
        machine.write(opened(number, tenant=tenant, session="s"))
        machine.write(closed(number))
    machine.flush()
    follow(index, machine.path)
    assert asked(index, "SELECT session, tenant, calls, cost FROM sessions ORDER BY tenant") == [
        ("s", "a", 2, Decimal("0.000034")),
        ("s", "b", 1, Decimal("0.000017")),
    ]


def test_a_record_that_cannot_be_read_is_kept_count_of_and_the_others_are_taken(machine, index):
    machine.write_raw("call.opened", "no-id-of-ours", b'{"call":"no-id-of-ours","tenant":"harbor"}')
    machine.write(closed(7))  # nobody opened it
    machine.write(opened(1, user="a\x00b"))
    machine.write(closed(1, usage={"input": 2**63}))
    machine.write(opened(2))
    machine.write(closed(2))
    machine.write(closed(2))
    machine.flush()
    follow(index, machine.path)
    assert asked(index, "SELECT CAST(id AS VARCHAR) FROM calls") == [(call_id(2),)]
    assert len(asked(index, "SELECT * FROM facts.unreadable")) == 4


def test_a_record_that_was_spilled_is_taken_whole(machine, index):
    machine.write(opened(1, parameters={"stop": "x" * 70_000}))
    machine.write(closed(1))
    machine.flush()
    follow(index, machine.path)
    assert asked(index, "SELECT tenant, outcome FROM calls") == [("harbor", "answered")]


def test_a_log_that_begins_later_is_followed_too(machine, index):
    follower = Follower(index, machine.path, no_damage)
    for name in ("worker-0", "worker-1", "control"):
        number = len(name)
        machine.write(opened(number), name)
        machine.flush()
        follower.step()
    follower.close()
    assert len(asked(index, "SELECT * FROM facts.logs")) == 3


def test_damage_in_one_log_is_told_once_and_leaves_the_others_alone(machine, index):
    machine.write(opened(1), "worker-0")
    machine.write(closed(1), "worker-0")
    machine.write(opened(2), "worker-1")
    machine.write(closed(2), "worker-1")
    machine.stop()
    (segment,) = (machine.path / "log" / "gw" / "worker-0").glob("*.seg")
    segment.chmod(0o600)
    data = bytearray(segment.read_bytes())
    data[data.index(b"advisor-1")] ^= 1
    segment.write_bytes(data)
    told: list[CorruptLog] = []
    follower = Follower(index, machine.path, told.append)
    while follower.step():
        pass
    follower.step()
    follower.close()
    assert [error.file for error in told] == [segment]
    assert asked(index, "SELECT CAST(id AS VARCHAR) FROM calls") == [(call_id(2),)]


def test_what_is_not_claimed_to_be_durable_is_not_taken(machine, index):
    machine.write(opened(1))
    machine.stop()
    (segment,) = (machine.path / "log" / "gw" / "worker-0").glob("*.seg")
    whole = segment.read_bytes()
    for end in range(4096, len(whole)):
        if end % 97 and end < len(whole) - 60:
            continue
        segment.chmod(0o600)
        segment.write_bytes(whole[:end].ljust(32 * 1024, b"\0"))
        index.clear()
        follow(index, machine.path)
        assert asked(index, "SELECT count(*) FROM facts.running") in ([(0,)], [(1,)])
    segment.write_bytes(whole)
    follow(index, machine.path)
    assert asked(index, "SELECT count(*) FROM facts.running") == [(1,)]


STORY = st.lists(
    st.tuples(
        st.sampled_from(["open", "close", "abandon", "refuse", "flush", "step", "restart", "restart the index"]),
        st.integers(0, 11),
        st.sampled_from(["worker-0", "worker-1"]),
    ),
    max_size=60,
)


@settings(max_examples=25, deadline=None)
@given(story=STORY, most=st.integers(1, 7))
def test_however_the_logs_are_cut_into_steps_the_rows_are_those_of_a_rebuild(story, most):
    with tempfile.TemporaryDirectory() as directory:
        machine = Machine(Path(directory))
        index = open_index(machine.path)
        follower = Follower(index, machine.path, no_damage)
        try:
            for what, number, name in story:
                match what:
                    case "open":
                        machine.write(opened(number), name, {"request": b"hello " * number * 60})
                    case "close":
                        machine.write(closed(number), name)
                    case "abandon":
                        machine.write(abandoned(number), name)
                    case "refuse":
                        machine.write(refused(number), name)
                    case "flush":
                        machine.flush()
                    case "step":
                        follower.step(most)
                    case "restart":
                        follower.close()
                        follower = Follower(index, machine.path, no_damage)
                    case _:
                        follower.close()
                        index.close()
                        index.open()
                        follower = Follower(index, machine.path, no_damage)
            machine.stop()
            while follower.step(most):
                pass
            follower.close()
            by_steps = tables(index)
            assert rebuild(index, machine.path, lambda *_: None) == []
            assert tables(index) == by_steps
        finally:
            machine.stop()
            follower.close()
            index.close()
