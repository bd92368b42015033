"""`trunkline users` against a running gateway, and without one."""

import json

import pytest
from running_gateway import command, gateway, write_configuration

HEADER = "user,name,team,cost_center,from,to\n"
ADVISORS = HEADER + "ann,Ann Lee,desk,CC-1,,2026-06-30\nann,Ann Lee,west,CC-1,2026-07-01,\nbob,=cmd(),desk,,,\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    directory = tmp_path_factory.mktemp("gateway")
    write_configuration(directory)
    with gateway(directory) as running:
        yield running


def imported(where, text, tenant="acme"):
    (where.directory / "advisors.csv").write_text(text)
    return where.command("users", "import", "advisors.csv", "--tenant", tenant)


def test_users_are_imported_and_listed(running):
    made = imported(running, ADVISORS)
    assert (made.returncode, made.stdout) == (0, "acme has 2 users: 2 new, 0 changed, 0 gone\n")
    listed = running.command("users", "list", "--on", "2026-07-01", "--format", "json")
    assert json.loads(listed.stdout) == [
        {"tenant": "acme", "user": "ann", "name": "Ann Lee", "team": "west", "cost_center": "CC-1",
         "from": "2026-07-01", "to": None, "source": "log"},
        {"tenant": "acme", "user": "bob", "name": "=cmd()", "team": "desk", "cost_center": None,
         "from": None, "to": None, "source": "log"},
    ]  # fmt: skip
    assert "'=cmd()" in running.command("users", "list", "--format", "csv").stdout
    cut = running.command("users", "list", "--limit", "1")
    assert cut.stderr.startswith("2 more; ")


def test_a_bad_file_is_told_line_by_line_and_changes_nothing(running):
    before = running.command("users", "list").stdout
    refused = imported(running, HEADER + "ann,,,,,\nbob,,desk,,soon,\n")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[:2] == [
        "advisors.csv:2:3 team: is empty; name the team, or remove the row",
        "advisors.csv:3:5 from: is no day of the calendar; write it like 2026-06-30, or nothing",
    ]
    assert running.command("users", "list").stdout == before


@pytest.mark.parametrize(
    "words",
    [("import", "absent.csv", "--tenant", "acme"), ("import", ".", "--tenant", "acme"), ("list", "--on", "yesterday")],
)
def test_words_that_cannot_be_meant_are_misuse(running, words):
    refused = running.command("users", *words)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (64, 1)


def test_without_a_gateway_the_same_is_done_for_the_next_start(tmp_path):
    write_configuration(tmp_path)
    (tmp_path / "advisors.csv").write_text(ADVISORS)
    assert command(tmp_path, "users", "import", "advisors.csv", "--tenant", "acme").returncode == 0
    assert len(json.loads(command(tmp_path, "users", "list", "--format", "json").stdout)) == 3
    with gateway(tmp_path) as running:
        assert len(json.loads(running.command("users", "list", "--format", "json").stdout)) == 3


def test_a_directory_of_the_file_is_listed_too(tmp_path):
    path = write_configuration(tmp_path)
    path.write_text(path.read_text().replace("acme: {", "acme: {directory: advisors.csv, "))
    (tmp_path / "advisors.csv").write_text(ADVISORS)
    rows = json.loads(command(tmp_path, "users", "list", "--user", "bob", "--format", "json").stdout)
    assert [(row["user"], row["source"]) for row in rows] == [("bob", "file")]
