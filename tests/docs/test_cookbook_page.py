"""The commands of docs/cookbook.md and docs/costs.md answer, on the README's configuration and an empty ledger."""

import io
import re
import secrets
import shlex
from contextlib import chdir, redirect_stderr, redirect_stdout

import pytest
from pages import blocks, quoted, rows, text_of

from trunkline.cli.command_line import run
from trunkline.cli.cost_tables import AMOUNTS, COUNTS, SHARES
from trunkline.ledger.cost_answers import DIMENSIONS
from trunkline.ledger.reconcile import _explained

PAGES = ("docs/cookbook.md", "docs/costs.md")
# They need a file, or a call or a session that there is.
NEED_MORE = ("import", "reconcile", "show")
SHOWN = [line for page in PAGES for block in blocks(page, "sh") for line in block.splitlines()]
LINES = [line for line in SHOWN if line.startswith("trunkline ")]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cookbook")
    (directory / "trunkline.yaml").write_text(text_of("examples/trunkline.yaml"))
    return directory


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in re.findall(r"\$\{([A-Z_]+)\}", text_of("examples/trunkline.yaml")):
        monkeypatch.setenv(name, secrets.token_hex(32))


@pytest.mark.parametrize("line", [line for line in LINES if shlex.split(line)[2] not in NEED_MORE])
def test_a_command_answers(place, line):
    out, err = io.StringIO(), io.StringIO()
    with chdir(place), redirect_stdout(out), redirect_stderr(err):
        status = run(shlex.split(line, comments=True)[1:])
    assert (status, err.getvalue()) == (0, "")
    assert out.getvalue()


def test_the_page_has_every_word_that_costs_are_told_apart_by():
    said = [name for words, _ in rows("docs/costs.md", "word", "what it tells apart") for name in quoted(words)]
    assert sorted(said) == sorted([*DIMENSIONS, "tag:NAME"])


def test_the_page_has_every_column_of_a_report():
    said = [name for names, _ in rows("docs/costs.md", "column", "what it is") for name in quoted(names)]
    assert sorted(said) == sorted([*COUNTS, *AMOUNTS, *SHARES])


def test_the_page_has_every_explanation_of_a_difference():
    source = __import__("inspect").getsource(_explained)
    for words, _ in rows("docs/costs.md", "explanation", "what it says"):
        for word in words.split(", "):
            assert word.replace("N times ours", "") in source, word
