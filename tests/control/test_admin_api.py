"""The admin API on real sockets, over a real log."""

import asyncio
import http.client
import json
import os
import socket
from contextlib import asynccontextmanager

import pytest
from test_control_registry import Workers, registry, types, write

from trunkline.audit.files.data_dir import open_data_dir
from trunkline.audit.files.reader import read_records
from trunkline.audit.files.writer import LogSettings, LogWriter
from trunkline.channel.link import Link
from trunkline.channel.messages import ToControl
from trunkline.cli.control_client import Live
from trunkline.cli.failure import Failed
from trunkline.control.answers import NewKey
from trunkline.control.app import serve_admin
from trunkline.control.ledger_desk import LedgerDesk
from trunkline.control.limits_desk import LimitsDesk
from trunkline.control.listeners import MAX_BODY
from trunkline.control.sockets import admin_sockets
from trunkline.control.users import user_name
from trunkline.ledger.answers import Period
from trunkline.ledger.evidence_answers import ExportQuestion
from trunkline.operations import OperationalLog

TOKEN = "b7c0d9f02a1e4c83956bd2f1a7e4c0d3"
TOKENS = {
    "examiner": "2d1f84c07ab3495e8c61f0b2d97e5a34",
    "supervisor": "7e90b3d15fa2468c8d07c6e1f4a3b952",
    "operator": "c46a1e8f03d75b29946ef2b8705d1c3a",
    "admin": TOKEN,
}
OPERATORS = ", ".join(f"{role[:3]}: {{token: {TOKENS[role]}, role: {role}}}" for role in TOKENS if role != "admin")
CONSOLE = f"console: {{listen: '127.0.0.1:0', admin_token: {TOKEN}, operators: {{{OPERATORS}}}}}\nproviders:"


@asynccontextmanager
async def serving(directory):
    """The API on both sockets; yields the console's port and the registry."""
    log = OperationalLog(os.open(os.devnull, os.O_WRONLY), "text", "info", "control")
    async with registry(directory, Workers()) as (control, _):
        control.configuration = write(directory, "providers:", CONSOLE)
        await control.apply("me", "started")
        sockets = admin_sockets(directory / "data", "127.0.0.1:0")
        desk = LedgerDesk(directory / "data", log)
        status = {"snapshot": control.digest}
        ours, theirs = socket.socketpair()
        link: Link[ToControl] = await Link.open(ours, ToControl)
        limits = LimitsDesk(link)
        serving = asyncio.create_task(serve_admin(control, lambda: status, sockets, log, desk, tuple, limits))
        try:
            yield sockets.console.getsockname()[1], control
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            await link.close(0)
            theirs.close()
            log.close()


