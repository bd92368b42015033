"""What calls cost, to the last digit, by the usage objects that the providers' documentation shows.

The amounts are worked out by hand, in USD: tokens of each class times the price of a million of them.
Sources: OpenAI API reference ("Create chat completion"), guides on prompt caching, reasoning and audio; Anthropic API
reference ("Messages"), guide on prompt caching.
"""

import asyncio
import json
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import uvloop

from gateway.raw_client import connected, hear, payload, request
from gateway.running import PATIENCE, check, running, until
from trunkline.model.delta import Usage
from trunkline.model.snapshot import Price, Rates
from trunkline.policy.pricing import Tariff, cost_of
from trunkline.simulator import Simulator

OPENAI = Rates(
    from_prompt_tokens=0,
    input=Decimal("2.5"),
    cached_input=Decimal("1.25"),
    output=Decimal(10),
    reasoning=Decimal(10),
    audio_input=Decimal(40),
    cached_audio_input=Decimal("2.5"),
    audio_output=Decimal(80),
    cache_write=Decimal("2.5"),
    cache_write_1h=Decimal("2.5"),
)
ANTHROPIC = Rates(
    from_prompt_tokens=0,
    input=Decimal(1),
    cached_input=Decimal("0.1"),
    cache_write=Decimal("1.25"),
    cache_write_1h=Decimal(2),
    output=Decimal(5),
    reasoning=Decimal(5),
    audio_input=Decimal(1),
    cached_audio_input=Decimal("0.1"),
    audio_output=Decimal(5),
)
PRICES = {
    "first/gpt-4o-mini": Price("golden", "test", (OPENAI,)),
    "second/claude-haiku-4-5": Price("golden", "test", (ANTHROPIC,)),
}
ZERO = {"audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}

# name -> usage, tier, and what it costs
OPENAI_CASES = {
    "plain": ({"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}, "default", "0.0001475"),
    "details_of_zero": (
        {
            "prompt_tokens": 19,
            "completion_tokens": 10,
            "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, **ZERO},
        },
        "default",
        "0.0001475",  # 19 x 2.5 + 10 x 10 = 147.5
    ),
    "cached": (
        {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920},
            "completion_tokens_details": {"reasoning_tokens": 0, **ZERO},
        },
        "default",
        "0.005615",  # 86 x 2.5 + 1920 x 1.25 + 300 x 10 = 215 + 2400 + 3000
    ),
    "reasoning": (
        {
            "prompt_tokens": 75,
            "completion_tokens": 1186,
            "total_tokens": 1261,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 1024, **ZERO},
        },
        "default",
        "0.0120475",  # 75 x 2.5 + (162 + 1024) x 10 = 187.5 + 11860
    ),
    "audio": (
        {
            "prompt_tokens": 1000,
            "completion_tokens": 500,
            "total_tokens": 1500,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 600},
            "completion_tokens_details": {"reasoning_tokens": 0, **ZERO, "audio_tokens": 400},
        },
        "default",
        "0.058",  # 400 x 2.5 + 600 x 40 + 100 x 10 + 400 x 80 = 1000 + 24000 + 1000 + 32000
    ),
    "flex": ({"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}, "flex", "0.0001475"),
    "priority": ({"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}, "priority", "0.0001475"),
}
ANTHROPIC_CASES = {
    "plain": ({"input_tokens": 2095, "output_tokens": 503}, "0.00461"),  # 2095 + 503 x 5
    "cache_written": (
        {
            "input_tokens": 21,
            "cache_creation_input_tokens": 188086,
            "cache_read_input_tokens": 0,
            "output_tokens": 393,
        },
        "0.2370935",  # 21 + 188086 x 1.25 + 393 x 5 = 21 + 235107.5 + 1965
    ),
    "cache_read": (
        {
            "input_tokens": 21,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 188086,
            "output_tokens": 393,
        },
        "0.0207946",  # 21 + 188086 x 0.1 + 393 x 5 = 21 + 18808.6 + 1965
    ),
    "cache_of_both_lives": (
        {
            "input_tokens": 2048,
            "cache_read_input_tokens": 1800,
            "cache_creation_input_tokens": 248,
            "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
            "output_tokens": 503,
            "service_tier": "standard",
        },
        "0.005128",  # 2048 + 1800 x 0.1 + 148 x 1.25 + 100 x 2 + 503 x 5 = 2048 + 180 + 185 + 200 + 2515
    ),
    "batch": ({"input_tokens": 2095, "output_tokens": 503, "service_tier": "batch"}, "0.00461"),
    "priority": ({"input_tokens": 2095, "output_tokens": 503, "service_tier": "priority"}, "0.00461"),
}
OFF_LIST = ("flex", "priority", "batch")
TEXT = "All is well with the household today."  # 37 characters: 10 tokens, where nobody has counted


def answer(content_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def begun(content_type: str, body: bytes) -> bytes:
    """An answer that goes on: its first bytes, of many."""
    return answer(content_type, body).replace(f"length: {len(body)}".encode(), b"length: 9999999")


def events(*data: dict, named: bool = False) -> bytes:
    return b"".join(
        (f"event: {one['type']}\n" if named else "").encode() + b"data: " + json.dumps(one).encode() + b"\n\n"
        for one in data
    )


def openai_json(usage: dict, tier: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
    facts = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini-2024-07-18"}
    return json.dumps({**facts, "choices": [choice], "usage": usage, "service_tier": tier}).encode()


def openai_chunks(usage: dict, tier: str) -> list[dict]:
    facts = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini-2024-07-18"}
    facts |= {"service_tier": tier}

    def chunk(delta: dict, finish: str | None = None) -> dict:
        return {**facts, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    first = chunk({"role": "assistant", "content": ""})
    return [first, chunk({"content": TEXT}), chunk({}, "stop"), {**facts, "choices": [], "usage": usage}]


def anthropic_json(usage: dict) -> bytes:
    facts = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5-20251001"}
    content = [{"type": "text", "text": TEXT}]
    return json.dumps(
        {**facts, "content": content, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
    ).encode()


def anthropic_events(usage: dict) -> list[dict]:
    facts = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5-20251001"}
    start = {**facts, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage | {"output_tokens": 1}}
    return [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": usage["output_tokens"]},
        },
        {"type": "message_stop"},
    ]


@asynccontextmanager
async def provider(reply: bytes, *, closes: bool):
    """A provider that says these bytes to every request, then closes or falls silent; yields its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-le")
        )
        await reader.readexactly(length)
        writer.write(reply)
        if not closes:
            await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def told(
    directory: Path, dialect: str, reply: bytes, *, stream: bool, leave: bool = False, closes: bool = True
) -> dict:
    """Make one call against a provider that says these bytes, and return how it is recorded."""
    model = {"openai": "only-first", "anthropic": "only-second"}[dialect]

    async def main() -> dict:
        async with asyncio.timeout(PATIENCE), Simulator() as simulator, provider(reply, closes=closes) as url:
            address = {dialect: f"{url}/v1" if dialect == "openai" else url}
            async with running(simulator, directory, **address) as gateway:
                prices = gateway.compile(**address).snapshot.prices | PRICES
                await gateway.load(gateway.changed(gateway.compile(**address), prices=prices))
                if leave:
                    async with connected(gateway) as (reader, writer):
                        writer.write(request(payload({"model": model, "stream": stream})))
                        await reader.readuntil(b"today.")
                else:
                    await hear(gateway, {"model": model, "stream": stream})
                await until(lambda: gateway.worker._server.in_flight == 0)
                check(gateway)
                return gateway.record("call.closed") | {"estimate": gateway.record("call.opened")["estimate"]}

    return uvloop.run(main())


def check_cost(closed: dict, amount: str, *, estimated: bool) -> None:
    cost = closed["cost"]
    assert (Decimal(cost["amount"]), cost["estimated"]) == (Decimal(amount), estimated)
    assert sum(Decimal(line["amount"]) for line in cost["lines"]) == Decimal(amount)
    for line in cost["lines"]:
        assert Decimal(line["amount"]) * 1_000_000 == line["tokens"] * Decimal(line["unit_price"])


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("name", OPENAI_CASES)
def test_openais_usage_is_priced_to_the_last_digit(tmp_path, name, stream):
    usage, tier, amount = OPENAI_CASES[name]
    reply = answer("application/json", openai_json(usage, tier))
    if stream:
        reply = answer("text/event-stream", events(*openai_chunks(usage, tier)) + b"data: [DONE]\n\n")
    closed = told(tmp_path, "openai", reply, stream=stream)
    assert closed["outcome"] == "answered"
    check_cost(closed, amount, estimated=tier in OFF_LIST)
    assert sum(closed["usage"].values()) == usage["total_tokens"]


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("name", ANTHROPIC_CASES)
def test_anthropics_usage_is_priced_to_the_last_digit(tmp_path, name, stream):
    usage, amount = ANTHROPIC_CASES[name]
    reply = answer("application/json", anthropic_json(usage))
    if stream:
        reply = answer("text/event-stream", events(*anthropic_events(usage), named=True))
    closed = told(tmp_path, "anthropic", reply, stream=stream)
    assert closed["outcome"] == "answered"
    check_cost(closed, amount, estimated=usage.get("service_tier") in OFF_LIST)


@pytest.mark.parametrize("leave", [False, True], ids=["cut", "cancelled"])
def test_of_a_stream_of_openais_that_ends_early_all_is_estimated(tmp_path, leave):
    first, text, *_ = openai_chunks({}, "default")
    reply = begun("text/event-stream", events(first, text))
    closed = told(tmp_path, "openai", reply, stream=True, leave=leave, closes=not leave)
    assert closed["outcome"] == ("cancelled_after" if leave else "failed")
    prompt = closed["estimate"]["prompt_tokens"]
    assert {name: count for name, count in closed["usage"].items() if count} == {"input": prompt, "output": 10}
    check_cost(closed, str((prompt * Decimal("2.5") + 10 * 10) / 1_000_000), estimated=True)


@pytest.mark.parametrize("leave", [False, True], ids=["cut", "cancelled"])
def test_of_a_stream_of_anthropics_that_ends_early_what_was_read_is_known(tmp_path, leave):
    usage, _ = ANTHROPIC_CASES["cache_of_both_lives"]
    reply = begun("text/event-stream", events(*anthropic_events(usage)[:3], named=True))
    closed = told(tmp_path, "anthropic", reply, stream=True, leave=leave, closes=not leave)
    assert closed["outcome"] == ("cancelled_after" if leave else "failed")
    check_cost(closed, "0.002663", estimated=True)  # 2048 + 180 + 185 + 200, and 10 x 5 of which nobody counted


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_json_answer_that_is_cut_before_it_can_be_read_costs_nothing(tmp_path, dialect):
    body = {"openai": openai_json({}, "default"), "anthropic": anthropic_json({"input_tokens": 1, "output_tokens": 1})}
    closed = told(tmp_path, dialect, begun("application/json", body[dialect][:40]), stream=False)
    assert closed["outcome"] == "failed"
    assert "cost" not in closed


def test_no_amount_becomes_a_binary_float_on_its_way():
    cost = cost_of(Usage(input=3, cached_input=7, output=11), Tariff(PRICES["first/gpt-4o-mini"]), estimated=False)
    assert (cost.amount, b"." in msgspec.json.encode(cost)) == ("0.00012625", True)
    assert all(isinstance(value, str) for line in cost.lines for value in (line.unit_price, line.amount))
