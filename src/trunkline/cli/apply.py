"""`trunkline apply`: the file's changes in force, whole or not at all."""

import sys

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile


def command(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Check the configuration whole, put it in force on every worker, and print what changes."""
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.operations import neutral  # noqa: PLC0415

    applied, running = carry_out(config, lambda office: (office.apply(), office.running))
    for line in applied.lines or ("no change but what secrets may stand for",):
        sys.stdout.write(neutral(line) + "\n")
    where = "in force" if running else "no gateway runs: in force at the next `trunkline serve`"
    sys.stdout.write(f"snapshot {applied.digest}, {where}\n")
