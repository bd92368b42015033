"""Policies with `when: after`: a judge is asked about what has left; nobody waits, and what it says is on record."""

import asyncio
import json
import shutil
from decimal import Decimal

import openai
import pytest
import uvloop

from gateway.running import HELLO, PATIENCE, play, running, until
from gateway.test_guardrails import said
from gateway.test_judging import FAILURES, HANGS, TEXT, bad_ones, policy, told, verdict
from trunkline.audit.files.reader import read_records, read_whole
from trunkline.channel.messages import Drain, Drained
from trunkline.gateway.afterwards import Bounds
from trunkline.ledger.answers import CallsQuestion
from trunkline.ledger.ledger import Ledger
from trunkline.simulator import Cut, Script, Simulator, ToolCall

both_forms = pytest.mark.parametrize("stream", [False, True])
WHERE = "choices[0].message.content"
AFTER = {"when": "after", "action": "flag"}


def passes(call):
    return verdict(told(call)[1], found=False)


def afterwards(gateway):
    return gateway.worker._exchange._afterwards


async def all_judged(gateway):
    await until(lambda: not afterwards(gateway)._tasks)


def judged(tmp_path, judge, story, text=TEXT, options=None, **more):
    """Run a story on the route `only-first`, whose answers a judge on `only-second` looks at when they have left."""
    main = text if isinstance(text, Script) or callable(text) else Script(text=text)
    play(tmp_path, story, main, judge, **(policy(**AFTER, **more) if options is None else options))


def calls_of(gateway):
    """Return what was opened and closed for the client, and for judges."""
    closed = {one["call"]: one for one in gateway.records("call.closed")}
    client, judges = [], []
    for opened in gateway.records("call.opened"):
        (judges if opened["purpose"] == "judge" else client).append((opened, closed.get(opened["call"])))
    return client, judges


@both_forms
@pytest.mark.parametrize(("model", "judge"), [("only-first", "only-second"), ("only-second", "only-first")])
def test_what_a_judge_lets_fail_has_left_and_is_on_record(tmp_path, model, judge, stream):
    async def story(gateway, simulator):
        text, finish, ours = await said(gateway, model, stream)
        assert (text, finish, ours["outcome"], ours["guardrail"]) == (TEXT, "stop", "answered", None)
        assert ours["hold_ms"] == 0
        await all_judged(gateway)
        (((opened, closed),), ((of_judge, end_of_judge),)) = calls_of(gateway)
        record = gateway.record("call.judged")
        (finding,) = record["findings"]
        version = finding["policy_version"]
        assert opened["guardrails"] == closed["to_judge"] == [f"p@{version}"]
        assert "findings" not in closed
        assert record["call"] == opened["call"]
        assert record["policies"] == [{"policy": "p", "policy_version": version, "verdict": "found", "questions": 1}]
        assert (finding["rule"], finding["action"], finding["where"]) == ("rubric", "flag", WHERE)
        assert (finding["start"], finding["end"], finding["score"]) == (0, len(TEXT), 0.9)
        assert finding["why"] == f"judged in chatcmpl-{of_judge['call']}"
        assert (record["judge_calls"], of_judge["judged_call"]) == ([of_judge["call"]], opened["call"])
        assert Decimal(end_of_judge["cost"]["amount"]) > 0
        assert record["took_ms"] > 0
        assert finding["ms"] >= closed["timings"]["total_ms"]
        assert record["index"] > closed["index"]

    def both(call):
        return bad_ones(call) if "You are a judge." in json.dumps(call.body) else Script(text=TEXT)

    play(tmp_path, story, both, both, **policy(**AFTER, route=judge))


@both_forms
def test_what_it_passes_is_on_record_too(tmp_path, stream):
    async def story(gateway, simulator):
        await said(gateway, "only-first", stream)
        await all_judged(gateway)
        record = gateway.record("call.judged")
        assert [one["verdict"] for one in record["policies"]] == ["clear"]
        assert "findings" not in record
        assert len(record["judge_calls"]) == 1

    judged(tmp_path, bad_ones, story, "All is fine.\nReally.")


