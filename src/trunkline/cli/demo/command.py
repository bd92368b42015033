"""The command itself: stage, scenes, and the records that the calls left."""

import json
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from trunkline.audit.files.reader import read_records
from trunkline.cli.demo.narration import Narrator
from trunkline.cli.demo.scenes import DemoFailed, Scenes, expect
from trunkline.cli.demo.stage import Stage, StageFailed, real, simulated, stop

OPENING = """\
A voice agent asks about a client's portfolio. Between it and the model providers stands the gateway: it knows \
who asks, goes on to the next provider when one says no, prices every call, and has each one on disk before it is \
answered."""

CLOSING = """\
Every call above is in the log, opened before its first byte left and closed before its last. For your own: copy \
examples/trunkline.yaml, set your keys, run `trunkline check` and `trunkline serve`."""


def command(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Play the scenes and end, instead of waiting for Ctrl-C.")
    ] = False,
    with_real: Annotated[
        bool, typer.Option("--real", help="Ask the real providers, with OPENAI_API_KEY and ANTHROPIC_API_KEY.")
    ] = False,
) -> None:
    """Walk through a gateway between two providers: a call, a stream, a tool call, a failover, and their records."""
    console = Console(highlight=False)
    narrator = Narrator(console)
    narrator.open("Trunkline", OPENING)
    setting: AbstractContextManager[Stage] = real() if with_real else simulated()
    try:
        with setting as stage:
            Scenes(stage, narrator).play()
            if not once:
                _wait(console, stage)
            status = stop(stage.gateway)
            expect(status == 0, "the gateway drains and ends with status 0")
            _show_records(narrator, stage)
    except (StageFailed, DemoFailed) as error:
        print(f"trunkline demo: {error}", file=sys.stderr)  # noqa: T201 - the one line that a user reads
        raise typer.Exit(1) from None
    narrator.close(CLOSING)


def _wait(console: Console, stage: Stage) -> None:
    console.print(
        f"\nThe gateway is yours until Ctrl-C:\n\n  curl {stage.url}/chat/completions -H 'authorization: Bearer "
        f'{stage.key}\' \\\n    -H \'x-trunkline-user: you\' -d \'{{"model": "advisor-voice", "messages": '
        '[{"role": "user", "content": "Hello"}]}\'\n',
        soft_wrap=True,
    )
    try:
        stage.gateway.wait()
    except KeyboardInterrupt:
        console.print("Draining.")


def _show_records(narrator: Narrator, stage: Stage) -> None:
    narrator.scene(5, "The record", "What the calls left in the append-only log, as another process reads it.")
    records = _call_records(stage.directory / "data")
    opened = {record["call"]: record for record in records if record["type"] == "call.opened"}
    closed = [record for record in records if record["type"] == "call.closed"]
    expect(closed, "the calls are in the log")
    expect(sorted(opened) == sorted(record["call"] for record in closed), "each opened record has one closed record")
    narrator.records([(opened[record["call"]], record) for record in closed])


def _call_records(data_dir: Path) -> list[dict[str, Any]]:
    """Return what the worker's log has; its directory is the one place of the demo where calls are."""
    return [json.loads(stored.bytes) for stored in read_records(data_dir / "log" / "demo" / "worker-0")]
