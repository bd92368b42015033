"""This machine as a configuration sees it: its environment, its files, its name, its clock."""

import os
import socket
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from trunkline.config.document import MAX_BYTES, Mapping, Node, Scalar, compose
from trunkline.config.document import Sequence as NodeList
from trunkline.config.places import Place, Problems
from trunkline.config.problems import ConfigInvalid, Problem
from trunkline.config.readers import is_null
from trunkline.config.references import resolve
from trunkline.config.sources import Sources, Unreadable

DEFAULT_DATA_DIR = "./trunkline-data"
# A file that a configuration names: keys, certificates, and directories, of which a user takes some 60 bytes.
MAX_FILE = 32_000_000


def sources() -> Sources:
    """Return this machine as a configuration sees it."""
    return Sources(os.environ, read_file, socket.gethostname(), time.time(), cores=len(os.sched_getaffinity(0)))


def read_file(path: str, limit: int = MAX_FILE) -> str:
    """Return the text of a file of at most `limit` bytes. Raises OSError, Unreadable, or ValueError for no path."""
    # A pipe would have us wait for who writes it, here and again at each reload.
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Unreadable("is not a regular file")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Unreadable(f"is larger than {limit:,} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Unreadable("is not text in UTF-8") from None


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def read_configuration(path: str) -> str:
    """Return the text of a configuration file. Raises ConfigInvalid."""
    try:
        return read_file(path, MAX_BYTES)
    except FileNotFoundError:
        raise ConfigInvalid([problem_of(path, "", "there is no such file", "name one with --config")]) from None
    except Unreadable as unreadable:
        raise ConfigInvalid([problem_of(path, "", f"the file {unreadable}", "name another with --config")]) from None
    except OSError as error:
        raise ConfigInvalid([problem_of(path, "", f"cannot be read: {error.strerror}", "see to it")]) from None
    except ValueError:
        raise ConfigInvalid([problem_of(path, "", "is no path", "name a file with --config")]) from None


def data_dir_of(path: str) -> Path:
    """Return the data directory that a configuration names, whatever else is wrong with it. Raises ConfigInvalid."""
    return _path_at(path, ("data_dir",)) or Path(DEFAULT_DATA_DIR)


def key_file_of(path: str) -> Path | None:
    """Return `audit.key_file`, None where there is none, whatever else is wrong. Raises ConfigInvalid."""
    return _path_at(path, ("audit", "key_file"))


def copies_of(path: str) -> list[Path]:
    """Return the directories of `audit.copies`, whatever else is wrong. Raises ConfigInvalid."""
    node, _ = compose(read_configuration(path), path)
    audit = node.get("audit") if isinstance(node, Mapping) else None
    copies = audit.get("copies") if isinstance(audit, Mapping) else None
    count = len(copies.items) if isinstance(copies, NodeList) else 0
    found = [_path_at(path, ("audit", "copies", str(place), "directory")) for place in range(count)]
    return [directory for directory in found if directory is not None]


def _path_at(path: str, keys: Sequence[str]) -> Path | None:
    """Return the path that a configuration has under these keys, None where it has none."""
    node, problems = compose(read_configuration(path), path)
    value: Node | None = node
    for key in keys:
        if isinstance(value, NodeList):
            value = value.items[int(key)]
        else:
            value = value.get(key) if isinstance(value, Mapping) else None
    if value is None:
        if node is None and problems:
            raise ConfigInvalid(problems)
        return None
    name, found = ".".join(keys), Problems(path)
    named = resolve(Place(name, value), sources(), found)
    if is_null(Place(name, named)):
        return None
    if found.found or not isinstance(named, Scalar) or not named.text:
        raise ConfigInvalid(found.found or [problem_of(path, name, "is no path", "write one")])
    return Path(named.text)


def problem_of(file: str, path: str, message: str, fix: str) -> Problem:
    """Return a problem with a whole file."""
    return Problem(file, 1, 1, path, message, fix)
