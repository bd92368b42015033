"""A worker that replaces another and cannot open its log answers all the same, and lets no call through."""

import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from running_gateway import PATIENCE, SECRET, Gateway, gateway, gone, write_configuration
from test_serve import refused

from trunkline.audit.files.reader import read_records
from trunkline.audit.format.segment import HEADER_BYTES

LOG = Path("data", "log", "gw-1", "worker-0")
BODY = json.dumps({"model": "fast", "messages": [{"role": "user", "content": "What do they hold?"}]})
HEADERS = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}


@contextmanager
def asking(running: Gateway) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE)) as connection:
        yield connection


def ask(connection: http.client.HTTPConnection) -> tuple[int, dict, str | None]:
    connection.request("POST", "/v1/chat/completions", BODY, HEADERS)
    response = connection.getresponse()
    return response.status, json.loads(response.read()), response.getheader("retry-after")


def worker_of(running: Gateway) -> int:
    return running.status()["workers"][0]["pid"]


def replace_worker(running: Gateway) -> None:
    pid = worker_of(running)
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)


def check_refusing(running: Gateway) -> None:
    assert running.get("/healthz")[0] == 200
    status, said = running.get("/readyz")
    assert (status, said["reason"]) == (503, "the record log does not take records")
    with asking(running) as connection:
        status, body, wait = ask(connection)
    assert (status, body["error"]["code"], wait) == (503, "audit_unavailable", "5")
    assert running.status()["workers"][0]["ready"] is False


def test_calls_are_refused_until_a_log_that_was_out_of_reach_is_open_and_then_carried(tmp_path):
    data = tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as provider:
        write_configuration(tmp_path, provider=provider.getsockname()[1])
        with gateway(tmp_path) as running, asking(running) as cut:
            cut.request("POST", "/v1/chat/completions", BODY, HEADERS)
            with provider.accept()[0]:
                data.chmod(0o755)
                replace_worker(running)  # its call is open in the log
            running.until("not_ready", "supervisor")
            failed = next(line for line in running.lines if "log_failed" in line)
            assert "others may look into" in json.loads(failed)["reason"]  # its first line, before it has a snapshot
            check_refusing(running)
            with asking(running) as kept:
                assert ask(kept)[0] == 503
                data.chmod(0o700)
                running.until("ready", "worker-0")
                provider.close()
                assert ask(kept)[0] == 502  # the same connection, now by way of a provider that has gone
            assert running.get("/readyz")[0] == 200
            assert running.status()["workers"][0]["restarts"] == 1
            running.process.send_signal(signal.SIGTERM)
            assert running.ended() == 0
    kinds = [record.type for record in read_records(tmp_path / LOG)]
    assert [kind for kind in kinds if kind.startswith("call.")] == [
        "call.opened",
        "call.abandoned",
        "call.opened",
        "call.closed",
    ]


def test_calls_are_refused_for_good_where_the_log_is_damaged_and_the_next_start_fails(tmp_path):
    write_configuration(tmp_path)
    with gateway(tmp_path) as running:
        with asking(running) as connection:
            assert ask(connection)[0] == 502
        pid = worker_of(running)
        os.kill(pid, signal.SIGSTOP)  # nothing else is to be written behind what is damaged
        (segment,) = (tmp_path / LOG).glob("*.seg")
        with segment.open("r+b") as file:
            file.seek(HEADER_BYTES + 100)
            file.write(b"\0\1\2\3")
        os.kill(pid, signal.SIGKILL)
        running.until("not_ready", "supervisor")
        assert any("log_corrupt" in line and "is damaged at offset" in line for line in running.lines)
        check_refusing(running)
        assert running.command("apply").returncode == 0
        check_refusing(running)
        running.process.send_signal(signal.SIGTERM)
        assert running.ended() == 0
    said = refused(tmp_path)
    assert "log_corrupt" in said
    assert "start_failed" in said
