"""`trunkline limits show`, and what other commands tell of limited calls, against a real gateway."""

import csv
import http.client
import io
import json
import signal

import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families
from running_gateway import PATIENCE, SECRET, command, gateway

from trunkline.cli.control_client import _Connection
from trunkline.simulator import Script, Simulator, TokenCount

SENTENCE = "One moment, I am being asked too much at once."
CONFIGURATION = """\
version: 1
data_dir: ./data
node: gw-1
listen: 127.0.0.1:0
log: {{format: json}}
providers:
  openai: {{dialect: openai, base_url: "{url}", api_key: "sk-one", models: [gpt-4o-mini]}}
routes:
  fast: {{targets: [{{provider: openai, model: gpt-4o-mini}}]}}
  voice:
    targets: [{{provider: openai, model: gpt-4o-mini}}]
    instead_of_error: {{limited: "{sentence}"}}
tenants:
  acme:
    limits: {{requests_per_minute: 10, tokens_per_hour: 100000, concurrent_requests: 7}}
    user_limits: {{requests_per_minute: 3}}
    team_limits: {{requests_per_hour: 500}}
    route_limits: {{voice: {{requests_per_day: 100}}}}
    budget: {{amount: 2.50, per: month}}
    tag_budget: {{amount: 1, per: total, tag: campaign}}
    keys:
      app: {{secret: "{secret}", limits: {{tokens_per_minute: 20000}}}}
  other:
    enforce: observe
    limits: {{requests_per_day: 5}}
    keys: {{its: {{secret: "7c1e9b3d5f7a2b4c6d8e0f1a3b5c7d9e"}}}}
"""


def ask(client: openai.OpenAI, user: str, model: str = "fast"):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hello?"}], user=user)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A running gateway in which ann has used up her three calls, was refused twice and heard the sentence once."""
    directory = tmp_path_factory.mktemp("limits")
    script = Script(text="Sixty percent.", usage=TokenCount(input=30, output=10))
    with Simulator.in_thread(openai=script) as simulator:
        text = CONFIGURATION.format(url=simulator.openai.url, secret=SECRET, sentence=SENTENCE)
        (directory / "trunkline.yaml").write_text(text)
        with gateway(directory) as running:
            url = f"http://127.0.0.1:{running.port}/v1"
            with openai.OpenAI(base_url=url, api_key=SECRET, max_retries=0) as client:
                for _ in range(3):
                    ask(client, "ann")
                refused = []
                for _ in range(2):
                    with pytest.raises(openai.RateLimitError) as error:
                        ask(client, "ann")
                    refused.append(error.value.response.headers["x-trunkline-call"])
                spoken = ask(client, "ann", "voice")
                assert spoken.choices[0].message.content == SENTENCE
                ask(client, "bo")
            # Refusals are in the log when their second is over.
            while sum(call["count"] for call in listed(directory, "limited")) < 3:
                pass
            yield directory, running, refused, spoken.id


def done(result) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout


def listed(directory, outcome: str) -> list[dict]:
    return json.loads(done(command(directory, "calls", "list", "--outcome", outcome, "--format", "json")))


def shown(directory, *words: str) -> list[dict]:
    return json.loads(done(command(directory, "limits", "show", "--format", "json", *words)))


def by_owner(rows: list[dict]) -> dict[tuple[str, str, str], dict]:
    return {(row["tenant"], row["rule"], row["owner"]): row for row in rows}


def test_every_limit_and_budget_is_shown_with_its_use_and_its_owner(place):
    directory, *_ = place
    rows = by_owner(shown(directory))
    used = {place: row["used"] for place, row in rows.items()}
    assert used == {
        ("acme", "user_limits.requests_per_minute", "ann"): 3,
        ("acme", "user_limits.requests_per_minute", "bo"): 1,
        ("acme", "limits.requests_per_minute", "acme"): 4,
        ("acme", "limits.tokens_per_hour", "acme"): 160,
        ("acme", "limits.concurrent_requests", "acme"): 0,
        ("acme", "team_limits.requests_per_hour", "(none)"): 4,
        ("acme", "route_limits.voice.requests_per_day", "voice"): 0,
        ("acme", "keys.app.limits.tokens_per_minute", "app"): 160,
        ("acme", "budget", "acme"): rows["acme", "budget", "acme"]["used"],
        ("acme", "tag_budget", "each tag"): "0",
        ("other", "limits.requests_per_day", "other"): 0,
    }
    # Four times 30 tokens at 0.15 and 10 at 0.60 USD a million.
    assert rows["acme", "budget", "acme"] | {"resets_in_s": 0} == {
        "percent": 0.0, "used": "0.000042", "limit": "2.5", "left": "2.499958", "unit": "USD", "per": "month",
        "resets_in_s": 0, "tenant": "acme", "rule": "budget", "owner": "acme", "enforced": True,
    }  # fmt: skip
    ann = rows["acme", "user_limits.requests_per_minute", "ann"]
    assert (ann["percent"], ann["limit"], ann["left"], ann["unit"], ann["per"]) == (100.0, 3, 0, "requests", "minute")
    assert 0 < ann["resets_in_s"] <= 61.5
    assert rows["other", "limits.requests_per_day", "other"]["enforced"] is False


def test_the_most_used_comes_first(place):
    directory, *_ = place
    rows = shown(directory)
    assert rows[0]["owner"] == "ann"
    shares = [row["percent"] for row in rows]
    assert shares == sorted(shares, reverse=True)


