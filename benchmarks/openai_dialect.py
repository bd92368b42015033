"""What OpenAI's dialect costs a call: `taskset -c 0 python benchmarks/openai_dialect.py [ROUNDS]`.

The steps of a call run in turn over 64 different calls, as they do in the gateway, and each is timed by itself: a loop
over one step alone shows half of what it costs there. `in turn` is with the caches as the other steps leave them,
`cold` after two megabytes of other memory have been read before each step, for all else that a gateway does between.
Microseconds: the mean of the 64 calls in the best of the rounds, less what the clock itself takes.
"""

import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from trunkline.dialects.openai_client import AnswerHead, ChunkEncoder, Closing, decode_request, encode_answer
from trunkline.dialects.openai_provider import OPENAI
from trunkline.model.delta import Delta, Usage
from trunkline.model.snapshot import Target

CALLS = 64
OTHER_MEMORY = bytes(2_000_000)
HISTORIES = Path(__file__).parent.parent / "tests" / "dialects" / "histories"
TARGET = Target("openai", "gpt-4o-mini")


def request(n: int) -> bytes:
    """A short voice call's request."""
    system = "You are a helpful voice assistant for financial advisors. Keep answers short."
    asked = f"What is the current allocation of household account {n}, and how has it changed since last quarter?"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": asked}]
    return json.dumps(
        {"messages": messages, "temperature": 0.2, "user": f"advisor-{n}", "model": "advisor-voice"}
    ).encode()


def history(n: int) -> bytes:
    """A conversation of twenty messages: a third of them calls of tools, a third their results."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": "You help advisors. Answer in a sentence."}]
    for turn in range(5):
        call = {"name": "get_portfolio", "arguments": json.dumps({"account": f"{n}-{turn}"})}
        messages += [
            {"role": "user", "content": f"And what about account {n}-{turn}?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": f"call_{turn}", "type": "function", "function": call}],
            },
            {"role": "tool", "tool_call_id": f"call_{turn}", "content": '{"equities": 0.61, "bonds": 0.34}'},
            {"role": "assistant", "content": f"Account {n}-{turn} holds 61 percent equities and 34 percent bonds."},
        ]
    schema = {"type": "object", "properties": {"account": {"type": "string"}}, "required": ["account"]}
    tool = {"type": "function", "function": {"name": "get_portfolio", "parameters": schema}}
    return json.dumps(
        {"model": "advisor-voice", "messages": messages[:20], "tools": [tool], "temperature": 0.2, "user": f"a-{n}"}
    ).encode()


def answer(n: int) -> bytes:
    """A provider's answer to a short call."""
    text = f"Account {n} holds 61 percent equities, 34 percent bonds and 5 percent cash. Equities rose by 2 points."
    details = {"cached_tokens": 0, "audio_tokens": 0}
    wrote = {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}
    return json.dumps(
        {
            "id": f"chatcmpl-{n}",
            "object": "chat.completion",
            "created": 1741569952,
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": None, "annotations": []},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": 60 + n,
                "completion_tokens": 31,
                "total_tokens": 91 + n,
                "prompt_tokens_details": details,
                "completion_tokens_details": wrote,
            },
            "service_tier": "default",
            "system_fingerprint": "fp_50cad350e4",
        }
    ).encode()


def frame(n: int) -> bytes:
    """A chunk of a provider's stream, as one read brings it."""
    chunk = {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion.chunk",
        "created": 1741569952,
        "model": "gpt-4o-mini-2024-07-18",
        "service_tier": "default",
        "system_fingerprint": "fp_50cad350e4",
        "choices": [{"index": 0, "delta": {"content": f" word{n}"}, "logprobs": None, "finish_reason": None}],
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def closing(n: int) -> Closing:
    """What the gateway knows when the call is over."""
    usage = Usage(input=60 + n, output=31)
    cost = Decimal("0.00000015") * usage.input + Decimal("0.0000006") * 31
    return Closing(outcome="answered", attempts=1, hold_ms=0.0, overhead_ms=0.114, usage=usage, cost=cost)


class Steps:
    """The steps of a call, each with the inputs of all calls."""

    def __init__(self) -> None:
        calls = range(CALLS)
        files = sorted(HISTORIES.glob("*.json"))
        voice = [json.dumps(json.loads(file.read_bytes())["request"]).encode() for file in files]
        bodies, histories, answers = ([make(n) for n in calls] for make in (request, history, answer))
        requests, past = [decode_request(body) for body in bodies], [decode_request(body) for body in histories]
        decoder, encoder = OPENAI.stream_decoder(), ChunkEncoder(AnswerHead("chatcmpl-1", 1, "m"), wants_usage=False)
        decoder.feed(frame(0))
        encoder.encode(Delta(text="a"))
        heads = [AnswerHead(f"chatcmpl-0192f0c1-{n}", 1741570283, "gpt-4o-mini-2024-07-18") for n in calls]
        ends = [closing(n) for n in calls]
        frames, deltas, texts = [frame(n) for n in calls], [OPENAI.decode_answer(body) for body in answers], []
        for wire in frames:
            texts += decoder.feed(wire)
        self.all: dict[str, Callable[[int], object]] = {
            "nothing": lambda n: n,
            "decode_request": lambda n: decode_request(bodies[n]),
            "encode": lambda n: OPENAI.encode(requests[n], TARGET, "drop"),
            "decode_answer": lambda n: OPENAI.decode_answer(answers[n]),
            "Closing": closing,
            "encode_answer": lambda n: encode_answer(heads[n], deltas[n], ends[n]),
            "stream: decode a delta": lambda n: decoder.feed(frames[n]),
            "stream: encode a delta": lambda n: encoder.encode(texts[n]),
            "decode_request, 20 messages": lambda n: decode_request(histories[n]),
            "encode, 20 messages": lambda n: OPENAI.encode(past[n], TARGET, "drop"),
            "decode_request, tests' histories": lambda n: decode_request(voice[n % len(voice)]),
        }


def measure(steps: dict[str, Callable[[int], object]], rounds: int, memory: bytes) -> dict[str, float]:
    """Return each step's microseconds."""
    best = dict.fromkeys(steps, sys.maxsize)
    clock = time.perf_counter_ns
    for _ in range(rounds):
        took = dict.fromkeys(steps, 0)
        for n in range(CALLS):
            for name, step in steps.items():
                memory.count(b"\x01")
                began = clock()
                step(n)
                took[name] += clock() - began
        best = {name: min(best[name], took[name]) for name in steps}
    return {name: (each - best["nothing"]) / CALLS / 1000 for name, each in best.items() if name != "nothing"}


def main() -> None:
    """Print a table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    steps = Steps().all
    warm, cold = measure(steps, rounds, b""), measure(steps, max(5, rounds // 10), OTHER_MEMORY)
    print(f"{'µs':36}{'in turn':>8}{'cold':>8}")
    for name, each in warm.items():
        print(f"{name:36}{each:8.2f}{cold[name]:8.2f}")


if __name__ == "__main__":
    main()
