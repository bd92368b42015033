"""Mixed calls replayed from their records: byte for byte what their clients got, whatever became of them."""

import asyncio
import json
import random
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop

from gateway.raw_client import connected, parse, payload, request, send
from gateway.running import PATIENCE, check, keys_of, running, written
from trunkline.cli.pipeline import compared
from trunkline.ledger.answers import Period, Unanswerable
from trunkline.ledger.evidence_answers import Chunk, ExportData, ExportEnd, ExportQuestion, Missing, ReplayEnd
from trunkline.ledger.ledger import Ledger
from trunkline.simulator import Cut, ErrorAnswer, Script, Simulator, Stall, ToolCall

SAID = "We sell funds. Acme sells them too, for 3 €. Ask me — 👩‍💼 “now”."
TOOLS = (
    ToolCall(name="get_quote", arguments={"symbol": "ACM"}),
    ToolCall(name="get_quote", arguments={"symbol": "BND"}),
)
FAILED = Script(fault=ErrorAnswer(status=500))
PAUSING = Script(text="one two three", fault=Stall(after_tokens=2))
GOOD = Script(text=SAID, alternatives=("Another way.",))
LONG = Script(text="A long story, and no end of it. " * 2000)

# What is asked: the scripts of the first and of the second provider, the route, the policies, and how often of 20.
MIX = {
    "plain": (GOOD, GOOD, "voice", "", 3),
    "second": (GOOD, GOOD, "only-second", "", 2),
    "tools": (Script(text="Let me see.", tool_calls=TOOLS), GOOD, "voice", "", 2),
    "failover": (FAILED, GOOD, "voice", "", 2),
    "failover in the middle": (Script(text=SAID, fault=Cut(after_tokens=0)), GOOD, "voice", "", 1),
    "broken off": (Script(text=SAID, fault=Cut(after_tokens=3)), GOOD, "only-first", "", 1),
    "failed": (FAILED, GOOD, "only-first", "", 1),
    "rejected": (Script(fault=ErrorAnswer(status=400)), GOOD, "only-first", "", 1),
    "cut": (GOOD, GOOD, "voice", "cutting", 1),
    "replaced": (GOOD, GOOD, "only-second", "replacing", 1),
    "redacted": (GOOD, GOOD, "voice", "redacting", 1),
    "question blocked by cutting of Acme": (GOOD, GOOD, "voice", "cutting", 1),
    "long": (LONG, LONG, "voice", "", 1),
    "left": (PAUSING, PAUSING, "voice", "", 1),
    "left early": (Script(text=SAID, fault=Stall()), GOOD, "only-first", "", 1),
}
POLICIES = """
guardrails:
  cutting: {check: patterns, action: block, on: [input, output], rules: [{name: rival, words: [Acme]}]}
  replacing:
    {check: patterns, action: replace, with: "I can't say.", on: [output], rules: [{name: rival, words: [Acme]}]}
  redacting: {check: patterns, action: redact, on: [output], rules: [{name: rival, words: [Acme]}]}
"""
CONFIGURED = {"more": POLICIES, "route": "breaker: {failures: 1000, within: 1s, open_for: 1s}"}


@dataclass
class Call:
    """A call as its client knows it: what it got, in which pieces; `id` is the session of one that was not `heard`."""

    kind: str
    stream: bool
    id: str
    body: bytes
    chunks: list[bytes]
    heard: bool = True


def scripts(n: int):
    """The behaviour of the n-th provider: the question's first line says which script."""

    def script_for(call):
        said = next(message["content"] for message in call.body["messages"] if message["role"] == "user")
        return MIX[(said if isinstance(said, str) else said[0]["text"]).split("\n")[0]][n]

    return script_for


async def ask(gateway, kind: str, stream: bool, number: int) -> Call:
    *_, route, policies, _ = MIX[kind]
    fields = {"model": route, "messages": [{"role": "user", "content": f"{kind}\nNo. {number}"}], "stream": stream}
    if kind == "tools":
        fields["tools"] = [{"type": "function", "function": {"name": "get_quote", "parameters": {"type": "object"}}}]
    if kind == "plain" and number % 2:
        fields["n"] = 2
    if stream and number % 3 == 0:
        fields["stream_options"] = {"include_usage": True}
    asked = request(payload(fields), {"x-trunkline-guardrails": policies or None, "x-trunkline-session": f"s-{number}"})
    if not kind.startswith("left"):
        heard = await send(gateway, asked)
        assert heard.whole
        return Call(kind, stream, heard.headers["x-trunkline-call"], heard.body, heard.chunks)
    if kind == "left" and stream:
        async with connected(gateway) as (reader, writer):
            writer.write(asked)
            received = b""
            while b"two" not in received:
                received += await reader.read(1 << 16)
        heard = parse(received)
        return Call(kind, stream, heard.headers["x-trunkline-call"], heard.body, heard.chunks)
    async with connected(gateway) as (_, writer):
        provider, before = gateway.simulator.openai, gateway.simulator.openai.call_count
        writer.write(asked)
        await provider.wait_for_calls(before + 1)
    return Call(kind, stream, f"s-{number}", b"", [], heard=False)


