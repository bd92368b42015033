"""The configuration file, read with the environment of this process."""

import os
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from trunkline.config.compile import load
from trunkline.config.compiled import Compiled
from trunkline.config.document import Mapping, Scalar, compose
from trunkline.config.places import Place, Problems
from trunkline.config.problems import ConfigInvalid, Problem
from trunkline.config.references import resolve
from trunkline.config.sources import Sources
from trunkline.model.snapshot import Key, Snapshot

DEFAULT_DATA_DIR = "./trunkline-data"
# A file of a configuration: keys, certificates, the file itself.
MAX_FILE = 4_000_000


class Configuration:
    """One configuration file, which may change while the gateway runs."""

    def __init__(self, path: str) -> None:
        self.path = path

    def compile(self, keys: Sequence[Key] = ()) -> Compiled:
        """Return what the file says now, with these keys of control's log. Raises ConfigInvalid."""
        return load(self._text(), self.path, sources(), keys=keys)

    def data_dir(self) -> Path:
        """Return the data directory that the file names, whatever else is wrong with it. Raises ConfigInvalid."""
        node, problems = compose(self._text(), self.path)
        value = node.get("data_dir") if isinstance(node, Mapping) else None
        if value is None:
            if node is None and problems:
                raise ConfigInvalid(problems)
            return Path(DEFAULT_DATA_DIR)
        found = Problems(self.path)
        named = resolve(Place("data_dir", value), sources(), found)
        if found.found or not isinstance(named, Scalar) or not named.text:
            raise ConfigInvalid(found.found or [_problem(self.path, "data_dir", "is no path", "write one")])
        return Path(named.text)

    def _text(self) -> str:
        try:
            return read_file(self.path)
        except FileNotFoundError:
            raise ConfigInvalid([_problem(self.path, "", "there is no such file", "name one with --config")]) from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            raise ConfigInvalid([_problem(self.path, "", f"cannot be read: {reason}", "see to it")]) from None


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


def check_restart(running: Snapshot, data_dir: Path, console: str | None, new: Compiled, file: str) -> None:
    """Refuse what a reload can't change, because processes were started with it. Raises ConfigInvalid."""
    listener = new.console.listen if new.console else None
    pairs = (
        ("listen", running.listen, new.snapshot.listen),
        ("node", running.node, new.snapshot.node),
        ("workers", running.workers, new.snapshot.workers),
        ("tls", "on" if running.tls else "off", "on" if new.snapshot.tls else "off"),
        ("data_dir", str(data_dir.resolve()), str(new.data_dir.resolve())),
        ("console.listen", console or "none", listener or "none"),
    )
    problems = list(_changed(pairs, file))
    if problems:
        raise ConfigInvalid(problems)


def _changed(pairs: Sequence[tuple[str, object, object]], file: str) -> Iterator[Problem]:
    for name, before, after in pairs:
        if before != after:
            message = f"a reload can't change it from {before} to {after}"
            yield _problem(file, name, message, "restart the gateway, or put it back")


def _problem(file: str, path: str, message: str, fix: str) -> Problem:
    return Problem(file, 1, 1, path, message, fix)
