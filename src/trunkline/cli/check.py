"""`trunkline check`: every mistake at once, each with its line and what to do."""

import sys

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile


def command(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Read the configuration as `serve` would, and say everything that is wrong with it."""
    from trunkline.cli.failure import failed_by  # noqa: PLC0415
    from trunkline.config.problems import ConfigInvalid  # noqa: PLC0415
    from trunkline.control.configuration import Configuration  # noqa: PLC0415

    try:
        compiled = Configuration(config).compile()
    except ConfigInvalid as invalid:
        raise failed_by(invalid) from None
    snapshot = compiled.snapshot
    sys.stdout.write(
        f"{config} is good: {len(snapshot.providers)} providers, {len(snapshot.routes)} routes,"
        f" {len(snapshot.tenants)} tenants, {len(snapshot.keys)} keys; snapshot {compiled.digest}\n"
    )
    sys.stdout.writelines(f"note: {note}\n" for note in compiled.notes)
