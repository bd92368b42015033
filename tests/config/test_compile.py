from pathlib import Path

import pytest
from config_samples import ENVIRONMENT, GOOD, NOW, OTHER, STRONG, THIRD, compiled, machine, problems_of, the_problem
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from trunkline.config.canonical import decode_snapshot
from trunkline.config.compile import load
from trunkline.config.places import MOST_PROBLEMS
from trunkline.config.problems import ConfigInvalid, render
from trunkline.config.schema import Root
from trunkline.config.section import settings as keys_of
from trunkline.config.sources import Sources
from trunkline.config.strength import digest
from trunkline.model.operators import Operator

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))

# Every key of the interface that this version has, with the values that its page shows.
INTERFACE = """\
version: 1
data_dir: ./trunkline-data
node: gw-1
listen: 127.0.0.1:8080
console: {listen: 127.0.0.1:8081, admin_token: "${TRUNKLINE_ADMIN_TOKEN}"}
workers: 1
log: {format: text, level: info}
providers:
  openai:    {dialect: openai, base_url: https://api.openai.com/v1, api_key: "${OPENAI_API_KEY}",
              region: us, data_retention: 30d, keep_warm: 2,
              models: [gpt-4o-mini, gpt-4o],
              proxy: null, ca_bundle: null, headers: {}}
  anthropic: {dialect: anthropic, base_url: https://api.anthropic.com, api_key: "${file:/run/secrets/anthropic}",
              region: us, data_retention: zero, keep_warm: 2}
routes:
  advisor-voice:
    strategy: priority
    targets:
      - {provider: openai, model: gpt-4o-mini, weight: 1, first_token: 2s,
         params: {default: {temperature: 0.2}, set: {reasoning_effort: none}, drop: [logit_bias]}}
      - {provider: anthropic, model: claude-haiku-4-5, max_output_tokens: 1024}
    retry: {attempts_per_target: 1}
    timeouts: {connect: 1s, first_token: 2s, gap: 5s, total: 60s}
    breaker: {failures: 5, within: 30s, open_for: 15s}
    pass_through: drop
    instead_of_error:
      {blocked: "...", limited: "One moment, I am being asked too much.", over_budget: "...", unavailable: "..."}
  advisor-chat:
    strategy: weighted
    targets: [{provider: openai, model: gpt-4o-mini}]
    sticky: session
tenants:
  harbor-wealth:
    regulated: true
    time_zone: America/New_York
    require: [user]
    allow: {providers: [openai, anthropic], regions: [us], data_retention: 30d}
    keys:
      voice-agent: {secret: "${HARBOR_VOICE_KEY}", routes: [advisor-voice], team: wealth-desk, expires: 2027-06-30}
audit: {durability: before_response}
prices: {}
server: {max_body: 10MB, max_headers: 32KB, header_timeout: 10s, idle_timeout: 10m, max_connections: 20000,
         max_in_flight_bytes: 512MB, drain: 30s}
"""
WITH_FILES = machine(files={"/run/secrets/anthropic": "sk-ant-of-a-file"})

WRONG = """\
version: one
listen: everywhere
slo: {}
prividers: {}
providers:
  openai: {dialect: openai, api_key: "${NOT_SET}", models: [gpt-4o-mni], keep_warm: 2s}
routes:
  voice:
    targets: [{provider: opena, model: gpt-4o}]
    timeouts: {first_token: 2, total: 5s}
tenants:
  harbor:
    keys:
      agent: {secret: hunter2, routes: [vioce]}
"""


