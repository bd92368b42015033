"""`trunkline guardrails`, as somebody at a terminal uses it."""

import json
import subprocess
import sys

import pytest

CONFIG = """\
version: 1
providers:
  openai: {dialect: openai, base_url: "http://127.0.0.1:9/v1", api_key: null}
routes:
  voice: {targets: [{provider: openai, model: gpt-4o-mini}], guardrails: [house, builtin/pii]}
guardrails:
  house: {check: patterns, action: replace, with: "Let us not.", rules: [{name: rival, words: [Acme]}]}
  tools: {check: tool_policy, deny: [sell]}
  suitable: {check: llm_judge, route: voice, rubric: Polite.}
"""


def trunkline(*words, stdin=None):
    command = [sys.executable, "-m", "trunkline", *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "trunkline.yaml"
    path.write_text(CONFIG)
    return str(path)


def test_the_packs_of_all_checks_are_above_their_thresholds():
    result = trunkline("guardrails", "test", "--format", "json")
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)
    packs = {"language", "pii", "promissory", "prompt_injection", "secrets", "topics"}
    assert {row["check"] for row in rows} == {"investment_recommendation", *packs}
    assert all(row["us_a_case"] > 0 for row in rows)
    measured = [row for row in rows if row["recall"] is not None]  # the others count cases that have nothing
    assert {row["rule"] for row in measured} > {"ssn", "guaranteed", "instruction_override", "provider_key"}
    assert all(row["recall"] >= row["at_least"] for row in measured)


def test_cases_of_ones_own_below_the_thresholds_fail_and_are_shown(tmp_path):
    cases = tmp_path / "cases.jsonl"
    cases.write_text('{"label": "ssn", "text": "no number here"}\n{"label": "none", "text": "078-05-1120"}\n')
    result = trunkline("guardrails", "test", "pii", "--cases", str(cases))
    assert result.returncode == 1
    assert "pii: missed (ssn): 'no number here'" in result.stderr
    assert "pii: wrongly found (none): '078-05-1120'" in result.stderr
    assert "recall of ssn is 0.000, below 0.95" in result.stderr


def test_a_policy_is_tried_on_cases_of_ones_own(config, tmp_path):
    cases = tmp_path / "cases.jsonl"
    cases.write_text('{"label": "rival", "text": "Go to Acme."}\n{"label": "none", "text": "Go home."}\n')
    words = ("guardrails", "test", "--policy", "house", "--cases", str(cases), "-c", config, "--format", "json")
    result = trunkline(*words)
    assert result.returncode == 0, result.stderr
    assert [(row["check"], row["rule"], row["found"]) for row in json.loads(result.stdout)] == [
        ("house", "rival", 1), ("house", "(none)", 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["test", "nothing"], 64, "has no pack"),
        (["test", "--cases", "x"], 64, "name it"),
        (["test", "pii", "--cases", "/nowhere"], 1, "cannot be read"),
        (["test", "--policy", "house", "-c", "CONFIG"], 64, "on --cases of your own"),
        (["test", "pii", "--policy", "house", "--cases", "x", "-c", "CONFIG"], 64, "in place of a check"),
        (["test", "--policy", "gone", "--cases", "x", "-c", "CONFIG"], 64, "there is no policy `gone`"),
        (["test", "--policy", "tools", "--cases", "x", "-c", "CONFIG"], 1, "does not look at text"),
        (["test", "--policy", "house", "--cases", "x", "-c", "/nowhere"], 64, "there is no file /nowhere"),
        (["scan", "x", "-c", "CONFIG", "--policy", "gone"], 64, "there is no policy `gone`"),
        (["scan", "x", "-c", "CONFIG", "--policy", "tools", "--policy", "suitable"], 1, "tool calls: suitable, tools"),
        (["scan", "-c", "CONFIG"], 64, "name a text"),
        (["scan", "-c", "CONFIG", "--file", "/nowhere"], 1, "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(config, words, status, says):
    result = trunkline("guardrails", *[config if word == "CONFIG" else word for word in words])
    assert result.returncode == status
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_a_check_that_needs_settings_or_looks_at_no_text_is_said_to(tmp_path):
    cases = tmp_path / "cases.jsonl"
    cases.write_text('{"label": "none", "text": "x"}\n')
    said = {"patterns": "without settings", "nowhere": "there is no check", "tool_policy": "without settings"}
    for check, says in said.items():
        assert says in trunkline("guardrails", "test", check, "--cases", str(cases)).stderr
    cases.write_text("rubbish\n")
    assert "cannot be read" in trunkline("guardrails", "test", "pii", "--cases", str(cases)).stderr


def test_a_text_is_scanned_under_the_policies_of_the_file(config, tmp_path):
    text = "Mail joe@example.com. Then Acme calls."
    result = trunkline("guardrails", "scan", text, "-c", config)
    assert result.returncode == 0, result.stderr
    assert "joe@example.com" in result.stdout
    assert "what would leave: 'Mail [EMAIL]. Then  Let us not.'" in result.stdout
    rows = json.loads(trunkline("guardrails", "scan", "-", "-c", config, "--format", "json", stdin=text).stdout)
    assert [(row["policy"], row["rule"], row["text"]) for row in rows] == [
        ("builtin/pii", "email", "joe@example.com"), ("house", "rival", "Acme"),
    ]  # fmt: skip
    file = tmp_path / "said.txt"
    file.write_text(text)
    only = trunkline("guardrails", "scan", "--file", str(file), "-c", config, "--policy", "house", "--format", "json")
    assert [row["rule"] for row in json.loads(only.stdout)] == ["rival"]
    clean = trunkline("guardrails", "scan", "All is well.", "-c", config)
    assert clean.stdout == "nothing was found\n"
    assert clean.stderr == "trunkline: not run, for they would ask somebody or look at tool calls: suitable, tools\n"
