"""Calls under guardrails: what comes in is looked through, what goes out is held back, and the record says so."""

import json

import openai
import pytest

from gateway.running import HELLO, play, until
from trunkline.simulator import Cut, Script, ToolCall

SENTENCE = "I can't say that. Shall I call your advisor?"
BLOCKED = "Let me put you through to a person."
REASONS = {
    "redact": "check: patterns, action: redact, rules: [{name: rival, words: [Acme]}]",
    "block": "check: patterns, action: block, rules: [{name: rival, words: [Acme]}]",
    "replace": f'check: patterns, action: replace, with: "{SENTENCE}", rules: [{{name: rival, words: [Acme]}}]',
    "flag": "check: patterns, action: flag, rules: [{name: rival, words: [Acme]}]",
}
TEXT = "We sell funds. Acme sells them too. Ask me."
both_targets = pytest.mark.parametrize("model", ["only-first", "only-second"])
both_forms = pytest.mark.parametrize("stream", [False, True])


def guarded(action, more="", on="input, output"):
    """Options of a gateway with one policy on all of the tenant's calls."""
    return {
        "tenant": "guardrails: [p]",
        "more": f"guardrails:\n  p: {{{REASONS[action]}, on: [{on}]}}\n  other: {{{REASONS['flag']}}}\n{more}",
    }


async def said(gateway, model, stream, **fields):
    """Return text, finish reason and our part of an answer, of its first choice."""
    answer = await gateway.ask(model, stream=stream, **fields)
    if not stream:
        choice = answer.choices[0]
        return choice.message.content or "", choice.finish_reason, answer.trunkline
    text, finish, ours = "", None, None
    async for chunk in answer:
        for choice in chunk.choices:
            if choice.index == 0:
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
        ours = (chunk.model_extra or {}).get("trunkline", ours)
    return text, finish, ours


def scripted(tmp_path, story, script, **options):
    play(tmp_path, story, script, script, **options)


@both_targets
@both_forms
def test_what_is_redacted_never_reaches_the_client(tmp_path, model, stream):
    async def story(gateway, simulator):
        text, finish, ours = await said(gateway, model, stream)
        assert (text, finish) == (TEXT.replace("Acme", "[RIVAL]"), "stop")
        assert (ours["outcome"], ours["guardrail"]) == ("answered", None)
        closed = gateway.record("call.closed")
        (finding,) = closed["findings"]
        assert finding.pop("ms") > 0
        assert finding.pop("policy_version") in gateway.record("call.opened")["guardrails"][0]
        assert finding == {
            "policy": "p", "rule": "rival", "stage": "output", "action": "redact",
            "where": "choices[0].message.content", "start": 15, "end": 19, "score": 1.0,
        }  # fmt: skip
        assert closed["released_chars"] == len(text)
        assert closed["received_chars"] == len(TEXT)
        assert b"Acme" not in gateway.parts(closed)["response"]

    scripted(tmp_path, story, Script(text=TEXT), **guarded("redact"))


@both_targets
@both_forms
def test_a_block_ends_the_answer_before_what_was_found(tmp_path, model, stream):
    async def story(gateway, simulator):
        text, finish, ours = await said(gateway, model, stream)
        assert (text, finish) == ("We sell funds. ", "content_filter")
        assert (ours["outcome"], ours["guardrail"]) == ("blocked", "p")
        closed = gateway.record("call.closed")
        assert (closed["outcome"], closed["guardrail"], closed["status"]) == ("blocked", "p", 200)
        assert closed["finish_reason"] == "content_filter"
        assert closed["released_chars"] == len(text)

    scripted(tmp_path, story, Script(text=TEXT), **guarded("block"))


@both_targets
@both_forms
def test_a_blocked_answer_says_the_route_s_sentence(tmp_path, model, stream):
    async def story(gateway, simulator):
        text, finish, _ = await said(gateway, model, stream)
        assert (text, finish) == (f"We sell funds. {BLOCKED}", "content_filter")

    options = guarded("block") | {"route": f'instead_of_error: {{blocked: "{BLOCKED}"}}'}
    scripted(tmp_path, story, Script(text=TEXT), **options)