def test_the_interface_reads_as_it_says():
    snapshot = compiled(INTERFACE, WITH_FILES).snapshot
    route, tenant, key = (
        snapshot.routes["advisor-voice"],
        snapshot.tenants["harbor-wealth"],
        snapshot.keys["voice-agent"],
    )
    assert [target.name for target in route.targets] == ["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"]
    assert route.targets[0].params.default == {"temperature": 0.2}
    assert route.targets[0].params.set == {"reasoning_effort": "none"}
    assert route.targets[0].params.drop == ("logit_bias",)
    assert (route.targets[0].first_token, route.targets[1].max_output_tokens) == (2.0, 1024)
    assert snapshot.routes["advisor-chat"].sticky == "session"
    assert set(route.instead_of_error) == {"blocked", "limited", "over_budget", "unavailable"}
    assert (tenant.regulated, tenant.require, tenant.allow.data_retention) == (True, ("user",), 2_592_000)
    assert (key.tenant, key.team, key.expires, key.digests) == (
        "harbor-wealth",
        "wealth-desk",
        1_814_400_000,
        (digest(STRONG),),
    )
    assert snapshot.providers["anthropic"].data_retention == 0
    assert (snapshot.server.max_body, snapshot.server.idle_timeout) == (10_000_000, 600)
    assert set(snapshot.prices) == {"openai/gpt-4o-mini", "openai/gpt-4o", "anthropic/claude-haiku-4-5"}


def test_what_control_alone_needs_is_beside_the_snapshot():
    good = compiled(INTERFACE, WITH_FILES)
    assert good.console is not None
    assert good.console.listen == "127.0.0.1:8081"
    assert good.console.operators == {digest(OTHER): Operator("admin", "admin")}
    assert good.data_dir == Path("./trunkline-data")
    assert good.secrets.providers["anthropic"].api_keys == ("sk-ant-of-a-file",)
    assert decode_snapshot(good.canonical) == good.snapshot


def test_no_console_is_configured_where_none_is_written():
    assert compiled(GOOD).console is None


def test_the_node_is_the_host_where_none_is_written():
    assert compiled(GOOD).snapshot.node == "gw-test"


def test_headers_of_a_provider_are_secrets_and_their_names_are_not():
    good = compiled(GOOD.replace("models:", "headers: {x-b: hid-den, x-a: hid-den2}, models:"))
    assert good.snapshot.providers["openai"].headers == ("x-a", "x-b")
    assert good.secrets.providers["openai"].headers == {"x-b": "hid-den", "x-a": "hid-den2"}
    assert b"hid-den" not in good.canonical
    assert "hid-den" not in repr(good)


def test_several_keys_of_a_provider_are_kept_in_order():
    good = compiled(GOOD.replace('"${OPENAI_API_KEY}"', '["${OPENAI_API_KEY}", "${ANTHROPIC_API_KEY}"]'))
    assert good.secrets.providers["openai"].api_keys == ("sk-proj-of-openai", "sk-ant-of-anthropic")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_loads(path):
    assert load(path.read_text(), str(path), machine()).snapshot.routes


def test_every_mistake_of_a_file_is_reported_at_once_in_the_order_of_its_lines():
    found = problems_of(WRONG)
    assert [problem.line for problem in found] == [1, 2, 3, 4, 6, 6, 6, 9, 10, 14, 14]
    assert [problem.path for problem in found] == [
        "version",
        "listen",
        "slo",
        "prividers",
        "providers.openai.api_key",
        "providers.openai.models[0]",
        "providers.openai.keep_warm",
        "routes.voice.targets[0].provider",
        "routes.voice.timeouts.first_token",
        "tenants.harbor.keys.agent.secret",
        "tenants.harbor.keys.agent.routes[0]",
    ]
    assert all(problem.fix for problem in found)


def test_a_problem_reads_as_file_line_column_path_message_and_fix():
    assert str(problems_of(WRONG)[3]) == "t.yaml:4:1 prividers: no such key; did you mean `providers`?"
    assert render(problems_of(WRONG)).count("\n") == 10


def test_a_file_of_nothing_but_mistakes_is_given_up_after_some():
    found = problems_of("".join(f"key{i}: 1\n" for i in range(20_000)))
    assert len(found) == MOST_PROBLEMS


KEYS = st.sampled_from(
    [item.name for item in keys_of(Root)]
    + list(Root.LATER)
    + ["targets", "provider", "model", "keys", "secret", "openai", "voice"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | KEYS
    | st.sampled_from(["1s", "${A}", "zero"])
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=6), inner, max_size=5),
    max_leaves=25,
)


