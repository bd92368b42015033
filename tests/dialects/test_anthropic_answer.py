import itertools

import pytest
from anthropic_examples import (
    PING,
    STREAMS,
    THINKING,
    begin,
    change,
    event,
    finish,
    message,
    start,
    stop,
    text,
    told,
    tool_use,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.dialects.anthropic import ANTHROPIC
from trunkline.dialects.anthropic_answer import LONGEST_EXPLANATION, MOST_CALLS
from trunkline.dialects.anthropic_wire import MOST_BLOCKS
from trunkline.dialects.provider import MOST_TOKENS, BrokenAnswer
from trunkline.dialects.sse import LARGEST_FRAME
from trunkline.model.delta import Delta, Usage

REASONS = [
    ("end_turn", "stop"),
    ("stop_sequence", "stop"),
    ("pause_turn", "stop"),
    ("something_new", "stop"),
    ("max_tokens", "length"),
    ("model_context_window_exceeded", "length"),
    ("tool_use", "tool_calls"),
    ("refusal", "content_filter"),
]


def feed(data, size=None):
    decoder = ANTHROPIC.stream_decoder()
    size = size or len(data) or 1
    deltas = []
    for place in range(0, len(data), size):
        deltas += decoder.feed(data[place : place + size])
    return deltas, decoder


def test_text_comes_piece_by_piece():
    deltas, decoder = feed(STREAMS["text"])
    assert [delta.text for delta in deltas if delta.text] == ["Up six ", "percent, ", "ünïcödé 🎉."]
    assert told(deltas)["finish"] == ["stop"]
    assert decoder.ended
    assert decoder.error is None


def test_the_answer_is_named_first():
    deltas, _ = feed(start())
    assert (deltas[0].model, deltas[0].provider_id) == ("claude-haiku-4-5-20251001", "msg_014p7gG3wDgGV9EUtLvnow3U")
    assert deltas[0].service_tier == "standard"
    assert not any(delta.good for delta in deltas)


def test_usage_is_known_from_the_start_and_the_last_count_is_whole():
    deltas, _ = feed(STREAMS["text"])
    counts = [delta.usage for delta in deltas if delta.usage]
    assert counts == [
        Usage(input=472, cached_input=100, cache_write=10, cache_write_1h=20, output=2),
        Usage(input=472, cached_input=100, cache_write=10, cache_write_1h=20, output=89),
    ]


def test_later_counts_replace_earlier_ones():
    deltas, _ = feed(start() + finish("end_turn", {"input_tokens": 500, "output_tokens": 5}))
    assert told(deltas)["usage"] == [Usage(input=500, cached_input=100, cache_write=10, cache_write_1h=20, output=5)]


def test_thinking_is_reasoning_and_counts_apart():
    found = told(feed(STREAMS["thinking"])[0])
    assert found["reasoning"] == "The Hendersons are up."
    assert found["text"] == "They are up."
    assert (found["usage"][0].output, found["usage"][0].reasoning) == (20, 30)


def test_tool_calls_are_counted_without_gaps_and_have_whole_arguments():
    deltas, _ = feed(STREAMS["tools"])
    assert told(deltas)["calls"] == [
        ("toolu_01T1x1fJ34qAmk2tNTrN7Up6", "get_holdings", '{"household": "Henderson"}'),
        ("toolu_02", "market_hours", "{}"),
    ]
    assert told(deltas)["finish"] == ["tool_calls"]
    firsts = [delta.tool for delta in deltas if delta.tool and delta.tool.id]
    assert [(first.index, first.arguments) for first in firsts] == [(0, ""), (1, "")]


def test_an_input_given_at_once_is_the_arguments():
    deltas, _ = feed(start() + begin(0, type="tool_use", id="t", name="n", input={"a": 1}) + stop(0))
    assert told(deltas)["calls"] == [("t", "n", '{"a": 1}')]


def test_a_text_given_at_once_is_said():
    deltas, _ = feed(start() + begin(0, type="text", text="Hello") + stop(0))
    assert told(deltas)["text"] == "Hello"


def test_a_ping_is_nothing_at_all():
    assert feed(PING)[0] == []


def test_what_is_not_known_is_passed_over():
    unknown = b"".join(
        [
            event("content_block_warmed", index=0),
            begin(0, type="server_tool_use", id="srvtoolu_1", name="web_search", input={}),
            change(0, "input_json_delta", partial_json='{"query": "x"}'),
            stop(0),
            begin(1, type="text", text=""),
            change(1, "citations_delta", citation={"type": "page_location"}),
            change(1, "thinking_delta"),
            change(1, "text_delta", text=""),
            change(1, "text_delta"),
            event("content_block_delta", index=1),
            event("message_delta", usage={"output_tokens": 3}),
            event("message_delta", delta={"stop_reason": None}),
        ]
    )
    deltas, decoder = feed(start() + unknown)
    assert told(deltas)["calls"] == []
    assert not any(delta.good for delta in deltas)
    assert not decoder.ended


@pytest.mark.parametrize(("reason", "becomes"), REASONS)
def test_every_reason_to_stop_is_translated(reason, becomes):
    streamed = told(feed(start() + finish(reason))[0])
    whole = told(ANTHROPIC.decode_answer(message(reason=reason)))
    assert streamed["finish"] == whole["finish"] == [becomes]
    assert streamed["stop_reason"] == whole["stop_reason"] == [reason]


def test_a_refusal_says_why_if_it_does():
    details = {"type": "refusal", "category": "bio", "explanation": "x" * (LONGEST_EXPLANATION + 1)}
    streamed = told(feed(start() + finish("refusal", stop_details=details))[0])
    whole = told(ANTHROPIC.decode_answer(message(reason="refusal", stop_details=details)))
    assert streamed["refusal"] == whole["refusal"] == "x" * LONGEST_EXPLANATION
    assert told(ANTHROPIC.decode_answer(message(reason="refusal", stop_details={})))["refusal"] == ""


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("overloaded_error", 529, "overloaded"),
        ("rate_limit_error", 429, "rate_limit_exceeded"),
        ("api_error", 500, "server_error"),
        ("timeout_error", 504, "timeout"),
        ("unheard_of", 500, "server_error"),
    ],
)
def test_an_error_inside_the_stream_is_a_fault(kind, status, code):
    _, decoder = feed(start() + event("error", error={"type": kind, "message": "Busy"}) + text(0, "more"))
    assert (decoder.error.status, decoder.error.code, decoder.error.message) == (status, code, "Busy")
    assert not decoder.ended


