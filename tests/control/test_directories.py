"""Directories of users: recorded before they are in force, and found again whatever is lost."""

import asyncio
import json

import pytest
from test_control_registry import Workers, registry, types, write

from trunkline.audit.files.reader import read_records
from trunkline.config.canonical import decode_directory
from trunkline.config.problems import ConfigInvalid
from trunkline.control.answers import ImportedUsers, NewKey, NewUsers, Refused, UserQuery
from trunkline.control.journal import read_directory, read_state
from trunkline.control.registry import NotPublished

HEADER = "user,name,team,cost_center,from,to\n"
ANN = HEADER + "ann,Ann,desk,CC-1,,2026-06-30\nann,Ann,west,CC-1,2026-07-01,\n"
BOTH = ANN + "bob,Bob,desk,,,\n"


def users(text):
    return NewUsers("acme", "a.csv", text)


def in_force(workers):
    return workers.published[-1][1].tenants["acme"].directory


def kinds(directory):
    return [kind for kind in types(directory) if not kind.startswith("log.")]


def with_file(directory, text):
    (directory / "advisors.csv").write_text(text)
    return write(directory, "acme: {", f"acme: {{directory: {directory}/advisors.csv, ")


def test_an_import_is_recorded_with_its_rows_before_a_snapshot_names_it(tmp_path):
    async def main():
        workers = Workers()
        async with registry(tmp_path, workers) as (control, _):
            await control.apply("me", "started")
            assert await control.import_users(users(ANN), "me") == ImportedUsers("acme", 1, 1, 0, 0)
            assert await control.import_users(users(BOTH), "me") == ImportedUsers("acme", 2, 1, 0, 0)
            digest = in_force(workers).digest
            assert in_force(workers).source == "log"
        assert read_state(tmp_path / "data").imported["acme"].digest == digest
        rows = list(decode_directory(read_directory(tmp_path / "data", digest)))
        assert [member.user for member in rows] == ["ann", "bob"]

    asyncio.run(main())
    assert kinds(tmp_path) == ["snapshot", "user.imported", "snapshot", "user.imported", "snapshot"]


def test_a_directory_of_the_file_is_recorded_once_however_often_the_rest_changes(tmp_path):
    async def main():
        workers = Workers()
        async with registry(tmp_path, workers) as (control, _):
            control.configuration = with_file(tmp_path, ANN)
            await control.apply("me", "started")
            await control.create_key(NewKey("acme", "k1"), "me")
            await control.apply("me", "applied")
            assert (in_force(workers).source, in_force(workers).users) == ("file", 1)
            (tmp_path / "advisors.csv").write_text(BOTH)
            applied = await control.apply("me", "applied")
            assert "~ tenants.acme.directory.users: 1 -> 2" in applied.lines

    asyncio.run(main())
    assert kinds(tmp_path) == [
        "user.directory", "snapshot", "key.created", "snapshot", "user.directory", "snapshot",
    ]  # fmt: skip
    stored = [r for r in read_records(tmp_path / "data" / "log" / "gw-1" / "control") if r.type == "snapshot"]
    assert all(len(record.bytes) < 2_000 for record in stored)


def test_only_the_directory_in_force_lies_beside_the_snapshots(tmp_path):
    async def main():
        workers = Workers()
        async with registry(tmp_path, workers) as (control, _):
            await control.apply("me", "started")
            await control.import_users(users(ANN), "me")
            await control.import_users(users(BOTH), "me")
            found = [path.stem for path in (tmp_path / "data" / "snapshots").glob("*.users")]
            assert found == [in_force(workers).digest]
            assert await control.import_users(users(HEADER), "me") == ImportedUsers("acme", 0, 0, 2, 0)
            assert in_force(workers) is None
            assert list((tmp_path / "data" / "snapshots").glob("*.users")) == []

    asyncio.run(main())
    assert read_state(tmp_path / "data").imported == {}


def test_an_imported_directory_that_is_lost_from_the_disk_is_taken_from_the_log(tmp_path):
    async def main():
        workers = Workers()
        async with registry(tmp_path, workers) as (control, _):
            await control.apply("me", "started")
            await control.import_users(users(BOTH), "me")
            path = tmp_path / "data" / "snapshots" / f"{in_force(workers).digest}.users"
            for damage in (None, b"other"):
                path.unlink() if damage is None else path.write_bytes(damage)
                await control.apply("me", "applied")
                assert [member.user for member in decode_directory(path.read_bytes())] == ["ann", "bob"]

    asyncio.run(main())


def test_an_import_that_the_workers_do_not_get_can_be_asked_for_again(tmp_path):
    async def main():
        workers = Workers()
        async with registry(tmp_path, workers) as (control, _):
            await control.apply("me", "started")
            workers.refusing = "worker 0 died"
            with pytest.raises(NotPublished, match="run the command again"):
                await control.import_users(users(ANN), "me")
            workers.refusing = None
            await control.import_users(users(ANN), "me")
            assert in_force(workers).users == 1
        assert kinds(tmp_path).count("user.imported") == 1

    asyncio.run(main())


def test_what_may_not_be_imported_is_refused_and_changes_nothing(tmp_path):
    async def main():
        workers = Workers()
        async with registry(tmp_path, workers) as (control, _):
            await control.apply("me", "started")
            with pytest.raises(Refused, match="did you mean `acme`"):
                await control.import_users(NewUsers("acmee", "a.csv", ANN), "me")
            with pytest.raises(ConfigInvalid, match=r"a\.csv:2:3 team"):
                await control.import_users(users(HEADER + "ann,,,,,\n"), "me")
            control.configuration = with_file(tmp_path, ANN)
            await control.apply("me", "applied")
            with pytest.raises(Refused, match="change that one and run `trunkline apply`"):
                await control.import_users(users(BOTH), "me")

    asyncio.run(main())
    assert "user.imported" not in kinds(tmp_path)


def test_rows_are_found_by_tenant_user_team_and_day(tmp_path):
    async def main():
        async with registry(tmp_path, Workers()) as (control, _):
            await control.apply("me", "started")
            await control.import_users(users(BOTH), "me")

            def found(**query):
                listed = control.users(UserQuery(**query))
                return [(view.user, view.team) for view in listed.users], listed.total

            assert found() == ([("ann", "desk"), ("ann", "west"), ("bob", "desk")], 3)
            assert found(limit=1) == ([("ann", "desk")], 3)
            assert found(user="bob") == ([("bob", "desk")], 1)
            assert found(team="desk", on="2026-07-01") == ([("bob", "desk")], 1)
            assert found(on="2026-06-30") == ([("ann", "desk"), ("bob", "desk")], 2)
            assert found(tenant="other") == ([], 0)

    asyncio.run(main())


def test_a_restart_has_the_imported_users_again(tmp_path):
    async def main():
        async with registry(tmp_path, Workers()) as (control, _):
            await control.apply("me", "started")
            await control.import_users(users(ANN), "me")
        workers = Workers()
        async with registry(tmp_path, workers) as (control, _):
            await control.apply("me", "started")
            assert in_force(workers).users == 1

    asyncio.run(main())


def test_an_import_names_who_made_it(tmp_path):
    async def main():
        async with registry(tmp_path, Workers()) as (control, _):
            await control.apply("me", "started")
            await control.import_users(users(ANN), "a person")

    asyncio.run(main())
    (record,) = [
        json.loads(record.bytes)
        for record in read_records(tmp_path / "data" / "log" / "gw-1" / "control", upto="whole")
        if record.type == "user.imported"
    ]
    assert (record["tenant"], record["users"], record["who"]) == ("acme", 1, "a person")
