"""Whoever calls, and whoever is called about: where there is a vault, no file of the gateway has their names."""

import asyncio
import json

import pytest
import uvloop

from gateway.raw_client import hear
from gateway.running import PATIENCE, running
from gateway.test_admission import FIVE_CENTS, GOOD, TENANT, limiter_of
from trunkline.audit.files.reader import read_records
from trunkline.gateway.clock import moment
from trunkline.model.names import PSEUDONYM
from trunkline.simulator import Simulator

USER, SUBJECT = "Ann Canary-Usher", "Client Canary-Sable"
OPTIONS = {
    "tenant": TENANT
    + "user_limits: {requests_per_hour: 3}\n    user_budget: {amount: 0.16, per: day, on_exceeded: warn}",
    "price": FIVE_CENTS,
    "route": "instead_of_error: {limited: One moment.}",
}
WHO = {"x-trunkline-user": USER, "x-trunkline-subject": SUBJECT}


def in_clear(directory):
    """Return the files that have a name."""
    return [path for path in directory.rglob("*") if path.is_file() and b"Canary" in path.read_bytes()]


def raw(gateway, kind: str) -> list[dict]:
    """Return the records of a kind as they stand in the log."""
    gateway.log.flush()
    records = read_records(gateway.log_directory, upto="whole")
    return [json.loads(stored.bytes) for stored in records if stored.type.startswith(kind)]


def story_of(directory, story):
    async def main() -> None:
        async with asyncio.timeout(PATIENCE), Simulator(GOOD, GOOD) as simulator:
            await story(simulator)

    uvloop.run(main())
    assert in_clear(directory) == []


def test_no_file_has_a_name_whatever_limits_and_budgets_say_of_it(tmp_path):
    async def story(simulator) -> None:
        async with running(simulator, tmp_path, **OPTIONS) as gateway:
            for _ in range(3):
                assert (await hear(gateway, {"model": "only-first"}, WHO)).status == 200
            gateway.worker._counts._states.write(moment())
            assert (await hear(gateway, {"model": "reversed"}, WHO)).status == 200  # hears a sentence
            told = await hear(gateway, {"model": "voice"}, WHO | {"x-trunkline-subject": USER})
            assert told.status == 200
            assert raw(gateway, "limits.state")[0]["counters"][0][1].startswith("u~")
            assert all(PSEUDONYM.fullmatch(r["owner"]) for r in raw(gateway, "budget.crossed"))
            over = [r["error"] for r in raw(gateway, "call.closed") if "error" in r]
            assert over
            assert all(error["owner"].startswith("u~") and error["owner"] in error["message"] for error in over)
            opened = raw(gateway, "call.opened")
            assert {r["user"] for r in opened} == {over[0]["owner"]}
            assert [r["subject"][:2] for r in opened] == ["s~", "s~", "s~", "s~", "u~"]
            assert opened[-1]["subject"] == opened[-1]["user"]  # about the user: one person, one pseudonym

    story_of(tmp_path, story)


def test_refused_calls_have_pseudonyms_and_the_caller_is_told_the_name(tmp_path):
    async def story(simulator) -> None:
        async with running(simulator, tmp_path, tenant=TENANT + "user_limits: {requests_per_minute: 1}") as gateway:
            await hear(gateway, headers=WHO)
            refused = await hear(gateway, headers=WHO)
            assert f"The user `{USER}` may have" in refused.error["message"]
            assert refused.error["trunkline"]["owner"] == USER
            gateway.worker._flush_refusals()
            (record,) = raw(gateway, "call.refused")
            assert PSEUDONYM.fullmatch(record["owner"])
            assert record["owner"] == record["user"]
            assert f"The user `{record['owner']}` may have" in record["message"]

    story_of(tmp_path, story)


def test_a_flood_of_names_that_are_refused_keeps_few_of_them(tmp_path):
    async def story(simulator) -> None:
        async with running(simulator, tmp_path, tenant=TENANT + "require: [user]") as gateway:
            for number in range(30):
                await hear(gateway, {"model": "nowhere"}, {"x-trunkline-user": f"Canary-{number}"})
            gateway.worker._flush_refusals()
            records = raw(gateway, "call.refused")
            assert sum(r["count"] for r in records) == 30
            names = gateway.log.opening.names({r["user"] for r in records if "user" in r})
            assert len(names) <= len(records)

    story_of(tmp_path, story)


def test_limits_go_on_counting_after_a_restart_for_the_person_of_the_name(tmp_path):
    async def story(simulator) -> None:
        for states in (True, False, True):
            async with running(simulator, tmp_path, **OPTIONS) as gateway:
                assert (await hear(gateway, {"model": "only-first"}, WHO)).status == 200
                if states:
                    gateway.worker._counts._states.write(moment())
        async with running(simulator, tmp_path, **OPTIONS) as gateway:
            owners = {owner for _, owner in limiter_of(gateway).places()}
            assert owners == {USER}
            assert limiter_of(gateway).find("harbor/user_limits.requests_per_hour/hour", USER).used(moment()) == 3

    story_of(tmp_path, story)


@pytest.mark.parametrize("header", ["x-trunkline-user", "x-trunkline-subject"])
def test_nobody_may_be_called_like_a_pseudonym(tmp_path, header):
    async def story(simulator) -> None:
        async with running(simulator, tmp_path) as gateway:
            await hear(gateway, headers=WHO)
            (opened,) = raw(gateway, "call.opened")
            for written in (opened["user"], opened["subject"]):
                heard = await hear(gateway, headers={header: written})
                assert (heard.status, heard.error["param"]) == (400, header)
            for almost in (opened["user"][:-1], opened["user"].upper(), f" {opened['user']}x"):
                assert (await hear(gateway, headers={header: almost})).status == 200

    story_of(tmp_path, story)
