"""`python -m trunkline.supervisor --config FILE`: what `trunkline serve` becomes."""

import argparse
import asyncio
import resource
import sys

from trunkline.operations import OperationalLog
from trunkline.supervisor.supervisor import Commands, Supervisor


async def _run(config: str, log: OperationalLog) -> int:
    return await Supervisor(config, log, Commands()).run()


def main() -> int:
    """Run a gateway to its end; returns the exit status."""
    parser = argparse.ArgumentParser(prog="trunkline serve", description="Run the gateway.")
    parser.add_argument("--config", required=True, help="the configuration file")
    options = parser.parse_args()
    _allow_many_files()
    log = OperationalLog(sys.stderr.fileno(), "text", "info", "supervisor")
    try:
        return asyncio.run(_run(options.config, log))
    except Exception as error:  # noqa: BLE001 - the edge: there is nobody above us
        log.fault(error)
        return 1
    finally:
        log.close()


def _allow_many_files() -> None:
    """Take as many file descriptors as the system allows: every call has one to its client and one to a provider.

    Inherited by control and the workers.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
