"""OpenAI's streams and completions become the same deltas, however they are cut and whichever server wrote them."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai_examples import (
    CHUNK,
    TEXT_STREAM,
    TOOL_STREAM,
    USAGE,
    USAGE_CHUNK,
    chunk,
    cuts,
    decode,
    frame,
    merged,
    stream,
    text_of,
)

from trunkline.dialects.openai_provider import OPENAI
from trunkline.dialects.openai_stream import MOST_CALLS
from trunkline.dialects.provider import MOST_TOKENS, BrokenAnswer
from trunkline.model.delta import Delta, ToolDelta, Usage


def tools(deltas: list[Delta]) -> list[ToolDelta]:
    return [delta.tool for delta in deltas if delta.tool is not None]


def test_a_text_stream_is_text_finish_and_usage() -> None:
    decoder = OPENAI.stream_decoder()
    names, *deltas = decoder.feed(TEXT_STREAM)
    assert (names.model, names.provider_id) == ("gpt-4o-mini-2024-07-18", CHUNK["id"])
    assert (names.service_tier, names.system_fingerprint) == ("default", "fp_50cad350e4")
    assert not names.good
    assert deltas == [
        Delta(text="Hello"),
        Delta(text=", wörld"),
        Delta(finish="stop", stop_reason="stop"),
        Delta(usage=USAGE),
    ]
    assert decoder.ended
    assert decoder.error is None


def test_parallel_tool_calls_are_pieces_in_order() -> None:
    assert tools(decode([TOOL_STREAM])) == [
        ToolDelta(0, "call_DdmO9pD3xa9XTPNJ32zg2hcA", "get_weather", ""),
        ToolDelta(0, arguments='{"loc'),
        ToolDelta(0, arguments='ation":"Paris"}'),
        ToolDelta(1, "call_2", "get_time", "{}"),
    ]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([TEXT_STREAM, TOOL_STREAM, TEXT_STREAM.replace(b"\n", b"\r\n")]).flatmap(cuts))
def test_any_cut_gives_the_same_deltas(pieces: list[bytes]) -> None:
    assert decode(pieces) == decode([b"".join(pieces)])


def test_byte_by_byte_is_the_same_too() -> None:
    for whole in (TEXT_STREAM, TOOL_STREAM):
        assert decode(whole[i : i + 1] for i in range(len(whole))) == decode([whole])


WHOLE: dict[str, Any] = {
    "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "object": "chat.completion",
    "created": 1741569952,
    "model": "gpt-4.1-2025-04-14",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hello! How can I assist you today?",
                "refusal": None,
                "annotations": [],
            },
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": USAGE_CHUNK["usage"],
    "service_tier": "default",
}


def answer(**more: Any) -> bytes:
    return json.dumps({**WHOLE, **more}).encode()


def message(finish: str | None = "stop", index: int = 0, logprobs: Any = None, **said: Any) -> dict[str, Any]:
    wire = {"role": "assistant", "content": None, **said}
    return {"index": index, "message": wire, "finish_reason": finish, "logprobs": logprobs}


def test_a_whole_completion_is_the_same_deltas_as_its_stream() -> None:
    (delta,) = OPENAI.decode_answer(answer())
    assert delta.model == "gpt-4.1-2025-04-14"
    assert delta == Delta(
        text="Hello! How can I assist you today?",
        finish="stop",
        stop_reason="stop",
        usage=USAGE,
        model=delta.model,
        provider_id=delta.provider_id,
        service_tier=delta.service_tier,
        system_fingerprint=delta.system_fingerprint,
    )


def test_a_completion_with_tools_gives_one_delta_each() -> None:
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "a", "type": "function", "function": {"name": "g", "arguments": '{"x":1}'}},
    ]
    deltas = OPENAI.decode_answer(answer(choices=[message("tool_calls", tool_calls=calls)]))
    assert tools(deltas) == [ToolDelta(0, "a", "f", "{}"), ToolDelta(1, "a", "g", '{"x":1}')]
    assert [delta.finish for delta in deltas if delta.finish] == ["tool_calls"]


def test_choices_refusals_logprobs_audio_and_annotations_are_kept() -> None:
    tokens = {"content": [{"token": "Hi", "logprob": -0.1, "bytes": None, "top_logprobs": []}], "refusal": None}
    cited = [{"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A"}}]
    voice = {"id": "audio_1", "data": "AAAA", "expires_at": 1, "transcript": "Hi"}
    deltas = OPENAI.decode_answer(
        answer(
            choices=[
                message("stop", 0, tokens, content="Hi", annotations=cited),
                message("content_filter", 1, refusal="I can't."),
                message("stop", 2, audio=voice),
            ]
        )
    )
    said = [delta for delta in deltas if delta.good]
    assert said[0] == Delta(text="Hi", logprobs=tokens, annotations=cited)
    assert said[2] == Delta(choice=1, refusal="I can't.")
    assert said[3] == Delta(choice=1, finish="content_filter", stop_reason="content_filter")
    assert said[4] == Delta(choice=2, audio=voice)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_understood_under_both_names(field: str) -> None:
    deltas = decode([stream(chunk({field: "Let me think."}), chunk({"content": "42"}), chunk({}, "stop"))])
    assert [(delta.reasoning, delta.text) for delta in deltas if delta.good] == [
        ("Let me think.", ""),
        ("", "42"),
        ("", ""),
    ]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("content_filter", "content_filter"),
        ("function_call", "tool_calls"),
        ("max_tokens", "length"),
        ("eos_token", "stop"),
    ],
)
def test_every_stop_reason_is_mapped_and_kept(reason: str, finish: str) -> None:
    assert decode([stream(chunk({}, reason))])[-1] == Delta(finish=finish, stop_reason=reason)  # type: ignore[arg-type]


def test_a_choice_may_only_end() -> None:
    bare = {"choices": [{"index": 0, "finish_reason": "stop"}]}
    assert decode([stream(bare)]) == [Delta(finish="stop", stop_reason="stop")]


def test_an_answer_that_ends_with_an_error_is_broken() -> None:
    with pytest.raises(BrokenAnswer, match="reason `error`"):
        decode([stream(chunk({}, "error"))])


def piece(index: int | None, call_id: str | None, name: str | None, arguments: str | None) -> dict[str, Any]:
    wire: dict[str, Any] = {"function": {"name": name, "arguments": arguments}}
    if index is not None:
        wire["index"] = index
    if call_id is not None:
        wire["id"] = call_id
    return chunk({"tool_calls": [wire]})


@pytest.mark.parametrize(
    "pieces",
    [
        [(0, "a", "f", ""), (0, None, None, "{}"), (1, "b", "g", "{}")],
        [(3, "a", "f", ""), (3, None, None, "{}"), (7, "b", "g", "{}")],  # gaps
        [(0, "a", "f", ""), (0, "a", "f", "{}"), (1, "b", "g", ""), (1, "b", None, "{}")],  # repeated ids
        [(0, "a", "f", "{}"), (0, "b", "g", ""), (0, None, None, "{}")],  # every index 0
        [(None, "a", "f", ""), (None, None, None, "{}"), (None, "b", "g", "{}")],  # no index
        [(None, "a", "f", "{"), (None, "b", "g", "{}"), (None, "a", None, "}")],  # no index, interleaved
    ],
)
def test_tool_calls_of_every_server_have_indices_without_gaps(pieces: list[Any]) -> None:
    deltas = decode([stream(*(piece(*each) for each in pieces))])
    assert merged(deltas)["choices"][0]["tools"] == {0: ["a", "f", "{}"], 1: ["b", "g", "{}"]}


def test_calls_without_ids_get_ones_that_differ_between_answers() -> None:
    nameless = [piece(None, None, "f", "{}"), piece(None, None, "g", "{}")]
    once = tools(decode([stream(*nameless)]))
    other = tools(decode([stream(*({**each, "id": "chatcmpl-2"} for each in nameless))]))
    ids = [tool.id for tool in once + other]
    assert len(set(ids)) == 4
    assert all(call_id is not None and len(call_id) <= 40 for call_id in ids)
    assert tools(decode([stream(*nameless)])) == once


def test_a_piece_without_a_function_is_no_piece() -> None:
    begun = piece(0, "a", "f", "{}")
    assert len(tools(decode([stream(begun, chunk({"tool_calls": [{"index": 0}]}))]))) == 1


def test_a_tool_call_without_a_name_is_broken() -> None:
    with pytest.raises(BrokenAnswer, match="without the function's name"):
        decode([stream(piece(0, "a", None, "{}"))])


def test_endless_tool_calls_are_broken() -> None:
    calls = [{"index": i, "id": f"c{i}", "function": {"name": "f", "arguments": ""}} for i in range(MOST_CALLS + 1)]
    with pytest.raises(BrokenAnswer, match="more than"):
        decode([stream(chunk({"tool_calls": calls}))])


def test_names_are_said_once_and_not_taken_back() -> None:
    quiet = {"choices": [{"index": 0, "delta": {"content": "x"}}]}
    deltas = decode([stream(chunk({"content": "a"}), quiet, chunk({"content": "b"}), chunk({}, "stop", model="other"))])
    assert [delta.model for delta in deltas if delta.model] == ["gpt-4o-mini-2024-07-18", "other"]
    assert text_of(deltas) == "axb"


def test_usage_on_the_last_choice_and_usage_that_says_nothing() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    deltas = decode([stream(chunk({"content": "a"}, usage={}), chunk({}, "stop", usage=usage))])
    assert [delta.usage.prompt_tokens for delta in deltas if delta.usage] == [3]


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        ({"message": "slow down", "type": "tokens", "code": "rate_limit_exceeded"}, 429, "rate_limited", None),
        ({"message": "oops", "type": "server_error", "code": None}, 500, "server_error", "server_error"),
        ({"message": "busy", "type": "overloaded_error"}, 503, "overloaded", "overloaded"),
        ({"message": "Upstream", "code": 502}, 502, "server_error", "server_error"),
        ({"message": "maximum context length is 8192 tokens"}, 400, "rejected", "context_length_exceeded"),
        ("plain words", 500, "server_error", "server_error"),
        ([1], 500, "server_error", "server_error"),
    ],
)
def test_an_error_inside_a_stream_is_a_fault_and_no_end(error: Any, status: int, kind: str, code: str | None) -> None:
    decoder = OPENAI.stream_decoder()
    deltas = decoder.feed(stream(chunk({"content": "a"}), {"error": error}, chunk({"content": "b"})))
    assert text_of(deltas) == "a"
    assert decoder.error is not None
    assert (decoder.error.status, decoder.error.kind) == (status, kind)
    assert decoder.error.code == (code or "rate_limit_exceeded")
    assert not decoder.ended


def test_nothing_after_the_end_is_read() -> None:
    decoder = OPENAI.stream_decoder()
    assert text_of(decoder.feed(TEXT_STREAM + frame(chunk({"content": "more"})))) == "Hello, wörld"
    assert decoder.feed(b"data: junk\n\n") == []


@pytest.mark.parametrize("tail", [b"data: [DONE]", b"data: [DONE]\n", b"data: [DONE]\r\n", b"data:[DONE] \n"])
def test_an_end_mark_that_lacks_its_last_line_feeds_is_an_end(tail: bytes) -> None:
    decoder = OPENAI.stream_decoder()
    assert not decoder.ended
    decoder.feed(stream(chunk({"content": "a"}), done=False))
    assert not decoder.ended
    decoder.feed(tail)
    assert decoder.ended


def test_comments_and_empty_events_say_nothing() -> None:
    assert decode([b": ping\n\ndata: \n\ndata:\n\n: OPENROUTER PROCESSING\n\n"]) == []


BROKEN = [
    b"not json",
    b"[]",
    b"{}x",
    b'{"choices": 5}',
    b'{"choices": [{"index": -1}]}',
    b'{"choices": [{"index": 128}]}',
    b'{"choices": [{"delta": {"content": 5}}]}',
    b'{"choices": [{"delta": {"content": "\xff"}}]}',
    b'{"error": ' + b"[" * 5000 + b"]" * 5000 + b"}",
]


@pytest.mark.parametrize("body", BROKEN)
def test_what_is_no_chunk_is_broken(body: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        decode([b"data: " + body + b"\n\n"])


@pytest.mark.parametrize(
    "body", [*BROKEN, b"", b"{}", b'{"choices": []}', b'{"error": {"message": "sorry"}}', b"<html>"]
)
def test_what_is_no_completion_is_broken(body: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        OPENAI.decode_answer(body)


UNREADABLE = [
    *(b'{"prompt_tokens": %b, "completion_tokens": 3}' % count for count in (b"-1", b"1.5", b'"12"', b"[]", b"1e999")),
    b'{"prompt_tokens": 123456789012345678901234567890, "completion_tokens": 3}',
    *(b"5", b'"none"', b"[[1]]"),
]


@pytest.mark.parametrize("usage", UNREADABLE)
def test_counts_that_make_no_sense_lose_no_answer(usage: bytes) -> None:
    said = b'{"choices": [{"%b": {"content": "Hi"}, "finish_reason": "stop"}], "usage": %b}'
    whole = OPENAI.decode_answer(said % (b"message", usage))
    streamed = decode([b"data: " + said % (b"delta", usage) + b"\n\ndata: [DONE]\n\n"])
    assert streamed == [Delta(text="Hi"), Delta(finish="stop", stop_reason="stop"), Delta(uncounted=True)]
    assert whole == [Delta(text="Hi", finish="stop", stop_reason="stop", uncounted=True)]


def test_half_a_count_says_that_it_is_one() -> None:
    body = b'{"choices": [{"message": {"content": "Hi"}}], "usage": {"completion_tokens": 3}}'
    assert OPENAI.decode_answer(body)[-1] == Delta(usage=Usage(output=3), uncounted=True)


def test_a_count_that_no_model_can_have_is_none() -> None:
    for counts in ({"prompt_tokens": MOST_TOKENS + 1}, {"prompt_tokens": 3, "completion_tokens": 2**53}):
        body = json.dumps({"choices": [{"message": {"content": "Hi"}}], "usage": counts}).encode()
        assert OPENAI.decode_answer(body)[-1] == Delta(uncounted=True)
    usage = {"prompt_tokens": MOST_TOKENS, "completion_tokens": MOST_TOKENS}
    body = json.dumps({"choices": [{"message": {"content": "Hi"}}], "usage": usage}).encode()
    assert OPENAI.decode_answer(body)[-1] == Delta(usage=Usage(input=MOST_TOKENS, output=MOST_TOKENS))


def test_a_broken_answer_quotes_no_secret() -> None:
    with pytest.raises(BrokenAnswer) as caught:
        OPENAI.decode_answer(b'{"error": {"message": "bad key sk-abcdEFGH1234"}}')
    assert "sk-" not in caught.value.reason


NAMES = [
    *("choices", "delta", "message", "index", "content", "tool_calls", "function", "name", "arguments", "id", "usage"),
    *("prompt_tokens", "finish_reason", "error", "logprobs", "audio", "model", "reasoning"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.binary(max_size=30) | JSON.map(lambda value: frame(value)), max_size=4))  # noqa: PLW0108
def test_any_bytes_are_deltas_or_broken(pieces: list[bytes]) -> None:
    for read in (decode, lambda all_pieces: OPENAI.decode_answer(b"".join(all_pieces).removeprefix(b"data: "))):
        try:
            deltas = read(pieces)
        except BrokenAnswer:
            continue
        assert all(isinstance(delta, Delta) for delta in deltas)


SAID = st.fixed_dictionaries(
    {"content": st.sampled_from([None, "", "Hi", "wörld"])},
    optional={
        "refusal": st.sampled_from([None, "No."]),
        "reasoning_content": st.sampled_from([None, "Hm."]),
        "annotations": st.sampled_from([[], [{"type": "url_citation"}]]),
    },
)
ENDS = st.fixed_dictionaries(
    {"finish_reason": st.sampled_from(["stop", "length", "stop", "tool_calls"]), "index": st.sampled_from([0, 0, 1])},
    optional={"logprobs": st.sampled_from([None, {"content": []}])},
)
ANY_USAGE = st.sampled_from([None, {}, {"prompt_tokens": 3, "completion_tokens": 4}, {"completion_tokens": 4}, "many"])


@given(SAID, ENDS, ANY_USAGE)
def test_a_whole_answer_says_the_same_as_a_stream_that_brings_it_in_one_chunk(said, choice, usage) -> None:
    facts = {"id": "chatcmpl-1", "model": "gpt-4.1", "usage": usage}
    whole = OPENAI.decode_answer(json.dumps(facts | {"choices": [choice | {"message": said}]}).encode())
    streamed = decode([b"data: %b\n\n" % json.dumps(facts | {"choices": [choice | {"delta": said}]}).encode()])
    assert merged(whole) == merged(streamed)
