"""Reviewers who ask over the console's port: several at once, by their tokens, from another machine."""

import http.client
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from reviewing import JANE, OMAR, reviewed
from running_gateway import PATIENCE, command, gone


@pytest.fixture
def place(tmp_path):
    with reviewed(tmp_path) as place:
        yield place


def asked(port, token, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, data, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_two_reviewers_at_once_never_get_the_same_call_and_may_not_decide_the_other_s(place):
    calls = {place.call("Hello?") for _ in range(8)}
    place.run("review", "sample", "--percent", "100")
    port = place.console

    def work(token):
        seen = []
        while (found := asked(port, token, "/api/review/next", {}))[0] == 200:
            call = found[1]["call"]
            seen.append(call)
            status, _ = asked(port, token, "/api/review/decide", {"call": call, "verdict": "ok"})
            assert status == 200
        return seen

    status, held = asked(port, JANE, "/api/review/next", {})
    assert status == 200
    status, body = asked(port, OMAR, "/api/review/decide", {"call": held["call"], "verdict": "ok"})
    assert status == 404
    assert "jane (supervisor) is looking at this call" in body["error"]["message"]
    with ThreadPoolExecutor(2) as pool:
        jane, omar = pool.map(work, (JANE, OMAR))
    assert held["call"] == jane[0]
    assert sorted(jane + omar) == sorted(calls)
    assert jane
    assert omar
    rows = place.listed("review", "list", "--reviewer", "omar (supervisor)")
    assert {row["call"] for row in rows} == set(omar)
    assert {one["who"] for one in place.records("review.decided")} == {"jane (supervisor)", "omar (supervisor)"}


def test_a_control_process_that_is_killed_forgets_neither_the_queue_nor_who_has_what(place):
    calls = {place.call("Hello?") for _ in range(2)}
    place.run("review", "sample", "--percent", "100")
    _, jane = asked(place.console, JANE, "/api/review/next", {})
    control = place.running.status()["control"]["pid"]
    os.kill(control, signal.SIGKILL)
    assert gone(control)
    assert len(place.listed("review", "list")) == 2  # this waits for the next one
    _, omar = asked(place.console, OMAR, "/api/review/next", {})
    assert {jane["call"], omar["call"]} == calls
    assert asked(place.console, JANE, "/api/review/next", {})[1]["call"] == jane["call"]


def test_a_supervisor_reviews_over_the_console_with_a_token_and_no_file(place, tmp_path_factory, monkeypatch):
    call = place.call("Hello?")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setenv("TRUNKLINE_CONSOLE", f"http://127.0.0.1:{place.console}")
    monkeypatch.setenv("TRUNKLINE_TOKEN", JANE)
    for words, said in (
        (("review", "sample", "--percent", "100"), "1 calls are in the queue now"),
        (("review", "next"), f"call {call}, drawn"),
        (("review", "decide", call, "--as", "ok", "--note", "fine"), f"{call}: ok"),
        (("review", "show", call), "ok by jane (supervisor)"),
        (("review", "list"), "jane (supervisor)"),
        (("review", "samples"), "jane (supervisor)"),
        (("review", "report", "--since", "1h"), "(all)"),
        (("audit", "reads"), "jane (supervisor)"),
        (("calls", "show", call, "--bodies"), "Hello?"),
        (("sessions", "show", "s-1"), "Hello?"),
        (("audit", "export", "--since", "1h", "--out", "calls.jsonl"), "calls.jsonl: 1 call, "),
    ):
        result = command(elsewhere, *words)
        assert (result.returncode, result.stderr) == (0, ""), words
        assert said in result.stdout
    assert {one["who"] for one in place.records("audit.read")} == {"jane (supervisor)"}
    for url, token, status, said in (
        (f"http://127.0.0.1:{place.console}", "wrong", 1, "an operator's token is needed"),
        (f"http://127.0.0.1:{place.console}", "", 64, "TRUNKLINE_TOKEN must be"),
        ("http://gateway.example.com", JANE, 64, "use https"),
        ("http://127.0.0.1:1", JANE, 1, "nobody answers at http://127.0.0.1:1"),
        ("http://127.0.0.1:x", JANE, 64, "must be a URL"),
        ("gateway", JANE, 64, "must be a URL"),
    ):
        monkeypatch.setenv("TRUNKLINE_CONSOLE", url)
        monkeypatch.setenv("TRUNKLINE_TOKEN", token)
        result = command(elsewhere, "review", "list")
        assert (result.returncode, result.stdout) == (status, ""), result.stderr
        assert said in result.stderr
        assert result.stderr.count("\n") == 1
        assert JANE not in result.stderr
