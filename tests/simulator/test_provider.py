"""A provider: its paths, its log, its behaviour while it runs, and what it does with impossible requests."""

import asyncio
import json

import pytest

from simulator.raw_client import ANTHROPIC_HEADERS, OPENAI_HEADERS, call, close, request, unchunked
from trunkline.simulator import ErrorAnswer, Script, Settings, Simulator, ToolCall

both = pytest.mark.parametrize("name", ["openai", "anthropic"])


def run(body, *arguments, **options):
    async def main():
        async with Simulator(*arguments, **options) as simulator, asyncio.timeout(30):
            result = await body(simulator)
            assert simulator.openai.faults == simulator.anthropic.faults == []
            return result

    return asyncio.run(main())


def errors(answer):
    return json.loads(answer.rest)["error"]


@both
def test_a_call_is_logged_with_what_was_asked_and_answered(name):
    async def body(simulator):
        provider = getattr(simulator, name)
        await call(provider, {"temperature": 0.5})
        (seen,) = await provider.wait_until_ended(1)
        return seen

    seen = run(body)
    assert (seen.method, seen.status, seen.client_left) == ("POST", 200, False)
    assert seen.body["temperature"] == 0.5
    assert seen.headers["content-type"] == "application/json"
    assert "sk-" not in repr(seen.headers)
    assert seen.received_at <= seen.ended_at


@both
def test_a_client_that_leaves_a_paced_stream_is_noticed(name):
    script = Script(text="word " * 2000, tokens_per_second=1000.0)

    async def body(simulator):
        provider = getattr(simulator, name)
        reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)
        writer.write(request(provider, {"max_tokens": 4000}, stream=True))
        await reader.readuntil(b"word")
        await close(writer)
        return await provider.wait_until_left()

    (left,) = run(body, script, script)
    assert left.received_at <= left.left_at <= left.ended_at


@both
@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b'"hello"', b"\xff\xfe", b"[" * 100_000], ids=repr)
def test_a_body_that_is_no_object_is_refused(name, payload):
    async def body(simulator):
        provider = getattr(simulator, name)
        keys = OPENAI_HEADERS if name == "openai" else ANTHROPIC_HEADERS
        path = b"/v1/chat/completions" if name == "openai" else b"/v1/messages"
        reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)
        writer.write(
            b"POST %b HTTP/1.1\r\nhost: a\r\nconnection: close\r\n%bcontent-length: %d\r\n\r\n%b"
            % (path, keys, len(payload), payload)
        )
        answer = await reader.read()
        await close(writer)
        return answer

    assert run(body).startswith(b"HTTP/1.1 400 ")


def test_unknown_paths_and_methods_are_errors_of_the_provider():
    async def body(simulator):
        return [
            await call(simulator.openai, path="/v1/responses"),
            await call(simulator.anthropic, path="/v1/complete"),
        ]

    openai, anthropic = run(body)
    assert openai.status == anthropic.status == 404
    assert errors(openai)["message"] == "Invalid URL (POST /v1/responses)"
    assert errors(anthropic)["type"] == "not_found_error"


@pytest.mark.parametrize(
    ("name", "headers", "status", "words"),
    [
        ("openai", b"", 401, "You didn't provide an API key"),
        ("openai", b"authorization: Basic eA==\r\n", 401, "You didn't provide an API key"),
        ("openai", b"authorization: Bearer bad\r\n", 401, "Incorrect API key provided"),
        ("anthropic", b"anthropic-version: 2023-06-01\r\n", 401, "x-api-key header is required"),
        ("anthropic", b"x-api-key: bad\r\nanthropic-version: 2023-06-01\r\n", 401, "invalid x-api-key"),
        ("anthropic", b"x-api-key: good\r\n", 400, "anthropic-version: header is required"),
        ("anthropic", b"x-api-key: good\r\nanthropic-version: 1999-01-01\r\n", 400, "not a valid version"),
    ],
)
def test_keys_and_versions_are_required(name, headers, status, words):
    answer = run(
        lambda simulator: call(getattr(simulator, name), headers=headers),
        settings=Settings(openai_key="good", anthropic_key="good"),
    )
    assert answer.status == status
    assert words in errors(answer)["message"]


def test_the_key_of_a_header_wins_over_a_bearer_token():
    keys = b"x-api-key: good\r\nauthorization: Bearer bad\r\nanthropic-version: 2023-06-01\r\n"
    answer = run(lambda simulator: call(simulator.anthropic, headers=keys), settings=Settings(anthropic_key="good"))
    assert answer.status == 200


def test_a_request_against_the_rules_is_refused_before_it_is_answered():
    async def body(simulator):
        return await call(simulator.openai, {"top_k": 3}), await call(simulator.anthropic, {"n": 2})

    openai, anthropic = run(body)
    assert errors(openai)["message"] == "Unrecognized request argument supplied: top_k"
    assert errors(anthropic)["message"] == "n: Extra inputs are not permitted"


def test_another_script_can_be_played_while_it_runs():
    async def body(simulator):
        first = await call(simulator.openai)
        simulator.openai.play(Script(fault=ErrorAnswer(status=503)))
        return first, await call(simulator.openai)

    first, second = run(body)
    assert (first.status, second.status) == (200, 503)


def test_the_same_request_gets_the_answer_of_the_script_of_its_own_call():
    async def body(simulator):
        return [(await call(simulator.openai)).rest for _ in range(2)]

    first, second = run(body, [Script(text="a"), Script(text="b")])
    assert json.loads(first)["choices"][0]["message"]["content"] == "a"
    assert json.loads(second)["choices"][0]["message"]["content"] == "b"


def test_two_runs_answer_the_same_bytes():
    async def body(simulator):
        script = Script(text="Yes.", reasoning="Hm.", tool_calls=(ToolCall("look"),))
        simulator.openai.play(script)
        simulator.anthropic.play(script)
        answers = [await call(provider, stream=True) for provider in (simulator.openai, simulator.anthropic)]
        return [unchunked(answer.rest)[0] for answer in answers]

    assert run(body, clock=lambda: 1_800_000_000.0) == run(body, clock=lambda: 1_800_000_000.0)


def test_a_tool_call_whose_arguments_are_no_json_goes_out_as_it_is():
    async def body(simulator):
        return await call(simulator.openai), await call(simulator.anthropic, stream=True)

    script = Script(tool_calls=(ToolCall("look", '{"half'),))
    whole, streamed = run(body, script, script)
    assert json.loads(whole.rest)["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == '{"half'
    assert b'"partial_json":"{\\"half"' in streamed.rest


def test_several_tokens_can_share_a_frame():
    async def body(simulator):
        return unchunked((await call(simulator.openai, stream=True)).rest)[0]

    assert b'"content":"one two"' in run(body, Script(text="one two three", tokens_per_frame=2))


def test_its_repr_says_where_it_is_and_whether_it_listens():
    async def body(simulator):
        before = repr(simulator.openai)
        await simulator.openai.stop_listening()
        return before, repr(simulator.openai)

    before, after = run(body)
    assert "http://127.0.0.1:" in before
    assert "not listening" in after
    assert "not listening" not in before
