"""A real gateway of three workers: they share the port and the snapshot, and nobody pays for another one's death."""

import http.client
import json
import os
import signal
import socket
from collections import Counter
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import openai
import pytest
from running_gateway import PATIENCE, SECRET, Gateway, gateway, gone, write_configuration

from trunkline.audit.files.reader import read_records
from trunkline.cli.bench.processes import family
from trunkline.simulator import ErrorAnswer, Script, Simulator

WORKERS = 3
# Each new connection goes to one of three by a hash: that one of them gets none of so many happens once in 10^9 runs.
CONNECTIONS = 56
FEWER = 28  # where a worker without any would only make a test say less
HELLO = [{"role": "user", "content": "What do they hold?"}]
BODY = json.dumps({"model": "fast", "messages": HELLO}).encode()
CALL = (
    f"POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {SECRET}\r\n"
    f"content-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n"
).encode() + BODY


@contextmanager
def running(directory: Path, simulator, workers: int = WORKERS, more: str = ""):
    write_configuration(directory, provider=simulator.openai.port, more=f"workers: {workers}\n{more}")
    with gateway(directory) as started:
        yield started


def pids(running: Gateway) -> list[int]:
    return [worker["pid"] for worker in running.status()["workers"]]


def stopped(running: Gateway) -> int:
    running.process.send_signal(signal.SIGTERM)
    return running.ended()


def logged(directory: Path) -> dict[str, list[dict]]:
    """The records of each worker's log."""
    logs = sorted((directory / "data" / "log" / "gw-1").glob("worker-*"))
    return {log.name: [json.loads(stored.bytes) for stored in read_records(log)] for log in logs}


def calls_of(records: list[dict], *kinds: str) -> list[str]:
    return [record["call"] for record in records if record["type"] in kinds]


def sdk(running: Gateway) -> openai.OpenAI:
    """The SDK, with a new connection for each call."""
    url, fresh = f"http://127.0.0.1:{running.port}/v1", {"connection": "close"}
    return openai.OpenAI(base_url=url, api_key=SECRET, max_retries=0, timeout=PATIENCE, default_headers=fresh)


def connected(running: Gateway, stack: ExitStack, count: int = CONNECTIONS) -> list[http.client.HTTPConnection]:
    made = [http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE) for _ in range(count)]
    for connection in made:
        connection.connect()
        stack.enter_context(closing(connection))
    return made


def status_of(connection: http.client.HTTPConnection, secret: str = SECRET, path: str = "/v1/models") -> int:
    connection.request("GET", path, headers={"authorization": f"Bearer {secret}"})
    response = connection.getresponse()
    response.read()
    return response.status


def ask(connection: http.client.HTTPConnection, model: str = "fast", **fields) -> http.client.HTTPResponse:
    headers = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}
    body = json.dumps({"model": model, "messages": HELLO, **fields})
    connection.request("POST", "/v1/chat/completions", body, headers)
    return connection.getresponse()


def test_calls_of_the_sdk_are_spread_over_all_workers_and_each_is_in_one_log(tmp_path):
    with Simulator.in_thread() as simulator, running(tmp_path, simulator) as started, sdk(started) as client:
        assert started.ready["workers"] == WORKERS
        assert [worker["ready"] for worker in started.status()["workers"]] == [True] * WORKERS
        answers = [
            client.chat.completions.with_raw_response.create(model="fast", messages=HELLO) for _ in range(CONNECTIONS)
        ]
        answered = [answer.headers["x-trunkline-call"] for answer in answers]
        assert stopped(started) == 0
    found = {name: calls_of(records, "call.closed") for name, records in logged(tmp_path).items()}
    assert sorted(found) == ["worker-0", "worker-1", "worker-2"]
    assert all(found.values())
    assert Counter(answered) == Counter(call for calls in found.values() for call in calls)
    listed = started.command("calls", "list", "--limit", "1000", "--format", "json")
    assert {call["id"] for call in json.loads(listed.stdout)} == set(answered)


