"""The directory that holds all that Trunkline keeps on a machine: its format, its name, its lock, its logs."""

import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, NoReturn, Self

import msgspec

from trunkline.audit.files.directories import Locked, lock_directory, make_private_directory
from trunkline.audit.files.disk import DIRECTORY_MODE, FILE_MODE, sync_directory
from trunkline.audit.files.mounts import network_filesystem

FORMAT_FILE = "FORMAT"
FORMAT = 1
LOGS = "log"
# What control keeps of each log, in a directory of the same name as in LOGS; the file says how far the log is signed.
PROOF, CHECKPOINT = "proof", "checkpoint"
DEPLOYMENT_BYTES = 5
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class DataDirError(Exception):
    """The data directory cannot be used; the message says why and what to do."""


class _Format(msgspec.Struct, frozen=True):
    """What the FORMAT file says."""

    format: int
    deployment: str


class Lock:
    """The lock of a data directory, held until `release` or the end of the process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        """Let another process have it."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class DataDir(NamedTuple):
    """An open data directory. `deployment` is the random name that it was given when it was made."""

    path: Path
    deployment: str

    def lock(self) -> Lock:
        """Take the directory for this process; raises DataDirError if another one has it."""
        try:
            return Lock(lock_directory(self.path))
        except Locked as error:
            raise DataDirError(f"{error}: stop the gateway that uses it, or choose another data_dir") from None

    def origin(self, node: str, process: str) -> str:
        """Return the origin of a process's log, such as `d3f9a2c1e0/gw-1/worker-0`; raises DataDirError."""
        return f"{self.deployment}/{_name(node)}/{_name(process)}"

    def log_directory(self, node: str, process: str) -> Path:
        """Return where a process's log is; raises DataDirError if a name cannot be part of a path."""
        return self.path / LOGS / _name(node) / _name(process)


def open_data_dir(path: Path) -> DataDir:
    """Return the data directory, made for nobody but us if there is none.

    Raises DataDirError if others may look into it, if it is on a network file system, of another version, or cannot
    be read or written.
    """
    try:
        make_private_directory(path)
        _check_place(path)
        return DataDir(path, _read(path) or _write(path))
    except OSError as error:
        _unusable(path, error)


def read_deployment(path: Path) -> str:
    """Return the name of the deployment that a data directory belongs to; raises DataDirError."""
    try:
        deployment = _read(path)
    except OSError as error:
        _unusable(path, error)
    if deployment is None:
        raise DataDirError(f"{path} is not a data directory: it has no {FORMAT_FILE} file")
    return deployment


def _unusable(path: Path, error: OSError) -> NoReturn:
    raise DataDirError(f"the data directory {path} cannot be used: {error.strerror or error}") from None


def _check_place(path: Path) -> None:
    kind = network_filesystem(path)
    if kind is not None:
        raise DataDirError(f"{path} is on a network file system ({kind}): put data_dir on a local disk")
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise DataDirError(f"{path} belongs to another user: run as its owner or choose another data_dir")
    if stat.S_IMODE(found.st_mode) & ~DIRECTORY_MODE:
        raise DataDirError(f"others may look into {path}: run `chmod 700 {path}`")


def _read(path: Path) -> str | None:
    try:
        text = (path / FORMAT_FILE).read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = msgspec.json.decode(text, type=_Format)
    except msgspec.MsgspecError:
        raise DataDirError(f"{path / FORMAT_FILE} cannot be read: {path} is not a data directory, or damaged") from None
    if found.format != FORMAT:
        raise DataDirError(f"{path} has format {found.format}, this build reads format {FORMAT}")
    return found.deployment


def _write(path: Path) -> str:
    """Give a new directory its name; of two processes that do so at once, the first one's holds."""
    text = msgspec.json.encode(_Format(FORMAT, secrets.token_hex(DEPLOYMENT_BYTES)))
    draft = path / f"{FORMAT_FILE}.{os.getpid()}"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        os.write(fd, text)
        os.fsync(fd)
    finally:
        os.close(fd)
    with suppress(FileExistsError):
        os.link(draft, path / FORMAT_FILE)
    draft.unlink()
    sync_directory(path)
    return read_deployment(path)


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise DataDirError(f"{name!r} cannot name a log: letters, digits, dots, dashes and underscores only")
    return name
