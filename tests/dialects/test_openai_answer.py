"""A whole answer is a `chat.completion` that the SDK accepts, with what it cost and what became of the call."""

from typing import Any

import msgspec
import pytest
from openai.types.chat import ChatCompletion

from trunkline.dialects.openai_client import AnswerHead, Closing, encode_answer, sentence_deltas
from trunkline.model.delta import Delta, ToolDelta, Usage

HEAD = AnswerHead("chatcmpl-0192", 1741570283, "advisor-voice")
CLOSING = Closing(
    outcome="answered", attempts=2, hold_ms=1.5, overhead_ms=0.25, usage=Usage(10, output=5), cost="0.0000120"
)


def encode(*deltas: Delta, closing: Closing = CLOSING) -> tuple[ChatCompletion, dict[str, Any]]:
    body = encode_answer(HEAD, list(deltas), closing)
    return ChatCompletion.model_validate_json(body, strict=True), msgspec.json.decode(body)


def test_an_answer_has_head_text_usage_cost_and_outcome() -> None:
    completion, body = encode(
        Delta(model="gpt-4o-mini", provider_id="chatcmpl-theirs", service_tier="default", system_fingerprint="fp_1"),
        Delta(text="Hel"),
        Delta(text="lo"),
        Delta(finish="stop", stop_reason="stop"),
        Delta(usage=Usage(10, output=5)),
    )
    assert (completion.id, completion.created, completion.model) == ("chatcmpl-0192", 1741570283, "advisor-voice")
    assert completion.choices[0].message.content == "Hello"
    assert completion.choices[0].finish_reason == "stop"
    assert (completion.service_tier, completion.system_fingerprint) == ("default", "fp_1")
    assert completion.usage is not None
    assert completion.usage.total_tokens == 15
    assert body["usage"]["cost"] == 0.000012
    assert body["trunkline"] == {
        "outcome": "answered",
        "guardrail": None,
        "attempts": 2,
        "hold_ms": 1.5,
        "overhead_ms": 0.25,
    }


def test_tool_calls_are_put_together_and_leave_the_content_null() -> None:
    completion, _ = encode(
        Delta(tool=ToolDelta(0, "a", "f", '{"x"')),
        Delta(tool=ToolDelta(1, "b", "g", "{}")),
        Delta(tool=ToolDelta(0, arguments=":1}")),
    )
    choice = completion.choices[0]
    assert choice.message.content is None
    assert choice.finish_reason == "tool_calls"
    calls = [call.model_dump() for call in choice.message.tool_calls or []]
    assert [(call["id"], call["function"]) for call in calls] == [
        ("a", {"name": "f", "arguments": '{"x":1}'}),
        ("b", {"name": "g", "arguments": "{}"}),
    ]


def test_choices_are_in_order_with_their_refusals_reasoning_and_citations() -> None:
    token = {"token": "x", "logprob": -0.5, "bytes": [120], "top_logprobs": []}
    cited = {"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 1, "url": "u", "title": "t"}}
    completion, body = encode(
        Delta(choice=1, refusal="No", finish="content_filter"),
        Delta(choice=0, reasoning="hm"),
        Delta(choice=0, text="x", logprobs={"content": [token]}, annotations=[cited]),
        Delta(choice=0, text="x", logprobs={"content": [token], "refusal": None}),
        Delta(choice=0, text="!", logprobs={"content": None}),
    )
    first, second = completion.choices
    assert (first.index, first.message.content, first.finish_reason) == (0, "xx!", "stop")
    assert body["choices"][0]["message"]["reasoning_content"] == "hm"
    assert first.logprobs is not None
    assert [each.token for each in first.logprobs.content or []] == ["x", "x"]
    assert first.message.annotations is not None
    assert first.message.annotations[0].url_citation.title == "t"
    assert (second.index, second.message.content, second.message.refusal) == (1, None, "No")
    assert second.finish_reason == "content_filter"


@pytest.mark.parametrize("cut", [False, True])
def test_audio_is_whole_even_when_it_came_in_pieces(cut: bool) -> None:
    whole = [Delta(audio={"id": "audio_1", "data": "AAAABBBB", "transcript": "Hi you", "expires_at": 7})]
    pieces = [
        Delta(audio={"id": "audio_1", "transcript": "Hi "}),
        Delta(audio={"data": "AAAA", "transcript": "you"}),
        Delta(audio={"data": "BBBB"}),
        Delta(audio={"expires_at": 7}),
    ]
    completion, _ = encode(*(pieces if cut else whole))
    voice = completion.choices[0].message.audio
    assert voice is not None
    assert (voice.id, voice.data, voice.transcript, voice.expires_at) == ("audio_1", "AAAABBBB", "Hi you", 7)


def test_another_providers_tier_is_not_passed_off_as_openais() -> None:
    _, body = encode(Delta(text="x", service_tier="standard"))
    assert "service_tier" not in body


def test_an_empty_answer_is_empty_text() -> None:
    completion, _ = encode(Delta(finish="length"))
    assert (completion.choices[0].message.content, completion.choices[0].finish_reason) == ("", "length")


def test_usage_that_nobody_knows_is_null_and_a_cost_alone_is_said() -> None:
    unknown = Closing(outcome="failed", attempts=1, overhead_ms=1.0)
    assert encode(Delta(text="x"), closing=unknown)[1]["usage"] is None
    priced = msgspec.structs.replace(unknown, cost="1")
    assert encode(Delta(text="x"), closing=priced)[1]["usage"]["cost"] == 1


def test_only_an_estimate_is_marked_as_one() -> None:
    counted = Closing(outcome="answered", attempts=1, overhead_ms=1.0, usage=Usage(1), cost="1")
    assert "estimated" not in encode(Delta(text="x"), closing=counted)[1]["trunkline"]
    guessed = msgspec.structs.replace(counted, estimated=True)
    assert encode(Delta(text="x"), closing=guessed)[1]["trunkline"]["estimated"] is True


def test_a_sentence_of_our_own_is_a_normal_answer() -> None:
    completion, _ = encode(*sentence_deltas("One moment, please."))
    assert completion.choices[0].message.content == "One moment, please."
    assert completion.choices[0].finish_reason == "stop"
