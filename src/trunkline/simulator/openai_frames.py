"""OpenAI's answers as bytes: chat completions, whole and streamed, as its API reference shows them."""

from itertools import chain, zip_longest
from typing import Any

import msgspec

from trunkline.simulator.answer import Answer, Asked, Choice, Frames, MadeCall, Stamp
from trunkline.simulator.tokens import split

DONE = b"data: [DONE]\n\n"
_FINGERPRINT = "fp_9b0abffe81"
# The provider pads streamed deltas to hide their length (`stream_options.include_obfuscation`).
_PADDED_TO = 24
_PADDING = tuple(b"Zx9Qk3Lm7Tp2Wv5Rb8Nc4Yd6"[:size] for size in range(_PADDED_TO + 1))

_json = msgspec.json.Encoder().encode


def body(answer: Answer, asked: Asked, stamp: Stamp) -> bytes:
    """Return the JSON of a whole `chat.completion`."""
    return _json(
        {
            "id": stamp.answer_id,
            "object": "chat.completion",
            "created": stamp.created,
            "model": answer.model,
            "choices": [
                {
                    "index": index,
                    "message": _message(choice, index, stamp),
                    "logprobs": _logprobs(choice.pieces, asked) if choice.refusal is None else None,
                    "finish_reason": finish_reason(answer, choice),
                }
                for index, choice in enumerate(answer.choices)
            ],
            "usage": _usage(answer),
            "service_tier": "default",
            "system_fingerprint": _FINGERPRINT,
        }
    )


def frames(answer: Answer, asked: Asked, stamp: Stamp) -> Frames:
    """Return the frames of a stream: role, content and finish chunks, the usage chunk where asked, `[DONE]`."""
    options = asked.body.get("stream_options") or {}
    with_usage = bool(options.get("include_usage"))
    chunk = _Chunker(answer, stamp, with_usage=with_usage, padded=options.get("include_obfuscation") is not False)
    opening = b"".join(chunk.of(index, _opening_delta(choice)) for index, choice in enumerate(answer.choices))
    lanes = [
        [chunk.of(index, delta, logprobs) for delta, logprobs in _deltas(choice, index, asked, stamp)]
        for index, choice in enumerate(answer.choices)
    ]
    pieces = lanes[0] if len(lanes) == 1 else [piece for piece in chain(*zip_longest(*lanes)) if piece is not None]
    finish = b"".join(
        chunk.of(index, b"{}", finish=finish_reason(answer, choice)) for index, choice in enumerate(answer.choices)
    )
    if with_usage:
        finish += chunk.last(_json(_usage(answer)))
    return Frames(opening, pieces, finish, DONE)


def finish_reason(answer: Answer, choice: Choice) -> str:
    """Return the provider's word for how a choice ended."""
    if answer.stop_reason is not None:
        return answer.stop_reason
    # OpenAI calls both a stop sequence and a model that declines `stop`.
    return choice.finish if choice.finish in ("length", "tool_calls") else "stop"


class _Chunker:
    """Wraps deltas into the frames of one stream; what never changes within it is made once."""

    def __init__(self, answer: Answer, stamp: Stamp, *, with_usage: bool, padded: bool) -> None:
        self._head = (
            b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"service_tier":"default",'
            b'"system_fingerprint":"%b","choices":['
            % (_json(stamp.answer_id), stamp.created, _json(answer.model), _FINGERPRINT.encode())
        )
        self._usage = b',"usage":null' if with_usage else b""
        self._padded = padded

    def of(self, index: int, delta: bytes, logprobs: bytes = b"null", finish: str | None = None) -> bytes:
        padding = b""
        if self._padded:
            padding = b',"obfuscation":"%b"' % _PADDING[_PADDED_TO - len(delta) % _PADDED_TO]
        ending = b"null" if finish is None else _json(finish)
        return b'%b{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":%b}]%b%b}\n\n' % (
            self._head, index, delta, logprobs, ending, self._usage, padding,
        )  # fmt: skip

    def last(self, usage: bytes) -> bytes:
        return b'%b],"usage":%b}\n\n' % (self._head, usage)


def _opening_delta(choice: Choice) -> bytes:
    if choice.calls and not choice.text:
        return b'{"role":"assistant","content":null}'
    return b'{"role":"assistant","content":"","refusal":null}'


def _deltas(choice: Choice, index: int, asked: Asked, stamp: Stamp) -> list[tuple[bytes, bytes]]:
    """The deltas of one choice with their log probabilities: reasoning, text or refusal, then tool calls."""
    deltas = [(b'{"reasoning_content":%b}' % _json(piece), b"null") for piece in choice.reasoning]
    name = b"refusal" if choice.refusal is not None else b"content"
    for piece in choice.pieces:
        probabilities = _logprobs((piece,), asked) if choice.refusal is None else None
        deltas.append((b'{"%b":%b}' % (name, _json(piece)), b"null" if probabilities is None else _json(probabilities)))
    for position, call in enumerate(choice.calls):
        deltas.extend(
            (delta, b"null") for delta in _call_deltas(position, call, _call_id(index, position, call, stamp))
        )
    return deltas


def _call_deltas(position: int, call: MadeCall, call_id: str) -> list[bytes]:
    first = {
        "tool_calls": [
            {"index": position, "id": call_id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        ]
    }
    rest = [
        b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}' % (position, _json(piece))
        for piece in split(call.arguments)
    ]
    return [_json(first), *rest]


def _call_id(index: int, position: int, call: MadeCall, stamp: Stamp) -> str:
    if call.id is not None:
        return call.id
    fresh = stamp.call_ids[position]
    return fresh if index == 0 else f"{fresh[:-2]}{index:02d}"


def _message(choice: Choice, index: int, stamp: Stamp) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": choice.text if choice.refusal is None else None,
        "refusal": choice.refusal,
        "annotations": [],
    }
    if choice.reasoning:
        message["reasoning_content"] = "".join(choice.reasoning)
    if choice.calls:
        message["tool_calls"] = [
            {
                "id": _call_id(index, position, call, stamp),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for position, call in enumerate(choice.calls)
        ]
    return message


def _logprobs(pieces: tuple[str, ...], asked: Asked) -> dict[str, Any] | None:
    if not asked.body.get("logprobs"):
        return None
    wanted = asked.body.get("top_logprobs") or 0
    return {"content": [_token_logprob(piece, wanted) for piece in pieces], "refusal": None}


def _token_logprob(token: str, wanted: int) -> dict[str, Any]:
    entry = {"token": token, "logprob": -0.0625, "bytes": list(token.encode())}
    others = [
        {"token": f" {number}", "logprob": -3.5 - number, "bytes": list(f" {number}".encode())}
        for number in range(1, wanted)
    ]
    return {**entry, "top_logprobs": [entry, *others][:wanted]}


def _usage(answer: Answer) -> dict[str, Any]:
    return {
        "prompt_tokens": answer.input,
        "completion_tokens": answer.output,
        "total_tokens": answer.input + answer.output,
        "prompt_tokens_details": {"cached_tokens": answer.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": answer.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
