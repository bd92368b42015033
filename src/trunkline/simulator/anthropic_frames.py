"""Anthropic's answers as bytes: messages, whole and streamed, as its API reference shows them."""

from typing import Any

import msgspec

from trunkline.simulator.answer import Answer, Choice, Frames, MadeCall, Stamp
from trunkline.simulator.tokens import split

PING = b'event: ping\ndata: {"type": "ping"}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
# An opaque value in the shape of a real one.
_SIGNATURE = "EqQBCkYIBxgCKkDsimulatedsignature0000000000000000000000000000000000000000"
_STOP_REASONS = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "refusal": "refusal",
}

_json = msgspec.json.Encoder().encode


def body(answer: Answer, stamp: Stamp) -> bytes:
    """Return the JSON of a whole message. A scripted tool input that is no JSON object comes as an empty one."""
    choice = answer.choices[0]
    return _json(
        {
            "model": answer.model,
            "id": stamp.answer_id,
            "type": "message",
            "role": "assistant",
            "content": _content(choice, stamp),
            **_ending(answer, choice),
            "usage": {**_input_usage(answer), **_output_usage(answer), "service_tier": "standard"},
        }
    )


def frames(answer: Answer, stamp: Stamp) -> Frames:
    """Return the events of a stream: message_start, a ping, blocks with their deltas, message_delta, message_stop."""
    choice = answer.choices[0]
    start = {
        "type": "message_start",
        "message": {
            "model": answer.model,
            "id": stamp.answer_id,
            "type": "message",
            "role": "assistant",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "usage": {**_input_usage(answer), "output_tokens": 1, "service_tier": "standard"},
        },
    }
    end = {"type": "message_delta", "delta": _ending(answer, choice)}
    end["usage"] = {**_cumulative_input(answer), **_output_usage(answer)}
    opening = _event(b"message_start", _json(start)) + PING
    return Frames(opening, _pieces(choice, stamp), _event(b"message_delta", _json(end)), STOP)


def _event(name: bytes, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name, data)


def _pieces(choice: Choice, stamp: Stamp) -> list[bytes]:
    """Each delta with what must come around it: the start of its block before the first, the stop after the last."""
    pieces: list[bytes] = []
    index = 0
    if choice.reasoning:
        deltas = [b'{"type":"thinking_delta","thinking":%b}' % _json(piece) for piece in choice.reasoning]
        deltas.append(b'{"type":"signature_delta","signature":"%b"}' % _SIGNATURE.encode())
        pieces += _block(index, b'{"type":"thinking","thinking":"","signature":""}', deltas)
        index += 1
    if choice.pieces:
        deltas = [b'{"type":"text_delta","text":%b}' % _json(piece) for piece in choice.pieces]
        pieces += _block(index, b'{"type":"text","text":""}', deltas)
        index += 1
    for position, call in enumerate(choice.calls):
        start = {"type": "tool_use", "id": call.id or stamp.call_ids[position], "name": call.name, "input": {}}
        pieces += _block(index, _json(start), _input_deltas(call))
        index += 1
    return pieces


def _input_deltas(call: MadeCall) -> list[bytes]:
    # A tool without input streams one empty piece, never "{}".
    written = ["", *split(call.arguments)] if call.arguments != "{}" else [""]
    return [b'{"type":"input_json_delta","partial_json":%b}' % _json(piece) for piece in written]


def _block(index: int, start: bytes, deltas: list[bytes]) -> list[bytes]:
    pieces = [
        _event(b"content_block_delta", b'{"type":"content_block_delta","index":%d,"delta":%b}' % (index, delta))
        for delta in deltas
    ]
    begin = b'{"type":"content_block_start","index":%d,"content_block":%b}' % (index, start)
    pieces[0] = _event(b"content_block_start", begin) + pieces[0]
    pieces[-1] += _event(b"content_block_stop", b'{"type":"content_block_stop","index":%d}' % index)
    return pieces


def _content(choice: Choice, stamp: Stamp) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if choice.reasoning:
        content.append({"type": "thinking", "thinking": "".join(choice.reasoning), "signature": _SIGNATURE})
    text = choice.refusal if choice.refusal is not None else choice.text
    if text:
        content.append({"type": "text", "text": text})
    for position, call in enumerate(choice.calls):
        content.append(
            {
                "type": "tool_use",
                "id": call.id or stamp.call_ids[position],
                "name": call.name,
                "input": _parsed(call.arguments),
            }
        )
    return content


def _parsed(arguments: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(arguments, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _ending(answer: Answer, choice: Choice) -> dict[str, Any]:
    reason = answer.stop_reason or _STOP_REASONS[choice.finish]
    details = None
    if reason == "refusal":
        details = {"type": "refusal", "category": None, "explanation": choice.refusal}
    return {"stop_reason": reason, "stop_sequence": choice.stop_sequence, "stop_details": details}


def _cumulative_input(answer: Answer) -> dict[str, Any]:
    return {
        "input_tokens": answer.input - answer.cached - answer.cache_write,
        "cache_creation_input_tokens": answer.cache_write,
        "cache_read_input_tokens": answer.cached,
    }


def _input_usage(answer: Answer) -> dict[str, Any]:
    written = {"ephemeral_5m_input_tokens": answer.cache_write, "ephemeral_1h_input_tokens": 0}
    return {**_cumulative_input(answer), "cache_creation": written}


def _output_usage(answer: Answer) -> dict[str, Any]:
    usage: dict[str, Any] = {"output_tokens": answer.output}
    if answer.reasoning:
        usage["output_tokens_details"] = {"thinking_tokens": answer.reasoning}
    return usage
