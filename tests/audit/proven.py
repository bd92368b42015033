"""Small data directories with several logs, followed and signed as control does it, without the rest of a gateway."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from audit.logs import SETTINGS, Events, closed, opened
from trunkline.audit.files.data_dir import PROOF, DataDir, open_data_dir
from trunkline.audit.files.disk import Disk
from trunkline.audit.files.key_file import KEY_FILE, make_key, publish_key
from trunkline.audit.files.log_proofs import LogProofs
from trunkline.audit.files.settings import CorruptLog, LogSettings
from trunkline.audit.files.writer import LogWriter
from trunkline.audit.format.log_of_logs import CHECKPOINTS, encode_checkpoints

NODE, OWN = "gw-1", "control"
SECOND = 1_000_000_000
BEGAN = 1_790_000_000 * SECOND


class Clock:
    """Unix nanoseconds that go on as the test says, a little with each look."""

    def __init__(self, now: int = BEGAN) -> None:
        self.now = now

    def __call__(self) -> int:
        self.now += 1_000
        return self.now

    def later(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


class Place:
    """A data directory with control's log and those of workers; `stopped` are logs that could not be followed."""

    def __init__(self, path: Path, disk: Disk | None = None, settings: LogSettings = SETTINGS) -> None:
        self.data_dir: DataDir = open_data_dir(path)
        self.path, self.settings, self.disk = path, settings, disk or Disk()
        self.clock = Clock()
        self.key = make_key(path / KEY_FILE, self.data_dir.deployment)
        publish_key(path, self.key.public)
        self.logs: dict[str, LogWriter] = {}
        self.stopped: list[CorruptLog] = []
        self.proofs = self.follow()

    def follow(self, disk: Disk | None = None) -> LogProofs:
        """Begin to follow anew, as a control process that is started again."""
        own = self.data_dir.log_directory(NODE, OWN)
        self.proofs = LogProofs(self.path, own, self.key, self.stopped.append, disk or self.disk)
        return self.proofs

    def open(self, process: str, disk: Disk | None = None) -> LogWriter:
        directory, origin = self.data_dir.log_directory(NODE, process), self.data_dir.origin(NODE, process)
        log, _ = LogWriter.open(directory, origin, self.settings, clock=self.clock, on_event=Events(), disk=disk)
        self.logs[process] = log
        return log

    def close(self, process: str) -> None:
        self.logs.pop(process).close_sync()

    def crash(self, process: str) -> None:
        """End a writer as a kill would: nothing sealed, nothing more written."""
        log = self.logs.pop(process)
        log.flush()
        log._flusher.fail("crashed")
        log.close_sync()

    def calls(self, process: str, *names: str, **more) -> None:
        log = self.logs[process]
        for name in names:
            opened(log, name)
            closed(log, name, bodies={"response": hashlib.sha256(name.encode()).digest() * 9}, **more)
        log.flush()

    def round(self, most: int = 10_000) -> None:
        """What control does every few seconds: follow, sign, record what was signed, publish it, sign its own log."""
        while self.proofs.step(most):
            if self.proofs.urgent:
                self.sign()
        self.sign()

    def sign(self) -> None:
        signed = self.proofs.sign()
        if signed and OWN in self.logs:
            own = self.logs[OWN]
            own.append(CHECKPOINTS, "checkpoints", encode_checkpoints(signed))
            own.flush()
            self.proofs.publish()
        self.sign_own()

    def sign_own(self) -> None:
        while self.proofs.sign_own(10_000):
            pass

    def end(self) -> None:
        """End cleanly: the workers, a last round, control, its last signature."""
        for process in [name for name in self.logs if name != OWN]:
            self.close(process)
        self.round()
        self.close(OWN)
        self.sign_own()
        self.proofs.close()

    def log(self, process: str) -> Path:
        return self.data_dir.log_directory(NODE, process)

    def proof(self, process: str) -> Path:
        return self.path / PROOF / NODE / process

    def origin(self, process: str) -> str:
        return self.data_dir.origin(NODE, process)


def filled(path: Path, story: Callable[[Place], None] | None = None, **more) -> Place:
    """A place with two workers and a few segments each, of which a part was written after an abrupt end."""
    place = Place(path, **more)
    place.open(OWN)
    for process in ("worker-0", "worker-1"):
        place.open(process)
    for part in range(4):
        for process in ("worker-0", "worker-1"):
            place.calls(process, *(f"{process}-{part}-{number}" for number in range(12)))
        place.round()
        place.clock.later(4)
    if story is not None:
        story(place)
    return place
