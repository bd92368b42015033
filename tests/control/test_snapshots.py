import os

import pytest
from test_control_keys import SNAPSHOT

from trunkline.config.canonical import digest_of, encode_snapshot
from trunkline.control.snapshots import KEPT, SnapshotStore

CANONICAL = encode_snapshot(SNAPSHOT)
DIGEST = digest_of(CANONICAL)


def test_what_is_pointed_to_is_current(tmp_path):
    store = SnapshotStore(tmp_path)
    assert store.current() is None
    path = store.put(DIGEST, CANONICAL)
    assert store.current() is None
    store.point(DIGEST)
    assert store.current() == (DIGEST, SNAPSHOT)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("damage", [b"", b"{", CANONICAL + b" ", CANONICAL.replace(b"gw-1", b"gw-2")])
def test_a_damaged_snapshot_is_none_and_is_written_again(tmp_path, damage):
    store = SnapshotStore(tmp_path)
    path = store.put(DIGEST, CANONICAL)
    store.point(DIGEST)
    path.write_bytes(damage)
    assert store.current() is None
    store.put(DIGEST, CANONICAL)
    assert store.current() == (DIGEST, SNAPSHOT)


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    store = SnapshotStore(tmp_path)
    store.put(DIGEST, CANONICAL)
    store.point(DIGEST)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.point("0" * 64)
    monkeypatch.undo()
    assert store.current() == (DIGEST, SNAPSHOT)
    assert {path.name for path in (tmp_path / "snapshots").iterdir()} == {f"{DIGEST}.json", "current"}


def test_old_snapshots_go_but_never_the_one_in_force(tmp_path):
    store = SnapshotStore(tmp_path)
    first = store.put(DIGEST, CANONICAL)
    os.utime(first, (1, 1))
    for n in range(KEPT + 5):
        data = str(n).encode()
        store.put(digest_of(data), data)
    store.point(DIGEST)
    assert first.exists()
    assert len(list((tmp_path / "snapshots").glob("*.json"))) == KEPT + 1