def test_an_error_without_a_shape_is_a_fault_all_the_same():
    for error in (None, "busy", {"type": ["x"], "message": 5}):
        _, decoder = feed(event("error", error=error))
        assert decoder.error.status == 500


def test_what_follows_the_end_is_ignored():
    deltas, decoder = feed(STREAMS["text"] + text(0, "more"))
    assert "more" not in told(deltas)["text"]
    assert decoder.feed(b"event: x\ndata: {bad\n\n") == []


def test_a_stream_that_was_cut_has_not_ended():
    assert not feed(STREAMS["text"].rpartition(b"event: message_stop")[0])[1].ended


@pytest.mark.parametrize(
    "data",
    [
        b"event: ping\ndata: {bad\n\n",
        b"data: []\n\n",
        b"data: {}\n\n",
        b'data: {"type": 1}\n\n',
        b'data: {"type": "ping", "index": -1}\n\n',
        b'data: {"type": "x", "index": %d}\n\n' % MOST_BLOCKS,
        b'data: {"type": "\xff"}\n\n',
        b'data: {"type": "x", "error": %s}\n\n' % (b"[" * 100_000),
        event("message_start"),
        event("content_block_start", index=0),
        begin(0, type="tool_use", id="t"),
        begin(0, type="tool_use", name="n"),
        begin(0, type="tool_use", id="t", name="n", input=[]),
        begin(0, type="tool_use", id="t", name="n") * 2,
        (
            b'data: {"type":"content_block_start","content_block":'
            b'{"type":"tool_use","id":"t","name":"n","input":{"a":"\xff"}}}\n\n'
        ),
    ],
)
def test_a_stream_that_is_none_of_anthropic_s_is_broken(data):
    with pytest.raises(BrokenAnswer):
        feed(data)


UNREADABLE = [{"input_tokens": count, "output_tokens": 3} for count in (-1, 1.5, "12", [], 10**30)] + [5, "none", [[1]]]


@pytest.mark.parametrize("usage", UNREADABLE)
def test_counts_that_make_no_sense_lose_no_answer(usage):
    last = feed(start() + text(0, "Hi") + finish("end_turn", usage))[0][-1]
    assert last == Delta(uncounted=True)
    streamed, _ = feed(start(usage=usage) + text(0, "Hi") + finish("end_turn"))
    assert [delta.text for delta in streamed if delta.text] == ["Hi"]
    assert streamed[1] == Delta(uncounted=True)
    assert streamed[-1] == Delta(usage=Usage(output=89), uncounted=True)
    whole = ANTHROPIC.decode_answer(message({"type": "text", "text": "Hi"}, usage=usage))
    assert whole[1:] == [Delta(text="Hi"), Delta(finish="stop", stop_reason="end_turn"), Delta(uncounted=True)]


def test_a_stream_that_never_counts_its_input_says_that_it_is_not_counted():
    streamed, _ = feed(start(usage={"output_tokens": 1}) + text(0, "Hi") + finish("end_turn"))
    assert streamed[-1] == Delta(usage=Usage(output=89), uncounted=True)
    late, _ = feed(start(usage={"output_tokens": 1}) + finish("end_turn", {"input_tokens": 5, "output_tokens": 89}))
    assert late[-1] == Delta(usage=Usage(input=5, output=89))


@pytest.mark.parametrize(
    "name", ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"]
)
def test_a_count_that_no_model_can_have_is_none(name):
    usage = {"input_tokens": 1, "output_tokens": 1} | {name: MOST_TOKENS + 1}
    last = ANTHROPIC.decode_answer(message({"type": "text", "text": "Hi"}, usage=usage))[-1]
    assert (last.usage, last.uncounted) == (None, True)


