"""Pseudonyms: keyed, of a tenant and a kind, recognisable, and kept with their names before anything names them."""

import asyncio
import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.audit.files.vault.key_file import destroy, key_files
from trunkline.audit.files.vault.log_vault import log_vault
from trunkline.audit.files.vault.names_in_use import MOST_WRITTEN
from trunkline.audit.files.vault.opening import open_vault, unlock
from trunkline.audit.files.vault.stored_keys import StoredKeys
from trunkline.audit.files.vault.stored_names import StoredNames
from trunkline.audit.files.vault.wrapping import Wrapping
from trunkline.audit.files.writer import LogSettings, LogWriter
from trunkline.audit.format.key_entries import NAME, SLOT, entries
from trunkline.audit.format.pseudonyms import digest_in, kind_and_name, person, pseudonym
from trunkline.model.names import PSEUDONYM
from trunkline.model.vault import KeySettings, RootKey, VaultKeys

SETTINGS = LogSettings(segment_bytes=64 * 1024, min_free_bytes=0)
TENANTS = st.text(string.ascii_lowercase + string.digits + "._-", min_size=1, max_size=12)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=512)
PERSONS = st.tuples(TENANTS, st.sampled_from(["user", "subject"]), NAMES)


def wrapping(seed: int = 1) -> Wrapping:
    return Wrapping(VaultKeys((RootKey("00" * 8, bytes([seed]) * 32),), bytes([seed + 1]) * 32))


def written(wrapping: Wrapping, tenant: str, kind: str, name: str) -> str:
    return pseudonym(kind, wrapping.person_of(person(tenant, kind, name)))


@given(PERSONS, PERSONS)
def test_two_persons_have_one_pseudonym_only_if_they_are_one(one, other):
    keys = wrapping()
    assert (written(keys, *one) == written(keys, *other)) == (one == other)


@given(PERSONS)
def test_a_pseudonym_says_its_kind_and_digest_and_nothing_of_the_name(one):
    tenant, kind, name = one
    text = written(wrapping(), *one)
    assert PSEUDONYM.fullmatch(text)
    assert text.startswith(f"{kind[0]}~")
    assert digest_in(text) == wrapping().person_of(person(tenant, kind, name))
    assert text != written(wrapping(7), *one)  # another vault, another pseudonym


@given(st.binary(min_size=16, max_size=16), st.sampled_from(["user", "subject"]))
def test_every_digest_goes_into_a_pseudonym_and_comes_out_of_it(digest, kind):
    assert digest_in(pseudonym(kind, digest)) == digest


@pytest.mark.parametrize("text", ["", "ann", "u~", "t~mfrggzdfmztwq2lknnwg23tpoa", "u~MFRGGZDFMZTWQ2LKNNWG23TPOA"])
def test_what_has_not_the_form_is_no_pseudonym(text):
    assert digest_in(text) is None


@given(PERSONS)
def test_a_kept_name_keeps_its_kind(one):
    tenant, kind, name = one
    assert kind_and_name(person(tenant, kind, name).person) == (kind, name)


# In a log


def opened_log(data_dir: Path, process: str = "worker-0", *, seals: bool = True) -> LogWriter:
    vault = open_vault(data_dir, KeySettings(seals=seals))
    keys = log_vault(data_dir, "gw", process, vault)
    directory = data_dir / "logs" / "gw" / process
    directory.mkdir(parents=True, exist_ok=True)
    log, _ = LogWriter.open(directory, f"gw/{process}", SETTINGS, on_event=lambda *_, **__: None, vault=keys)
    return log


def keys_of(data_dir: Path) -> StoredKeys:
    return StoredKeys(data_dir, lambda: unlock(data_dir, KeySettings()))


def note(log: LogWriter, user: str, number: int) -> None:
    log.append("note", f"note-{number}", json.dumps({"user": user}).encode())


def kept(data_dir: Path) -> int:
    found = [placed.entry for path in key_files(data_dir) for placed in entries(path.read_bytes())]
    return sum(entry is not None and entry.kind == NAME for entry in found)


def forget(data_dir: Path, tenant: str, kind: str, name: str) -> None:
    digest = digest_in(keys_of(data_dir).written(tenant, kind, name))
    for path in key_files(data_dir):
        destroy(path, lambda entry: entry.person == digest, None)


def test_a_name_is_kept_once_and_is_durable_with_the_first_record_that_has_its_pseudonym(tmp_path):
    log = opened_log(tmp_path)
    ann = log.written("harbor", "user", "Ann Canary")
    for number in range(3):
        assert log.written("harbor", "user", "Ann Canary") == ann
        note(log, ann, number)
        log.flush()
        assert keys_of(tmp_path).names([ann]) == {ann: "Ann Canary"}
    log.close_sync()
    again = opened_log(tmp_path)  # which knows what it had kept
    assert again.written("harbor", "user", "Ann Canary") == ann
    note(again, ann, 4)
    again.close_sync()
    assert kept(tmp_path) == 1
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"Canary" not in path.read_bytes(), path