async def carry(directory: Path, count: int) -> list[Call]:
    """Make so many calls, some at a time, in an order that is always the same."""
    chance = random.Random(7)
    kinds = chance.choices(list(MIX), [weight for *_, weight in MIX.values()], k=count - 2 * len(MIX))
    asked = [(kind, chance.random() < 0.6) for kind in kinds] + [(kind, way) for kind in MIX for way in (False, True)]
    turns = asyncio.Semaphore(16)

    async def one(gateway, number: int) -> Call:
        async with turns:
            return await ask(gateway, *asked[number], number)

    async with Simulator(scripts(0), scripts(1)) as simulator, running(simulator, directory, **CONFIGURED) as gateway:
        calls = await asyncio.gather(*(one(gateway, number) for number in range(count)))
        await gateway.at_rest()
        check(gateway)
    return calls


def replayed(ledger: Ledger, call: str) -> tuple[list[Chunk], ReplayEnd]:
    *chunks, end = ledger.replay(call).words()
    assert isinstance(end, ReplayEnd)
    return chunks, end


def compare(directory: Path, calls: list[Call]) -> None:
    def damaged(error: Exception) -> None:
        raise error

    ledger = Ledger(directory / "data", damaged, keys_of(directory / "data"))
    ledger.open()
    try:
        ledger.catch_up()
        for call in calls:
            if call.heard:
                same(ledger, call)
        # Of a call whose client never had a byte, it knows no id: they are found by their outcome.
        unheard = [call for call in calls if not call.heard]
        index = ledger._index
        early = index.ask("SELECT CAST(id AS VARCHAR), session FROM calls WHERE outcome = 'cancelled_before'")
        assert {session for _, session in early} == {call.id for call in unheard}
        for found, _ in early:
            with pytest.raises(Unanswerable, match="nothing was released"):
                ledger.replay(found)
        assert index.ask("SELECT count(*) FROM calls") == [(len(calls),)]
    finally:
        ledger.close()


def same(ledger: Ledger, call: Call) -> None:
    chunks, end = replayed(ledger, call.id)
    assert b"".join(chunk.data for chunk in chunks) == call.body, (call.kind, call.stream)
    assert (end.size, end.note) == (len(call.body), None)
    times = [chunk.ms for chunk in chunks]
    assert times == sorted(times)
    if call.chunks and call.kind != "long":  # one whose client reads more slowly than it is sent comes in other pieces
        assert [chunk.data for chunk in chunks] == call.chunks, call.kind


def export(directory: Path, form: str) -> bytes:
    ledger = Ledger(directory / "data", lambda _: None, keys_of(directory / "data"))
    ledger.open()
    try:
        ledger.catch_up()
        *words, end = ledger.export(ExportQuestion(period=Period(), format=form)).words("me")
    finally:
        ledger.close()
    assert isinstance(end, ExportEnd)
    assert (end.lost, end.missing) == (0, Missing(0, 0, 0))
    return b"".join(word.data for word in words if isinstance(word, ExportData))


# What a client got is not what the provider had said, by policy.
WITHHELD = {"cut", "replaced", "redacted"}


def test_mixed_calls_are_exported_as_they_were(tmp_path):
    calls = {call.id: call for call in uvloop.run(carry(tmp_path, 60))}
    for line in map(json.loads, export(tmp_path, "jsonl").splitlines()):
        call = calls.pop(line["call"], None) or calls.pop(line["opened"]["session"])
        assert json.loads(line["bodies"]["request"])["messages"][0]["content"].startswith(call.kind)
        if call.heard:
            assert line["bodies"]["response"].encode() == call.body
        if call.stream and call.body.startswith(b"data:"):
            assert sum(size for _, size in line["timings"]["response"]) == len(call.body)
    assert calls == {}
    _, *sections = export(tmp_path, "html").decode().split("<section>")
    for section in sections:
        (kind,) = [kind for kind in MIX if f">{kind}\n" in section.replace("<mark>", "").replace("</mark>", "")]
        assert ("What the provider had answered" in section) == (kind in WITHHELD), (kind, section)
        if kind in WITHHELD:
            assert "<mark>Acme</mark>" in section


def test_the_same_guardrails_decide_the_same_of_every_call_again(tmp_path):
    calls = uvloop.run(carry(tmp_path, 60))
    config = tmp_path / "trunkline.yaml"
    config.write_text(written(**CONFIGURED))
    ledger = Ledger(tmp_path / "data", lambda _: None, keys_of(tmp_path / "data"))
    ledger.open()
    try:
        ledger.catch_up()
        index = ledger._index
        ids = [call for (call,) in index.ask("SELECT CAST(id AS VARCHAR) FROM calls")]
        found = [compared(ledger.call(call, bodies=True), str(config)) for call in ids]
    finally:
        ledger.close()
    assert len(found) == len(calls)
    assert [one for one in found if one.differs or one.unasked] == []
    assert {one.then for one in found} == {"let through", "block by cutting", "replace by replacing"}
    assert sum(one.both for one in found) >= sum(call.kind in WITHHELD for call in calls)


def test_some_hundred_mixed_calls_are_replayed_to_the_byte(tmp_path):
    async def main() -> list[Call]:
        async with asyncio.timeout(3 * PATIENCE):
            return await carry(tmp_path, 200)

    calls = uvloop.run(main())
    compare(tmp_path, calls)
    assert {call.kind for call in calls} == set(MIX)
    errors = [json.loads(call.body)["error"]["code"] for call in calls if call.body.startswith(b'{"error"')]
    assert {"providers_failed", "content_filter"} <= set(errors)
    assert any(call.body.endswith(b"[DONE]\n\n") for call in calls)


@pytest.mark.soak
def test_a_thousand_mixed_calls_are_replayed_to_the_byte(tmp_path):
    calls = uvloop.run(carry(tmp_path, 1500))
    compare(tmp_path, calls)
