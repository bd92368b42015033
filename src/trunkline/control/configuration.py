"""The configuration file, compiled with the environment of this process."""

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from trunkline.config.compile import load
from trunkline.config.compiled import Compiled
from trunkline.config.directory import Roll, read_directory
from trunkline.config.problems import ConfigInvalid, Problem
from trunkline.control.answers import Refused
from trunkline.control.machine import problem_of, read_configuration, sources
from trunkline.control.state import State
from trunkline.model.snapshot import Snapshot


class Configuration:
    """One configuration file, which may change while the gateway runs."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._rolls: dict[str, tuple[bytes, Roll]] = {}

    def compile(self, state: State | None = None) -> Compiled:
        """Return what the file says now, with the keys and users of control's log. Raises ConfigInvalid."""
        state = state or State()
        machine = dataclasses.replace(sources(), read_directory=self._read_directory)
        text = read_configuration(self.path)
        return load(text, self.path, machine, keys=state.valid_keys(), directories=state.imported)

    def must_be(self, named: str | None) -> None:
        """Raise Refused where another file is named: what was made of it the next reload would undo."""
        if named is None:
            return
        try:
            same = Path(named).resolve() == Path(self.path).resolve()
        except (ValueError, OSError, RuntimeError):  # no path at all, one that is too long, links in a circle
            same = False
        if not same:
            running = Path(self.path).absolute()
            raise Refused(f"this gateway runs on {running}; apply that file, or start it with the other one")

    def _read_directory(self, text: str, file: str) -> Roll:
        """Read a directory unless it is as it was: of a hundred thousand users that takes half a second."""
        digest = hashlib.sha256(text.encode()).digest()
        known = self._rolls.get(file)
        if known is None or known[0] != digest:
            known = self._rolls[file] = (digest, read_directory(text, file))
        return known[1]


def check_restart(running: Snapshot, data_dir: Path, console: str | None, new: Compiled, file: str) -> None:
    """Refuse what a reload can't change, because processes were started with it. Raises ConfigInvalid."""
    listener = new.console.listen if new.console else None
    pairs = (
        ("listen", running.listen, new.snapshot.listen),
        ("node", running.node, new.snapshot.node),
        ("workers", running.workers, new.snapshot.workers),
        ("limits.backend", running.limits.backend, new.snapshot.limits.backend),
        ("limits.redis_url", running.limits.redis_url, new.snapshot.limits.redis_url),
        ("limits.on_authority_loss", running.limits.on_authority_loss, new.snapshot.limits.on_authority_loss),
        ("audit.key_file", running.audit.key_file or "none", new.snapshot.audit.key_file or "none"),
        ("audit.vault", running.audit.vault or "on", new.snapshot.audit.vault or "on"),
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
            yield problem_of(file, name, message, "restart the gateway, or put it back")