def written(value: object) -> str:
    """Any value as YAML: JSON is YAML, but for the words that only one of them knows."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(str(key))}: {written(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str):
        return "'" + value.replace("'", "''").replace("\n", "\n\n") + "'"
    return {None: "null", True: "true", False: "false"}.get(value) if value in (None, True, False) else str(value)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, DOCUMENTS, max_size=8).map(written) | DOCUMENTS.map(written) | st.text(max_size=60))
@example("version: 1\nproviders: {a: {dialect: openai, api_key: null, models: [x]}}\nprices: {a/x: 1}")
def test_no_document_raises_anything_but_its_problems(text):
    try:
        assert load(text, "t.yaml", machine()).snapshot.version == 1
    except ConfigInvalid as invalid:
        assert invalid.problems
        assert list(invalid.problems) == sorted(invalid.problems)


LINES = INTERFACE.splitlines()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(INTERFACE) - 1), st.integers(0, 40), st.text(max_size=5))
def test_no_cut_of_a_good_file_raises_anything_but_its_problems(start, length, put):
    try:
        load(INTERFACE[:start] + put + INTERFACE[start + length :], "t.yaml", WITH_FILES)
    except ConfigInvalid as invalid:
        assert invalid.problems


WORD = st.text("abcdefghijkmnpqrstuvwxyz23456789", min_size=24, max_size=40).map(lambda text: f"Z{text}Z")
PLACES = sorted({item.name for item in keys_of(Root)} - {"version"})


@settings(max_examples=100, deadline=None)
@given(
    WORD, st.sampled_from([line for line in LINES if ": " in line and not line.lstrip().startswith("-")]), st.booleans()
)
def test_a_secret_in_the_wrong_place_is_not_shown(word, line, quoted):
    """A secret as the value of any key: by reference it shows nowhere, whether that is a mistake or not."""
    indent = line[: len(line) - len(line.lstrip())]
    name = line.strip().partition(":")[0]
    value = '"${MISPLACED}"' if quoted else "${MISPLACED}"
    text = INTERFACE.replace(line, f"{indent}{name}: {value}")
    sources = Sources(ENVIRONMENT | {"MISPLACED": word}, WITH_FILES.read_file, "gw-test", NOW)
    shown = "\n".join(str(problem) for problem in problems_of(text, sources))
    assert word not in shown


@settings(max_examples=60, deadline=None)
@given(st.lists(WORD, min_size=6, max_size=6, unique=True))
def test_no_secret_is_in_the_snapshot_or_in_any_text_made_of_it(words):
    key, second, header, password, client, token = words
    text = INTERFACE.replace("headers: {}", 'headers: {x-account: "${HEADER}"}')
    text = text.replace("proxy: null", 'proxy: "http://user:${PASSWORD}@proxy:3128"')
    text = text.replace('api_key: "${OPENAI_API_KEY}"', 'api_key: ["${OPENAI_API_KEY}", "${SECOND}"]')
    environment = {
        "OPENAI_API_KEY": key,
        "SECOND": second,
        "HEADER": header,
        "PASSWORD": password,
        "HARBOR_VOICE_KEY": digest(client),
        "TRUNKLINE_ADMIN_TOKEN": digest(token),
    }
    good = compiled(text, Sources(environment, WITH_FILES.read_file, "gw-test", NOW))
    shown = good.canonical.decode() + repr(good) + str(good.snapshot) + repr(good.secrets)
    assert not [value for value in environment.values() if value in shown]
    assert good.secrets.providers["openai"].proxy == f"http://user:{password}@proxy:3128"


def test_a_weak_secret_among_good_ones_is_the_only_problem():
    text = GOOD.replace('secret: "${HARBOR_VOICE_KEY}"', f'secret: ["{THIRD}", "{THIRD[:20]}"]')
    problem = the_problem(text)
    assert problem.path == "tenants.harbor.keys.agent.secret[1]"
    assert THIRD[:20] not in str(problem)


def test_the_example_is_yaml_for_other_readers_too():
    for path in EXAMPLES:
        assert YAML(typ="safe", pure=True).load(path.read_text())["version"] == 1
