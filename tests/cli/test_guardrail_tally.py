"""What policies would have found in many calls, added up: as the calls would be counted by hand, and bounded."""

import msgspec
import pytest

from guardrails.toy_checks import Words
from trunkline.cli import guardrail_tally
from trunkline.cli.guardrail_tally import Past, Recorded, Tally, recorded_findings
from trunkline.guardrails.excerpts import Hiding
from trunkline.guardrails.hindsight import Hindsight
from trunkline.guardrails.memory import Cleared
from trunkline.guardrails.policies import Policies, Policy
from trunkline.ledger.place_answers import CallPlace
from trunkline.model.chat import ChatRequest, Message
from trunkline.model.delta import Delta

FLAGS = Policy("flags", "1", Words("bad"), action="flag")
HIDES = Policy("hides", "1", Words("key"), action="redact")


def place(number: int) -> CallPlace:
    at = f"2026-06-15T12:00:{number % 60:02}Z"
    return CallPlace(f"call-{number}", at, "acme", "fast", False, "answered", False, "gw/worker-0", (0, 1), (0, 2))


def past(number, asked="", said="", recorded=(), policies=(FLAGS, HIDES), whole=True):
    seen = Hindsight(Policies(policies))
    seen.request(ChatRequest(model="m", messages=[Message(role="user", content=asked)]), Cleared())
    seen.answer([Delta(text=said), Delta(finish="stop")], 1)
    return Past(place(number), seen, recorded, whole)


def was(policy="flags", rule="bad", action="flag", where="messages[0].content", start=0, end=3):
    return Recorded(policy, rule, action, where, start, end)


def tally(examples=3, secret=None):
    return Tally(examples, [Hiding(Words("key"))], secret if secret is not None else {"hides": ""})


def test_calls_and_findings_are_counted_by_policy_and_rule():
    tallied = tally()
    for number, words in enumerate([("bad bad", "bad"), ("bad", ""), ("fine", "fine"), ("a key", "")]):
        tallied.take(past(number, *words))
    flags, hides = tallied.rows()
    assert (flags.policy, flags.rule, flags.action, flags.calls, flags.findings) == ("flags", "bad", "flag", 2, 4)
    assert (flags.on_input, flags.on_output, flags.new, flags.no_more) == (3, 1, 2, 0)
    assert (hides.policy, hides.action, hides.calls) == ("hides", "redact", 1)
    assert tallied.effects == {"blocked": 0, "replaced": 0, "redacted": 1, "flagged": 2, "bypassed": 0}


@pytest.mark.parametrize(
    ("asked", "recorded", "whole", "new", "no_more", "change"),
    [
        ("bad", (), True, 1, 0, "new"),
        ("bad", (was(),), True, 0, 0, "as_before"),
        ("bad", (was(start=40, end=43),), True, 0, 0, "as_before"),
        ("bad", (was("other"),), True, 1, 1, "new"),
        ("bad", None, True, 0, 0, "as_before"),  # what was found then is not known
        ("bad", (), False, 0, 0, "as_before"),  # nor all of it
        ("fine", (was(), was()), True, 0, 1, "no_more"),
        ("fine", (was(),), False, 0, 1, "no_more"),
    ],
)
def test_what_the_record_has_is_compared(asked, recorded, whole, new, no_more, change):
    tallied = tally()
    tallied.take(past(1, asked, recorded=recorded, whole=whole))
    rows = tallied.rows()
    assert (sum(row.new for row in rows), sum(row.no_more for row in rows)) == (new, no_more)
    assert change in {example.change for row in rows for example in row.examples}


def test_examples_are_few_and_those_of_a_change_come_first():
    tallied = tally(examples=2)
    for number in range(10):
        tallied.take(past(number, "bad bad bad", recorded=(was(),)))
    (row,) = tallied.rows()
    assert [(one.call, one.change, one.start) for one in row.examples] == [
        ("call-0", "as_before", 0), ("call-0", "as_before", 4),
    ]  # fmt: skip
    tallied.take(past(11, "bad", recorded=()))
    tallied.take(past(12, "fine", recorded=(was(start=1, end=4),)))
    (row,) = tallied.rows()
    assert [(one.call, one.change, one.excerpt) for one in row.examples] == [
        ("call-11", "new", "«bad»"), ("call-12", "no_more", "f«ine»"),
    ]  # fmt: skip
    none = tally(examples=0)
    none.take(past(1, "bad"))
    assert none.rows()[0].examples == ()


def test_examples_that_read_the_same_are_shown_once_and_not_looked_for_without_end():
    tallied = tally(examples=2)
    for number in range(100):
        tallied.take(past(number, "so bad", said="gone" if number else "", recorded=(was("gone"),)))
    tallied.take(past(100, "too bad"))
    flags, gone = tallied.rows()
    # The hundredth has other words, and is not reached: as many as are read for each example have the same.
    assert [(one.call, one.excerpt) for one in flags.examples] == [("call-0", "so «bad»")]
    assert [(one.call, one.excerpt) for one in gone.examples] == [("call-0", "«so »bad")]
    assert (flags.calls, gone.no_more) == (101, 100)
    soon = tally(examples=2)
    for number, words in enumerate(("so bad", "so bad", "too bad")):
        soon.take(past(number, words))
    assert [one.excerpt for one in soon.rows()[0].examples] == ["so «bad»", "too «bad»"]


def test_what_is_secret_is_in_no_example():
    tallied = tally()
    tallied.take(past(1, "my key is bad"))
    tallied.take(past(2, "fine", recorded=(was("gone", "card", "redact", end=4),)))
    tallied.take(past(3, "fine, all of it", recorded=(was("hides", "pin", "flag", end=4),)))
    shown = {(row.policy, row.rule): [one.excerpt for one in row.examples] for row in tallied.rows()}
    assert shown == {
        ("flags", "bad"): ["my [KEY] is «bad»"], ("hides", "key"): ["my «[KEY]» is bad"],
        ("gone", "card"): ["«[CARD]»"], ("hides", "pin"): ["«[PIN]», all of it"],
    }  # fmt: skip
    named = tally(secret={"flags": "(what was said)"})
    named.take(past(1, "so bad"))
    assert named.rows()[0].examples[0].excerpt == "so «(what was said)»"


def test_there_are_so_many_rows_and_no_more(monkeypatch):
    monkeypatch.setattr(guardrail_tally, "MOST_ROWS", 3)
    tallied = tally()
    for number in range(5):
        name = f"p{number}"
        tallied.take(past(number, "bad bad", policies=(Policy(name, "1", Words("bad"), action="flag"),)))
        tallied.take(past(number, "fine", recorded=(was(f"q{number}"),), policies=()))
    assert [(row.policy, row.calls, row.no_more) for row in tallied.rows()] == [
        ("p0", 1, 0), ("p1", 1, 0), ("q0", 0, 1),
    ]  # fmt: skip
    assert tallied.left_out == 3 * 2 + 4
    assert tallied.effects["flagged"] == 5


def test_recorded_findings_are_read_and_chosen():
    found = {"policy_version": "1", "stage": "input", "ms": 1.0, "score": 1.0} | msgspec.to_builtins(was())
    record = {"findings": [found, found | {"policy": "other"}]}
    assert [one.policy for one in recorded_findings(record, None)] == ["flags", "other"]
    assert recorded_findings(record, ["flags"]) == (was(),)
    assert recorded_findings({}, None) == ()
    with pytest.raises(msgspec.ValidationError):
        recorded_findings({"findings": [{"policy": 1}]}, None)
