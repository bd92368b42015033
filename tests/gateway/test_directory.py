"""The team of a call is that of its user by the directory that the call's snapshot names."""

import json

import msgspec

from gateway.raw_client import hear
from gateway.running import play
from trunkline.channel.messages import Loaded, LoadFailed
from trunkline.config.canonical import digest_of, encode_directory
from trunkline.model.directory import Member, Membership
from trunkline.model.snapshot import Directory
from trunkline.simulator import Script

GOOD = Script(text="All is well.")


def with_users(gateway, *members: Member):
    """A configuration whose tenant has these users, with the directory where a worker looks for it."""
    data = encode_directory(members)
    digest = digest_of(data)
    (gateway.directory / f"{digest}.users").write_bytes(data)
    compiled = gateway.compile()
    tenants = {
        name: msgspec.structs.replace(tenant, directory=Directory(digest, len(members), "file"))
        for name, tenant in compiled.snapshot.tenants.items()
    }
    return gateway.changed(compiled, tenants=tenants)


def teams(gateway) -> list[str]:
    return [record["team"] for record in gateway.records("call.opened")]


def test_the_team_of_a_call_is_its_users_by_the_directory_else_the_keys(tmp_path):
    async def story(gateway, simulator):
        over = Membership("old-desk", last="2020-12-31")
        await gateway.load(with_users(gateway, Member("ann", (Membership("west"),)), Member("bob", (over,))))
        for user in ("ann", "bob", "eve", None):
            assert (await hear(gateway, None, {"x-trunkline-user": user})).status == 200
        assert teams(gateway) == ["west", "wealth-desk", "wealth-desk", "wealth-desk"]

    play(tmp_path, story, GOOD)


def test_the_cost_centre_of_a_call_is_its_users_and_a_key_has_none(tmp_path):
    async def story(gateway, simulator):
        ann = Membership("west", cost_center="CC-40")
        await gateway.load(with_users(gateway, Member("ann", (ann,)), Member("bob", (Membership("west"),))))
        for user in ("ann", "bob", "eve", None):
            assert (await hear(gateway, None, {"x-trunkline-user": user})).status == 200
        assert [record.get("cost_center") for record in gateway.records("call.opened")] == ["CC-40", None, None, None]

    play(tmp_path, story, GOOD)


def test_a_user_named_in_the_body_has_the_same_team(tmp_path):
    async def story(gateway, simulator):
        await gateway.load(with_users(gateway, Member("ann", (Membership("west"),))))
        await gateway.ask(user="ann")
        await gateway.ask(safety_identifier="ann")
        assert teams(gateway) == ["west", "west"]

    play(tmp_path, story, GOOD)


def test_a_reload_brings_a_new_directory_and_keeps_one_that_has_not_changed(tmp_path):
    async def story(gateway, simulator):
        first = with_users(gateway, Member("ann", (Membership("west"),)))
        await gateway.load(first)
        known = gateway.worker._endpoints.in_force.rosters["harbor"]
        (gateway.directory / f"{known.digest}.users").unlink()
        assert await gateway.load(first) == Loaded(first.digest)
        assert gateway.worker._endpoints.in_force.rosters["harbor"] is known
        await gateway.load(with_users(gateway, Member("ann", (Membership("east"),))))
        await hear(gateway, None, {"x-trunkline-user": "ann"})
        await gateway.load(gateway.compile())
        await hear(gateway, None, {"x-trunkline-user": "ann"})
        assert teams(gateway) == ["east", "wealth-desk"]

    play(tmp_path, story, GOOD)


def test_a_directory_that_is_missing_or_damaged_leaves_what_was_in_force(tmp_path):
    async def story(gateway, simulator):
        await gateway.load(with_users(gateway, Member("ann", (Membership("west"),))))
        for damage in (None, b"", b"{}\n"):
            compiled = with_users(gateway, Member("ann", (Membership("east"),)))
            digest = json.loads(compiled.canonical)["tenants"]["harbor"]["directory"]["digest"]
            path = tmp_path / f"{digest}.users"
            path.unlink() if damage is None else path.write_bytes(damage)
            assert isinstance(await gateway.load(compiled), LoadFailed)
        await hear(gateway, None, {"x-trunkline-user": "ann"})
        assert teams(gateway) == ["west"]

    play(tmp_path, story, GOOD)