def test_one_looks_at_a_user_a_rule_or_a_tenant(place):
    directory, *_ = place
    assert [(row["owner"], row["used"]) for row in shown(directory, "--user", "bo")] == [("bo", 1)]
    assert [(row["owner"], row["used"]) for row in shown(directory, "--user", "cleo")] == [("cleo", 0)]
    assert {row["rule"] for row in shown(directory, "--rule", "limits")} == {
        "limits.requests_per_minute", "limits.tokens_per_hour", "limits.concurrent_requests", "limits.requests_per_day",
    }  # fmt: skip
    assert {row["tenant"] for row in shown(directory, "--tenant", "other")} == {"other"}
    assert [row["rule"] for row in shown(directory, "--key", "app")] == ["keys.app.limits.tokens_per_minute"]
    assert [row["rule"] for row in shown(directory, "--route", "voice")] == ["route_limits.voice.requests_per_day"]
    assert shown(directory, "--route", "fast") == []


def test_what_is_left_out_is_said(place):
    directory, *_ = place
    cut = command(directory, "limits", "show", "--top", "2", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done(cut))))
    assert [row["owner"] for row in rows][:1] == ["ann"]
    assert len(rows) == 2
    assert cut.stderr.startswith("trunkline: 9 more; ")


def test_a_refused_call_tells_rule_and_owner(place):
    directory, _, refused, spoken = place
    calls = listed(directory, "limited")
    assert {(call["rule"], call["owner"]) for call in calls} == {("user_limits.requests_per_minute", "ann")}
    assert sorted(call["count"] for call in calls) == [1, 2]
    assert spoken in {f"chatcmpl-{call['id']}" for call in calls}
    told = json.loads(done(command(directory, "calls", "show", refused[0], "--format", "json")))
    assert (told["facts"]["rule"], told["facts"]["owner"]) == ("user_limits.requests_per_minute", "ann")
    text = done(command(directory, "calls", "show", spoken))
    assert "rule: user_limits.requests_per_minute" in text
    assert "owner: ann" in text


def scraped(directory) -> dict[tuple, float]:
    connection = _Connection(directory / "data")
    try:
        connection.request("GET", "/metrics", headers={"host": "control"})
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_metrics_have_refusals_and_the_use_of_tenants_limits(place):
    directory, *_ = place
    found = scraped(directory)
    assert found["trunkline_limit_refusals_total", "acme", "user_limits.requests_per_minute"] == 3
    assert found["trunkline_limit_used_ratio", "acme", "limits.requests_per_minute"] == 0.4
    assert found["trunkline_limit_used_ratio", "acme", "budget"] == pytest.approx(0.000042 / 2.5)
    assert found["trunkline_calls_held",] == 0
    assert not any("ann" in place for place in found)


def test_a_question_that_is_none_is_refused(place):
    directory, *_ = place
    connection = _Connection(directory / "data")
    try:
        connection.request("GET", "/api/limits?most=2001", headers={"host": "control"})
        answer = connection.getresponse()
        assert (answer.status, "1 to 2,000" in json.loads(answer.read())["error"]["message"]) == (400, True)
    except http.client.HTTPException as error:
        pytest.fail(str(error))
    finally:
        connection.close()
    assert command(directory, "limits", "show", "--top", "0").returncode == 64


def simulated(directory, *words: str, limit: str = "1"):
    """What limits would do that the file has and the gateway has not: one call a minute for each user."""
    file = directory / "trunkline.yaml"
    before = file.read_text()
    file.write_text(
        before.replace("user_limits: {requests_per_minute: 3}", f"user_limits: {{requests_per_minute: {limit}}}")
    )
    try:
        return command(directory, "limits", "simulate", *words)
    finally:
        file.write_text(before)


def is_simulated(directory) -> None:
    result = simulated(directory, "--since", "1h", "--format", "json")
    (row,) = json.loads(done(result))
    # Ann's three calls, the two that were refused, and the one that heard a sentence: all but the first.
    assert {name: row[name] for name in ("calls", "percent", "effect", "tenant", "rule", "owner")} == {
        "calls": 5,
        "percent": 83.33,
        "effect": "refused",
        "tenant": "acme",
        "rule": "user_limits.requests_per_minute",
        "owner": "ann",
    }
    assert 50 < row["longest_wait_s"] <= 61.5
    assert row["first"] < row["last"]
    assert result.stderr == "trunkline: 5 of 7 calls would have been refused\n"
    table = done(simulated(directory, "--since", "1h", "--tenant", "acme"))
    assert table.splitlines()[-1] == "5 of 7 calls would have been refused"
    assert done(simulated(directory, "--since", "1h", "--tenant", "other")) == (
        "0 of 0 calls would have been refused\n"
    )
    assert done(simulated(directory, "--since", "2h", "--until", "1h")) == "0 of 0 calls would have been refused\n"
    unknown = simulated(directory, "--tenant", "nobody")
    assert (unknown.returncode, "no tenant `nobody`" in unknown.stderr) == (64, True)
    assert simulated(directory, "--since", "1h", "--until", "2h").returncode == 64
    bad = simulated(directory, limit="-3")
    assert bad.returncode == 1
    assert "requests_per_minute" in bad.stderr


def test_what_limits_would_have_done_is_said_while_the_gateway_runs(place):
    directory, running, *_ = place
    assert running.process.poll() is None
    is_simulated(directory)


def test_without_a_gateway_nobody_knows(place):
    directory, running, *_ = place
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(PATIENCE)
    gone = command(directory, "limits", "show")
    assert gone.returncode == 1
    assert gone.stderr.startswith("trunkline: no gateway runs on ")
    assert "`trunkline limits simulate`" in gone.stderr


def test_what_limits_would_have_done_is_said_without_a_gateway(place):
    directory, running, *_ = place
    assert running.process.poll() is not None
    is_simulated(directory)
