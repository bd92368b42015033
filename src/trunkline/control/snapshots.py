"""The snapshots on disk: `data_dir/snapshots/<digest>.json`, and `current`, which names the one in force."""

import contextlib
import os
from pathlib import Path

import msgspec

from trunkline.config.canonical import decode_snapshot, digest_of
from trunkline.model.snapshot import Snapshot

# The log has every snapshot for good; these files are for processes that start again.
KEPT = 16
POINTER = "current"


class SnapshotStore:
    """Reads and writes snapshots; every write is whole and flushed before it has its name."""

    def __init__(self, data_dir: Path) -> None:
        self._directory = data_dir / "snapshots"

    def put(self, digest: str, canonical: bytes) -> Path:
        """Write a snapshot under its digest, if it is not there; returns its path. Raises OSError."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        path = self._directory / f"{digest}.json"
        if self._read(path) is None:
            _write(path, canonical)
        return path

    def point(self, digest: str) -> None:
        """Name the snapshot in force, and remove old ones. Raises OSError."""
        _write(self._directory / POINTER, f"{digest}\n".encode())
        self._prune(digest)

    def current(self) -> tuple[str, Snapshot] | None:
        """Return the snapshot that was in force last with its digest; None where there is none that is whole."""
        try:
            digest = (self._directory / POINTER).read_text("ascii").strip()
        except (OSError, ValueError):
            return None
        snapshot = self.load(self._directory / f"{digest}.json")
        return (digest, snapshot) if snapshot is not None else None

    def load(self, path: Path) -> Snapshot | None:
        """Return the snapshot of a file of this store; None where it is missing or not what its name says."""
        data = self._read(path)
        try:
            return decode_snapshot(data) if data is not None else None
        except msgspec.MsgspecError:
            return None

    def _read(self, path: Path) -> bytes | None:
        try:
            data = path.read_bytes()
        except OSError:
            return None
        return data if digest_of(data) == path.stem else None

    def _prune(self, digest: str) -> None:
        files = sorted(self._directory.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in files[KEPT:]:
            if path.stem != digest:
                path.unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    """Write a file so that after a power cut it is there whole, or not at all (rename, both flushed)."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
