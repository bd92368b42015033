"""Imported costs are recorded once, with the team that the directory had for the day."""

import asyncio
import json

import pytest
from test_control_registry import Workers, registry, types
from test_directories import ANN, users

from trunkline.audit.files.reader import read_records
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
