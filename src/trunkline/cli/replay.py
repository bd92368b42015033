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
) -> None:
    """Give the bytes of a call's answer again on standard output, as and when they were released, and nothing else.

    They come from its record: no provider is asked. That you have seen them is recorded.
    """
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
