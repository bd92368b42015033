"""The commands that ask the ledger, against a real gateway while it runs and after it has stopped."""

import csv
import io
import json
import signal
import subprocess

import openai
import pytest
from running_gateway import PATIENCE, SECRET, command, gateway, write_configuration

from trunkline.cli.control_client import _Connection
from trunkline.simulator import Simulator


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory in which a gateway has carried four calls; yields it with their ids, first running, then not."""
    directory = tmp_path_factory.mktemp("place")
    with Simulator.in_thread() as simulator, gateway(configured(directory, simulator.openai.port)) as running:
        ids = ask(running.port)
        # A refusal is in the log when its second is over.
        while not json.loads(done(running.command("calls", "list", "--outcome", "invalid", "--format", "json"))):
            pass
        yield directory, ids, running, metrics(directory)


def configured(directory, provider: int):
    write_configuration(directory, provider=provider)
    return directory


def ask(port: int) -> list[str]:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=SECRET, max_retries=0) as client:
        ids = []
        hello = {"role": "user", "content": "Hello?"}
        again = [hello, {"role": "assistant", "content": "The Hend"}, {"role": "user", "content": "And now?"}]
        red = {"role": "user", "content": "\x1b[31mred"}
        for user, session, said in (("ann", "s-1", [hello]), ("=cmd()", "s-2", [red]), ("ann", "s-1", again)):
            answer = client.chat.completions.create(
                model="fast", messages=said, user=user, metadata={"session": session}
            )
            ids.append(answer.id)
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="slow", messages=[{"role": "user", "content": "x"}])
        stream = client.chat.completions.create(
            model="fast", messages=[{"role": "user", "content": "Hello?"}], stream=True
        )
        ids.append(next(iter({chunk.id for chunk in stream})))
    return ids


def metrics(directory) -> str:
    connection = _Connection(directory / "data")
    try:
        connection.request("GET", "/metrics", headers={"host": "control"})
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def done(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module", params=["while it runs", "in-process"])
def commands(request, place):
    """The commands, once with the gateway running and then without it."""
    directory, ids, running, _ = place
    if request.param == "in-process":
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(PATIENCE)
    else:
        assert running.process.poll() is None
    return (lambda *words: command(directory, *words)), ids


def test_calls_are_listed_newest_first_with_filters(commands):
    run, ids = commands
    calls = json.loads(done(run("calls", "list", "--format", "json")))
    assert [f"chatcmpl-{call['id']}" for call in calls if call["outcome"] == "answered"] == ids[::-1]
    ann = json.loads(done(run("calls", "list", "--user", "ann", "--outcome", "answered", "--format", "json")))
    assert {call["user"] for call in ann} == {"ann"}
    assert len(ann) == 2
    assert json.loads(
        done(run("calls", "list", "--session", "s-1", "--since", "1h", "--format", "json", "--limit", "9"))
    )
    assert json.loads(done(run("calls", "list", "--until", "2020-01-01", "--format", "json"))) == []
    assert json.loads(done(run("calls", "list", "--tool", "get_quote", "--format", "json"))) == []
    assert json.loads(done(run("calls", "list", "--finding", "R1", "--format", "json"))) == []


def test_refused_calls_are_listed_and_shown(commands):
    run, _ = commands
    (refused,) = json.loads(done(run("calls", "list", "--outcome", "invalid", "--format", "json")))
    assert (refused["status"], refused["count"]) == (404, 1)
    assert "model_not_found" in done(run("calls", "show", refused["id"]))


def test_more_calls_than_the_limit_are_said(commands):
    run, _ = commands
    result = run("calls", "list", "--limit", "2", "--format", "csv")
    assert len(list(csv.DictReader(io.StringIO(result.stdout)))) == 2
    assert "there are more" in result.stderr


def test_content_can_steer_neither_a_spreadsheet_nor_a_terminal(commands):
    run, ids = commands
    listed = done(run("calls", "list", "--format", "csv"))
    assert "'=cmd()" in listed
    assert ",=cmd()" not in listed
    for form in ("table", "json", "csv"):
        shown = done(run("calls", "show", ids[1], "--bodies", "--format", form))
        assert "\x1b" not in shown


@pytest.mark.parametrize("prefix", ["", "chatcmpl-"])
def test_a_call_is_shown_as_a_timeline_by_either_form_of_its_id(commands, prefix):
    run, ids = commands
    call = prefix + ids[-1].removeprefix("chatcmpl-")
    shown = done(run("calls", "show", call))
    order = [shown.index(word) for word in ("admitted", "opened", "asked", "first token", "released", "settled")]
    assert order == sorted(order)
    assert "Hello?" not in shown
    assert "Hello?" in done(run("calls", "show", call, "--bodies"))
    story = json.loads(done(run("calls", "show", call, "--format", "json")))
    assert story["opened"]["call"] == story["ended"]["call"] == call.removeprefix("chatcmpl-")
    assert next(csv.reader(io.StringIO(done(run("calls", "show", call, "--format", "csv"))))) == [
        "ms",
        "event",
        "detail",
    ]


def test_sessions_are_listed_and_one_is_shown_as_a_conversation(commands):
    run, ids = commands
    sessions = json.loads(done(run("sessions", "list", "--since", "1d", "--format", "json")))
    told = [(one["session"], one["user"], one["calls"]) for one in sessions]
    assert told == [("s-1", "ann", 2), ("s-2", "=cmd()", 1)]
    (other,) = json.loads(done(run("sessions", "list", "--user", "=cmd()", "--format", "json")))
    assert other["session"] == "s-2"
    shown = done(run("sessions", "show", "s-1"))
    said = (ids[0][9:], "user: Hello?", "assistant: The Henderson", "heard: The Hend", "And now?")
    order = [shown.index(words) for words in said]
    assert order == sorted(order)
    assert shown.count("Hello?") == 1
    assert "\x1b" not in done(run("sessions", "show", "s-2")) + done(run("sessions", "show", "s-2", "--format", "json"))
    lines = json.loads(done(run("sessions", "show", "s-1", "--tenant", "acme", "--format", "json")))["lines"]
    assert [line["role"] for line in lines] == ["user", "assistant", "user", "assistant"]
    assert run("sessions", "show", "s-1", "--tenant", "other").returncode == 1
    assert done(run("sessions", "show", "s-2", "--format", "csv")).startswith("at,call,role,tool,text,heard\n")


def test_what_was_carried_is_on_the_page_of_metrics(place):
    *_, page = place
    assert 'trunkline_calls_total{model="gpt-4o-mini",outcome="answered",provider="openai",route="fast"' in page
    assert 'tenant="acme"} 4.0' in page
    assert "trunkline_worker_ready" in page


def test_sql_is_answered(commands):
    run, _ = commands
    sql = "SELECT outcome, count(*) AS n, sum(cost) AS cost FROM calls WHERE at > '2020-01-01' GROUP BY outcome"
    ((outcome, count, cost),) = [row.values() for row in json.loads(done(run("sql", sql, "--format", "json")))]
    assert (outcome, count) == ("answered", 4)
    assert float(cost) > 0
    assert "tags" in done(run("sql", "SELECT tags FROM calls", "--format", "csv"))


def test_the_index_is_made_again_and_answers_the_same(commands):
    run, _ = commands
    before = done(run("calls", "list"))
    assert "made again" in done(run("index", "rebuild"))
    assert done(run("calls", "list")) == before


def test_what_the_index_forgets_the_logs_still_have(commands):
    run, _ = commands
    before = done(run("calls", "list"))
    assert done(run("index", "forget", "--before", "1d")).startswith("0 rows")
    assert done(run("index", "forget", "--before", "2100-01-01")).startswith("5 rows")
    assert json.loads(done(run("calls", "list", "--format", "json"))) == []
    done(run("index", "rebuild"))
    assert done(run("calls", "list")) == before


@pytest.mark.parametrize(
    "words",
    [
        ("calls", "show", "nothing"),
        ("calls", "show", ""),
        ("calls", "show", "a/b"),
        ("calls", "list", "--user", "a" * 70_000),
        ("calls", "list", "--tenant", ""),
        ("sessions", "show", ""),
        ("users", "list", "--user", "a" * 70_000),
        ("costs", "--team", "a" * 70_000),
        ("keys", "revoke", ""),
        ("calls", "list", "--outcome", "splendid"),
        ("calls", "list", "--since", "yesterday"),
        ("calls", "list", "--limit", "0"),
        ("calls", "list", "--limit", "many"),
        ("sql", "DROP VIEW calls"),
        ("sql", "SELECT * FROM read_csv('/etc/passwd')"),
        ("sql", "SELECT 1", "--limit", "1000000000"),
        ("sql",),
        ("index", "forget"),
        ("index", "forget", "--before", "long ago"),
    ],
)
def test_misuse_is_64_and_one_line(commands, words):
    run, _ = commands
    result = run(*words)
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr.count("\n") == 1
    assert not any(misleading in result.stderr for misleading in ("did not answer", "there is no GET", "DELETE"))


def test_a_call_that_is_not_there_is_1(commands):
    run, _ = commands
    result = run("calls", "show", "01a214f8-68c2-7ee4-baa0-000000000000")
    assert (result.returncode, result.stdout) == (1, "")
    assert "no call" in result.stderr


def test_an_index_that_a_full_disk_has_left_empty_is_made_again_by_itself(tmp_path):
    index = tmp_path / "data" / "index" / "ledger.duckdb"
    with Simulator.in_thread() as simulator:
        configured(tmp_path, simulator.openai.port)
        with gateway(tmp_path) as running:
            ids = ask(running.port)
            done(running.command("calls", "list"))  # answered from the index, so there is one
        index.write_bytes(b"")
        shown = command(tmp_path, "calls", "list", "--user", "ann")
        assert "made again from the logs" in shown.stderr
        assert all(call.removeprefix("chatcmpl-") in done(shown) for call in (ids[0], ids[2]))
        index.write_bytes(b"")
        with gateway(tmp_path) as running:
            said = running.until("index_begun_anew", "control")
            assert "ledger.duckdb.damaged" in said["reason"]
            assert done(running.command("calls", "list", "--user", "ann")) == shown.stdout
