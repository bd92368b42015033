"""docs/compliance.md: its commands exist, its queries are answered, and each gap has what to use till then."""

import io
import re
import secrets
import shlex
from contextlib import chdir, redirect_stderr, redirect_stdout

import pytest
from pages import blocks, prose_of, quoted, rows, text_of

from trunkline.cli.command_line import COMMANDS, run

PAGE = "docs/compliance.md"
CLAUSES = rows(PAGE, "clause, and what it asks", "what meets it", "shown by", "what remains")
GAPS = rows(PAGE, "gap", "what is missing", "meanwhile")
GROUPS = {"keys", "users", "calls", "sessions", "index", "limits", "guardrails", "audit", "review"}
IN_PROSE = {words for words in quoted(prose_of(PAGE)) if words.startswith("trunkline ")}
IN_SNIPPETS = {line for block in blocks(PAGE, "sh") for line in block.splitlines()}
QUERIES = sorted(line for line in IN_PROSE | IN_SNIPPETS if line.startswith("trunkline sql "))


def bold(cell: str) -> set[str]:
    return set(re.findall(r"\*\*([a-z ]+)\*\*", cell))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    directory = tmp_path_factory.mktemp("compliance")
    (directory / "trunkline.yaml").write_text(text_of("examples/trunkline.yaml"))
    return directory


@pytest.mark.parametrize("line", sorted(IN_PROSE))
def test_a_command_that_shows_something_exists(line, capsys):
    words = shlex.split(line)[1:]
    path = words[:3] if words[:2] == ["audit", "hold"] else words[:2] if words[0] in GROUPS else words[:1]
    assert path[0] in COMMANDS
    assert run([*path, "--help"]) == 0
    known = capsys.readouterr().out
    for option in (word for word in words if word.startswith("--")):
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", known), option


@pytest.mark.parametrize("line", QUERIES)
def test_a_query_is_answered(place, line, monkeypatch):
    for name in re.findall(r"\$\{([A-Z_]+)\}", text_of("examples/trunkline.yaml")):
        monkeypatch.setenv(name, secrets.token_hex(32))
    out, err = io.StringIO(), io.StringIO()
    with chdir(place), redirect_stdout(out), redirect_stderr(err):
        status = run(shlex.split(line)[1:])
    assert (status, err.getvalue()) == (0, "")


@pytest.mark.parametrize("clause", CLAUSES, ids=[row[0].split("**")[1] for row in CLAUSES])
def test_a_clause_says_what_it_asks_and_what_meets_it_or_remains(clause):
    asked, met, shown, remains = clause
    assert re.match(r"\*\*[^*]+\*\*.*: \S", asked)
    assert met or remains
    assert met or not shown


def test_each_gap_that_a_clause_names_is_told_with_what_to_use_meanwhile():
    told = {name for cell, missing, meanwhile in GAPS if missing and meanwhile for name in bold(cell)}
    named = {name for *_, remains in CLAUSES for name in bold(remains)}
    assert len(told) == len(GAPS)
    assert named <= told
