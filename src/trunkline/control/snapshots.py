"""The snapshots on disk: `data_dir/snapshots/<digest>.json`, and `current`, which names the one in force.

The directories of users that it names lie beside it as `<digest>.users`.
"""

import contextlib
import os
from collections.abc import Collection
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
        return self._put(self._directory / f"{digest}.json", canonical)

    def put_directory(self, digest: str, data: bytes) -> None:
        """Write a directory under its digest, if it is not there. Raises OSError."""
        self._put(self._directory / f"{digest}.users", data)

    def directory(self, digest: str) -> bytes | None:
        """Return the canonical bytes of a directory; None where it is missing or damaged."""
        return self._read(self._directory / f"{digest}.users")

    def point(self, digest: str, directories: Collection[str] = ()) -> None:
        """Name the snapshot in force; remove old ones, and all directories but those that it names. Raises OSError."""
        _write(self._directory / POINTER, f"{digest}\n".encode())
        self._prune(digest)
        for path in self._directory.glob("*.users"):
            if path.stem not in directories:
                path.unlink(missing_ok=True)

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

    def _put(self, path: Path, data: bytes) -> Path:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        if self._read(path) is None:
            _write(path, data)
        return path

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