def test_connections_that_wait_for_a_worker_that_dies_are_taken_by_the_next_one(tmp_path):
    with Simulator.in_thread() as simulator, running(tmp_path, simulator) as started, ExitStack() as stack:
        pid = pids(started)[1]
        os.kill(pid, signal.SIGSTOP)  # as one that hangs: the kernel goes on giving it its share
        waiting = [
            stack.enter_context(socket.create_connection(("127.0.0.1", started.port), PATIENCE))
            for _ in range(CONNECTIONS)
        ]
        for sock in waiting:
            sock.sendall(CALL)
        os.kill(pid, signal.SIGKILL)
        assert [sock.recv(12) for sock in waiting] == [b"HTTP/1.1 200"] * CONNECTIONS
        restarts = [worker["restarts"] for worker in started.status()["workers"]]
        assert restarts == [0, 1, 0]
        assert stopped(started) == 0
    found = {name: calls_of(records, "call.closed") for name, records in logged(tmp_path).items()}
    assert all(found.values())
    assert sum(map(len, found.values())) == CONNECTIONS
    # None of them had been taken by the one that died.
    first_life = [record["type"] for record in logged(tmp_path)["worker-1"]].index("log.started", 1)
    assert calls_of(logged(tmp_path)["worker-1"][:first_life], "call.opened") == []


def test_a_key_that_is_revoked_is_refused_by_every_worker_when_the_command_returns(tmp_path):
    with Simulator.in_thread() as simulator, running(tmp_path, simulator) as started, ExitStack() as stack:
        secret = started.command("keys", "create", "--tenant", "acme", "--id", "app-2").stdout.strip()
        connections = connected(started, stack)
        assert {status_of(connection, secret) for connection in connections} == {200}
        assert started.command("keys", "revoke", "app-2").returncode == 0
        assert {status_of(connection, secret) for connection in connections} == {401}
        assert {status_of(connection) for connection in connections} == {200}


def test_while_one_worker_drains_a_call_the_others_have_ended_and_nobody_new_waits(tmp_path):
    slow = Script(text="word " * 2000, tokens_per_second=20.0)
    with (
        Simulator.in_thread(openai=slow) as simulator,
        running(tmp_path, simulator, more="server: {drain: 20s}\n") as started,
        ExitStack() as stack,
    ):
        (busy,) = connected(started, stack, 1)
        stream = ask(busy, stream=True)
        assert stream.read(1)
        started.process.send_signal(signal.SIGTERM)
        while [worker["pid"] for worker in started.status()["workers"]].count(None) < WORKERS - 1:
            pass
        met = Counter(outcome_of(started) for _ in range(CONNECTIONS))
        assert met[503] > 0
        assert set(met) <= {503, "reset"}  # never left to wait
        started.process.send_signal(signal.SIGTERM)
        assert started.ended() == 1  # the stream was cut


def outcome_of(running: Gateway) -> int | str:
    with ExitStack() as stack:
        try:
            return ask(*connected(running, stack, 1)).status
        except ConnectionError:
            return "reset"


def test_fewer_workers_end_the_calls_that_more_have_left_open(tmp_path):
    slow = Script(text="word " * 2000, tokens_per_second=20.0)
    with Simulator.in_thread(openai=slow) as simulator, ExitStack() as stack:
        with running(tmp_path, simulator) as started:
            for connection in connected(started, stack):
                assert ask(connection, stream=True).read(1)
            everyone = family(started.process.pid)
            for pid in everyone:
                os.kill(pid, signal.SIGSTOP)
            for pid in everyone:
                os.kill(pid, signal.SIGKILL)
            assert all(gone(pid) for pid in everyone[1:])
            started.process.wait(PATIENCE)
        before = {name: calls_of(records, "call.opened") for name, records in logged(tmp_path).items()}
        assert all(before.values())
        with running(tmp_path, simulator, workers=1) as started:
            assert stopped(started) == 0
    after = logged(tmp_path)
    assert {name: sorted(calls_of(records, "call.abandoned")) for name, records in after.items()} == {
        name: sorted(calls) for name, calls in before.items()
    }


