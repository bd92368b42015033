"""The proofs of all logs of a data directory: each log's tree, and the log of logs that control's own log is."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import final

from trunkline.audit.files.data_dir import LOGS, PROOF, read_deployment
from trunkline.audit.files.disk import Disk
from trunkline.audit.files.log_tree import LogTree
from trunkline.audit.files.segments import segments_of
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.files.tile_files import TileFiles
from trunkline.audit.format.log_of_logs import SignedLog
from trunkline.audit.format.notes import SigningKey


@final
class LogProofs:
    """Follows every log into its tree and signs. For one thread.

    `own` is the directory of the log that records what is signed of the others; it is signed last. `on_stopped` is
    told, once, of a log that cannot be followed on; the others are signed all the same.
    """

    def __init__(
        self, data_dir: Path, own: Path, key: SigningKey, on_stopped: Callable[[CorruptLog], None], disk: Disk
    ) -> None:
        self._data_dir, self._own, self._key, self._on_stopped, self._disk = data_dir, own, key, on_stopped, disk
        self._deployment = read_deployment(data_dir)
        self._trees: dict[Path, LogTree] = {}
        self._stopped: set[Path] = set()
        self._waiting: list[tuple[LogTree, SignedLog]] = []

    def step(self, most: int) -> int:
        """Take at most so many records of each of the other logs; return how many. Raises OSError."""
        self._discover()
        return sum(self._step(path, tree, most) for path, tree in self._others())

    @property
    def urgent(self) -> bool:
        """Whether a log has come that no checkpoint knows yet, or a segment has ended."""
        return any(tree.at_seal or tree.signed is None for _, tree in self._others())

    def sign(self) -> list[SignedLog]:
        """Sign each of the other logs that has grown: to be recorded, and then published. Raises OSError.

        With them goes the checkpoint that our own log has by now, so that no earlier one can take its place unseen.
        """
        self._waiting = []
        for path, tree in self._others():
            if tree.size != tree.signed:
                try:
                    self._waiting.append((tree, tree.sign(self._key)))
                except CorruptLog as error:
                    self._stop(path, error)
        own = self._trees.get(self._own)
        latest = [SignedLog(own.checkpoint)] if own is not None and own.checkpoint is not None else []
        return [signed for _, signed in self._waiting] + (latest if self._waiting else [])

    def publish(self) -> None:
        """Make what was signed, and has been recorded since, the checkpoints of their logs. Raises OSError."""
        for tree, signed in self._waiting:
            tree.publish(signed)
        self._waiting = []

    def sign_own(self, most: int) -> int:
        """Take at most so many records of our own log, and sign it; return how many. Raises OSError."""
        self._discover()
        tree = self._trees.get(self._own)
        if tree is None or self._own in self._stopped:
            return 0
        read = self._step(self._own, tree, most)
        if tree.size != tree.signed and self._own not in self._stopped:
            try:
                tree.publish(tree.sign(self._key))
            except CorruptLog as error:
                self._stop(self._own, error)
        return read

    def close(self) -> None:
        """Let go of the files."""
        for tree in self._trees.values():
            tree.close()
        self._trees = {}

    def _others(self) -> Iterator[tuple[Path, LogTree]]:
        for path, tree in self._trees.items():
            if path != self._own and path not in self._stopped:
                yield path, tree

    def _step(self, path: Path, tree: LogTree, most: int) -> int:
        try:
            return tree.step(most)
        except CorruptLog as error:
            self._stop(path, error)
            return 0

    def _stop(self, path: Path, error: CorruptLog) -> None:
        self._stopped.add(path)
        self._on_stopped(error)

    def _discover(self) -> None:
        for path in sorted((self._data_dir / LOGS).glob("*/*")):
            if path in self._trees or path in self._stopped or not segments_of(path):
                continue
            node, process = path.parent.name, path.name
            files = TileFiles(self._data_dir / PROOF / node / process, self._disk)
            try:
                self._trees[path] = LogTree.open(path, f"{self._deployment}/{node}/{process}", files, self._key.public)
            except CorruptLog as error:
                self._stop(path, error)
