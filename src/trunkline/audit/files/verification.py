"""Checking all logs of a data directory against each other, their trees and their signatures. It only reads.

What control's logs say comes first: which other logs there have to be, and how long these were when they were signed.
The proof of a log is looked at before the log is read, so that a log that is being written can be checked as well.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, final

from trunkline.audit.files.checkpoint_copies import copies_in, read_copy
from trunkline.audit.files.data_dir import CHECKPOINT, LOGS, PROOF, read_deployment
from trunkline.audit.files.disk import Disk
from trunkline.audit.files.findings import (
    MOST_FINDINGS,
    NANOSECONDS,
    SETTLED_SECONDS,
    Damaged,
    Finding,
    Report,
    damage,
    doubt,
)
from trunkline.audit.files.log_check import LogCheck
from trunkline.audit.files.log_of_logs import LogOfLogs
from trunkline.audit.files.segments import segments_of
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.files.tile_files import TileFiles
from trunkline.audit.files.tree_check import Promise, TreeCheck
from trunkline.audit.format.checkpoints import Checkpoint, open_checkpoint
from trunkline.audit.format.notes import BadNote, PublicKey

CONTROL = "control"


class Progress(NamedTuple):
    """How far a check is, in bytes of logs."""

    done: int
    of: int
    records: int


@final
class Verification:
    """Checks the logs of a data directory; `key` is the deployment's public key, `now_ns` the time of the check.

    `copies` are the places that have copies of checkpoints: each of these has to fit as well.
    """

    def __init__(
        self,
        data_dir: Path,
        key: PublicKey,
        now_ns: int,
        on_progress: Callable[[Progress], None],
        copies: Sequence[Path] = (),
    ) -> None:
        self._data_dir, self._key, self._now, self._on_progress = data_dir, key, now_ns, on_progress
        self._copies = copies
        self._deployment = read_deployment(data_dir)
        self._findings: list[Finding] = []
        self._log_of_logs = LogOfLogs(key, now_ns, self._say)
        self._records = self._bytes = self._of = 0
        self._tiles = self._kept = self._open = self._unsigned = 0

    def run(self) -> Report:
        """Check everything; raises OSError where something cannot be read, which tells nothing of the logs."""
        logs = self._found()
        self._of = sum(path.stat().st_size for log in logs for path in segments_of(self._log(log)))
        control = [log for log in logs if log.endswith(f"/{CONTROL}")]
        for log in control:
            self._log_of_logs.read(self._log(log), self._origin(log))
        for place in self._copies:
            self._read_copies(place)
        for log in [*control, *(log for log in logs if log not in control)]:
            self._check(log)
        self._miss(logs)
        counts = (len(logs), self._records, self._bytes, self._kept, self._tiles, self._open, self._unsigned)
        return Report(*counts, self._findings)

    def _read_copies(self, place: Path) -> None:
        """Take what was copied to a place for as good as what control's log says."""
        there = False
        for path in copies_in(place, self._deployment):
            try:
                found = open_checkpoint(read_copy(path), self._key)
            except BadNote as bad:
                self._say(doubt("", path, 0, None, f"the copy cannot be trusted: {bad}"))
                continue
            there = True
            self._log_of_logs.promises.setdefault(found.origin, []).append(Promise(found.size, found.root, path, 0))
        if not there:
            self._say(doubt("", place, 0, None, "there is no copy of this deployment's checkpoints"))

    # One log

    def _check(self, log: str) -> None:
        origin = self._origin(log)
        files = TileFiles(self._data_dir / PROOF / log, Disk())
        checkpoint = self._checkpoint(origin, files)
        promises = list(self._log_of_logs.promises.get(origin, ()))
        if checkpoint is not None:
            promises.append(Promise(checkpoint.size, checkpoint.root, files.directory / CHECKPOINT, 0))
        tree = TreeCheck(origin, files, promises, self._say)
        check = LogCheck(self._log(log), origin, tree, self._say, self._move, self._log_of_logs.expired.get(origin))
        check.covered = checkpoint.size if checkpoint is not None else 0
        try:
            check.run()
        except Damaged as damaged:
            tree.give_up()
            self._say(damaged.finding)
        else:
            tree.end(check.file, check.offset, check.covered)
            self._judge_tail(origin, check)
        self._judge_checkpoint(origin, files, checkpoint, check.records.began)
        self._tiles += tree.tiles
        self._kept += tree.kept
        self._open += len(check.records.open_calls)

    def _checkpoint(self, origin: str, files: TileFiles) -> Checkpoint | None:
        path = files.directory / CHECKPOINT
        try:
            note = files.checkpoint()
            found = open_checkpoint(note, self._key) if note is not None else None
        except BadNote as bad:
            self._say(damage(origin, path, 0, None, f"the checkpoint cannot be trusted: {bad}"))
            return None
        except CorruptLog as corrupt:
            self._say(damage(origin, corrupt.file, corrupt.offset, None, corrupt.reason))
            return None
        if found is not None and found.origin != origin:
            self._say(damage(origin, path, 0, None, f"the checkpoint is that of {found.origin}"))
            return None
        return found

    def _judge_tail(self, origin: str, check: LogCheck) -> None:
        """What no checkpoint covers could be cut off unseen; while a gateway runs that is what is seconds old."""
        if check.unfinished and self._settled(check.records.last):
            reason = "the seal behind the last record is missing or damaged: a start of the gateway finishes it"
            self._say(doubt(origin, check.file, check.offset, None, reason))
        uncovered = check.uncovered
        if uncovered is None:
            return
        self._unsigned += check.records.index - uncovered.record
        if self._settled(uncovered.at):
            reason = "this record and what follows is under no checkpoint: control has not signed it"
            self._say(doubt(origin, uncovered.file, uncovered.offset, uncovered.record, reason))

    def _judge_checkpoint(self, origin: str, files: TileFiles, found: Checkpoint | None, began: int | None) -> None:
        """Hold the checkpoint that is in its place against the last that control's log has of this log."""
        said, path = self._log_of_logs.said.get(origin), files.directory / CHECKPOINT
        if said is not None and said.settled and (found is None or found.size < said.size):
            what = "an older checkpoint stands here" if path.exists() else "the checkpoint is missing"
            reason = f"{what}: control's log has one of {said.size:,} records"
            self._say(damage(origin, path, 0, None, reason))
        if found is None or origin.endswith(f"/{CONTROL}") or (said is not None and said.size >= found.size):
            return
        if self._settled(began) and (self._log_of_logs.last is None or self._settled(self._log_of_logs.last)):
            reason = f"control's log does not have the checkpoint of {found.size:,} records"
            self._say(damage(origin, path, 0, None, reason))

    # All logs

    def _miss(self, logs: list[str]) -> None:
        """Say which logs are missing: of those that control's logs name, and of those that were signed."""
        if not logs:
            self._say(doubt("", self._data_dir / LOGS, 0, None, "there are no logs"))
        signed = {path.parent.relative_to(self._data_dir / PROOF).as_posix() for path in self._checkpoints()}
        named = {origin.removeprefix(f"{self._deployment}/") for origin in self._log_of_logs.promises}
        for log in sorted((signed | named) - set(logs)):
            said = self._log_of_logs.said.get(self._origin(log))
            reason = "the log is missing" + (f": it had {said.size:,} records when it was signed" if said else "")
            self._say(damage(self._origin(log), self._log(log), 0, 0, reason))

    def _found(self) -> list[str]:
        """Return the logs that are there, as `<node>/<process>`."""
        paths = sorted((self._data_dir / LOGS).glob("*/*"))
        return [f"{path.parent.name}/{path.name}" for path in paths if segments_of(path)]

    def _checkpoints(self) -> list[Path]:
        return sorted((self._data_dir / PROOF).glob(f"*/*/{CHECKPOINT}"))

    def _log(self, log: str) -> Path:
        return self._data_dir / LOGS / log

    def _origin(self, log: str) -> str:
        return f"{self._deployment}/{log}"

    def _settled(self, at: int | None) -> bool:
        return at is not None and self._now - at > SETTLED_SECONDS * NANOSECONDS

    def _say(self, finding: Finding) -> None:
        if len(self._findings) < MOST_FINDINGS:
            self._findings.append(finding)

    def _move(self, size: int, records: int) -> None:
        self._bytes += size
        self._records += records
        self._on_progress(Progress(self._bytes, max(self._of, self._bytes), self._records))