def ask(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(method, path)
        for name, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                connection.putheader(name.replace("_", "-"), one)
        if body is not None:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


BEARER = f"Bearer {TOKEN}"


def test_the_console_is_for_the_one_with_the_admin_token(tmp_path):
    async def main():
        async with serving(tmp_path) as (port, control):
            refused = [
                {},
                {"authorization": "Bearer "},
                {"authorization": "Bearer wrong"},
                {"authorization": f"Basic {TOKEN}"},
                {"authorization": TOKEN},
                {"authorization": [BEARER, BEARER]},
                {"authorization": BEARER + "x"},
                {"x_api_key": TOKEN},
            ]
            for headers in refused:
                status, body = await asyncio.to_thread(ask, port, "GET", "/api/status", **headers)
                assert (status, list(body)) == (401, ["error"])
            status, body = await asyncio.to_thread(ask, port, "GET", "/api/status", authorization=BEARER)
            assert (status, body["snapshot"]) == (200, control.digest)

    asyncio.run(main())


def test_an_operator_sees_no_conversation_and_who_does_is_on_record_by_name_and_role(tmp_path):
    async def main():
        async with serving(tmp_path) as (port, _):
            call = "01a214f8-68c2-7ee4-baa0-000000000001"
            write_call(tmp_path / "data", call)
            await asyncio.to_thread(ask, port, "POST", "/api/index", b"{}", authorization=BEARER)
            path = f"/api/calls/{call}?bodies=yes"
            for role, allowed in (("operator", False), ("examiner", True), ("supervisor", True), ("admin", True)):
                bearer = {"authorization": f"Bearer {TOKENS[role]}"}
                assert (await asyncio.to_thread(ask, port, "GET", path[:-11], **bearer))[0] == 200
                status, body = await asyncio.to_thread(ask, port, "GET", path, **bearer)
                assert status == (200 if allowed else 403)
                assert ("All is well." in str(body)) is allowed
                if not allowed:
                    said = "the role operator may not do this; examiner, supervisor, admin may"
                    assert body == {"error": {"message": said, "problems": []}}
        reads = [json.loads(one.bytes)["who"] for one in control_log(tmp_path) if one.type == "audit.read"]
        assert reads == [
            "exa (examiner)", "sup (supervisor)", "admin (admin)"
        ]  # fmt: skip

    asyncio.run(main())


def test_what_cannot_be_recorded_is_not_shown(tmp_path):
    async def main():
        async with serving(tmp_path) as (_, control):
            call = "01a214f8-68c2-7ee4-baa0-000000000001"
            write_call(tmp_path / "data", call)
            live = Live(tmp_path / "data", "")
            ledger = live.ledger
            await asyncio.to_thread(live._ask, "POST", "/api/index", {})
            looks = [
                lambda: list(ledger.replay(call)),
                lambda: ledger.call(call, bodies=True),
                lambda: ledger.session("s-1", None),
                lambda: list(ledger.export(ExportQuestion(period=Period()))),
            ]
            for look in looks:
                assert "All is well." in repr(await asyncio.to_thread(look))
            await control._journal.close()
            for look in looks:
                with pytest.raises(Failed, match="the record log cannot be written"):
                    await asyncio.to_thread(look)
            assert await asyncio.to_thread(lambda: ledger.call(call, bodies=False).call) == call

    asyncio.run(main())


def control_log(directory):
    return read_records(directory / "data" / "log" / "gw-1" / "control")


def write_call(data_dir, call: str) -> None:
    """Write the log of a worker that has carried one call."""
    data = open_data_dir(data_dir)
    where, origin = data.log_directory("gw-1", "worker-0"), data.origin("gw-1", "worker-0")
    log, _ = LogWriter.open(where, origin, LogSettings(), on_event=lambda _name, /, **_facts: None)
    opened = {"call": call, "tenant": "acme", "key_id": "app", "session": "s-1", "purpose": "production",
              "endpoint": "/", "route": "fast", "stream": False, "prompt_fingerprint": "f", "snapshot": "s",
              "estimate": {"prompt_tokens": 1, "completion_tokens": 1, "cost": "0"}}  # fmt: skip
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "All is well."}}]}
    log.append("call.opened", call, json.dumps(opened).encode(), {"request": b"{}"})
    closed = {"call": call, "outcome": "answered", "status": 200, "timings": {"total_ms": 1.0, "overhead_ms": 1.0}}
    log.append("call.closed", "r-2", json.dumps(closed).encode(), {"response": json.dumps(answer).encode()})
    log.close_sync()


def test_a_new_admin_token_holds_as_soon_as_it_is_applied(tmp_path):
    async def main():
        async with serving(tmp_path) as (port, control):
            # The address is as it was; the port that it stands for is, too.
            control.configuration = write(tmp_path, "providers:", CONSOLE.replace("b7c0", "c8d1"))
            control._console = "127.0.0.1:0"
            await control.apply("me", "applied")
            old = await asyncio.to_thread(ask, port, "GET", "/api/keys", authorization=BEARER)
            new = await asyncio.to_thread(ask, port, "GET", "/api/keys", authorization=BEARER.replace("b7c0", "c8d1"))
            assert (old[0], new[0]) == (401, 200)

    asyncio.run(main())