def test_a_stream_leaves_piece_by_piece_and_its_end_before_the_judge_is_asked(tmp_path):
    async def story(gateway, simulator):
        pieces = []
        async for chunk in await gateway.ask("only-first", stream=True):
            pieces += [choice.delta.content for choice in chunk.choices if choice.delta.content]
            assert simulator.anthropic.call_count == 0
        assert len(pieces) > 3
        assert "".join(pieces) == TEXT
        await simulator.anthropic.wait_for_calls(1)
        assert gateway.records("call.judged") == []
        await gateway.worker._exchange.judged(0.0)

    judged(tmp_path, HANGS, story, timeout="30s")


@both_forms
@pytest.mark.parametrize(("judge", "why"), FAILURES)
def test_without_a_verdict_that_is_on_record(tmp_path, judge, why, stream):
    async def story(gateway, simulator):
        assert (await said(gateway, "only-first", stream))[0] == TEXT
        await all_judged(gateway)
        record = gateway.record("call.judged")
        (finding,) = record["findings"]
        assert (finding["rule"], finding["action"], finding["why"]) == ("check_failed", "bypass", why)
        assert [one["verdict"] for one in record["policies"]] == ["not_made"]
        (_, ((of_judge, _),)) = calls_of(gateway)
        assert record["judge_calls"] == [of_judge["call"]]

    judged(tmp_path, judge, story, timeout="300ms")


def test_each_sentence_can_be_judged_and_a_finding_has_its_place(tmp_path):
    def judge(call):
        text = told(call)[2]
        return Script(text="no verdict") if "Three" in text else verdict(told(call)[1], "bad" in text)

    async def story(gateway, simulator):
        await said(gateway, "only-first", True)
        await all_judged(gateway)
        record = gateway.record("call.judged")
        places = [(one["rule"], TEXT[one["start"] : one["end"]]) for one in record["findings"]]
        assert places == [("rubric", "Two is bad. "), ("check_failed", "Three is fine.")]
        assert [(one["verdict"], one["questions"]) for one in record["policies"]] == [("found", 3)]
        assert len(record["judge_calls"]) == 3

    judged(tmp_path, judge, story, hold="sentence")


@both_forms
def test_arguments_of_tools_are_judged(tmp_path, stream):
    script = Script(tool_calls=(ToolCall("note", {"text": "so bad"}), ToolCall("note", {"text": "fine"})))
    tools = [{"type": "function", "function": {"name": "note", "parameters": {"type": "object"}}}]

    async def story(gateway, simulator):
        _, finish, _ = await said(gateway, "only-first", stream, tools=tools)
        assert finish == "tool_calls"
        await all_judged(gateway)
        (finding,) = gateway.record("call.judged")["findings"]
        assert finding["where"] == "choices[0].message.tool_calls[0]"

    judged(tmp_path, bad_ones, story, script, on="[tool_arguments]")


@both_forms
def test_every_choice_is_judged(tmp_path, stream):
    async def story(gateway, simulator):
        answer = await gateway.ask("only-first", n=2, stream=stream)
        if stream:
            async for _ in answer:
                pass
        await all_judged(gateway)
        (finding,) = gateway.record("call.judged")["findings"]
        assert finding["where"] == "choices[1].message.content"
        assert simulator.anthropic.call_count == 2

    judged(tmp_path, bad_ones, story, Script(text="All is fine.", alternatives=("All is bad.",)))


@both_forms
def test_it_is_judged_what_has_left_as_it_has(tmp_path, stream):
    async def story(gateway, simulator):
        assert (await said(gateway, "only-first", stream))[0] == "One is fine. Two is [WORD]. Three is fine."
        await all_judged(gateway)
        assert told(simulator.anthropic.calls[0])[2] == "One is fine. Two is [WORD]. Three is fine."
        (((opened, closed),), _) = calls_of(gateway)
        names = [name.partition("@")[0] for name in opened["guardrails"]]
        assert (names, [name.partition("@")[0] for name in closed["to_judge"]]) == (["p", "q"], ["p"])
        assert [one["policy"] for one in closed["findings"]] == ["q"]

    options = policy(**AFTER)
    options["more"] += "  q: {check: patterns, on: [output], action: redact, rules: [{name: word, words: [bad]}]}\n"
    options["tenant"] = "guardrails: [p, q]"
    judged(tmp_path, bad_ones, story, TEXT, options)


def test_a_policy_that_a_request_asks_for_looks_afterwards_too(tmp_path):
    async def story(gateway, simulator):
        await said(gateway, "only-first", True, extra_headers={"x-trunkline-guardrails": "p"})
        await all_judged(gateway)
        assert gateway.record("call.judged")["policies"][0]["verdict"] == "found"

    judged(tmp_path, bad_ones, story, TEXT, policy(**AFTER) | {"tenant": "regulated: false"})


