"""A streamed answer is read by the SDK's own parser as what was meant, and comes back as the same deltas."""

from typing import Any

import httpx2
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import APIError, OpenAI, Stream
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from openai_examples import decode, merged

from trunkline.dialects.openai_client import AnswerHead, ChunkEncoder, Closing, encode_answer
from trunkline.dialects.openai_provider import OPENAI
from trunkline.model.delta import Delta, ToolDelta, Usage

HEAD = AnswerHead("chatcmpl-0192", 1741570283, "advisor-voice")
USAGE = Usage(input=10, cached_input=5, output=7, reasoning=3)
CLOSING = Closing(outcome="answered", attempts=1, overhead_ms=0.4, usage=USAGE, cost="0.000123")
TEXT = [Delta(model="m", service_tier="default", system_fingerprint="fp"), Delta(text="Hel"), Delta(text='lo "ü"\n')]
STOP = Delta(finish="stop", stop_reason="stop")


def encode(deltas: list[Delta], *, wants_usage: bool = False, closing: Closing = CLOSING) -> bytes:
    encoder = ChunkEncoder(HEAD, wants_usage)
    return b"".join(map(encoder.encode, deltas)) + encoder.end(closing)


def bodies(stream: bytes) -> list[dict[str, Any]]:
    """Return the chunks; each frame must be one line of data and an empty one."""
    *frames, rest = stream.split(b"\n\n")
    assert rest == b""
    assert frames.pop() == b"data: [DONE]"
    assert all(frame.startswith(b"data: {") and b"\n" not in frame for frame in frames)
    return [msgspec.json.decode(frame[6:]) for frame in frames]


def sdk(stream: bytes) -> list[ChatCompletionChunk]:
    """Return what the SDK's stream makes of these bytes."""
    with OpenAI(api_key="none", base_url="http://127.0.0.1:9", _strict_response_validation=True) as client:
        request = httpx2.Request("POST", "http://127.0.0.1:9/chat/completions")
        response = httpx2.Response(200, content=stream, headers={"content-type": "text/event-stream"}, request=request)
        return list(Stream(cast_to=ChatCompletionChunk, response=response, client=client))


