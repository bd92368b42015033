"""`trunkline replay`: what a client was given, again."""

import sys
from tempfile import SpooledTemporaryFile
from typing import Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile, identified

IN_MEMORY = 16 << 20


def command(
    call: Annotated[str, identified("The call's id, or the `id` of its answer (chatcmpl-...).")],
    config: ConfigFile = DEFAULT_CONFIG,
    fast: Annotated[bool, typer.Option("--fast", help="All at once, without the original timing.")] = False,  # noqa: FBT002
    pipeline: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--pipeline", help="Say instead what the guardrails of the configuration file now decide of it."),
    ] = False,
) -> None:
    """Give the bytes of a call's answer again on standard output, as and when they were released, and nothing else.

    They come from its record: no provider is asked. That you have seen them is recorded.
    """
    if pipeline:
        _try_again(call, config)
        return
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.cli.playback import Recording, Written, play  # noqa: PLC0415

    # In memory up to a size; above, in a file that has no name.
    with SpooledTemporaryFile(IN_MEMORY) as file:
        recording = Recording(file)
        carry_out(config, lambda office: recording.take(office.ledger.replay(call)))
        if recording.note is not None:
            sys.stderr.write(f"trunkline: {recording.note}\n")
        sys.stderr.flush()
        play(recording.chunks(), Written(sys.stdout), fast=fast)


def _try_again(call: str, config: str) -> None:
    """Say what is decided of a call now. Raises Failed where that is not what was decided then."""
    from trunkline.cli.failure import Failed  # noqa: PLC0415
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.cli.pipeline import compared  # noqa: PLC0415
    from trunkline.cli.pipeline_tables import told  # noqa: PLC0415

    found = compared(carry_out(config, lambda office: office.ledger.call(call, bodies=True)), config)
    sys.stdout.write(told(found))
    sys.stdout.flush()
    if found.differs:
        raise Failed("the guardrails decide otherwise now")
