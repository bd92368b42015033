"""`trunkline serve`: becomes the supervisor, so that nothing of the command line stays in memory."""

import os
import sys

from trunkline.cli.options import DEFAULT_CONFIG, ConfigFile


def command(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Run the gateway until SIGTERM or Ctrl-C; SIGHUP reads the configuration again."""
    sys.stdout.flush()
    # -P: the working directory's files are not to be imported.
    arguments = [sys.executable, "-P", "-m", "trunkline.supervisor", "--config", config]
    os.execv(sys.executable, arguments)  # noqa: S606 - our own interpreter and module
