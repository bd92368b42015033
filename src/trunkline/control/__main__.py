"""`python -m trunkline.control`: started by the supervisor, which has the other end of the channel."""

import argparse
import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

from trunkline.audit.files.vault.key_encryption import VaultUnusable
from trunkline.audit.files.writer import CorruptLog, LogFailed
from trunkline.channel.link import Link, LinkBroken
from trunkline.channel.messages import ToControl
from trunkline.config.problems import ConfigInvalid, render
from trunkline.control.configuration import Configuration
from trunkline.control.journal import Unrecorded
from trunkline.control.process import ControlProcess, Resumption, SupervisorGone
from trunkline.control.registry import NotPublished
from trunkline.operations import LEVELS, OperationalLog, neutral

# The files that libraries make, the index's, are for nobody else either.
OURS_ALONE = 0o077


async def _run(options: argparse.Namespace, log: OperationalLog) -> None:
    link: Link[ToControl] = await Link.open(socket.socket(fileno=options.channel), ToControl)

    def fault(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        log.fault(context.get("exception") or RuntimeError())

    asyncio.get_running_loop().set_exception_handler(fault)
    process = ControlProcess(Configuration(options.config), link, log)
    try:
        if options.resume is None:
            await process.start()
        else:
            await process.resume(Resumption(Path(options.data_dir), Path(options.resume), options.console))
    finally:
        await link.close()


def main() -> int:
    """Run control to its end; the status is EX_CONFIG for a bad file, 1 where it could not begin for another reason."""
    options = _options()
    os.umask(OURS_ALONE)
    log = OperationalLog(sys.stderr.fileno(), options.log_format, options.log_level, "control")
    try:
        asyncio.run(_run(options, log))
        return 0
    except ConfigInvalid as invalid:
        sys.stderr.write("".join(f"{neutral(line)}\n" for line in render(invalid.problems).splitlines()))
        return os.EX_CONFIG
    except SupervisorGone:
        return 0
    except (NotPublished, Unrecorded, LogFailed, CorruptLog, VaultUnusable, LinkBroken, OSError) as error:
        log.event("error", "control_failed", reason=str(error))
    except Exception as error:  # noqa: BLE001 - the edge: the supervisor starts another one
        log.fault(error)
    finally:
        log.close()
    return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--data-dir")
    parser.add_argument("--resume")
    parser.add_argument("--console")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    parser.add_argument("--log-level", choices=tuple(LEVELS), default="info")
    return parser.parse_args()


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # the log is sealed; taking the web framework apart would take longer than all the rest of the end
