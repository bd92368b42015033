"""What guardrails cost: `python benchmarks/guardrails.py [--windows 6] [--seconds 5] [--callers 64] [--streams 200]`.

The real gateway on one core, provider and load on the other. Windows with and without policies take turns, by reloads
of the same gateway, so that whatever else the machine does falls on both: JSON calls whose answers have four sentences,
then streams, of which the moment counts at which the first sentence is there as a whole. Under `promissory` a sentence
is held until it has ended, so this is also when its first words come.
"""

import argparse
import asyncio
import io
import statistics
import time
from contextlib import redirect_stdout
from pathlib import Path

import uvloop

from trunkline.cli.bench.gateway import ROUTE, Gateway, running
from trunkline.cli.bench.loading import generate
from trunkline.cli.bench.places import here, on_cores
from trunkline.cli.bench.plan import LoadPlan
from trunkline.cli.bench.processes import use_of
from trunkline.cli.bench.transcript import MODEL
from trunkline.cli.bench.upstream import provider
from trunkline.cli.command_line import run

DELTAS = 68  # four sentences
RATE = 50.0  # deltas a second
SENTENCE_ENDS = b"cash."
TURNS = 3  # calls that each stream makes, one after the other
POLICIES = """\
guardrails:
  words: {check: patterns, action: redact, rules: [{name: rival, words: [Acme, Initech, Globex]}]}
  promises: {check: promissory, on: [output], action: replace, with: "Let me get your advisor."}
  advice: {check: investment_recommendation, action: replace, with: "Let me get your advisor."}
"""
NAMES = "    guardrails: [builtin/pii, builtin/secrets, words, promises, advice]\n"
KINDS = ("off", "on")


def configure(path: Path, plain: str, kind: str) -> None:
    """Put policies in force, or out of it."""
    text = plain if kind == "off" else plain.replace("    keys:\n", NAMES + "    keys:\n") + POLICIES
    path.write_text(text)
    with redirect_stdout(io.StringIO()):
        failed = run(["apply", "--config", str(path)])
    if failed:
        raise SystemExit("the configuration was not applied")


def json_calls(path: Path, plain: str, gateway: Gateway, asked: argparse.Namespace, load: int) -> None:
    """Print how many JSON calls a second there are, without policies and with them."""
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    plan = LoadPlan(
        host="127.0.0.1", port=gateway.port, key=gateway.key, model=ROUTE, callers=asked.callers, deltas=DELTAS,
        seconds=asked.seconds,
    )  # fmt: skip
    for window in range(asked.windows + 1):
        for kind in KINDS:
            configure(path, plain, kind)
            before = use_of(gateway.process.pid).all_cpu
            result = generate(plan, load)
            cpu = use_of(gateway.process.pid).all_cpu - before
            if result.amiss:
                raise SystemExit(f"{result.amiss} calls failed")
            if window:  # the first is to warm up
                found[kind].append((result.per_second, cpu / result.answered * 1e6))
    base = statistics.median(rate for rate, _ in found["off"])
    for kind, windows in found.items():
        rate, cpu = (statistics.median(column) for column in zip(*windows, strict=True))
        print(f"json, {kind:3} {rate:7,.0f} calls/s, {rate / base:6.1%} of off, {cpu:5.0f} us of processor time a call")


async def sentences(port: int, key: str, model: str, streams: int) -> list[float]:
    """Return the milliseconds until the first sentence of each call was there, streams begun one after the other."""
    body = b'{"model":"%b","stream":true,"user":"u","messages":[{"role":"user","content":"Hi"}]}' % model.encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {key}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    found: list[float] = []

    async def stream(number: int) -> None:
        await asyncio.sleep(number * (DELTAS / RATE) / streams)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(TURNS):
            writer.write(head.encode() + body)
            began, received, heard = time.perf_counter(), b"", False
            while b"[DONE]" not in received or not received.endswith(b"0\r\n\r\n"):
                piece = await reader.read(1 << 16)
                if not piece:
                    raise SystemExit("a stream broke off")
                received = received[-64:] + piece
                if not heard and SENTENCE_ENDS in received:
                    found.append((time.perf_counter() - began) * 1000)
                    heard = True
        writer.close()

    await asyncio.gather(*(stream(number) for number in range(streams)))
    return found


def streamed(path: Path, plain: str, gateway: Gateway, upstream: int, asked: argparse.Namespace) -> None:
    """Print when first sentences are there: from the provider itself, without policies and with them."""
    targets = {"direct": (upstream, "sk-bench", MODEL)} | dict.fromkeys(KINDS, (gateway.port, gateway.key, ROUTE))
    found: dict[str, list[float]] = {kind: [] for kind in targets}
    for window in range(asked.windows // 2 + 1):
        for kind, (port, key, model) in targets.items():
            if kind in KINDS:
                configure(path, plain, kind)
            heard = uvloop.run(sentences(port, key, model, asked.streams))
            if window:
                found[kind] += heard
    for kind, heard in found.items():
        ordered = sorted(heard)
        middle, late = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
        print(f"first sentence of {asked.streams} streams, {kind:6} p50 {middle:7.2f} ms, p99 {late:7.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=6, help="of each kind; of streams half as many")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--streams", type=int, default=200)
    asked = parser.parse_args()
    places = here()
    with provider(places.load, DELTAS, RATE) as upstream, running(places.gateway, upstream, None) as gateway:
        path = gateway.log.parent / "trunkline.yaml"
        plain = path.read_text()
        json_calls(path, plain, gateway, asked, places.load)
        with on_cores(places.load):
            streamed(path, plain, gateway, upstream, asked)


if __name__ == "__main__":
    main()