def test_what_one_worker_hears_of_a_provider_spares_it_the_calls_of_the_others(tmp_path):
    models = [f"model-{number}" for number in range(12)]
    limited = Script(fault=ErrorAnswer(status=429, retry_after=60))
    with Simulator.in_thread(openai=limited) as simulator:
        prices = "".join(f"  openai/{model}: {{input_per_million: 1, output_per_million: 1}}\n" for model in models)
        more = f"workers: {WORKERS}\nprices:\n{prices}"
        path = write_configuration(tmp_path, provider=simulator.openai.port, more=more)
        routes = [f"  {model}: {{targets: [{{provider: openai, model: {model}}}]}}\n" for model in models]
        path.write_text(path.read_text().replace("routes:\n", f"routes:\n{''.join(routes)}"))
        with gateway(tmp_path) as started, ExitStack() as stack:
            connections = connected(started, stack, FEWER)
            for model in models:
                for connection in connections:
                    answer = ask(connection, model)
                    assert answer.status == 429
                    answer.read()
            asked = Counter(call.body["model"] for call in simulator.openai.calls)
    # Each worker has had every model: unless they told each other, each would have asked for each. Half of the models
    # may be asked for once more, by a worker that had its call before the word came.
    assert set(asked) == set(models)
    assert sum(asked.values()) <= len(models) * 3 // 2


def test_a_reload_changes_every_worker_or_none(tmp_path):
    with Simulator.in_thread() as simulator, running(tmp_path, simulator) as started, ExitStack() as stack:
        connections = connected(started, stack, FEWER)
        path = tmp_path / "trunkline.yaml"
        good = path.read_text()
        path.write_text(good.replace("fast:", "faster:"))
        assert started.command("apply").returncode == 0
        assert {answered(connection, "faster") for connection in connections} == {200}
        assert {answered(connection, "fast") for connection in connections} == {404}
        path.write_text(good.replace(f"workers: {WORKERS}", "workers: 2"))
        refused = started.command("apply")
        assert refused.returncode == 1
        assert "restart the gateway" in refused.stderr
        assert {answered(connection, "faster") for connection in connections} == {200}


def answered(connection: http.client.HTTPConnection, model: str) -> int:
    answer = ask(connection, model)
    answer.read()
    return answer.status


@pytest.mark.parametrize("limit", [6, 7])
def test_the_number_of_connections_is_shared_among_the_workers(tmp_path, limit):
    more = f"server: {{max_connections: {limit}}}\n"
    with Simulator.in_thread() as simulator, running(tmp_path, simulator, more=more) as started, ExitStack() as stack:
        # Every worker has its share full, and refuses who comes on top of it.
        statuses = [status_of(connection) for connection in connected(started, stack)]
        assert statuses.count(200) == -(-limit // WORKERS) * WORKERS
        assert set(statuses) == {200, 503}


def test_a_budget_of_all_workers_is_told_once_at_each_threshold_and_counted_with_fewer_of_them(tmp_path):
    def thresholds() -> list[tuple[int, str]]:
        records = [record for found in logged(tmp_path).values() for record in found]
        crossed = [record for record in records if record["type"] == "budget.crossed"]
        return sorted((record["percent"], record["spent"]) for record in crossed)

    prices = "prices: {openai/gpt-4o-mini: {input_per_million: 0, output_per_million: 0, per_request: 0.05}}"
    with Simulator.in_thread() as simulator:
        for workers, served in ((WORKERS, 20), (1, 0), (WORKERS, 0)):
            path = write_configuration(tmp_path, provider=simulator.openai.port, more=f"workers: {workers}\n{prices}\n")
            path.write_text(path.read_text().replace("acme: {", "acme: {budget: {amount: 1, per: total}, "))
            with gateway(tmp_path) as started, ExitStack() as stack:
                statuses = [ask(connection).status for connection in connected(started, stack, FEWER)]
                assert Counter(statuses) == Counter({200: served, 402: FEWER - served})
                shown = json.loads(started.command("limits", "show", "--format", "json").stdout)
                assert [(use["rule"], float(use["used"])) for use in shown] == [("budget", 1.0)]
                assert stopped(started) == 0
            assert [percent for percent, _ in thresholds()] == [50, 80, 100]
    assert thresholds()[-1] == (100, "1")


def test_every_worker_is_asked_for_the_use_of_its_limits(tmp_path):
    with Simulator.in_thread() as simulator, running(tmp_path, simulator) as started:
        asked = started.command("limits", "show", "--format", "json")
        # None of them has a limit to tell of, and none is missed.
        assert (asked.returncode, json.loads(asked.stdout), asked.stderr) == (0, [], "")
        os.kill(pids(started)[0], signal.SIGSTOP)
        try:
            asked = started.command("limits", "show")
            assert asked.stderr == "trunkline: worker 0 did not answer in time: what calls there use is missing\n"
        finally:
            os.kill(pids(started)[0], signal.SIGCONT)
