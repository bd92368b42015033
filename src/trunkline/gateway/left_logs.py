"""Logs of workers that there are no longer: there were more of them once, or the machine had another name.

What was open in one when its worker died is ended all the same, in that log, as the worker's own successor would have.
"""

from pathlib import Path

from trunkline.audit.files.data_dir import LOGS, DataDir, DataDirError
from trunkline.audit.files.recovery import is_at_rest
from trunkline.audit.files.vault.log_vault import log_vault
from trunkline.audit.files.writer import CorruptLog, LogFailed, LogSettings, LogWriter
from trunkline.audit.format.sealing import NO_KEYS, Unopened
from trunkline.errors import CallError
from trunkline.gateway.ids import IdSource
from trunkline.gateway.journal import Journal
from trunkline.gateway.recovery import abandoned_record
from trunkline.model.vault import Vault
from trunkline.operations import OperationalLog


def log_of(index: int) -> str:
    """Return the name of a worker's log."""
    return f"worker-{index}"


def index_of(log: str) -> str:
    """Return the number of the worker whose log has this name."""
    return log.removeprefix("worker-")


def left_logs(data_dir: Path, node: str, workers: int) -> list[Path]:
    """Return the directory of each worker's log in a data directory that none of `node`'s workers goes on with."""
    ours = {data_dir / LOGS / node / log_of(index) for index in range(workers)}
    return [path for path in sorted((data_dir / LOGS).glob("*/worker-*")) if path not in ours]


async def end_left_calls(data_dir: DataDir, node: str, workers: int, vault: Vault, operations: OperationalLog) -> None:
    """End what is open in left logs, as abandoned. One that cannot be written is named, and stays as it is."""
    for directory in left_logs(data_dir.path, node, workers):
        owner, process = directory.parent.name, directory.name
        try:
            ended = await _end_calls(data_dir, owner, process, vault, operations)
        except (CallError, CorruptLog, DataDirError, LogFailed, OSError, Unopened) as error:
            operations.event("error", "log_left", log=f"{owner}/{process}", reason=str(error))
        else:
            if ended:
                operations.event("warning", "recovered", calls=ended, log=f"{owner}/{process}")


async def _end_calls(data_dir: DataDir, owner: str, process: str, vault: Vault, operations: OperationalLog) -> int:
    directory = data_dir.log_directory(owner, process)
    keys = log_vault(data_dir.path, owner, process, vault)
    if is_at_rest(directory, keys.opening if keys is not None else NO_KEYS):
        return 0

    def hear(name: str, /, **facts: object) -> None:
        operations.event("error" if name == "log_failed" else "warning", name, **facts)

    origin = data_dir.origin(owner, process)
    log, recovery = LogWriter.open(directory, origin, LogSettings(), on_event=hear, vault=keys)
    try:
        journal = Journal(log, IdSource())
        for call in recovery.open_calls:
            journal.abandoned(abandoned_record(call), call.bodies)
    finally:
        await log.close()
    return len(recovery.open_calls)
