"""Where an error would be silence on a voice line, the caller hears the route's sentence, and the record the truth."""

import json

import pytest

from gateway.raw_client import hear
from gateway.running import HELLO, play
from trunkline.simulator import ErrorAnswer, Script, Stall

SENTENCE = "One moment, I cannot reach my notes."
SAYS = f'instead_of_error: {{unavailable: "{SENTENCE}"}}'
ways = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
FAILING = Script(fault=ErrorAnswer(status=500))
LIMITED = Script(fault=ErrorAnswer(status=429, retry_after=30))


CAUSES = pytest.mark.parametrize(
    ("script", "code", "timeouts"),
    [
        (FAILING, "providers_failed", "total: 10s"),
        (LIMITED, "provider_unavailable", "total: 10s"),
        (Script(fault=Stall()), "deadline_exceeded", "total: 150ms"),
    ],
    ids=["failed", "resting", "deadline"],
)


def said_model(heard):
    return (heard.json if heard.headers["content-type"] == "application/json" else json.loads(heard.events[0]))["model"]


@ways
@CAUSES
def test_a_call_that_nobody_answers_is_answered_with_the_sentence(tmp_path, script, code, timeouts, stream):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"stream": stream})
        assert (heard.status, heard.text, heard.whole) == (200, SENTENCE, True)
        assert "retry-after" not in heard.headers
        assert "x-should-retry" not in heard.headers
        assert "x-trunkline-provider" not in heard.headers
        assert "x-trunkline-model" not in heard.headers
        assert heard.headers["x-trunkline-attempts"] == ("1" if code == "deadline_exceeded" else "2")
        assert said_model(heard) == "voice"
        if stream:
            assert heard.events[-1] == "[DONE]"
            said = json.loads(heard.events[-2])
        else:
            said = heard.json
        assert said["trunkline"]["outcome"] == "failed"
        assert said["choices"][0]["finish_reason"] == "stop"
        assert said["id"] == f"chatcmpl-{heard.headers['x-trunkline-call']}"
        closed = gateway.record("call.closed")
        assert (closed["outcome"], closed["status"]) == ("failed", 200)
        assert closed["error"]["code"] == code
        assert closed["finish_reason"] == "stop"
        assert closed["released_chars"] == len(SENTENCE)
        assert closed.get("received_chars", 0) == 0
        assert gateway.parts(closed)["response"] == heard.body

    play(tmp_path, story, script, script, route=f"{SAYS}\n    timeouts: {{{timeouts}}}")


def test_the_sdk_takes_the_sentence_for_a_normal_answer(tmp_path):
    async def story(gateway, simulator):
        answer = await gateway.ask()
        assert answer.choices[0].message.content == SENTENCE
        assert answer.choices[0].finish_reason == "stop"
        assert answer.model == "voice"
        client = gateway.client()
        async with client.chat.completions.stream(model="voice", messages=HELLO) as stream:
            final = await stream.get_final_completion()
        assert final.choices[0].message.content == SENTENCE
        assert final.choices[0].finish_reason == "stop"

    play(tmp_path, story, FAILING, FAILING, route=SAYS)


def test_a_stream_that_breaks_off_says_the_sentence_and_then_the_error(tmp_path):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"stream": True})
        assert heard.whole
        assert heard.text == f"one two {SENTENCE}"
        assert "[DONE]" not in heard.events
        assert json.loads(heard.events[-1])["error"]["code"] == "providers_failed"
        closed = gateway.record("call.closed")
        assert closed["outcome"] == "failed"
        assert closed["received_chars"] == len("one two")
        assert closed["released_chars"] == len("one two") + len(SENTENCE)
        assert gateway.parts(closed)["response"] == heard.body

    stalling = Script(text="one two three", fault=Stall(after_tokens=2))
    play(tmp_path, story, stalling, route=f"{SAYS}\n    timeouts: {{gap: 100ms}}")


@ways
@pytest.mark.parametrize("fields", [{"model": "nowhere"}, {"temperature": 9}], ids=["404", "400"])
def test_the_caller_s_own_mistakes_stay_errors(tmp_path, fields, stream):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"stream": stream} | fields)
        assert heard.status in (400, 404)
        assert SENTENCE not in heard.body.decode()

    play(tmp_path, story, route=SAYS)


@ways
def test_what_the_provider_rejects_stays_an_error(tmp_path, stream):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"stream": stream})
        assert (heard.status, heard.error["code"]) == (400, "context_length_exceeded")

    play(tmp_path, story, Script(fault=ErrorAnswer(status=400)), route=SAYS)
