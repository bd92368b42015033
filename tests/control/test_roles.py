"""What each role may do, held against every endpoint that is there, on the console's real port."""

import asyncio
import json

import pytest
from test_admin_api import CONSOLE, TOKENS, ask, control_log, serving, write_call
from test_control_registry import write

from trunkline.control.api import build
from trunkline.control.journal import read_state
from trunkline.control.refusals import MOST_KINDS, AdminRefusals
from trunkline.control.roles import MAY, NEEDED, Caller, Right, holders
from trunkline.model.operators import ROLES
from trunkline.operations import OperationalLog

CALL = "01a214f8-68c2-7ee4-baa0-000000000001"


def endpoints():
    app = build(None, dict, str, OperationalLog(2, "text", "info", "test"), None, tuple, None)
    return {f"{method} {route.path}" for route in app.routes for method in route.methods}


def test_every_endpoint_has_its_right_and_no_other_has_one():
    assert endpoints() == set(NEEDED)


def test_every_role_has_its_rights_and_every_right_is_needed_somewhere():
    assert set(MAY) == set(ROLES)
    assert set(NEEDED.values()) == set(Right)


def test_roles_may_what_they_are_for():
    assert MAY["admin"] == set(Right)
    assert MAY["examiner"] < MAY["supervisor"]
    assert MAY["supervisor"] - MAY["examiner"] == {Right.REVIEW, Right.HOLD}
    assert Right.CONTENT not in MAY["operator"]
    assert Right.OPERATE not in MAY["examiner"] | MAY["supervisor"]
    assert holders(Right.CONTENT) == ["examiner", "supervisor", "admin"]


def test_who_may_open_the_socket_may_do_everything_and_nobody_may_what_is_not_in_the_table():
    account = Caller("mara (uid 1004)", None)
    assert all(account.may(right) for right in Right)
    assert not account.may(None)
    assert not any(Caller("x", role).may(None) for role in ROLES)


def test_each_role_gets_in_where_the_table_says_and_nowhere_else(tmp_path):
    async def main():
        async with serving(tmp_path) as (port, control):
            write_call(tmp_path / "data", CALL)
            admin = f"Bearer {TOKENS['admin']}"
            await asyncio.to_thread(ask, port, "POST", "/api/index", b"{}", authorization=admin)
            before = control.refusals.total
            asked = [(role, endpoint) for endpoint in sorted(endpoints()) for role in ROLES]
            statuses = await asyncio.gather(*(asyncio.to_thread(status_of, port, *one) for one in asked))
            wrong = {
                (role, endpoint): status
                for (role, endpoint), status in zip(asked, statuses, strict=True)
                if (status == 403) is (NEEDED[endpoint] in MAY[role]) or status == 401
            }
            assert wrong == {}
            assert control.refusals.total - before == statuses.count(403) > 0

    asyncio.run(main())


def status_of(port: int, role: str, endpoint: str) -> int:
    """Ask an endpoint for what there is not, or by a body that is none: who is let in gets another error."""
    method, _, path = endpoint.partition(" ")
    path = path.replace("{key_id:path}", "none").replace("{call_id:path}", CALL).replace("{session:path}", "s-1")
    path += "?most=0" if path == "/api/limits" else ""
    headers = {"authorization": f"Bearer {TOKENS[role]}", "content_type": "application/json"}
    return ask(port, method, path, b"[]" if method == "POST" else None, **headers)[0]


def test_who_may_ask_is_on_record_and_a_change_of_it_is_shown(tmp_path):
    async def main():
        async with serving(tmp_path) as (port, control):
            control._console = "127.0.0.1:0"  # the address is as it was; the port that it stands for is, too
            same = await control.apply("me", "applied")
            changed = CONSOLE.replace("role: examiner", "role: operator").replace("ope: {", "ops: {")
            control.configuration = write(tmp_path, "providers:", changed)
            applied = await control.apply("me", "applied")
            assert (same.lines, applied.lines) == (
                (),
                ("- operator ope", "+ operator ops (operator)", "~ operator exa: examiner -> operator"),
            )
            bearer = {"authorization": f"Bearer {TOKENS['examiner']}"}
            assert (await asyncio.to_thread(ask, port, "GET", "/api/sessions/s-1", **bearer))[0] == 403

    asyncio.run(main())
    records = [json.loads(one.bytes) for one in control_log(tmp_path) if one.type == "operators"]
    assert [one["operators"]["exa"] for one in records] == ["examiner", "operator"]
    assert records[0]["operators"]["admin"] == "admin"
    assert all(token not in json.dumps(records) for token in TOKENS.values())
    assert read_state(tmp_path / "data").operators == records[1]["operators"]


def test_who_is_not_let_in_is_on_record_once_a_second_with_a_count(tmp_path):
    async def main():
        async with serving(tmp_path) as (port, control):
            operator = {"authorization": f"Bearer {TOKENS['operator']}"}
            for _ in range(3):
                status, _ = await asyncio.to_thread(ask, port, "GET", "/api/sessions/s-1", **operator)
                assert status == 403
                status, _ = await asyncio.to_thread(ask, port, "GET", "/api/keys", authorization="Bearer wrong")
                assert status == 401
            await control.note_refusals()
            await control.note_refusals()

    asyncio.run(main())
    envelope = {"v", "type", "id", "at", "log", "index"}
    found = [json.loads(one.bytes) for one in control_log(tmp_path) if one.type == "admin.refused"]
    assert [{name: value for name, value in one.items() if name not in envelope} for one in found] == [
        {"status": 403, "count": 3, "who": "ope (operator)", "request": "GET /api/sessions/{session:path}"},
        {"status": 401, "count": 3},
    ]


@pytest.mark.parametrize("status", [401, 403])
def test_a_flood_of_refusals_makes_few_records(status):
    refusals = AdminRefusals()
    for number in range(10 * MOST_KINDS):
        refusals.add(status, f"who-{number}", "GET /x")
    found = refusals.taken()
    assert len(found) == MOST_KINDS + 1
    assert sum(one.count for one in found) == refusals.total == 10 * MOST_KINDS
    assert (found[-1].who, found[-1].request) == (None, None)
    assert refusals.taken() == []