@both_targets
@both_forms
def test_a_replaced_answer_goes_on_with_the_approved_sentence(tmp_path, model, stream):
    async def story(gateway, simulator):
        text, finish, ours = await said(gateway, model, stream)
        assert (text, finish) == (f"We sell funds. {SENTENCE}", "stop")
        assert (ours["outcome"], ours["guardrail"]) == ("replaced", "p")
        assert gateway.record("call.closed")["outcome"] == "replaced"

    scripted(tmp_path, story, Script(text=TEXT), **guarded("replace"))


@both_forms
@pytest.mark.parametrize(
    ("check", "text", "rule"),
    [
        (
            'topics, deny: [{name: politics, examples: ["Who should I vote for in the election?"]}]',
            "Here you are. Vote for her in this election. Bye.",
            "politics",
        ),
        ("language, allow: [en]", "Here you are. Ich kann das heute nicht mehr machen. Bye.", "other_language"),
    ],
)
def test_a_sentence_about_a_denied_topic_or_in_another_language_is_replaced(tmp_path, stream, check, text, rule):
    async def story(gateway, simulator):
        assert (await said(gateway, "only-first", stream))[0] == f"Here you are. {SENTENCE}"
        (finding,) = gateway.record("call.closed")["findings"]
        assert (finding["rule"], finding["start"]) == (rule, len("Here you are. "))

    more = f'guardrails:\n  p: {{check: {check}, action: replace, with: "{SENTENCE}"}}\n'
    scripted(tmp_path, story, Script(text=text), tenant="guardrails: [p]", more=more)


@both_forms
def test_a_stopped_stream_is_not_waited_for_and_charged_by_estimate(tmp_path, stream):
    """The rest of the stream would take an hour."""

    async def story(gateway, simulator):
        text, finish, _ = await said(gateway, "only-first", True)
        assert (text, finish) == ("", "content_filter")
        closed = gateway.record("call.closed")
        assert closed["usage_estimated"]
        assert closed["attempts"][0]["outcome"] == "answered"
        await simulator.openai.wait_until_ended(1)

    script = Script(text="Acme " + "word " * 1000, tokens_per_second=0.3)
    scripted(tmp_path, story, script, **guarded("block"))


@both_forms
def test_a_flag_is_on_record_and_changes_nothing(tmp_path, stream):
    async def story(gateway, simulator):
        text, _, ours = await said(gateway, "voice", stream)
        assert (text, ours["outcome"]) == (TEXT, "answered")
        assert [finding["action"] for finding in gateway.record("call.closed")["findings"]] == ["flag"]

    scripted(tmp_path, story, Script(text=TEXT), **guarded("flag"))


@both_forms
def test_the_second_choice_is_looked_at_like_the_first(tmp_path, stream):
    async def story(gateway, simulator):
        answer = await gateway.ask("only-first", stream=stream, n=2)
        texts, finishes = {0: "", 1: ""}, {}
        if stream:
            async for chunk in answer:
                for choice in chunk.choices:
                    texts[choice.index] += choice.delta.content or ""
                    finishes[choice.index] = choice.finish_reason or finishes.get(choice.index)
        else:
            texts = {choice.index: choice.message.content for choice in answer.choices}
            finishes = {choice.index: choice.finish_reason for choice in answer.choices}
        assert texts == {0: "All is well.", 1: "Not "}
        assert finishes == {0: "stop", 1: "content_filter"}
        closed = gateway.record("call.closed")
        assert (closed["outcome"], closed["findings"][0]["where"]) == ("blocked", "choices[1].message.content")

    scripted(tmp_path, story, Script(text="All is well.", alternatives=("Not Acme.",)), **guarded("block"))