@pytest.mark.parametrize("details", [{"explanation": 5}, {"explanation": ["no"]}, "no", 5, [[]]])
def test_a_refusal_stands_whatever_explains_it(details):
    whole = ANTHROPIC.decode_answer(message(reason="refusal", stop_details=details))
    streamed, _ = feed(start() + finish("refusal", stop_details=details))
    for deltas in (whole, streamed):
        assert deltas[-2] == Delta(finish="content_filter", stop_reason="refusal")
        assert deltas[-1].usage is not None
        assert not deltas[-1].uncounted


def test_more_calls_than_any_answer_has_are_broken():
    with pytest.raises(BrokenAnswer, match="more than"):
        feed(b"".join(tool_use(place, "t", "n") for place in range(MOST_CALLS + 1)))


def test_a_whole_message_says_the_same():
    found = told(
        ANTHROPIC.decode_answer(
            message(
                {"type": "thinking", "thinking": "Hm.", "signature": "x"},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "text", "text": "One moment."},
                {"type": "text", "text": ""},
                {"type": "tool_use", "id": "a", "name": "get_holdings", "input": {"amount": 12345678901234567890.10}},
                {"type": "tool_use", "id": "b", "name": "market_hours", "input": {}},
                reason="tool_use",
            )
        )
    )
    assert found["text"] == "One moment."
    assert found["reasoning"] == "Hm."
    assert found["calls"] == [("a", "get_holdings", '{"amount": 1.2345678901234567e+19}'), ("b", "market_hours", "{}")]
    assert found["finish"] == ["tool_calls"]
    assert found["usage"] == [Usage(input=472, cached_input=100, cache_write=10, cache_write_1h=20, output=2)]
    assert found["model"] == ["claude-haiku-4-5-20251001"]


@pytest.mark.parametrize(
    ("wire", "usage"),
    [
        ({"input_tokens": 1, "output_tokens": 2}, Usage(input=1, output=2)),
        ({}, Usage()),
        ({"cache_creation_input_tokens": 5}, Usage(cache_write=5)),
        ({"cache_creation": {"ephemeral_1h_input_tokens": 5}}, Usage(cache_write_1h=5)),
        (
            {"cache_creation_input_tokens": 3, "cache_creation": {"ephemeral_1h_input_tokens": 5}},
            Usage(cache_write_1h=3),
        ),
        ({"output_tokens": 2, "output_tokens_details": {"thinking_tokens": 9}}, Usage(reasoning=2)),
        ({"output_tokens": 2, "output_tokens_details": {}}, Usage(output=2)),
    ],
)
def test_counts_are_disjoint(wire, usage):
    assert told(ANTHROPIC.decode_answer(message(usage=wire)))["usage"] == [usage]


def test_a_message_without_usage_or_reason_says_nothing_of_them():
    deltas = ANTHROPIC.decode_answer(message({"type": "text", "text": "Hi"}, usage=None, reason=None))
    assert told(deltas)["usage"] == told(deltas)["finish"] == []
    assert told(deltas)["text"] == "Hi"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"content": null}',
        b'{"content": [{}]}',
        b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}',
        message({"type": "tool_use", "id": "", "name": "n", "input": {}}),
        message({"type": "tool_use", "id": "a", "name": "n", "input": "x"}),
    ],
)
def test_a_body_that_is_no_message_is_broken(body):
    with pytest.raises(BrokenAnswer):
        ANTHROPIC.decode_answer(body)


@pytest.mark.parametrize("data", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_any_even_cut_gives_the_same_deltas(data, size):
    assert feed(data, size)[0] == feed(data)[0]


@given(st.sampled_from(list(STREAMS.values())), st.lists(st.integers(0, 2000), max_size=12))
@settings(max_examples=80, deadline=None)
def test_any_cut_gives_the_same_deltas(data, places):
    decoder = ANTHROPIC.stream_decoder()
    cuts = sorted({0, len(data), *(min(place, len(data)) for place in places)})
    deltas = []
    for begins, ends in itertools.pairwise(cuts):
        deltas += decoder.feed(data[begins:ends])
    assert deltas == feed(data)[0]
    assert decoder.ended


def accepts_or_breaks(decode, data):
    try:
        decode(data)
    except BrokenAnswer as broken:
        assert broken.reason


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_an_answer_or_broken(data):
    accepts_or_breaks(ANTHROPIC.decode_answer, data)
    accepts_or_breaks(feed, data)
    accepts_or_breaks(feed, b"data: " + data + b"\n\n")


WHOLE = STREAMS["tools"] + THINKING


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_any_damage_gives_an_answer_or_a_broken_one(damages):
    data = bytearray(WHOLE)
    for place, byte in damages:
        data[place] = byte
    accepts_or_breaks(feed, bytes(data))


def test_an_event_above_the_limit_is_broken_however_it_is_cut():
    huge = text(0, "x" * (LARGEST_FRAME + 1))
    for size in (len(huge), 1_000_000):
        with pytest.raises(BrokenAnswer, match="larger than"):
            feed(huge, size)
