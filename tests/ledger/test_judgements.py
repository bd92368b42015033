"""What was said of answers after they had left is in the index with the calls; what was not said is missing there."""

import msgspec
import pytest

from ledger.logs import Machine, abandoned, asked, call_id, closed, follow, open_index, opened
from trunkline.audit.format.sealing import NO_KEYS
from trunkline.ledger.answers import CallsQuestion
from trunkline.ledger.archive import Archive
from trunkline.ledger.questions import list_calls, show_call
from trunkline.ledger.story import timeline
from trunkline.model.records import CallJudged, Finding, PolicyJudged

FOUND, CLEAR, FAILED, MISSING, GONE, NONE = range(1, 7)
_encode = msgspec.json.Encoder().encode


def finding(rule="rubric", action="flag", **more):
    place = {"policy": "p", "policy_version": "v1", "stage": "output", "where": "choices[0].message.content"}
    return Finding(rule=rule, action=action, start=3, end=9, ms=912.5, **(place | more))


def judged(number, verdict, *findings, **more):
    return CallJudged(
        call=call_id(number),
        policies=(PolicyJudged(policy="p", policy_version="v1", verdict=verdict, questions=2),),
        findings=findings,
        **more,
    )


def write(machine, record, name="worker-0"):
    machine.write_raw("call.judged", f"judged-{record.call[-2:]}", _encode(record), name)


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    for number in range(1, 7):
        made.write(opened(number))
        if number == GONE:
            made.write(abandoned(number))
        else:
            made.write(closed(number, to_judge=() if number == NONE else ("p@v1",)))
    write(made, judged(FOUND, "found", finding(), judge_calls=(call_id(90),), waited_ms=2.0, took_ms=900.0))
    write(made, judged(CLEAR, "clear"))
    write(made, judged(FAILED, "not_made", finding("check_failed", "bypass", why="timeout")))
    made.flush()
    yield made
    made.stop()


@pytest.fixture
def index(machine):
    made = open_index(machine.path)
    follow(made, machine.path)
    yield made
    made.close()


def test_each_policy_that_is_to_look_has_a_row_with_its_verdict_or_none(index):
    columns = 'CAST(call_id AS VARCHAR), policy, policy_version, verdict, "at" IS NOT NULL'
    assert asked(index, f"SELECT {columns} FROM judgements ORDER BY call_id") == [
        (call_id(FOUND), "p", "v1", "found", True),
        (call_id(CLEAR), "p", "v1", "clear", True),
        (call_id(FAILED), "p", "v1", "not_made", True),
        (call_id(MISSING), "p", "v1", None, False),
    ]


def test_what_was_found_afterwards_is_among_the_findings(index):
    columns = 'CAST(call_id AS VARCHAR), policy, policy_version, rule, stage, action, start, "end", ms'
    assert asked(index, f"SELECT {columns} FROM findings ORDER BY call_id") == [
        (call_id(FOUND), "p", "v1", "rubric", "output", "flag", 3, 9, 912.5),
        (call_id(FAILED), "p", "v1", "check_failed", "output", "bypass", 3, 9, 912.5),
    ]


def test_calls_are_listed_by_it(index):
    def listed(name):
        return [row[1] for row in list_calls(index, CallsQuestion(finding=name)).rows]

    assert listed("rubric") == [call_id(FOUND)]
    assert listed("check_failed") == [call_id(FAILED)]
    assert sorted(listed("p")) == [call_id(FOUND), call_id(FAILED)]
    assert listed("other") == []


def test_the_same_call_of_another_log_is_another_call(machine, index):
    machine.write(opened(MISSING), "worker-1")
    machine.write(closed(MISSING), "worker-1")
    write(machine, judged(MISSING, "clear"), "worker-1")
    machine.flush()
    follow(index, machine.path)
    assert asked(index, f"SELECT verdict FROM judgements WHERE call_id = '{call_id(MISSING)}'") == [(None,)]


def test_a_verdict_that_comes_later_joins_its_call(machine, index):
    write(machine, judged(MISSING, "clear"))
    machine.flush()
    follow(index, machine.path)
    assert asked(index, f"SELECT verdict FROM judgements WHERE call_id = '{call_id(MISSING)}'") == [("clear",)]


def test_one_with_very_many_findings_is_read_from_where_it_was_spilled(machine, index):
    many = [finding(why="w" * 200, where="choices[0].message.tool_calls[0]") for _ in range(200)]
    write(machine, judged(MISSING, "found", *many))
    machine.flush()
    follow(index, machine.path)
    assert asked(index, f"SELECT count(*) FROM findings WHERE call_id = '{call_id(MISSING)}'") == [(200,)]
    shown = show_call(index, Archive(machine.path, NO_KEYS), call_id(MISSING), bodies=False)
    assert len(shown.judged["findings"]) == 200


def test_one_that_cannot_be_understood_is_kept_count_of_and_no_other_is_lost(machine, index):
    machine.write_raw("call.judged", "bad", b'{"call":"x","policies":[]}')
    write(machine, judged(MISSING, "found", msgspec.structs.replace(finding(), end=2**64 - 1)))  # what no column takes
    write(machine, judged(NONE, "clear", finding()))
    machine.flush()
    follow(index, machine.path)
    assert asked(index, "SELECT count(*) FROM facts.unreadable") == [(2,)]
    assert asked(index, f"SELECT rule FROM findings WHERE call_id = '{call_id(NONE)}'") == [("rubric",)]


def test_what_the_index_forgets_of_calls_it_forgets_of_what_was_said_of_them(machine, index):
    ((middle,),) = asked(index, f"SELECT \"at\" FROM calls WHERE id = '{call_id(CLEAR)}'")
    index.forget(middle)
    assert asked(index, "SELECT count(*) FROM facts.judgements") == [(2,)]
    assert [row[0] for row in asked(index, "SELECT rule FROM findings")] == ["check_failed"]


def test_the_story_of_a_call_tells_what_was_said_of_it(machine, index):
    shown = show_call(index, Archive(machine.path, NO_KEYS), call_id(FOUND), bodies=False)
    assert [(one.ms, one.event, one.detail) for one in shown.timeline[-3:]] == [
        (911.25, "judged", "p@v1: found in 2 questions, after it had left"),
        (911.25, "judged by", f"the calls {call_id(90)}"),
        (912.5, "flag", "p found rubric in choices[0].message.content, characters 3 to 9"),
    ]
    assert shown.judged["policies"][0]["verdict"] == "found"


@pytest.mark.parametrize(("number", "events"), [(MISSING, ["not judged"]), (GONE, []), (NONE, []), (CLEAR, ["judged"])])
def test_the_story_says_where_nothing_was(machine, index, number, events):
    shown = show_call(index, Archive(machine.path, NO_KEYS), call_id(number), bodies=False)
    assert [one.event for one in shown.timeline if "judged" in one.event] == events


def test_the_story_says_what_the_record_leaves_out():
    record = judged(1, "found", finding(), findings_left_out=7, judge_calls=(call_id(90),), judge_calls_left_out=3)
    ended = msgspec.to_builtins(closed(1)) | {"type": "call.closed"}
    moments = timeline(msgspec.to_builtins(opened(1)), ended, msgspec.to_builtins(record))
    told = {one.event: one.detail for one in moments}
    assert told["findings"] == "7 more, which the record does not list"
    assert told["judged by"].endswith(" and 3 more")
