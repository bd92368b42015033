"""`trunkline guardrails scan --since`, on the calls that real gateways have carried."""

import csv
import io
import json
import signal
from collections import Counter

import openai
import pytest
from running_gateway import PATIENCE, SECRET, command, gateway

from trunkline.cli import guardrail_past
from trunkline.simulator import Script, Simulator, ToolCall

CONFIGURATION = """\
version: 1
data_dir: ./data
node: gw-1
listen: 127.0.0.1:0
log: {{format: json}}
providers:
  openai: {{dialect: openai, base_url: "{openai}", api_key: "sk-one"}}
  anthropic: {{dialect: anthropic, base_url: "{anthropic}", api_key: "sk-two"}}
routes:
  fast: {{targets: [{{provider: openai, model: gpt-4o-mini}}], guardrails: [rivals]}}
  voice: {{targets: [{{provider: anthropic, model: claude-haiku-4-5}}], guardrails: [rivals, tools]}}
  judge: {{targets: [{{provider: anthropic, model: claude-haiku-4-5}}], guardrails: [rivals]}}
guardrails:
  rivals: {{check: patterns, on: [output], action: flag, rules: [{{name: rival, words: [Acme]}}]}}
  personal: {{check: pii, action: redact, on_unscannable: allow}}
  tools: {{check: tool_policy, deny: [wire_transfer]}}
  strict: {{check: patterns, on: [input], action: flag, rules: [{{name: gift, words: [gift]}}]}}
  asks: {{check: webhook, on: [output], url: "http://127.0.0.1:9/check", on_error: allow, on_unscannable: allow}}
  suitable: {{check: llm_judge, route: judge, rubric: No rival is named., action: flag, timeout: 20s}}
tenants:
  acme:
    guardrails: [personal, asks]
    keys:
      app: {{secret: "{secret}"}}
  other:
    guardrails: [suitable]
    limits: {{requests_per_day: 1}}
    wait_up_to: 0s
    keys: {{its: {{secret: "{other}"}}}}
"""
OTHER = "7c1e9b3d5f7a2b4c6d8e0f1a3b5c7d9e"
MAIL = "joe@example.com"
LONG = "Nothing to see here. " * 400


def answered(call) -> Script:
    """The simulated models repeat what comes behind `say:` in the last words of the user; a judge finds Acme."""
    messages = call.body["messages"]
    last = messages[-1]["content"]
    text = last if isinstance(last, str) else "".join(part.get("text", "") for part in last)
    if "You are a judge." in str(call.body.get("system")):
        verdict = "fail" if "Acme" in text else "pass"
        said = {"mark": text.split("\n")[0], "reason": "It is about Acme.", "verdict": verdict, "score": 1}
        return Script(text=json.dumps(said))
    if text.startswith("transfer"):
        return Script(tool_calls=(ToolCall("wire_transfer", {"to": "Acme"}),))
    if text.endswith("leak"):
        return Script(text=f"Initech knows {MAIL}.")
    return Script(text=text.partition("say:")[2].strip() or "All is well.")


TOOLS = [{"type": "function", "function": {"name": "wire_transfer", "parameters": {"type": "object"}}}]


