"""The commands that the demo shows: run as a person at the gateway's machine would, in its directory."""

import os
import subprocess
import sys

from trunkline.cli.demo.stage import Stage, StageFailed

COMMAND_SECONDS = 30.0


def written(words: tuple[str, ...]) -> str:
    """Return the command line as one types it; a line feed in a word stays, within its quotes."""
    return " ".join(("trunkline", *(f'"{word}"' if " " in word else word for word in words)))


def output_of(stage: Stage, words: tuple[str, ...], ends_with: int = 0) -> str:
    """Run `trunkline` with these words in the gateway's directory and return what it prints. Raises StageFailed.

    What the calls left is in the answer: a command has the index read what the logs have got since.
    """
    try:
        ended = subprocess.run(  # noqa: S603 - our own command line
            [sys.executable, "-P", "-m", "trunkline", *words],
            cwd=stage.directory,
            env=os.environ | {"DEMO_KEY": stage.key},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StageFailed(f"`{written(words)}` did not end within {COMMAND_SECONDS:.0f} s.") from None
    if ended.returncode != ends_with:
        raise StageFailed(f"`{written(words)}` ended with {ended.returncode}:\n{ended.stderr}")
    return ended.stdout
