"""A recorded call under other policies: what has changed is told, and nobody is asked anything again."""

import json

import pytest

from trunkline.cli.failure import Failed
from trunkline.cli.pipeline import Decision, compared
from trunkline.cli.pipeline_tables import told
from trunkline.control.configuration import Configuration
from trunkline.ledger.answers import Story

CONFIG = """\
version: 1
data_dir: ./data
listen: 127.0.0.1:0
providers:
  first: {{dialect: openai, base_url: "http://127.0.0.1:9/v1", api_key: "sk-one", models: [gpt-4o-mini]}}
routes:
  voice: {{targets: [{{provider: first, model: gpt-4o-mini}}]}}
guardrails:
{policies}
tenants:
  acme: {{guardrails: [{names}], keys: {{app: {{secret: "9f3c5a7be1d24860c7f2a9d83b6e4f10"}}}}}}
"""
FLAG = "{{check: patterns, action: {action}, on: [input, output], rules: [{{name: {rule}, words: [{rule}]}}]}}"
ASKING = "{{check: webhook, action: block, on: [output], url: 'http://127.0.0.1:9/{path}', on_error: {on_error}}}"
SAID = "All is well. Acme is not."


@pytest.fixture
def configured(tmp_path):
    def write(**policies: str) -> str:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"
        text = "\n".join(f"  {name}: {said}" for name, said in policies.items()) or "  {}"
        path.write_text(CONFIG.format(policies=text, names=", ".join(policies)))
        return str(path)

    return write


def versions(config: str) -> list[str]:
    guardrails = Configuration(config).compile().snapshot.guardrails
    return [f"{name}@{one.version}" for name, one in guardrails.items()]


def story(guardrails=(), findings=(), answer=SAID, **ended) -> Story:
    """A JSON call with this record of its guardrails."""
    request = {"model": "voice", "messages": [{"role": "user", "content": "Is it well?"}]}
    body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}]}
    attempt = {"provider": "first", "model": "gpt-4o-mini", "dialect": "openai", "outcome": "answered"}
    opened = {"at": "2027-01-01T00:00:00Z", "tenant": "acme", "route": "voice", "guardrails": list(guardrails)}
    closed = {"outcome": "answered", "attempts": [attempt], "findings": list(findings)}
    bodies = {"request": json.dumps(request), "1.provider_response": json.dumps(body)}
    return Story("c-1", {}, [], opened, closed | ended, bodies)


def finding(policy: str, rule: str, start: int, end: int, action: str = "flag", **more) -> dict:
    said = {"policy": policy, "rule": rule, "stage": "output", "action": action, "where": "choices[0].message.content"}
    return said | {"start": start, "end": end} | more


def test_a_policy_that_has_been_added_changed_or_taken_away_is_told(configured):
    config = configured(
        a=FLAG.format(action="flag", rule="acme"), b=FLAG.format(action="flag", rule="well"),
        c=FLAG.format(action="redact", rule="all"),
    )  # fmt: skip
    same = next(name for name in versions(config) if name.startswith("a@"))
    then = [finding("a", "acme", 13, 17), finding("gone", "x", 0, 3)]
    found = compared(story([same, "c@older", "gone@1"], then), config)
    assert found.policies == {"a": "the same", "b": "new", "c": "changed", "gone": "gone"}
    where = "choices[0].message.content"
    assert found.only_then == [Decision("gone", "x", "output", "flag", where, 0, 3)]
    assert found.only_now == [
        Decision("b", "well", "input", "flag", "messages[0].content", 6, 10),
        Decision("b", "well", "output", "flag", where, 7, 11),
        Decision("c", "all", "output", "redact", where, 0, 3),
    ]
    assert (found.both, found.then, found.now, found.differs) == (1, "let through", "let through", True)
    text = told(found)
    assert "b (new)" in text
    assert text.count("only now ") == 3


def test_a_stop_that_is_new_or_has_gone_is_told(configured):
    config = configured(a=FLAG.format(action="block", rule="acme"))
    found = compared(story(), config)
    assert (found.then, found.now) == ("let through", "block by a")
    then = [finding("old", "acme", 13, 17, action="replace")]
    found = compared(story(["old@1"], then, guardrail="old", outcome="replaced"), configured())
    assert (found.then, found.now, found.differs) == ("replace by old", "let through", True)


def test_what_a_service_had_answered_is_taken_from_the_record_and_it_is_not_asked(configured):
    config = configured(w=ASKING.format(path="x", on_error="block"))
    stop = {"guardrail": "w", "outcome": "blocked"}
    record = [finding("w", "tone", 13, 17, action="block", why="rude")]
    found = compared(story(versions(config), record, **stop), config)
    assert (found.then, found.now, found.both, found.unasked, found.differs) == ("block by w",) * 2 + (1, [], False)
    record = [finding("w", "check_failed", 0, 13, action="block", why="timeout")]
    found = compared(story(versions(config), record, **stop), config)
    assert (found.now, found.differs) == ("block by w", False)
    found = compared(story(versions(config)), config)
    assert (found.now, found.unasked, found.differs) == ("let through", [], False)


def test_a_service_whose_policy_has_changed_is_named_as_not_asked(configured):
    old, new = (configured(w=ASKING.format(path=path, on_error="block")) for path in "xy")
    found = compared(story(versions(old)), new)
    assert (found.unasked, found.policies) == (["w"], {"w": "changed"})
    assert "not asked, and taken to find nothing: w" in told(found)


def test_a_call_that_nobody_answered_or_whose_bytes_say_nothing_is_told_with_a_note(configured):
    config = configured(a=FLAG.format(action="flag", rule="acme"))
    for changes in ({"attempts": []}, {"attempts": [{"outcome": "failed", "dialect": "openai"}]}):
        (note,) = compared(story(**changes), config).notes
        assert "no provider had answered" in note
    unreadable = story()
    unreadable.bodies["1.provider_response"] = "{"
    assert "cannot be read" in compared(unreadable, config).notes[0]
    unreadable.bodies["request"] = "{"
    assert "request cannot be read" in compared(unreadable, config).notes[0]
    assert compared(story(findings_left_out=3), config).notes == ["3 findings of then are not on record"]


def test_a_call_without_record_or_configuration_cannot_be_tried(configured):
    for one in (Story("c-1", {}, []), Story("c-1", {}, [], {}, {})):
        with pytest.raises(Failed, match="cannot be tried again"):
            compared(one, configured())
    bad = configured(a="{check: none}")
    with pytest.raises(Failed):
        compared(story(), bad)