@both_targets
@both_forms
def test_a_tool_call_is_released_whole_or_not_at_all(tmp_path, model, stream):
    calls = (ToolCall("find", {"name": "Smith"}), ToolCall("send", {"to": "Acme"}))
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("find", "send")
    ]

    async def story(gateway, simulator):
        answer = await gateway.ask(model, stream=stream, tools=tools)
        names = []
        if stream:
            async for chunk in answer:
                for choice in chunk.choices:
                    names += [call.function.name for call in choice.delta.tool_calls or () if call.function.name]
                    finish = choice.finish_reason
        else:
            names = [call.function.name for call in answer.choices[0].message.tool_calls]
            finish = answer.choices[0].finish_reason
        assert (names, finish) == (["find"], "content_filter")
        closed = gateway.record("call.closed")
        assert closed["tool_calls"] == ["find", "send"]
        assert closed["findings"][0]["where"] == "choices[0].message.tool_calls[1]"
        assert closed["findings"][0]["stage"] == "tool_arguments"

    scripted(tmp_path, story, Script(tool_calls=calls), **guarded("block"))


# What comes in


@both_forms
def test_a_blocked_request_is_400_asks_no_provider_and_has_a_whole_record(tmp_path, stream):
    async def story(gateway, simulator):
        with pytest.raises(openai.BadRequestError) as refused:
            await gateway.client().chat.completions.create(
                model="voice", messages=[*HELLO, {"role": "user", "content": "And Acme?"}], stream=stream
            )
        error = refused.value.body
        assert (error["code"], error["trunkline"]["source"], error["trunkline"]["rule"]) == (
            "content_filter",
            "guardrail",
            "p",
        )
        assert error["param"] == "messages[1].content"
        assert "Acme" not in error["message"]
        closed = gateway.record("call.closed")
        assert (closed["outcome"], closed["status"], closed.get("attempts")) == ("blocked", 400, None)
        assert closed["findings"][0]["where"] == "messages[1].content"
        assert b"Acme" in gateway.parts(gateway.record("call.opened"))["request"]
        assert simulator.openai.call_count == simulator.anthropic.call_count == 0

    scripted(tmp_path, story, Script(text="Hello."), **guarded("block"))


@both_forms
def test_a_blocked_request_on_a_voice_route_is_answered_with_its_sentence(tmp_path, stream):
    async def story(gateway, simulator):
        text, finish, ours = await said_of(gateway, "And Acme?", stream)
        assert (text, finish, ours["outcome"], ours["guardrail"]) == (BLOCKED, "stop", "blocked", "p")
        assert gateway.record("call.closed")["status"] == 200

    options = guarded("block") | {"route": f'instead_of_error: {{blocked: "{BLOCKED}"}}'}
    scripted(tmp_path, story, Script(text="Hello."), **options)


@both_forms
def test_a_request_may_be_answered_by_the_policy_instead(tmp_path, stream):
    async def story(gateway, simulator):
        text, finish, ours = await said_of(gateway, "And Acme?", stream)
        assert (text, finish, ours["outcome"], ours["guardrail"]) == (SENTENCE, "stop", "replaced", "p")
        assert simulator.openai.call_count == 0

    scripted(tmp_path, story, Script(text="Hello."), **guarded("replace"))


async def said_of(gateway, question, stream):
    answer = await gateway.client().chat.completions.create(
        model="voice", messages=[{"role": "user", "content": question}], stream=stream
    )
    if not stream:
        return answer.choices[0].message.content, answer.choices[0].finish_reason, answer.trunkline
    text, finish, ours = "", None, None
    async for chunk in answer:
        for choice in chunk.choices:
            text, finish = text + (choice.delta.content or ""), choice.finish_reason or finish
        ours = (chunk.model_extra or {}).get("trunkline", ours)
    return text, finish, ours


