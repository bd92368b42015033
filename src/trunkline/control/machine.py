"""This machine as a configuration sees it: its environment, its files, its name, its clock."""

import os
import socket
import time
from pathlib import Path

from trunkline.config.document import Mapping, Scalar, compose
from trunkline.config.places import Place, Problems
from trunkline.config.problems import ConfigInvalid, Problem
from trunkline.config.references import resolve
from trunkline.config.sources import Sources

DEFAULT_DATA_DIR = "./trunkline-data"
# A file of a configuration: keys, certificates, the file itself.
MAX_FILE = 4_000_000


def sources() -> Sources:
    """Return this machine as a configuration sees it."""
    return Sources(os.environ, read_file, socket.gethostname(), time.time())


def read_file(path: str) -> str:
    """Return the text of a file; raises OSError, or ValueError for what is no text or too large."""
    with Path(path).open("rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise ValueError("the file is too large")
    return data.decode()


def read_configuration(path: str) -> str:
    """Return the text of a configuration file. Raises ConfigInvalid."""
    try:
        return read_file(path)
    except FileNotFoundError:
        raise ConfigInvalid([problem_of(path, "", "there is no such file", "name one with --config")]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise ConfigInvalid([problem_of(path, "", f"cannot be read: {reason}", "see to it")]) from None


def data_dir_of(path: str) -> Path:
    """Return the data directory that a configuration names, whatever else is wrong with it. Raises ConfigInvalid."""
    node, problems = compose(read_configuration(path), path)
    value = node.get("data_dir") if isinstance(node, Mapping) else None
    if value is None:
        if node is None and problems:
            raise ConfigInvalid(problems)
        return Path(DEFAULT_DATA_DIR)
    found = Problems(path)
    named = resolve(Place("data_dir", value), sources(), found)
    if found.found or not isinstance(named, Scalar) or not named.text:
        raise ConfigInvalid(found.found or [problem_of(path, "data_dir", "is no path", "write one")])
    return Path(named.text)


def problem_of(file: str, path: str, message: str, fix: str) -> Problem:
    """Return a problem with a whole file."""
    return Problem(file, 1, 1, path, message, fix)
