"""The configuration file, compiled with the environment of this process."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from trunkline.config.compile import load
from trunkline.config.compiled import Compiled
from trunkline.config.problems import ConfigInvalid, Problem
from trunkline.control.machine import problem_of, read_configuration, sources
from trunkline.model.snapshot import Key, Snapshot


class Configuration:
    """One configuration file, which may change while the gateway runs."""

    def __init__(self, path: str) -> None:
        self.path = path

    def compile(self, keys: Sequence[Key] = ()) -> Compiled:
        """Return what the file says now, with these keys of control's log. Raises ConfigInvalid."""
        return load(read_configuration(self.path), self.path, sources(), keys=keys)


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
            yield problem_of(file, name, message, "restart the gateway, or put it back")