@both_targets
def test_what_is_redacted_of_a_request_no_provider_sees(tmp_path, model):
    async def story(gateway, simulator):
        await gateway.client().chat.completions.create(
            model=model,
            messages=[
                {"role": "user", "content": "Is Acme good?"},
                {"role": "assistant", "content": None, "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "find", "arguments": '{"q": "Acme"}'}}]},
                {"role": "tool", "tool_call_id": "a", "content": "Acme is a firm."},
            ],
        )  # fmt: skip
        provider = simulator.openai if model == "only-first" else simulator.anthropic
        assert b"Acme" not in json.dumps(provider.calls[0].body).encode()
        assert json.dumps(provider.calls[0].body).count("[RIVAL]") == 3
        parts = gateway.parts(gateway.record("call.closed"))
        assert b"Acme" not in parts["1.provider_request"]

    scripted(tmp_path, story, Script(text="Yes."), **guarded("redact"))


def test_a_field_that_no_check_can_read_is_dropped_and_named(tmp_path):
    async def story(gateway, simulator):
        raw = await gateway.client().chat.completions.with_raw_response.create(
            model="only-first", messages=HELLO, logprobs=True, top_logprobs=2, extra_body={"house": {"text": "Acme"}}
        )
        assert raw.headers["x-trunkline-dropped"] == "house, logprobs, top_logprobs"
        assert raw.parse().choices[0].logprobs is None
        assert not {"house", "logprobs", "top_logprobs"} & set(simulator.openai.calls[0].body)
        assert gateway.record("call.closed")["dropped"] == ["house", "logprobs", "top_logprobs"]

    options = guarded("redact") | {"route": "pass_through: allow"}
    scripted(tmp_path, story, Script(text="Yes."), **options)


def test_an_image_is_not_passed_where_nothing_can_read_it(tmp_path):
    async def story(gateway, simulator):
        with pytest.raises(openai.BadRequestError) as refused:
            await gateway.client().chat.completions.create(
                model="voice",
                messages=[{"role": "user", "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}],
            )  # fmt: skip
        assert refused.value.body["param"] == "messages[0].content[0]"
        assert gateway.record("call.closed")["findings"][0]["rule"] == "unscannable"

    scripted(tmp_path, story, Script(text="Yes."), **guarded("redact"))


# Which policies are in force


def test_a_request_may_ask_for_more_and_never_for_less(tmp_path):
    async def story(gateway, simulator):
        client = gateway.client()
        for asked in ("other", "other, p,other", ","):
            headers = {"x-trunkline-guardrails": asked}
            answer = await client.chat.completions.create(model="voice", messages=HELLO, extra_headers=headers)
            assert "Acme" not in answer.choices[0].message.content
        in_force = [[name.split("@")[0] for name in record["guardrails"]] for record in gateway.records("call.opened")]
        assert in_force == [["p", "other"], ["p", "other"], ["p"]]
        for asked in ("nowhere", ", ".join(f"n{place}" for place in range(21))):
            with pytest.raises(openai.BadRequestError) as refused:
                await client.chat.completions.create(
                    model="voice", messages=HELLO, extra_headers={"x-trunkline-guardrails": asked}
                )
            assert refused.value.body["param"] == "x-trunkline-guardrails"

    scripted(tmp_path, story, Script(text=TEXT), **guarded("redact"))


def test_policies_of_all_tenant_and_route_add_up(tmp_path):
    more = (
        "guardrails:\n  a: {check: patterns, action: flag, everywhere: true, rules: [{name: a, words: [x]}]}\n"
        "  b: {check: patterns, action: flag, rules: [{name: a, words: [x]}]}\n"
        "  c: {check: patterns, action: flag, rules: [{name: a, words: [x]}]}\n"
    )

    async def story(gateway, simulator):
        await gateway.ask("voice")
        assert [name.split("@")[0] for name in gateway.record("call.opened")["guardrails"]] == ["a", "b", "c"]

    scripted(tmp_path, story, Script(text=TEXT), more=more, tenant="guardrails: [b]", route="guardrails: [c, b]")


def test_a_reload_puts_other_policies_in_force_for_the_calls_after_it(tmp_path):
    async def story(gateway, simulator):
        assert "Acme" in (await said(gateway, "voice", False))[0]
        before = gateway.worker._endpoints.in_force
        await gateway.load(gateway.compile(**guarded("redact")))
        assert "Acme" not in (await said(gateway, "voice", False))[0]
        await gateway.load(gateway.compile(**guarded("redact"), route="sticky: user"))
        after = gateway.worker._endpoints.in_force
        assert after is not before
        assert "Acme" not in (await said(gateway, "voice", True))[0]

    scripted(tmp_path, story, Script(text=TEXT))


# Streams


def test_text_in_which_nothing_can_begin_is_not_held(tmp_path):
    async def story(gateway, simulator):
        assert (await said(gateway, "only-first", True))[0] == "Nothing of that kind is in here, believe me."
        assert gateway.record("call.closed")["timings"]["hold_ms"] == 0.0
        assert gateway.record("call.closed")["timings"]["first_sentence_ms"] > 0

    text = "Nothing of that kind is in here, believe me."
    scripted(tmp_path, story, Script(text=text), **guarded("redact"))


def test_what_was_held_back_of_a_stream_that_breaks_off_is_not_released(tmp_path):
    async def story(gateway, simulator):
        texts = []
        with pytest.raises(openai.APIError):
            await collect(await gateway.ask("only-first", stream=True), texts)
        assert "Ac" not in "".join(texts)
        assert gateway.record("call.closed")["outcome"] == "failed"

    script = Script(text="It is Acme Acme Acme Acme", fault=Cut(after_tokens=3))
    scripted(tmp_path, story, script, **guarded("block"))


async def collect(stream, texts):
    async for chunk in stream:
        texts += [choice.delta.content or "" for choice in chunk.choices]


def test_a_client_that_leaves_while_text_is_held_leaves_its_findings_on_record(tmp_path):
    async def story(gateway, simulator):
        stream = await gateway.ask("only-first", stream=True)
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                break
        await stream.close()
        await until(lambda: bool(gateway.records("call.closed")))
        closed = gateway.record("call.closed")
        assert closed["outcome"] == "cancelled_after"
        assert [finding["action"] for finding in closed["findings"]] == ["flag"]

    script = Script(text="Acme is here " + "and there " * 2000, tokens_per_second=200)
    scripted(tmp_path, story, script, **guarded("flag"))


@both_targets
@both_forms
@pytest.mark.parametrize(
    "advice", ["You should sell all of your Apple shares now.", "I promise you that this is a risk-free investment."]
)
def test_a_voice_of_wealth_gives_no_advice(tmp_path, model, stream, advice):
    fact = "Your account was opened in March. "

    async def story(gateway, simulator):
        text, finish, ours = await said(gateway, model, stream)
        assert (text, finish) == (f"{fact}I can't advise on that, but your advisor can.", "stop")
        assert ours["outcome"] == "replaced"
        assert ours["guardrail"] in {
            "builtin/wealth-voice/investment_recommendation",
            "builtin/wealth-voice/promissory",
        }
        (finding,) = gateway.record("call.closed")["findings"]
        assert (finding["policy"], finding["start"]) == (ours["guardrail"], len(fact))

    scripted(
        tmp_path, story, Script(text=f"{fact}{advice} Anything else?"), tenant="guardrails: [builtin/wealth-voice]"
    )


def test_a_voice_of_wealth_tells_facts(tmp_path):
    facts = "You own 120 shares of Apple. Your statement will be ready on Monday."

    async def story(gateway, simulator):
        text, _, ours = await said(gateway, "only-first", True)
        assert (text, ours["outcome"]) == (facts, "answered")

    scripted(tmp_path, story, Script(text=facts), tenant="guardrails: [builtin/wealth-voice]")
