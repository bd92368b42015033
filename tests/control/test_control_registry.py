"""The registry on a real log and a real file; the publisher is one that can be told to fail."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from trunkline.audit.files.data_dir import open_data_dir
from trunkline.audit.files.reader import read_records
from trunkline.config.problems import ConfigInvalid
from trunkline.control.answers import NewKey, Refused
from trunkline.control.configuration import Configuration
from trunkline.control.journal import Journal, Unrecorded, read_state
from trunkline.control.registry import NotPublished, Registry
from trunkline.control.snapshots import SnapshotStore

FILE = """\
version: 1
data_dir: {data}
node: gw-1
listen: 127.0.0.1:0
providers:
  openai: {{dialect: openai, base_url: "http://127.0.0.1:9/v1", api_key: sk-one, models: [gpt-4o-mini]}}
routes:
  fast: {{targets: [{{provider: openai, model: gpt-4o-mini}}]}}
tenants:
  acme: {{keys: {{app: {{secret: 9f3c5a7be1d24860c7f2a9d83b6e4f10}}}}}}
"""


class Workers:
    """What workers would have in force; `refusing` says why they take nothing new."""

    def __init__(self):
        self.published = []
        self.refusing = None

    async def publish(self, path, digest, snapshot, secrets):
        if self.refusing:
            raise NotPublished(self.refusing)
        self.published.append((digest, snapshot, secrets))

    @property
    def keys(self):
        return set(self.published[-1][1].keys)


def write(directory, before="", after=""):
    path = directory / "trunkline.yaml"
    path.write_text(FILE.format(data=directory / "data").replace(before, after))
    return Configuration(str(path))


@asynccontextmanager
async def registry(directory, workers):
    open_data_dir(directory / "data")
    journal = Journal.open(directory / "data", "gw-1", lambda _name, /, **_facts: None)
    store = SnapshotStore(directory / "data")
    try:
        yield Registry(write(directory), journal, store, workers, directory / "data", None), journal
    finally:
        await journal.close()


def types(directory):
    return [record.type for record in read_records(directory / "data" / "log" / "gw-1" / "control")]


def test_a_key_is_recorded_before_it_is_published_and_survives_a_restart(tmp_path):
    async def main():
        workers = Workers()
        async with registry(tmp_path, workers) as (control, _):
            await control.apply("me", "started")
            await control.create_key(NewKey("acme", "k1"), "me")
            await control.create_key(NewKey("acme", "k2"), "me")
            await control.revoke_key("k1", "me")
            assert workers.keys == {"app", "k2"}
            assert workers.published[0][2].providers["openai"].api_keys == ("sk-one",)
            assert workers.published[-1][2] is None  # the providers' secrets stay as they are
        assert [key.id for key in read_state(tmp_path / "data").valid_keys()] == ["k2"]

    asyncio.run(main())
    kinds = [kind for kind in types(tmp_path) if not kind.startswith("log.")]
    assert kinds == ["snapshot", "key.created", "snapshot", "key.created", "snapshot", "key.revoked", "snapshot"]


def test_a_key_that_the_workers_do_not_get_is_none(tmp_path):
    async def main():
        workers = Workers()
        async with registry(tmp_path, workers) as (control, _):
            await control.apply("me", "started")
            workers.refusing = "worker 0 died"
            with pytest.raises(NotPublished, match="worker 0 died"):
                await control.create_key(NewKey("acme", "k1"), "me")
            workers.refusing = None
            assert [key.status for key in control.all_keys()] == ["valid", "revoked"]
            await control.create_key(NewKey("acme", "k2"), "me")
            assert workers.keys == {"app", "k2"}

    asyncio.run(main())


def test_a_revocation_that_the_workers_do_not_get_can_be_asked_for_again(tmp_path):
    async def main():
        workers = Workers()
        async with registry(tmp_path, workers) as (control, _):
            await control.apply("me", "started")
            await control.create_key(NewKey("acme", "k1"), "me")
            workers.refusing = "worker 0 died"
            with pytest.raises(NotPublished, match="run the command again"):
                await control.revoke_key("k1", "me")
            workers.refusing = None
            await control.revoke_key("k1", "me")
            assert workers.keys == {"app"}
            assert types(tmp_path).count("key.revoked") == 1

    asyncio.run(main())


def test_a_file_that_is_bad_or_not_taken_changes_nothing(tmp_path):
    async def main():
        workers = Workers()
        async with registry(tmp_path, workers) as (control, _):
            await control.apply("me", "started")
            before = control.digest
            write(tmp_path, "provider: openai", "provider: opnai")
            with pytest.raises(ConfigInvalid):
                await control.apply("me", "applied")
            write(tmp_path, "fast:", "swift:")
            workers.refusing = "worker 0 did not answer"
            with pytest.raises(NotPublished):
                await control.apply("me", "applied")
            assert (control.digest, len(workers.published)) == (before, 1)
            assert SnapshotStore(tmp_path / "data").current()[0] == before
            workers.refusing = None
            applied = await control.apply("me", "applied")
            assert set(applied.lines) == {"- route fast", "+ route swift"}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("listen: 127.0.0.1:0", "listen: 127.0.0.1:1", "listen"),
        ("node: gw-1", "node: gw-2", "node"),
        ("/data\n", "/elsewhere\n", "data_dir"),
        (
            "providers:",
            "console: {listen: '127.0.0.1:1', admin_token: b7c0d9f02a1e4c83956bd2f1a7e4c0d3}\nproviders:",
            "console",
        ),
    ],
)
def test_what_processes_were_started_with_changes_only_with_a_restart(tmp_path, before, after, named):
    async def main():
        async with registry(tmp_path, Workers()) as (control, _):
            await control.apply("me", "started")
            write(tmp_path, before, after)
            with pytest.raises(ConfigInvalid, match=f"{named}.*: a reload can't change it"):
                await control.apply("me", "applied")

    asyncio.run(main())


def test_an_id_that_the_log_has_may_not_come_into_the_file(tmp_path):
    async def main():
        async with registry(tmp_path, Workers()) as (control, _):
            await control.apply("me", "started")
            await control.create_key(NewKey("acme", "k1"), "me")
            write(tmp_path, "app:", "k1:")
            with pytest.raises(ConfigInvalid, match="k1"):
                await control.apply("me", "applied")

    asyncio.run(main())


def test_nothing_is_put_in_force_that_the_log_does_not_take(tmp_path):
    async def main():
        workers = Workers()
        async with registry(tmp_path, workers) as (control, journal):
            await control.apply("me", "started")
            await journal.close()
            with pytest.raises(Unrecorded):
                await control.create_key(NewKey("acme", "k1"), "me")
            assert len(workers.published) == 1
            assert [key.id for key in control.all_keys()] == ["app"]

    asyncio.run(main())


@pytest.mark.parametrize("step", ["put", "point"])
def test_a_full_disk_leaves_no_key_that_its_owner_does_not_know_of(tmp_path, monkeypatch, step):
    def full(*_):
        raise OSError(28, "No space left on device")

    async def main():
        workers = Workers()
        async with registry(tmp_path, workers) as (control, _):
            await control.apply("me", "started")
            monkeypatch.setattr(SnapshotStore, step, full)
            if step == "put":
                with pytest.raises(OSError, match="No space"):
                    await control.create_key(NewKey("acme", "k1"), "me")
            else:  # the workers have it: it is made
                await control.create_key(NewKey("acme", "k1"), "me")
            valid = {key.id for key in control.all_keys() if key.status == "valid"}
            assert valid == workers.keys == ({"app"} if step == "put" else {"app", "k1"})

    asyncio.run(main())


def test_without_a_configuration_keys_are_refused_rather_than_guessed_about(tmp_path):
    async def main():
        async with registry(tmp_path, Workers()) as (control, _):
            with pytest.raises(Refused, match="no configuration is in force"):
                await control.create_key(NewKey("acme"), "me")

    asyncio.run(main())


def test_a_snapshots_record_has_its_bytes_and_who_put_it_in_force(tmp_path):
    async def main():
        async with registry(tmp_path, Workers()) as (control, _):
            await control.apply("ann (uid 7)", "started")
            return control.digest

    digest = asyncio.run(main())
    directory = tmp_path / "data" / "log" / "gw-1" / "control"
    record = next(record for record in read_records(directory) if record.type == "snapshot")
    said = json.loads(record.bytes)
    assert (said["digest"], said["who"], said["why"]) == (digest, "ann (uid 7)", "started")
    assert "snapshot" in json.dumps(said["bodies"])


def test_keys_made_under_a_machines_old_name_still_hold(tmp_path):
    async def main():
        async with registry(tmp_path, Workers()) as (control, _):
            await control.apply("me", "started")
            await control.create_key(NewKey("acme", "k1"), "me")
        renamed = Journal.open(tmp_path / "data", "gw-2", lambda _name, /, **_facts: None)
        await renamed.close()
        assert [key.id for key in renamed.state.valid_keys()] == ["k1"]

    asyncio.run(main())
