"""Imported costs are recorded once, with the team that the directory had for the day."""

import asyncio
import json

import pytest
from test_control_registry import Workers, registry, types
from test_directories import ANN, users

from trunkline.audit.files.reader import read_body, read_records
from trunkline.audit.format.heads import decode_head
from trunkline.config.problems import ConfigInvalid
from trunkline.control.answers import ImportedCosts, NewCosts, Refused
from trunkline.control.journal import read_state

COSTS = "at,kind,amount,session,user\n2026-06-30,speech,1.25,s-1,ann\n2026-07-01,telephony,-0.25,,ann\n"


def bill(text=COSTS, tenant="acme"):
    return NewCosts(tenant, "t.csv", text)


def test_an_import_is_recorded_once_with_its_sum(tmp_path):
    async def main():
        async with registry(tmp_path, Workers()) as (control, _):
            await control.apply("me", "started")
            assert await control.import_costs(bill(), "me") == ImportedCosts("acme", 2, "1.00")
            with pytest.raises(Refused, match="the same rows were imported at 20"):
                await control.import_costs(bill(), "me")
            await control.import_costs(bill(COSTS.replace("-0.25", "-0.26")), "me")
        assert len(read_state(tmp_path / "data").costs) == 2

    asyncio.run(main())
    assert types(tmp_path).count("cost.imported") == 2


def test_what_may_not_be_imported_is_refused_and_not_recorded(tmp_path):
    async def main():
        async with registry(tmp_path, Workers()) as (control, _):
            await control.apply("me", "started")
            with pytest.raises(Refused, match="did you mean `acme`"):
                await control.import_costs(bill(tenant="acmee"), "me")
            with pytest.raises(Refused, match="has no rows"):
                await control.import_costs(bill("at,kind,amount\n"), "me")
            with pytest.raises(ConfigInvalid, match=r"t\.csv:2:3 amount"):
                await control.import_costs(bill("at,kind,amount\n2026-06-30,speech,x\n"), "me")

    asyncio.run(main())
    assert "cost.imported" not in types(tmp_path)


def test_a_record_says_who_imported_what(tmp_path):
    async def main():
        async with registry(tmp_path, Workers()) as (control, _):
            await control.apply("me", "started")
            await control.import_users(users(ANN), "me")
            await control.import_costs(bill(), "a person")

    asyncio.run(main())
    (record,) = [
        json.loads(record.bytes)
        for record in read_records(tmp_path / "data" / "log" / "gw-1" / "control", upto="whole")
        if record.type == "cost.imported"
    ]
    assert (record["tenant"], record["rows"], record["amount"], record["who"]) == ("acme", 2, "1.00", "a person")


def test_a_row_has_team_and_cost_centre_of_its_user_on_its_day(tmp_path):
    members = ANN.replace("west,CC-1", "west,CC-2")

    async def main():
        async with registry(tmp_path, Workers()) as (control, _):
            await control.apply("me", "started")
            await control.import_users(users(members), "me")
            await control.import_costs(bill(COSTS + "2026-07-01,headset,1,,eve\n"), "me")

    asyncio.run(main())
    log = tmp_path / "data" / "log" / "gw-1" / "control"
    (stored,) = [record for record in read_records(log, upto="whole") if record.type == "cost.imported"]
    (reference,) = decode_head(stored.bytes).bodies
    rows = [json.loads(line) for line in read_body(log, reference, stored.segment)["costs"].splitlines()]
    assert [(row.get("team"), row.get("cost_center")) for row in rows] == [
        ("desk", "CC-1"),
        ("west", "CC-2"),
        (None, None),
    ]
