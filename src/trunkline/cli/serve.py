"""`trunkline serve`."""

from trunkline.cli.becoming import DEFAULT_CONFIG, become_supervisor
from trunkline.cli.options import ConfigFile


def command(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Run the gateway until SIGTERM or Ctrl-C; SIGHUP reads the configuration again."""
    become_supervisor(config)
