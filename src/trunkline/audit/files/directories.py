"""Directories that only we may look into, and the lock that keeps a log to one writer."""

import fcntl
import os
from pathlib import Path

from trunkline.audit.files.disk import DIRECTORY_MODE, FILE_MODE

LOCK_FILE = "lock"


class Locked(OSError):
    """Another process holds the lock."""


def make_private_directory(path: Path) -> None:
    """Create a directory, and those above it that are missing, for nobody but us."""
    if path.is_dir():
        return
    make_private_directory(path.parent)
    path.mkdir(mode=DIRECTORY_MODE, exist_ok=True)


def lock_directory(path: Path) -> int:
    """Take a directory's lock and return the descriptor that holds it: the kernel gives it up when that is closed.

    Raises Locked if another process has it.
    """
    fd = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Locked(f"{path} is in use by another process") from None
    except OSError:
        os.close(fd)
        raise
    return fd
