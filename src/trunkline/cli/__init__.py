"""The `trunkline` command: one small file per command group, none of which is imported before it is asked for.

Owns what the commands look like: options, output, exit codes. What they do is done elsewhere, mostly by control, which
is asked over its socket while a gateway runs and used in-process while none does.

Exit codes: 0 done, 1 not done (one line on standard error says why and what to do), 64 misuse of the command line.
"""

import os.path
import sys

from trunkline.cli.becoming import become_supervisor, plainly_asked


def main() -> int:
    """Run the command line; returns the exit code."""
    words = sys.argv[1:]
    config = plainly_asked(words)
    if config is not None and os.path.exists(config):  # else the command line is to say so
        become_supervisor(config)
    # Only here: it is the slow part.
    from trunkline.cli.command_line import run  # noqa: PLC0415

    return run(words)
