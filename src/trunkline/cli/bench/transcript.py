"""What the fake provider says, made once: an answer in JSON, and a stream in frames. Pure.

The frames are OpenAI's (https://platform.openai.com/docs/api-reference/chat-streaming), one HTTP chunk each, as a
provider that flushes every token sends them.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import msgspec

MODEL = "gpt-4o-mini"
SPOKEN = (
    "The household holds sixty percent equities, thirty percent bonds and ten percent cash. The largest position is a "
    "broad index fund, and since the last quarter two points have moved from equities to bonds. "
)
PROMPT_TOKENS = 58
_HEAD = b"HTTP/1.1 200 OK\r\nx-request-id: req_bench\r\nopenai-processing-ms: 1\r\n"
_FACTS = {"id": "chatcmpl-bench", "created": 1_700_000_000, "model": MODEL, "system_fingerprint": "fp_bench"}
_LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Transcript:
    """The bytes of both kinds of answer. `opening` holds the head, the role and the first delta."""

    answer: bytes
    opening: bytes
    later: tuple[bytes, ...]
    closing: bytes
    closing_with_usage: bytes


def words(count: int) -> list[str]:
    """Return the text of an answer in so many deltas; none needs an escape in JSON."""
    return list(itertools.islice(itertools.cycle(word + " " for word in SPOKEN.split()), count))


def text(count: int) -> bytes:
    """Return what a caller must have received in the end."""
    return "".join(words(count)).encode()


def transcript(deltas: int) -> Transcript:
    """Build the answers whose text has so many deltas (tokens), at least one."""
    said = words(deltas)
    head = _HEAD + b"content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
    role = _frame([_choice({"role": "assistant", "content": "", "refusal": None})])
    frames = [_frame([_choice({"content": word})]) for word in said]
    finish = _frame([_choice({}, "stop")])
    usage = _frame([], usage=_usage(deltas))
    done = _chunk(b"data: [DONE]\n\n") + _LAST_CHUNK
    return Transcript(
        answer=_answer("".join(said), deltas),
        opening=head + role + frames[0],
        later=tuple(frames[1:]),
        closing=finish + done,
        closing_with_usage=finish + usage + done,
    )


def _answer(said: str, deltas: int) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": said, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = msgspec.json.encode(_FACTS | {"object": "chat.completion", "choices": [choice], "usage": _usage(deltas)})
    return _HEAD + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def _choice(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _frame(choices: list[dict[str, Any]], **more: Any) -> bytes:
    event = _FACTS | {"object": "chat.completion.chunk", "choices": choices} | more
    return _chunk(b"data: %b\n\n" % msgspec.json.encode(event))


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _usage(deltas: int) -> dict[str, Any]:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": deltas,
        "total_tokens": PROMPT_TOKENS + deltas,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
