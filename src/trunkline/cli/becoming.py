"""The way from `trunkline serve` to the supervisor, and a short cut to it.

A gateway is to be ready within moments of being asked for, and the library that reads command lines takes as long to
import as the supervisor and control together. The usual ways to write `serve` don't need it.
"""

import os
import sys
from collections.abc import Sequence

DEFAULT_CONFIG = "./trunkline.yaml"


def plainly_asked(words: Sequence[str]) -> str | None:
    """Return the configuration that these words serve, None where they need a closer look."""
    match list(words):
        case ["serve"]:
            return DEFAULT_CONFIG
        case ["serve", "-c" | "--config", file] if not file.startswith("-"):
            return file
    return None


def become_supervisor(config: str) -> None:
    """Run the supervisor in place of this process, so that nothing of the command line stays in memory."""
    sys.stdout.flush()
    # -P: the working directory's files are not to be imported.
    arguments = [sys.executable, "-P", "-m", "trunkline.supervisor", "--config", config]
    os.execv(sys.executable, arguments)  # noqa: S606 - our own interpreter and module