def test_what_had_left_of_a_stream_that_broke_off_is_judged(tmp_path):
    async def story(gateway, simulator):
        with pytest.raises(openai.APIError):
            await said(gateway, "only-first", True)
        await all_judged(gateway)
        text = told(simulator.anthropic.calls[0])[2]
        assert text
        assert TEXT.startswith(text)
        assert text != TEXT
        assert gateway.record("call.judged")["policies"][0]["verdict"] == "clear"

    judged(tmp_path, passes, story, Script(text=TEXT, fault=Cut(after_tokens=4)))


def test_what_a_client_had_heard_before_it_left_is_judged(tmp_path):
    async def story(gateway, simulator):
        answer = await gateway.ask("only-first", stream=True)
        async for chunk in answer:
            if any(choice.delta.content for choice in chunk.choices):
                break
        await answer.close()
        await until(lambda: gateway.worker._server.in_flight == 0)
        await all_judged(gateway)
        (((_, closed),), _) = calls_of(gateway)
        assert closed["outcome"] == "cancelled_after"
        assert told(simulator.anthropic.calls[0])[2] == "One"
        assert gateway.record("call.judged")["policies"][0]["verdict"] == "clear"

    slow = Script(text=TEXT, tokens_per_second=0.01)
    judged(tmp_path, passes, story, slow)


def test_where_nothing_has_left_nobody_is_asked(tmp_path):
    async def story(gateway, simulator):
        with pytest.raises(openai.BadRequestError):
            await gateway.client().chat.completions.create(
                model="only-first", messages=[*HELLO, {"role": "user", "content": "Acme?"}]
            )
        await all_judged(gateway)
        (((opened, closed),), judges) = calls_of(gateway)
        assert len(opened["guardrails"]) == 2
        assert "to_judge" not in closed
        assert judges == gateway.records("call.judged") == []

    options = policy(**AFTER)
    options["more"] += "  q: {check: patterns, on: [input], rules: [{name: rival, words: [Acme]}]}\n"
    options["tenant"] = "guardrails: [p, q]"
    judged(tmp_path, bad_ones, story, TEXT, options)


def test_where_too_many_wait_the_next_is_recorded_as_not_judged(tmp_path):
    async def story(gateway, simulator):
        afterwards(gateway).bounds = Bounds(at_once=1, waiting=1)
        for _ in range(4):
            await said(gateway, "only-first", True)
        await simulator.anthropic.wait_for_calls(1)
        left_out = gateway.records("call.judged")
        assert len(left_out) == 2
        for record in left_out:
            (finding,) = record["findings"]
            assert (finding["rule"], finding["action"], finding["why"]) == ("check_failed", "bypass", "queue_full")
            assert [one["verdict"] for one in record["policies"]] == ["not_made"]
            assert "judge_calls" not in record
        await gateway.worker._exchange.judged(0.0)
        assert len({record["call"] for record in gateway.records("call.judged")}) == 4
        assert simulator.anthropic.call_count == 1

    judged(tmp_path, HANGS, story, timeout="30s")


def test_what_is_kept_of_calls_that_wait_is_bounded(tmp_path):
    async def story(gateway, simulator):
        afterwards(gateway).bounds = Bounds(kept=100)
        await said(gateway, "only-first", False)
        assert gateway.record("call.judged")["findings"][0]["why"] == "queue_full"
        afterwards(gateway).bounds = Bounds()
        await said(gateway, "only-first", False)
        await all_judged(gateway)
        assert gateway.records("call.judged")[1]["policies"][0]["verdict"] == "found"
        assert afterwards(gateway)._kept == 0

    judged(tmp_path, bad_ones, story)


def test_all_that_wait_are_judged_one_after_the_other(tmp_path):
    async def story(gateway, simulator):
        afterwards(gateway).bounds = Bounds(at_once=1)
        await asyncio.gather(*[said(gateway, "only-first", True) for _ in range(5)])
        await all_judged(gateway)
        verdicts = [one["verdict"] for record in gateway.records("call.judged") for one in record["policies"]]
        assert verdicts == ["found"] * 5

    judged(tmp_path, bad_ones, story)


