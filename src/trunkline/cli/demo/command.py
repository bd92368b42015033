"""The command itself: stage, scenes, and the records that the calls left."""

import sys
from contextlib import AbstractContextManager
from typing import Annotated

import typer
from rich.console import Console

from trunkline.cli.demo.audits import show_audit
from trunkline.cli.demo.flood import Flood
from trunkline.cli.demo.guarded import Guarded
from trunkline.cli.demo.inquiries import Inquiries
from trunkline.cli.demo.narration import Narrator, page
from trunkline.cli.demo.promises import DemoFailed, expect
from trunkline.cli.demo.records import show_records
from trunkline.cli.demo.scenes import Scenes
from trunkline.cli.demo.stage import Stage, StageFailed, real, simulated, stop

OPENING = """\
Three advisors of a wealth manager talk to a voice agent about a client's portfolio. Between it and the model \
providers stands the gateway: it knows who asks, goes on to the next provider when one says no, prices every call, \
and has each one on disk before it is answered."""

CLOSING = """\
Every call above is in the log, opened before its first byte left and closed before its last. For your own: \
`trunkline init`, your provider's key, `trunkline serve`. docs/quick-start.md takes five minutes."""


def command(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Play the scenes and end, instead of waiting for Ctrl-C.")
    ] = False,
    with_real: Annotated[
        bool, typer.Option("--real", help="Ask the real providers, with OPENAI_API_KEY and ANTHROPIC_API_KEY.")
    ] = False,
) -> None:
    """Walk through a gateway between two providers: calls, a failover at peak, and who spent what, doing what."""
    console = page()
    narrator = Narrator(console)
    narrator.open("Trunkline", OPENING)
    setting: AbstractContextManager[Stage] = real() if with_real else simulated()
    try:
        with setting as stage:
            call = play(stage, narrator)
            if not once:
                _wait(console, stage)
            status = stop(stage.gateway)
            expect(status == 0, "the gateway drains and ends with status 0")
            show_records(narrator, stage.directory / "data")
            show_audit(stage, narrator, call)
    except (StageFailed, DemoFailed) as error:
        print(f"trunkline demo: {error}", file=sys.stderr)  # noqa: T201 - the one line that a user reads
        raise typer.Exit(1) from None
    narrator.close(CLOSING)


def play(stage: Stage, narrator: Narrator) -> str:
    """Play every scene for which the gateway has to run; return the id of a call. Raises StageFailed and DemoFailed."""
    inquiries = Inquiries(stage, narrator)
    inquiries.directory()
    call = Scenes(stage, narrator).play()
    inquiries.costs()
    inquiries.story(call)
    inquiries.transcript()
    inquiries.query()
    if stage.simulator is not None:  # with the real ones it would cost what it shows
        Flood(stage, narrator).play()
        Guarded(stage, narrator).play()
    return call


def _wait(console: Console, stage: Stage) -> None:
    console.print(
        f"\nThe gateway is yours until Ctrl-C:\n\n  curl {stage.url}/chat/completions -H 'authorization: Bearer "
        f'{stage.key}\' \\\n    -H \'x-trunkline-user: you\' -d \'{{"model": "advisor-voice", "messages": '
        '[{"role": "user", "content": "Hello"}]}\'\n\nand its ledger is in another terminal:\n\n  cd '
        f"{stage.directory} && trunkline calls list\n",
        soft_wrap=True,
    )
    try:
        stage.gateway.wait()
    except KeyboardInterrupt:
        console.print("Draining.")
