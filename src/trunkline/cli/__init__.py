"""The `trunkline` command: one small file per command group, none of which is imported before it is asked for.

Owns what the commands look like: options, output, exit codes. What they do is done elsewhere, mostly by control, which
is asked over its socket while a gateway runs and used in-process while none does.

Exit codes: 0 done, 1 not done (one line on standard error says why and what to do), 64 misuse of the command line.
"""

import sys


def main() -> int:
    """Run the command line; returns the exit code."""
    # Imported here: whoever imports the package for its parts should not pay for the command line.
    from trunkline.cli.command_line import run  # noqa: PLC0415

    return run(sys.argv[1:])