def test_all_questions_about_a_call_have_an_end(tmp_path):
    async def story(gateway, simulator):
        afterwards(gateway).bounds = Bounds(seconds=0.2)
        await said(gateway, "only-first", False)
        await all_judged(gateway)
        assert [one["why"] for one in gateway.record("call.judged")["findings"]] == ["timeout"] * 3

    judged(tmp_path, HANGS, story, hold="sentence", timeout="30s")


def drained(tmp_path, judge, seconds):
    """Return what is in the log after a call, and a drain that begins while its judge is asked."""

    async def main():
        simulator = Simulator(Script(text=TEXT), judge)
        async with (
            asyncio.timeout(PATIENCE),
            simulator,
            running(simulator, tmp_path, **policy(**AFTER, timeout="30s")) as gateway,
        ):
            await said(gateway, "only-first", True)
            await simulator.anthropic.wait_for_calls(1)
            assert gateway.records("call.judged") == []
            await gateway.close_clients()
            gateway.link.send(Drain(seconds))
            await gateway.told(Drained)
        return [json.loads(read_whole(gateway.log_directory, one)) for one in read_records(gateway.log_directory)]

    return uvloop.run(main())


def test_a_drain_waits_for_what_is_asked(tmp_path):
    def judge(call):
        return Script(text=bad_ones(call).text, first_token=0.3)

    records = drained(tmp_path, judge, 5.0)
    (record,) = [one for one in records if one["type"] == "call.judged"]
    assert record["policies"][0]["verdict"] == "found"
    assert records[-1]["type"] == "log.sealed"


def test_a_drain_that_is_over_records_what_has_no_verdict(tmp_path):
    records = drained(tmp_path, HANGS, 0.2)
    (record,) = [one for one in records if one["type"] == "call.judged"]
    assert record["policies"][0]["verdict"] == "not_made"
    assert [one["why"] for one in record["findings"]] == ["drained"]
    of_judge = next(one for one in records if one["type"] == "call.opened" and one["purpose"] == "judge")
    (closed,) = [one for one in records if one["type"] == "call.closed" and one["call"] == of_judge["call"]]
    assert closed["outcome"] == "failed"
    assert record["judge_calls"] == [of_judge["call"]]


def test_a_worker_that_is_killed_leaves_the_call_whole_and_the_lack_of_a_verdict_visible(tmp_path):
    """The disk as it is in the moment in which the judge is asked is what a killed worker leaves."""
    killed = tmp_path / "killed"

    async def until_killed(gateway, simulator):
        await said(gateway, "only-first", True)
        await simulator.anthropic.wait_for_calls(1)
        gateway.log.flush()
        shutil.copytree(tmp_path / "data", killed / "data")
        await gateway.worker._exchange.judged(0.0)

    async def after(gateway, simulator):
        (((opened, closed),), ((of_judge, none),)) = calls_of(gateway)
        assert (closed["outcome"], len(closed["to_judge"]), none) == ("answered", 1, None)
        assert gateway.record("call.abandoned")["call"] == of_judge["call"]
        assert gateway.records("call.judged") == []
        ledger = Ledger(killed / "data", print)
        ledger.open()
        story = ledger.call(opened["call"], bodies=False)
        assert [one.event for one in story.timeline if "judge" in one.event] == ["not judged"]
        assert ledger.calls(CallsQuestion(finding="rubric")).rows == []
        ledger.close()

    killed.mkdir()
    judged(tmp_path, HANGS, until_killed, timeout="30s")
    judged(killed, HANGS, after, timeout="30s")


def test_the_ledger_finds_calls_by_what_was_found_afterwards(tmp_path):
    async def story(gateway, simulator):
        await said(gateway, "only-first", True)
        await all_judged(gateway)
        gateway.log.flush()
        (((opened, _),), ((of_judge, _),)) = calls_of(gateway)
        ledger = Ledger(tmp_path / "data", print)
        ledger.open()
        for finding in ("rubric", "p"):
            (row,) = ledger.calls(CallsQuestion(finding=finding)).rows
            assert opened["call"] in row
        shown = ledger.call(opened["call"], bodies=False)
        told_of = {one.event: one.detail for one in shown.timeline}
        assert told_of["flag"].startswith("p found rubric (judged in")
        assert "found in 1 question, after it had left" in told_of["judged"]
        assert of_judge["call"] in told_of["judged by"]
        assert shown.judged["call"] == opened["call"]
        ledger.close()

    judged(tmp_path, bad_ones, story)