def test_text_is_role_pieces_and_a_last_chunk_with_cost_and_outcome() -> None:
    role, first, second, last = bodies(encode([*TEXT, STOP]))
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert [part["choices"][0]["delta"] for part in (first, second)] == [{"content": "Hel"}, {"content": 'lo "ü"\n'}]
    assert last["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]
    assert last["usage"]["cost"] == 0.000123
    assert last["usage"]["total_tokens"] == 25
    assert last["trunkline"]["outcome"] == "answered"
    for part in (role, first, second, last):
        ChatCompletionChunk.model_validate(part, strict=True)
        assert (part["id"], part["created"], part["model"]) == (HEAD.id, HEAD.created, HEAD.model)
        assert (part["service_tier"], part["system_fingerprint"]) == ("default", "fp")
        assert ("usage" in part) is (part is last)


def test_a_client_that_asked_for_usage_gets_null_until_the_chunk_without_choices() -> None:
    *parts, last = bodies(encode([*TEXT, STOP], wants_usage=True))
    assert [part["usage"] for part in parts] == [None] * 4
    assert parts[-1]["choices"][0]["finish_reason"] == "stop"
    assert all("trunkline" not in part for part in parts)
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens_details"]["cached_tokens"] == 5
    assert last["usage"]["cost"] == 0.000123
    assert last["trunkline"]["attempts"] == 1


def test_the_finish_waits_for_the_end_only_where_the_last_frame_is_its() -> None:
    assert b'"stop"' in ChunkEncoder(HEAD, True).encode(STOP)
    encoder = ChunkEncoder(HEAD, False)
    assert b'"stop"' not in encoder.encode(STOP)
    assert b'"stop"' in encoder.end(CLOSING)


def test_of_several_choices_only_the_last_finish_waits() -> None:
    encoder = ChunkEncoder(HEAD, False)
    encoder.encode(Delta(choice=0, text="a"))
    encoder.encode(Delta(choice=1, text="b"))
    assert encoder.encode(Delta(choice=0, finish="stop")) == b""
    sent = encoder.encode(Delta(choice=1, finish="length"))
    assert b'"index":0' in sent
    assert b"trunkline" not in sent
    (last,) = bodies(encoder.end(CLOSING))
    assert last["choices"][0]["index"] == 1
    assert last["choices"][0]["finish_reason"] == "length"


def test_deltas_that_say_nothing_send_nothing() -> None:
    encoder = ChunkEncoder(HEAD, True)
    assert encoder.encode(Delta(model="m", provider_id="x")) == b""
    assert encoder.encode(Delta(usage=USAGE)) == b""
    assert encoder.encode(Delta()) == b""


def test_tool_calls_come_one_per_chunk_and_never_with_text() -> None:
    deltas = [
        Delta(text="Let me look.", tool=ToolDelta(0, "a", "f", "")),
        Delta(tool=ToolDelta(0, arguments='{"x":')),
        Delta(tool=ToolDelta(0, arguments="1}")),
        Delta(tool=ToolDelta(1, "b", "g", "{}"), finish="tool_calls"),
    ]
    parts = [part["choices"][0] for part in bodies(encode(deltas))]
    said = [part["delta"] for part in parts]
    assert all(not ("content" in each and "tool_calls" in each) for each in said)
    calls = [each["tool_calls"] for each in said if "tool_calls" in each]
    assert all(len(each) == 1 for each in calls)
    assert calls[0] == [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]
    assert calls[1] == [{"index": 0, "function": {"arguments": '{"x":'}}]
    assert parts[-1]["finish_reason"] == "tool_calls"


def test_an_answer_that_is_only_a_tool_call_has_null_content() -> None:
    role, *_ = bodies(encode([Delta(tool=ToolDelta(0, "a", "f", "{}"))]))
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": None, "refusal": None}


def test_everything_else_a_delta_can_say_is_sent() -> None:
    said = Delta(
        text="x",
        reasoning="hm",
        refusal="no",
        logprobs={"content": []},
        annotations=[{"type": "url_citation"}],
        audio={"id": "a"},
    )
    _, part, _ = bodies(encode([said, STOP]))
    assert part["choices"][0]["delta"] == {
        "reasoning_content": "hm",
        "content": "x",
        "refusal": "no",
        "annotations": [{"type": "url_citation"}],
        "audio": {"id": "a"},
    }
    assert part["choices"][0]["logprobs"] == {"content": []}


@pytest.mark.parametrize("wants_usage", [False, True])
def test_an_end_without_a_finish_still_says_what_became_of_the_call(wants_usage: bool) -> None:
    unknown = Closing(outcome="cancelled_after", attempts=1, overhead_ms=1.0)
    (last,) = bodies(encode([], wants_usage=wants_usage, closing=unknown))
    assert last["choices"] == []
    assert last["trunkline"]["outcome"] == "cancelled_after"
    assert ("usage" in last) is wants_usage


ERROR = {"error": {"message": "It broke.", "type": "server_error", "code": "providers_failed", "param": None}}


def test_a_broken_answer_ends_with_the_sentence_and_the_error_and_no_done() -> None:
    encoder = ChunkEncoder(HEAD, False)
    sent = encoder.encode(Delta(text="Your portf")) + encoder.encode(STOP)
    frames = sent + encoder.fail(ERROR, "One moment, please.")
    assert b"[DONE]" not in frames
    assert b'finish_reason":"stop' not in frames
    assert msgspec.json.decode(frames.split(b"\n\n")[-2][6:]) == ERROR
    spoken = "".join(delta.text for delta in decode([frames]))
    assert spoken == "Your portf One moment, please."
    with pytest.raises(APIError, match=r"It broke\."):
        sdk(frames)


def test_a_failure_before_any_word_needs_no_space_and_no_sentence() -> None:
    assert decode([ChunkEncoder(HEAD, False).fail(ERROR, "One moment.")])[-1].text == "One moment."
    assert ChunkEncoder(HEAD, False).fail(ERROR, None).startswith(b'data: {"error"')


@pytest.mark.parametrize("wants_usage", [False, True])
def test_the_sdk_puts_a_stream_together_as_it_was_meant(wants_usage: bool) -> None:
    deltas = [
        *TEXT,
        Delta(tool=ToolDelta(0, "a", "f", '{"x"')),
        Delta(tool=ToolDelta(0, arguments=":1}")),
        Delta(tool=ToolDelta(1, "b", "g", "{}")),
        Delta(finish="tool_calls"),
    ]
    state = ChatCompletionStreamState()
    for part in sdk(encode(deltas, wants_usage=wants_usage)):
        state.handle_chunk(part)
    completion = state.get_final_completion()
    message = completion.choices[0].message
    assert message.content == 'Hello "ü"\n'
    assert [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or []] == [
        ("a", "f", '{"x":1}'),
        ("b", "g", "{}"),
    ]
    assert completion.choices[0].finish_reason == "tool_calls"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 10


TEXTS = st.text(min_size=1, max_size=10)


@st.composite
def answers(draw: st.DrawFn) -> list[Delta]:
    """What a provider may say: some choices, each with words, thoughts, refusals and tool calls in order."""
    deltas: list[Delta] = []
    for choice in range(draw(st.integers(1, 3))):
        begun = 0
        for kind in draw(
            st.lists(st.sampled_from(["text", "reasoning", "refusal", "tool", "more", "both"]), max_size=8)
        ):
            word = draw(TEXTS)
            if kind in {"tool", "both"}:
                piece = ToolDelta(begun, f"call_{choice}_{begun}", "f", draw(st.just("") | TEXTS))
                begun += 1
                deltas.append(Delta(choice=choice, tool=piece, text=word if kind == "both" else ""))
            elif kind == "more":
                if begun:
                    deltas.append(Delta(choice=choice, tool=ToolDelta(begun - 1, arguments=word)))
            else:
                deltas.append(Delta(choice=choice, **{kind: word}))  # type: ignore[arg-type]
        finish = draw(st.sampled_from(["stop", "length", "tool_calls", "content_filter"]))
        deltas.append(Delta(choice=choice, finish=finish))
    return deltas


@settings(max_examples=150, deadline=None)
@given(answers(), st.booleans())
def test_encoded_streams_decode_to_what_was_said(deltas: list[Delta], wants_usage: bool) -> None:
    stream = encode(deltas, wants_usage=wants_usage)
    decoder = OPENAI.stream_decoder()
    back = merged(decoder.feed(stream))
    assert decoder.ended
    assert back.pop("usage") == USAGE
    expected = merged(deltas)
    expected.pop("usage")
    assert back == expected
    for part in bodies(stream):
        ChatCompletionChunk.model_validate(part)


@settings(max_examples=100, deadline=None)
@given(answers())
def test_encoded_answers_decode_to_what_was_said(deltas: list[Delta]) -> None:
    back = merged(OPENAI.decode_answer(encode_answer(HEAD, deltas, CLOSING)))
    expected = merged(deltas)
    assert back.pop("usage") == USAGE
    expected.pop("usage")
    assert back == expected
