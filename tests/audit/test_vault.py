"""The vault: what is sealed opens with its key and for its call alone, and no acknowledged key is ever lost."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.logs import Events, bodies, closed, opened, records
from trunkline.audit.files.disk import Disk
from trunkline.audit.files.vault.backup import back_up, restore
from trunkline.audit.files.vault.erasing import destroy_entries, entries_of, stock
from trunkline.audit.files.vault.key_encryption import VaultUnusable
from trunkline.audit.files.vault.key_file import KeyFile, destroy
from trunkline.audit.files.vault.keys_in_use import KeysInUse
from trunkline.audit.files.vault.log_vault import log_vault
from trunkline.audit.files.vault.opening import KEY_FILE, NEXT_KEY_FILE, open_vault, unlock
from trunkline.audit.files.vault.rotation import rotate
from trunkline.audit.files.vault.stored_keys import StoredKeys
from trunkline.audit.files.writer import LogSettings, LogWriter
from trunkline.audit.format.bodies import decode_body, encode_body, parts_of
from trunkline.audit.format.codecs import BadBody, zstd_codec
from trunkline.audit.format.frames import decode_frame
from trunkline.audit.format.key_entries import (
    DATA_KEY,
    DESTROYED,
    HEADER,
    NAME,
    SLOT,
    KeyEntry,
    destroyed,
    encode_entry,
    entries,
)
from trunkline.audit.format.sealing import BodyErased, DataKey, KeyMissing, Owner, owner_of
from trunkline.model.vault import KeySettings, RootKey, VaultKeys

SETTINGS = KeySettings()
JUNE = 1_781_000_000 * 10**9  # 2026-06-09
CLIENT = Owner("harbor", "subject:c-118")
KEYS = VaultKeys((RootKey("00" * 8, bytes(range(32))),), bytes(range(32, 64)))

IDS = st.binary(min_size=16, max_size=16)
ENTRIES = st.builds(
    KeyEntry,
    st.sampled_from([DATA_KEY, NAME]),
    st.integers(0, 2**40),
    IDS,
    IDS,
    st.integers(0, 999_912),
    st.binary(min_size=8, max_size=8),
    st.text(max_size=30),
    st.binary(max_size=700),
)


class One:
    """A key store with one key in memory."""

    def __init__(self, key: DataKey) -> None:
        self._key = key

    def key(self, key_id: bytes) -> DataKey:
        if key_id != self._key.key_id:
            raise KeyMissing("another key")
        return self._key


def new_key() -> DataKey:
    return DataKey(os.urandom(16), os.urandom(32), os.urandom)


def sealed(call: str, parts: dict[str, bytes], key: DataKey) -> bytes:
    return encode_body(call, parts, zstd_codec(100), key)[0]


def read(frame: bytes):
    return decode_body(decode_frame(frame, 0, 0))


# Bodies


@given(st.dictionaries(st.sampled_from(["request", "response", "1.x"]), st.binary(max_size=400), min_size=1))
def test_what_is_sealed_opens_with_its_key_alone(parts):
    key = new_key()
    frame, reference = encode_body("call-1", parts, zstd_codec(100), key)
    assert parts_of(read(frame), One(key)) == parts
    assert b"+aes256gcm" in reference
    for data in parts.values():
        assert len(data) < 8 or data not in frame
    with pytest.raises(BadBody):
        parts_of(read(frame), One(DataKey(key.key_id, os.urandom(32), os.urandom)))
    with pytest.raises(KeyMissing):
        parts_of(read(frame))


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_any_changed_byte_of_the_ciphertext_is_found_also_where_the_digest_was_made_to_fit(where, bit):
    key = new_key()
    body = read(sealed("call-1", {"request": b"what is asked, " * 9}, key))
    turned = bytearray(body.stored)
    turned[where % len(turned)] ^= bit
    forged = body._replace(stored=bytes(turned), digest=hashlib.sha256(bytes(turned)).digest())
    with pytest.raises((BadBody, KeyMissing)):
        parts_of(forged, One(key))


def test_a_body_does_not_open_for_another_call_or_with_other_parts_or_as_another_codec():
    key = new_key()
    body = read(sealed("call-1", {"request": b"abcdef"}, key))
    other = read(sealed("call-2", {"request": b"abcdef"}, key))
    parts = read(sealed("call-1", {"answer_": b"abcdef"}, key))
    for foreign in (other, parts):
        with pytest.raises(BadBody, match="for this call"):
            parts_of(body._replace(bound=foreign.bound), One(key))
    with pytest.raises(BadBody):
        parts_of(body._replace(codec=body.codec + 1, bound=bytes([body.codec + 1]) + body.bound[1:]), One(key))


def test_two_bodies_that_say_the_same_are_not_stored_the_same():
    key = new_key()
    assert read(sealed("c", {"request": b"yes"}, key)).digest != read(sealed("c", {"request": b"yes"}, key)).digest


def test_the_owner_is_the_subject_unless_that_is_the_user():
    assert owner_of("t", "c-1", "ann") == Owner("t", "subject:c-1")
    assert owner_of("t", "ann", "ann") == owner_of("t", None, "ann") == Owner("t", "user:ann")
    assert owner_of("t", None, None) == Owner("t")


# Entries


@given(st.lists(ENTRIES, max_size=5))
def test_entries_are_read_as_they_were_written(written):
    data = HEADER + b"".join(map(encode_entry, written)) + bytes(3 * SLOT)
    assert [placed.entry for placed in entries(data)] == written


@given(ENTRIES, st.integers(0, 10**6), st.integers(1, 255))
def test_any_changed_byte_of_an_entry_is_found(entry, where, bit):
    data = bytearray(encode_entry(entry))
    data[where % len(data)] ^= bit
    assert entry not in [placed.entry for placed in entries(HEADER + bytes(data))]


@given(ENTRIES)
def test_a_destroyed_entry_has_its_id_and_nothing_else(entry):
    data = encode_entry(entry)
    left = destroyed(data)
    assert len(left) == len(data)
    (placed,) = entries(HEADER + left)
    assert (placed.entry.kind, placed.entry.id, placed.entry.payload) == (DESTROYED, entry.id, b"")
    assert left[:16].count(0) >= 8
    assert not any(left[32:])
    # Cut off in the middle, the first slot decides: it is on the disk before the others are touched.
    (torn,) = entries(HEADER + left[:SLOT] + data[SLOT:])
    assert torn.entry.kind == DESTROYED


# Files


@given(st.lists(ENTRIES, min_size=1, max_size=4), st.lists(ENTRIES, min_size=1, max_size=4), st.integers(0, 10**6))
def test_a_torn_write_at_any_offset_costs_nothing_that_was_acknowledged(tmp_path_factory, before, torn, cut):
    path = tmp_path_factory.mktemp("vault") / "vault" / "gw" / "worker-0.keys"
    file = KeyFile.open(path, Disk()).file
    file.append(b"".join(map(encode_entry, before)))
    end = file.end
    file.close()
    rest = b"".join(map(encode_entry, torn))
    cut %= len(rest)
    data = path.read_bytes()
    path.write_bytes(data[:end] + rest[:cut] + data[end + cut :])
    found = KeyFile.open(path, Disk())
    assert found.entries[: len(before)] == before
    assert found.entries[len(before) :] == torn[: len(found.entries) - len(before)]
    found.file.append(encode_entry(torn[0]))
    found.file.close()
    again = KeyFile.open(path, Disk())
    again.file.close()
    assert again.entries == [*found.entries, torn[0]]
    assert again.cut_bytes == 0


def test_what_a_power_cut_left_of_an_erasure_is_finished_by_the_next_start(tmp_path):
    path = tmp_path / "vault" / "gw" / "worker-0.keys"
    file = KeyFile.open(path, Disk()).file
    name = KeyEntry(NAME, 1, b"i" * 16, b"p" * 16, 0, b"r" * 8, "harbor", b"sealed name " * 60)
    file.append(encode_entry(name))
    file.close()
    data = bytearray(path.read_bytes())
    data[SLOT : 2 * SLOT] = destroyed(encode_entry(name))[:SLOT]
    path.write_bytes(data)
    KeyFile.open(path, Disk()).file.close()
    assert b"sealed name" not in path.read_bytes()


def test_a_file_grows_ahead_of_need_and_destroys_in_place(tmp_path):
    path = tmp_path / "vault" / "gw" / "worker-0.keys"
    file = KeyFile.open(path, Disk()).file
    made = [KeyEntry(DATA_KEY, 1, number.to_bytes(16), bytes(16), 202606, bytes(8), "t", b"k") for number in range(600)]
    for entry in made:
        file.append(encode_entry(entry))
    gone = destroy(path, lambda entry: entry.id == made[7].id, None)
    assert gone == [made[7]]
    assert destroy(path, lambda entry: entry.id == made[7].id, None) == []
    file.append(encode_entry(made[0]))
    file.close()
    found = KeyFile.open(path, Disk())
    found.file.close()
    assert [entry.id for entry in found.entries] == [entry.id for entry in [*made, made[0]]]
    assert found.entries[7].kind == DESTROYED


# Keys in use


def test_a_person_has_one_key_a_month_and_a_restart_goes_on_with_it():
    now = [JUNE]
    keys = KeysInUse(KEYS, [], lambda: now[0])
    first = keys.key_for(CLIENT)
    assert keys.key_for(CLIENT) is first
    assert keys.key_for(Owner("other", CLIENT.person)).key_id != first.key_id
    written = [placed.entry for placed in entries(HEADER + keys.take_new())]
    assert len(written) == 2
    assert not keys.has_new
    again = KeysInUse(KEYS, written, lambda: now[0])
    frame = sealed("c", {"request": b"hello"}, again.key_for(CLIENT))
    assert parts_of(read(frame), One(first)) == {"request": b"hello"}
    assert not again.has_new
    now[0] += 40 * 86_400 * 10**9
    assert again.key_for(CLIENT).key_id != first.key_id


def test_what_is_in_memory_is_bounded_and_what_was_forgotten_gets_a_new_key():
    keys = KeysInUse(KEYS, [], lambda: JUNE, most_open=3)
    first = keys.key_for(CLIENT)
    keys.forget([keys.person_of(CLIENT)])
    second = keys.key_for(CLIENT)
    assert second.key_id != first.key_id
    for number in range(9):
        keys.key_for(Owner("harbor", f"user:{number}"))
    assert len(keys._open) == 3


# A log with a vault


def log_in(data_dir: Path, events: Events | None = None) -> LogWriter:
    vault = log_vault(data_dir, "gw", "worker-0", open_vault(data_dir, SETTINGS))
    settings = LogSettings(segment_bytes=64 << 10, min_free_bytes=0)
    directory = data_dir / "log" / "gw" / "worker-0"
    on_event = events if events is not None else Events()
    return LogWriter.open(directory, "d/gw/worker-0", settings, on_event=on_event, vault=vault)[0]


def keys_of(data_dir: Path) -> StoredKeys:
    return StoredKeys(data_dir, lambda: unlock(data_dir, SETTINGS))


def say(log: LogWriter, call: str, owner: Owner) -> None:
    log.append(
        "call.opened", call, b'{"call":"%b"}' % call.encode(), {"request": b"canary " + call.encode()}, owner=owner
    )
    log.append("call.closed", f"e-{call}", b'{"call":"%b"}' % call.encode(), {"response": b"canary too"}, owner=owner)


def told(data_dir: Path, keys: StoredKeys) -> list[dict[str, bytes]]:
    directory = data_dir / "log" / "gw" / "worker-0"
    return [body for record in records(directory, "call.") for body in bodies(directory, record, keys)]


def test_bodies_are_read_with_the_key_and_are_in_no_file_without(tmp_path):
    log = log_in(tmp_path)
    say(log, "c1", CLIENT)
    log.close_sync()
    log = log_in(tmp_path)
    say(log, "c2", CLIENT)
    log.close_sync()
    assert told(tmp_path, keys_of(tmp_path))[2:] == [{"request": b"canary c2"}, {"response": b"canary too"}]
    assert [count.keys for count in stock(tmp_path).counts] == [1]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]
    (tmp_path / KEY_FILE).rename(tmp_path / "elsewhere")
    with pytest.raises(KeyMissing, match="vault key is missing"):
        told(tmp_path, keys_of(tmp_path))
    with pytest.raises(VaultUnusable, match="put it back"):
        open_vault(tmp_path, SETTINGS)


def test_who_is_erased_is_gone_and_others_are_not_and_a_restored_backup_does_not_know_it(tmp_path):
    log = log_in(tmp_path)
    say(log, "c1", CLIENT)
    say(log, "c2", Owner("harbor", "user:ann"))
    log.flush()
    keys = keys_of(tmp_path)
    assert len(told(tmp_path, keys)) == 4
    back_up(tmp_path, tmp_path / "backup.tar")
    person = log.person_of(CLIENT)
    ids = {entry.id for entry in entries_of(tmp_path, [person], {})}
    assert destroy_entries(tmp_path, ids, {}) == 1
    directory = log.directory
    first, _, third, _ = records(directory, "call.")
    with pytest.raises(BodyErased, match="destroyed"):
        bodies(directory, first, keys)
    assert bodies(directory, third, keys) == [{"request": b"canary c2"}]
    log.close_sync()
    assert restore(tmp_path, tmp_path / "backup.tar").entries == 0
    with pytest.raises(BodyErased):
        bodies(directory, first, keys_of(tmp_path))
    next((tmp_path / "vault").glob("*/*.keys")).unlink()
    assert restore(tmp_path, tmp_path / "backup.tar").entries == 2
    assert bodies(directory, first, keys_of(tmp_path)) == [{"request": b"canary c1"}]
    assert destroy_entries(tmp_path, ids, {}) == 1


def test_a_rotation_that_is_cut_off_anywhere_is_finished_by_the_next(tmp_path, monkeypatch):
    log = log_in(tmp_path)
    say(log, "c1", CLIENT)
    log.close_sync()
    old = (tmp_path / KEY_FILE).read_bytes()

    class Killed(BaseException):
        pass

    real_rename, real_link = Path.rename, os.link

    def cut_at(count: int) -> bool:
        left = [count]

        def guarded(real):
            def run(*arguments, **named):
                left[0] -= 1
                if left[0] < 0:
                    raise Killed
                return real(*arguments, **named)

            return run

        monkeypatch.setattr(Path, "rename", guarded(real_rename))
        monkeypatch.setattr(os, "link", guarded(real_link))
        try:
            rotate(tmp_path, SETTINGS)
        except Killed:
            return True
        finally:
            monkeypatch.setattr(Path, "rename", real_rename)
            monkeypatch.setattr(os, "link", real_link)
        return False

    for count in range(4):
        cut = cut_at(count)
        assert told(tmp_path, keys_of(tmp_path))[0] == {"request": b"canary c1"}
        if not cut:
            break
    assert not cut
    assert (tmp_path / KEY_FILE).read_bytes() != old
    assert not (tmp_path / NEXT_KEY_FILE).exists()
    (tmp_path / KEY_FILE).write_bytes(old)
    with pytest.raises(KeyMissing, match="key is missing"):
        told(tmp_path, keys_of(tmp_path))


def test_a_configured_key_is_rotated_once_it_is_another(tmp_path):
    one, two = (KeySettings(key=os.urandom(32)) for _ in range(2))
    open_vault(tmp_path, one)
    with pytest.raises(VaultUnusable, match="already"):
        rotate(tmp_path, one)
    with pytest.raises(VaultUnusable, match="missing"):
        rotate(tmp_path, two)
    done = rotate(tmp_path, KeySettings(key=two.key, previous=(one.key,)))
    assert done.keys == unlock(tmp_path, two)
    assert len(done.keys.roots) == 2
    with pytest.raises(VaultUnusable, match="missing"):
        unlock(tmp_path, one)


def test_a_key_is_on_the_disk_before_the_body_that_it_opens(tmp_path):
    class Traced(Disk):
        def __init__(self) -> None:
            self.wrote: list[str] = []

        def write_durably(self, fd: int, data: bytes, offset: int) -> None:
            self.wrote.append(Path(os.readlink(f"/proc/self/fd/{fd}")).suffix)
            super().write_durably(fd, data, offset)

    disk = Traced()
    vault = log_vault(tmp_path, "gw", "worker-0", open_vault(tmp_path, SETTINGS))
    settings = LogSettings(segment_bytes=64 << 10, min_free_bytes=0)
    log, _ = LogWriter.open(tmp_path / "log", "d/gw/w", settings, on_event=Events(), disk=disk, vault=vault)
    disk.wrote.clear()
    opened(log, "c1")
    log.flush()
    closed(log, "c1")
    log.flush()
    log.close_sync()
    assert disk.wrote[:3] == [".keys", ".seg", ".seg"]
    assert disk.wrote.count(".keys") == 1