def test_requests_that_are_none_of_ours_are_refused_in_json(tmp_path):
    async def main():
        async with serving(tmp_path) as (port, _):
            as_json = {"authorization": BEARER, "content_type": "application/json"}
            asked = [
                (404, "GET", "/api/nothing", None, {"authorization": BEARER}),
                (404, "GET", "/docs", None, {"authorization": BEARER}),
                (404, "PUT", "/api/keys", None, {"authorization": BEARER}),
                (
                    400,
                    "POST",
                    "/api/keys",
                    b'{"tenant": "acme"}',
                    {"authorization": BEARER, "content_type": "text/plain"},
                ),
                (400, "POST", "/api/keys", b"{", as_json),
                (400, "POST", "/api/keys", b"[]", as_json),
                (400, "POST", "/api/keys", b'{"tenant": 1}', as_json),
                (400, "POST", "/api/keys", b'{"tenant": "acme", "secret": "mine"}', as_json),
                (400, "POST", "/api/apply", b'{"config": "/etc/passwd"}', as_json),
                (413, "POST", "/api/keys", b" " * (MAX_BODY + 1), as_json),
                (413, "POST", "/api/keys", None, as_json | {"transfer_encoding": "chunked"}),
            ]
            for wanted, method, path, body, headers in asked:
                status, answer = await asyncio.to_thread(ask, port, method, path, body, **headers)
                assert (status, list(answer)) == (wanted, ["error"]), (method, path, answer)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/api/keys", rb'{"tenant": "\ud800"}', "not JSON in UTF-8"),
        ("/api/keys", rb'{"tenant": "acme", "routes": ["\ud800"]}', "not JSON in UTF-8"),
        ("/api/keys", rb'{"tenant": "acme", "\ud800": 1}', "not JSON in UTF-8"),
        ("/api/keys", b'{"tenant": "\xff"}', "not JSON in UTF-8"),
        ("/api/keys", b"[" * 30_000 + b"]" * 30_000, "Expected `object`"),
        ("/api/keys", b'{"tenant": "acme", "routes": ' + b"[" * 30_000, "at `$.routes[0]`"),
        ("/api/keys", b'{"tenant": "acme", "expires": 99999999999999999999}', "the end of the year 9999"),
        ("/api/keys", b'{"tenant": "acme", "expires": 9007199254740993}', "the end of the year 9999"),
        ("/api/keys", b'{"tenant": "acme", "expires": %s}' % (b"9" * 5_000), "at `$.expires`"),
        ("/api/keys", b'{"tenant": "acme", "expires": 1e400}', "at `$.expires`"),
        ("/api/keys", b'{"tenant": "acme", "expires": -1}', "expired already"),
        ("/api/apply", rb'{"config": "a\u0000b"}', "apply that file"),
        ("/api/apply", rb'{"config": "\ud800"}', "not JSON in UTF-8"),
        ("/api/apply", b'{"config": "%s"}' % (b"a/" * 20_000), "apply that file"),
        ("/api/apply", b'{"config": 1}', "at `$.config`"),
        ("/api/apply", b'{"file": "a"}', "unknown field `file`"),
    ],
)
def test_a_body_that_is_not_what_it_should_be_is_a_400_and_leaves_no_record(tmp_path, path, body, said):
    async def main():
        async with serving(tmp_path) as (port, _):
            before = types(tmp_path)
            headers = {"authorization": BEARER, "content_type": "application/json"}
            status, answer = await asyncio.to_thread(ask, port, "POST", path, body, **headers)
            assert (status, types(tmp_path)) == (400, before)
            assert said in answer["error"]["message"]

    asyncio.run(main())


def test_a_host_that_is_none_does_not_change_what_is_not_there(tmp_path):
    async def main():
        async with serving(tmp_path) as (port, _):
            status, _ = await asyncio.to_thread(ask, port, "GET", "/x", authorization=BEARER, host="[")
            assert status == 404

    asyncio.run(main())


def test_when_the_log_has_failed_the_answer_says_what_to_restart(tmp_path):
    async def main():
        async with serving(tmp_path) as (port, control):
            headers = {"authorization": BEARER, "content_type": "application/json"}
            asked = [("POST", "/api/keys", b'{"tenant": "acme", "id": "k2"}'), ("DELETE", "/api/keys/k1", None)]
            await control.create_key(NewKey("acme", "k1"), "me")
            control._journal._writer._flusher.fail("the disk is full")
            for method, path, body in asked:
                status, answer = await asyncio.to_thread(ask, port, method, path, body, **headers)
                assert status == 503
                assert answer["error"]["message"] == (
                    "the record log cannot be written: the disk is full. Mend the disk or make room on it,"
                    f" then restart control (end process {os.getpid()}; another follows) or the gateway"
                )

    asyncio.run(main())


def test_records_name_the_user_of_the_socket_as_the_kernel_does(tmp_path):
    async def main():
        async with serving(tmp_path):
            live = Live(tmp_path / "data", str(tmp_path / "trunkline.yaml"))
            made = await asyncio.to_thread(live.create_key, NewKey("acme", "k1"))
            assert made.key.created_by == user_name(os.getuid())

    asyncio.run(main())


def test_a_socket_that_a_dead_process_left_is_replaced(tmp_path):
    (tmp_path / "data").mkdir()
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "data" / "control.sock"))
    left.close()

    async def main():
        async with serving(tmp_path) as (_, control):
            live = Live(tmp_path / "data", str(tmp_path / "trunkline.yaml"))
            assert (await asyncio.to_thread(live.status))["snapshot"] == control.digest

    (tmp_path / "data").chmod(0o700)
    asyncio.run(main())