def test_a_name_that_was_only_asked_for_is_not_kept(tmp_path):
    log = opened_log(tmp_path)
    asked = log.written("harbor", "subject", "c-1", kept=False)
    note(log, asked, 1)
    log.close_sync()
    assert kept(tmp_path) == 0
    assert asked == keys_of(tmp_path).written("harbor", "subject", "c-1")


def test_without_a_vault_the_name_is_written(tmp_path):
    log = opened_log(tmp_path, seals=False)
    assert log.written("harbor", "user", "ann") == "ann"
    log.close_sync()


def test_more_names_than_are_remembered_are_kept_once_all_the_same(tmp_path):
    log = opened_log(tmp_path)
    many = [f"user-{number}" for number in range(MOST_WRITTEN + 10)]
    first = [log.written("harbor", "user", name) for name in many]
    assert [log.written("harbor", "user", name) for name in many] == first
    note(log, first[0], 1)
    log.close_sync()
    assert kept(tmp_path) == len(many) == len(set(first))


def test_who_was_forgotten_and_comes_again_is_kept_again(tmp_path):
    async def main() -> None:
        log = opened_log(tmp_path)
        ann = log.written("harbor", "user", "ann")
        note(log, ann, 1)
        upto = await log.forget([digest_in(ann)])
        assert upto is not None
        forget(tmp_path, "harbor", "user", "ann")
        assert keys_of(tmp_path).names([ann]) == {}
        assert log.written("harbor", "user", "ann") == ann
        note(log, ann, 2)
        await log.close()
        assert keys_of(tmp_path).names([ann]) == {ann: "ann"}

    asyncio.run(main())


def test_a_name_whose_record_was_never_taken_is_found_where_names_are_destroyed(tmp_path):
    async def main() -> None:
        log = opened_log(tmp_path)
        ann = log.written("harbor", "user", "ann")  # and then no record
        upto = await log.forget([digest_in(ann)])
        assert upto is not None
        before = [path.read_bytes()[:upto] for path in key_files(tmp_path)]
        assert any(entry.entry.person == digest_in(ann) for data in before for entry in entries(data))
        await log.close()

    asyncio.run(main())


# Followed


def test_names_are_followed_as_they_come_and_go_whichever_process_kept_them(tmp_path):
    first, second = opened_log(tmp_path, "worker-0"), opened_log(tmp_path, "worker-1")
    names = StoredNames(tmp_path, keys_of(tmp_path).name_in)
    assert names.changes() == ({}, set())
    ann, bob = first.written("harbor", "user", "ann"), first.written("harbor", "subject", "bob")
    note(first, ann, 1)
    first.flush()
    assert names.changes() == ({ann: "ann", bob: "bob"}, set())
    assert names.changes() == ({}, set())
    assert second.written("harbor", "user", "ann") == ann
    zoe = second.written("harbor", "user", "zoe")
    note(second, zoe, 2)
    second.flush()
    assert names.changes() == ({zoe: "zoe"}, set())
    forget(tmp_path, "harbor", "user", "ann")
    assert names.changes() == ({}, {ann})
    assert names.changes() == ({}, set())
    first.close_sync()
    second.close_sync()


def test_an_entry_that_is_being_written_is_taken_when_it_is_there(tmp_path):
    log = opened_log(tmp_path)
    names = StoredNames(tmp_path, keys_of(tmp_path).name_in)
    ann = log.written("harbor", "user", "ann")
    zoe = log.written("harbor", "user", "zoe " + "z" * 500)  # of several slots
    note(log, ann, 1)
    log.close_sync()
    (path,) = key_files(tmp_path)
    whole = path.read_bytes()
    end = max(placed.end for placed in entries(whole))
    for upto in range(SLOT + 100, end, 90):
        path.write_bytes(whole[:upto] + bytes(len(whole) - upto))
        names.changes()
    path.write_bytes(whole)
    names.changes()
    assert StoredNames(tmp_path, keys_of(tmp_path).name_in).changes()[0] == {ann: "ann", zoe: "zoe " + "z" * 500}
    assert {written for written, _ in names._names.values()} == {ann, zoe}


def test_a_damaged_entry_hides_none_of_the_others(tmp_path):
    log = opened_log(tmp_path)
    many = [log.written("harbor", "user", name) for name in ("ann", "bob", "zoe")]
    note(log, many[0], 1)
    log.close_sync()
    (path,) = key_files(tmp_path)
    data = bytearray(path.read_bytes())
    place = next(placed.offset for placed in entries(bytes(data)) if placed.entry.person == digest_in(many[1]))
    data[place + 20] ^= 1
    path.write_bytes(data)
    names = StoredNames(tmp_path, keys_of(tmp_path).name_in)
    found = names.changes()[0] | names.changes()[0]
    assert found == {many[0]: "ann", many[2]: "zoe"}
