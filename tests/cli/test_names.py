"""A real gateway with two workers: what people see has names, what is on the disk has none, also when made again."""

import json
import signal
from contextlib import suppress

import openai
import pytest
from running_gateway import SECRET, command, gateway, write_configuration

from trunkline.model.names import PSEUDONYM
from trunkline.simulator import Simulator

USER, SUBJECT, PAID_FOR = "Ann Canary-Usher", "Client Canary-Sable", "Bob Canary-Usher"
CALLS = 12
WORKERS = "workers: 2\n"
COSTS = f"at,amount,kind,user\n2026-06-01T12:00:00Z,1.50,telephony,{PAID_FOR}\n"


def in_clear(directory) -> list[str]:
    """Return the files that have a name; what is renamed meanwhile is looked at under its next one."""
    found = []
    for path in (directory / "data").rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file() and b"Canary" in path.read_bytes():
                found.append(str(path))
    return found


def ask(port: int) -> None:
    for number in range(CALLS):
        with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=SECRET, max_retries=0) as client:
            client.chat.completions.create(
                model="fast",
                messages=[{"role": "user", "content": "Hello?"}],
                user=USER,
                metadata={"subject": SUBJECT if number % 2 else USER, "session": f"s-{number % 3}"},
            )


def said(directory, *words: str) -> str:
    done = command(directory, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(directory, *words: str) -> list[dict]:
    return json.loads(said(directory, *words, "--format", "json"))


def look(directory) -> None:
    """See that whoever looks sees names, and leaves none."""
    listed = rows(directory, "calls", "list", "--user", USER, "--limit", "100")
    assert len(listed) == CALLS
    assert {row["user"] for row in listed} == {USER}
    assert len(rows(directory, "calls", "list", "--subject", SUBJECT)) == CALLS // 2
    assert {row["subject"] for row in listed} == {USER, SUBJECT}
    assert f"user {USER}" in said(directory, "calls", "show", listed[0]["id"])
    assert {row["user"] for row in rows(directory, "sessions", "list", "--user", USER)} == {USER}
    assert USER in said(directory, "costs", "--by", "user", "--since", "2026-01-01")
    assert PAID_FOR in said(directory, "costs", "--by", "user", "--since", "2026-01-01")
    asked = "SELECT user_id, count(*) FROM calls GROUP BY 1"
    assert USER in said(directory, "sql", asked)
    out = f"out-{len(list(directory.glob('out-*')))}.html"
    said(directory, "audit", "export", "--since", "1h", "--user", USER, "--format", "html", "--out", out)
    assert SUBJECT in (directory / out).read_text()
    assert in_clear(directory) == []


@pytest.fixture
def place(tmp_path):
    (tmp_path / "costs.csv").write_text(COSTS)
    return tmp_path


def test_names_are_shown_and_not_kept(place):
    with Simulator.in_thread() as simulator:
        write_configuration(place, provider=simulator.openai.port, more=WORKERS)
        with gateway(place) as running:
            ask(running.port)
            said(place, "costs", "import", "costs.csv", "--tenant", "acme")
            look(place)
            running.process.send_signal(signal.SIGTERM)
            assert running.ended() == 0
            assert not [line for line in running.lines if "Canary" in line]
        look(place)
        said(place, "index", "rebuild")
        look(place)
        assert command(place, "audit", "verify").returncode == 0
        with gateway(place) as running:  # which goes on with the names that it had kept
            ask(running.port)
            assert len(rows(place, "calls", "list", "--user", USER, "--limit", "100")) == 2 * CALLS
            assert in_clear(place) == []


def erased(place) -> None:
    """See that nobody finds the user, or is shown the name, and that sums are as they were."""
    assert rows(place, "calls", "list", "--user", USER) == []
    listed = rows(place, "calls", "list", "--subject", SUBJECT)
    (user,) = {row["user"] for row in listed}
    assert PSEUDONYM.fullmatch(user)
    assert len(listed) == CALLS // 2
    assert len(rows(place, "calls", "list", "--user", user)) == CALLS
    costs = said(place, "costs", "--by", "user", "--since", "2026-01-01", "--format", "csv")
    assert USER not in costs
    assert user in costs
    assert USER not in said(place, "calls", "show", listed[0]["id"])
    assert USER not in said(place, "sql", "SELECT user_id, subject FROM calls")
    out = f"gone-{len(list(place.glob('gone-*')))}.jsonl"
    command(place, "audit", "export", "--since", "1h", "--user", user, "--out", out)
    lines = [json.loads(line) for line in (place / out).read_text().splitlines()]
    assert [name for line in lines for name in line.get("names", {}).values()] == [SUBJECT] * (CALLS // 2)
    # What was asked about somebody else is theirs, and has what the client wrote in it.
    assert {USER in json.dumps(line.get("bodies", {})) for line in lines if "names" not in line} == {False}
    assert in_clear(place) == []


def test_who_has_been_erased_has_no_name_anywhere(place):
    with Simulator.in_thread() as simulator:
        write_configuration(place, provider=simulator.openai.port, more=WORKERS)
        with gateway(place) as running:
            ask(running.port)
            assert len(rows(place, "calls", "list", "--user", USER)) == CALLS
            assert "names" in said(place, "audit", "erase", "--tenant", "acme", "--user", USER, "--yes")
            erased(place)
        erased(place)
        said(place, "index", "rebuild")
        erased(place)
        assert command(place, "audit", "verify").returncode == 0
        with gateway(place) as running:
            erased(place)
            ask(running.port)  # who comes again has a name again, also after the next start
        with gateway(place):
            assert len(rows(place, "calls", "list", "--user", USER)) == 2 * CALLS


def test_without_a_vault_names_are_on_the_disk_as_they_are(place):
    with Simulator.in_thread() as simulator:
        write_configuration(place, provider=simulator.openai.port, more=WORKERS + "audit: {vault: off}\n")
        with gateway(place) as running:
            ask(running.port)
            assert len(rows(place, "calls", "list", "--user", USER, "--limit", "100")) == CALLS
    assert in_clear(place) != []