class Place:
    """A data directory with the calls of a story, and the file that it was told under."""

    def __init__(self, directory, urls) -> None:
        self.directory = directory
        self.file = directory / "trunkline.yaml"
        self.text = CONFIGURATION.format(secret=SECRET, other=OTHER, **urls)
        self.file.write_text(self.text)
        self.calls: dict[str, str] = {}

    def tell(self, running) -> None:
        """Have the calls carried that the tests look at."""
        with openai.OpenAI(
            base_url=f"http://127.0.0.1:{running.port}/v1", api_key=SECRET, max_retries=0, timeout=PATIENCE
        ) as client:
            self.ask(client, "plain", "fast", "Hello?")
            self.ask(client, "rival", "fast", "say: Ask Acme or Initech about it.", stream=True)
            self.ask(client, "both", "voice", f"I am {MAIL}. leak", stream=True)
            self.ask(client, "mail", "voice", f"{LONG} My mail is {MAIL}, and Initech has it.")
            self.ask(client, "tool", "voice", "transfer it", tools=TOOLS)
            strict = {"x-trunkline-guardrails": "strict"}
            self.ask(client, "asked", "fast", "a gift for you", extra_headers=strict)
            picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
            self.ask(client, "picture", "fast", [{"type": "text", "text": "what is it?"}, picture])
        with openai.OpenAI(
            base_url=f"http://127.0.0.1:{running.port}/v1", api_key=OTHER, max_retries=0, timeout=PATIENCE
        ) as client:
            self.ask(client, "other", "fast", "say: Acme again.")
            with pytest.raises(openai.RateLimitError):
                self.ask(client, "limited", "fast", "say: Acme once more.")

    def ask(self, client, name, route, content, **more) -> None:
        answer = client.chat.completions.create(
            model=route, messages=[{"role": "user", "content": content}], user="ann", **more
        )
        if more.get("stream"):
            self.calls[name] = [chunk.id for chunk in list(answer)].pop().removeprefix("chatcmpl-")
        else:
            self.calls[name] = answer.id.removeprefix("chatcmpl-")

    def scan(self, *words, **changes):
        """Scan the past under a file in which some words are others."""
        text = self.text
        for before, after in changes.get("changed", {}).items():
            assert before in text
            text = text.replace(before, after)
        self.file.write_text(text)
        try:
            return command(self.directory, "guardrails", "scan", *words)
        finally:
            self.file.write_text(self.text)

    def scanned(self, *words, **changes) -> dict:
        done = self.scan("--since", "1h", "--format", "json", *words, **changes)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def by_rule(report) -> dict[tuple[str, str], dict]:
    return {(row["policy"], row["rule"]): row for row in report["rows"]}


def counts(report, *names) -> dict[tuple[str, str], tuple]:
    return {rule: tuple(row[name] for name in names) for rule, row in by_rule(report).items()}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A running gateway that has carried the calls of the story."""
    directory = tmp_path_factory.mktemp("past")
    with Simulator.in_thread(openai=answered, anthropic=answered) as simulator:
        place = Place(directory, {"openai": simulator.openai.url, "anthropic": simulator.anthropic.url})
        with gateway(directory) as live:
            place.tell(live)
            yield place, live


@pytest.fixture
def place(running):
    return running[0]


RECORDED = {
    ("rivals", "rival"): ("flag", 2, 2, 0, 2),
    ("personal", "email"): ("redact", 2, 3, 2, 1),
    ("tools", "forbidden_tool"): ("block", 1, 1, 0, 1),
    ("strict", "gift"): ("flag", 1, 1, 1, 0),
    ("personal", "unscannable"): ("bypass", 1, 1, 1, 0),
}


def test_what_was_in_force_finds_again_what_the_records_have_and_nothing_else(place):
    report = place.scanned()
    assert counts(report, "action", "calls", "findings", "on_input", "on_output") == RECORDED
    assert {(row["new"], row["no_more"]) for row in report["rows"]} == {(0, 0)}
    assert {example["change"] for row in report["rows"] for example in row["examples"]} == {"as_before"}
    assert (report["calls"], report["scanned"], report["not_kept"], report["unreadable"]) == (9, 8, 0, 0)
    assert report["not_run"] == ["asks", "suitable"]
    assert report["effects"] == {"blocked": 1, "replaced": 0, "redacted": 2, "flagged": 3, "bypassed": 1}


def test_they_are_the_findings_that_calls_are_shown_with(place):
    recorded = Counter()
    for call in place.calls.values():
        told = command(place.directory, "calls", "show", call, "--format", "json")
        assert told.returncode == 0, told.stderr
        recorded.update((one["policy"], one["rule"]) for one in json.loads(told.stdout)["ended"].get("findings", ()))
    del recorded["asks", "check_failed"]
    assert recorded.pop(("suitable", "rubric")) == 1
    assert recorded == {rule: found for rule, (_, _, found, _, _) in RECORDED.items()}


def test_what_a_changed_file_would_find_is_new_or_no_more(place):
    report = place.scanned(
        changed={
            "words: [Acme]": "words: [Initech]",
            "action: flag, rules: [{name: rival": "action: block, rules: [{name: rival",
        }
    )
    row = by_rule(report)["rivals", "rival"]
    # Initech was said in two answers, of which one had Acme too; Acme alone in the other tenant's.
    assert (row["action"], row["calls"], row["new"], row["no_more"]) == ("block", 2, 1, 1)
    assert [(one["change"], one["call"]) for one in row["examples"]] == [
        ("new", place.calls["both"]), ("no_more", place.calls["other"]), ("as_before", place.calls["rival"]),
    ]  # fmt: skip
    assert row["examples"][2]["excerpt"] == "Ask Acme or «Initech» about it."
    assert row["examples"][1]["excerpt"] == "«Acme» again."
    assert report["effects"]["blocked"] == 3


def test_personal_data_is_in_no_example_whatever_found_it(place):
    report = place.scanned(
        changed={"words: [Acme]": "words: [Initech, joe]", "guardrails: [personal, asks]": "guardrails: []"}
    )
    assert MAIL not in json.dumps(report)
    assert "joe" not in json.dumps(report)
    row = by_rule(report)["rivals", "rival"]
    (told,) = [one for one in row["examples"] if one["call"] == place.calls["both"]][:1]
    assert "[EMAIL]" in told["excerpt"]
    gone = by_rule(report)["personal", "email"]
    assert (gone["calls"], gone["no_more"]) == (0, 2)
    assert {one["excerpt"].count("[EMAIL]") for one in gone["examples"]} == {1}
    table = place.scan("--since", "1h").stdout
    assert "«[EMAIL]»" in table
    assert MAIL not in table


def test_offsets_are_those_of_the_record(place):
    examples = by_rule(place.scanned("--examples", "9"))["personal", "email"]["examples"]
    told = json.loads(command(place.directory, "calls", "show", place.calls["mail"], "--format", "json").stdout)
    assert [(one["where"], one["start"], one["end"]) for one in examples if one["call"] == place.calls["mail"]] == [
        (one["where"], one["start"], one["end"]) for one in told["ended"]["findings"] if one["policy"] == "personal"
    ]  # fmt: skip
    assert len(examples) == 3


def test_a_policy_that_is_named_is_tried_on_all_calls_and_no_other_is(place):
    report = place.scanned("--policy", "strict")
    assert counts(report, "calls", "new", "no_more") == {
        ("strict", "gift"): (1, 0, 0), ("strict", "unscannable"): (1, 1, 0),
    }  # fmt: skip
    preset = place.scanned("--policy", "builtin/pii", "--policy", "rivals")
    assert counts(preset, "calls", "new", "no_more") == {
        ("rivals", "rival"): (3, 1, 0), ("builtin/pii", "email"): (2, 2, 0), ("builtin/pii", "unscannable"): (1, 1, 0),
    }  # fmt: skip
    assert (preset["not_run"], preset["idle"]) == ([], [])
    assert place.scanned("--policy", "asks", "--policy", "tools")["not_run"] == ["asks"]
    for words, says in (
        (["gone"], "there is no policy `gone`"),
        (
            ["asks", "--policy", "suitable"],
            "asks, suitable: a service or a model would be asked",
        ),
    ):
        refused = place.scan("--since", "1h", "--policy", *words)
        assert (refused.returncode, says in refused.stderr) == (64, True), refused.stderr


def test_what_was_said_to_a_judge_and_by_it_is_not_looked_at(place):
    """The judge's route has a policy that would find its verdict, and a policy of all calls what it was sent."""
    report = place.scanned("--route", "judge", changed={"words: [gift]}]}": "words: [Acme]}], everywhere: true}"})
    assert (report["calls"], report["of_judges"], report["scanned"], report["rows"]) == (1, 1, 0, [])
    told = place.scan("--since", "1h", "--route", "judge")
    assert told.stdout == "0 of 1 call looked at\n"
    assert "trunkline: not looked at: 1 call to a judge" in told.stderr


def test_tenant_route_and_time_choose(place):
    assert place.scanned("--tenant", "other")["calls"] == 2
    assert place.scanned("--route", "voice")["calls"] == 3
    assert place.scanned("--route", "voice", "--tenant", "other")["calls"] == 0
    assert place.scanned("--until", "30m")["calls"] == 0
    assert place.scan("--since", "1h", "--until", "30m").stdout == "there are no such calls in that time\n"
    for option, there_are in (("--tenant", "acme, other"), ("--route", "fast, voice, judge")):
        misspelt = place.scan("--since", "1h", option, "voise")
        assert misspelt.returncode == 64
        assert misspelt.stderr.endswith(f"there are {there_are}\n")
    for words in (
        ["--since", "1h", "--until", "2h"],
        ["--since", "1h", "text"],
        ["--tenant", "acme"],
        ["--since", "x"],
    ):
        assert place.scan(*words).returncode == 64


def test_a_call_of_no_policy_is_said_to_be_one_and_its_findings_are_no_more(place):
    changed = {"gpt-4o-mini}], guardrails: [rivals]": "gpt-4o-mini}], guardrails: []", "  other:\n": "  others:\n"}
    done = place.scan("--since", "1h", "--tenant", "other", changed=changed)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[2] == "0 of 2 calls looked at"
    assert "not looked at: 1 call under no policy of the file that is run" in done.stderr
    assert "not looked at: 1 call to a judge" in done.stderr
    assert "of tenants that the configuration does not have: 1 call\n" in done.stderr
    report = place.scanned("--tenant", "other", changed=changed)
    assert counts(report, "calls", "no_more") == {("rivals", "rival"): (0, 1)}


def test_pages_of_places_make_no_difference(place, monkeypatch):
    whole = place.scanned()
    shown = []
    original = guardrail_past.replace
    monkeypatch.setattr(
        guardrail_past, "replace", lambda *words, **more: shown.append(more) or original(*words, **more)
    )
    monkeypatch.setattr(guardrail_past, "PLACES_AT_ONCE", 4)
    assert place.scanned() == whole
    assert len(shown) == 3  # how many at once, and where to go on, twice


def test_a_list_for_programs_has_totals_beside_it(place):
    done = place.scan("--since", "1h", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {(row["policy"], row["rule"]): row["calls"] for row in rows}["rivals", "rival"] == "2"
    said = "trunkline: 8 of 9 calls looked at; would have been: 1 blocked, 2 redacted, 3 flagged, 1 bypassed\n"
    assert said in done.stderr
    assert "trunkline: not run, for they would ask a service or a model: asks, suitable\n" in done.stderr


def test_a_file_that_is_not_good_is_reported(place):
    done = place.scan("--since", "1h", changed={"check: tool_policy": "check: nothing"})
    assert (done.returncode, "there is no check `nothing`" in done.stderr) == (1, True)


def test_without_a_gateway_it_is_the_same_and_what_is_gone_is_said(running):
    place, live = running
    before = place.scanned()
    live.process.send_signal(signal.SIGTERM)
    live.process.wait(PATIENCE)
    assert place.scanned() == before
    # As if what is older than the retention had been removed.
    for segment in place.directory.glob("data/log/gw-1/worker-*/*.seg"):
        segment.rename(segment.with_suffix(".gone"))
    report = place.scanned()
    assert (report["calls"], report["scanned"], report["not_kept"], report["rows"]) == (9, 0, 8, [])
    done = place.scan("--since", "1h")
    assert "trunkline: not looked at: 8 calls whose bodies are not in the logs (any more)" in done.stderr
