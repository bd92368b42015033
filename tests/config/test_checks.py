import pytest
from config_samples import GOOD, OTHER, STRONG, THIRD, compiled, machine, problems_of, the_problem

from trunkline.config.compile import load
from trunkline.config.problems import ConfigInvalid
from trunkline.config.strength import digest
from trunkline.model.snapshot import Key

PEM = "-----BEGIN CERTIFICATE-----\n"
PARAMS = "routes.voice.targets[0].params"
KEY_PEM = "-----BEGIN PRIVATE KEY-----\n"


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        (changed("provider: openai", "provider: opena"), "routes.voice.targets[0].provider", "did you mean `openai`?"),
        (changed("targets:", "tragets:"), "routes.voice.tragets", "did you mean `targets`?"),
        (changed("routes: [voice]", "routes: [vioce]"), "tenants.harbor.keys.agent.routes[0]", "did you mean `voice`?"),
        (changed("[voice]", "[openai/gpt-4o]"), "tenants.harbor.keys.agent.routes[0]", "providers.openai.models"),
        (changed("[voice]", "[opena/gpt-4o]"), "tenants.harbor.keys.agent.routes[0]", "did you mean `openai`?"),
        (changed("[{provider: openai, model: gpt-4o}]", "[]"), "routes.voice.targets", "at least 1"),
        (
            changed("harbor:\n", "harbor:\n    allow: {providers: [anthropic]}\n"),
            "tenants.harbor.allow.providers[0]",
            "openai",
        ),
        (changed("harbor:\n", "harbor:\n    time_zone: Mars/Base\n"), "tenants.harbor.time_zone", "America/New_York"),
        (changed("model: gpt-4o}", "model: gpt-4o, weight: 0}"), "routes.voice.targets[0].weight", "from 1 to"),
        (changed("model: gpt-4o}", "model: gpt-4o, weight: 1.5}"), "routes.voice.targets[0].weight", "whole number"),
        (changed("gpt-4o}]", "gpt-4o, first_token: 2m}]"), "routes.voice.targets[0].first_token", "timeouts.total"),
        (changed("gpt-4o}]", "gpt-4o}], timeouts: {gap: 61s}"), "routes.voice.timeouts.gap", "timeouts.total"),
        (
            changed("gpt-4o}]", "gpt-4o, params: {set: {model: x}}}]"),
            "routes.voice.targets[0].params.set.model",
            "the request's own",
        ),
        (
            changed("gpt-4o}]", "gpt-4o, params: {drop: [messages]}}]"),
            "routes.voice.targets[0].params.drop[0]",
            "the request's own",
        ),
        (changed("gpt-4o}]", "gpt-4o}], sticky: tenant"), "routes.voice.sticky", "session or user"),
        (
            changed("gpt-4o}]", "gpt-4o}], instead_of_error: {failed: x}"),
            "routes.voice.instead_of_error.failed",
            "blocked",
        ),
        (changed("dialect: openai", "dialect: opeani"), "providers.openai.dialect", "did you mean `openai`?"),
        *(
            (changed("models:", f"headers: {{{name}: a}}, models:"), f"providers.openai.headers.{name}", "own")
            for name in ("Host", "Content-Length", "transfer-encoding", "Accept-Encoding", "connection", "Accept")
        ),
        *(
            (changed("gpt-4o}]", f"gpt-4o, params: {{{how}: {{{name}: 1}}}}}}]"), f"{PARAMS}.{how}.{name}", "own")
            for how in ("set", "default")
            for name in ("messages", "stream")
        ),
        (
            changed("models:", "headers: {Authorization: a}, models:"),
            "providers.openai.headers.Authorization",
            "api_key",
        ),
        (changed("models:", "headers: {X-A: a, x-a: b}, models:"), "providers.openai.headers.x-a", "twice"),
        (changed("models:", 'headers: {x-a: "b\\nc: d"}, models:'), "providers.openai.headers.x-a", "one line"),
        (changed("models:", "keep_warm: -1, models:"), "providers.openai.keep_warm", "from 0 to"),
        (changed("models:", "ca_bundle: /ca.pem, models:"), "providers.openai.ca_bundle", "no file `/ca.pem`"),
        (changed("voice: {", "a/b: {"), "routes.a/b", "a route's name"),
        (changed("routes: [voice]", "routes: voice"), "tenants.harbor.keys.agent.routes", "in brackets"),
        (changed("routes: [voice]", "routes: []"), "tenants.harbor.keys.agent.routes", "at least 1"),
        (changed("version: 1", "version: 2"), "version", "write 1"),
        (GOOD + "listen: 8080\n", "listen", "127.0.0.1:8080"),
        (GOOD + "node: 'a b'\n", "node", "a name"),
        (GOOD + "workers: 0\n", "workers", "is too small; write one from 1 to 64"),
        (GOOD + "workers: 65\n", "workers", "is too large; write one from 1 to 64"),
        (GOOD + "workers: two\n", "workers", "is no whole number; write one from 1 to 64"),
        (GOOD + "log: {level: loud}\n", "log.level", "info, warning, error"),
        (GOOD + "log: [info]\n", "log", "must be a map"),
        (GOOD + "audit: {durability: none}\n", "audit.durability", "before_response"),
        (GOOD + "server: {max_body: 600MB}\n", "server.max_body", "max_in_flight_bytes"),
        (GOOD + "workers: 4\nserver: {max_body: 200MB}\n", "server.max_body", "a worker's share"),
        (GOOD + "workers: 4\nserver: {max_in_flight_bytes: 39MB}\n", "server", "a worker's share"),
        (GOOD + "server: {drain: 10}\n", "server.drain", "has no unit"),
        (GOOD + "tls: {cert: /c.pem, key: /k.pem}\n", "tls.cert", "no file"),
    ],
)
def test_a_mistake_is_found_at_its_path_with_a_fix(text, path, says):
    problem = next(problem for problem in problems_of(text) if problem.path == path)
    assert says in f"{problem.message}; {problem.fix}"
    assert problem.fix


@pytest.mark.parametrize(
    "text",
    [
        *(GOOD + f"{name}: {{}}\n" for name in ("prompts", "telemetry", "slo", "cors")),
        GOOD + "alerts: []\n",
        *(GOOD + f"audit: {{{name}: x}}\n" for name in ("archive",)),
        *(
            changed("targets:", f"{name}: x, targets:")
            for name in ("prompt", "require_prompt", "client_system", "keepalive")
        ),
        changed("targets:", "strategy: least_latency, targets:"),
        changed("targets:", "strategy: cheapest, targets:"),
    ],
)
def test_what_a_later_version_brings_is_refused_as_such(text):
    assert "not supported yet" in the_problem(text).message


def test_a_missing_required_key_is_named_where_it_belongs():
    problem = the_problem(GOOD.replace("version: 1\n", ""))
    assert (problem.line, problem.message) == (1, "`version` is missing")
    assert the_problem(GOOD.replace('api_key: "${OPENAI_API_KEY}", ', "")).path == "providers.openai"


def test_a_provider_without_a_key_says_so():
    good = compiled(GOOD.replace('"${OPENAI_API_KEY}"', "null"))
    assert good.secrets.providers["openai"].api_keys == ()


CLAUDE = GOOD.replace(
    "routes:\n", "  claude: {dialect: anthropic, api_key: null, models: [claude-haiku-4-5]}\nroutes:\n"
)


@pytest.mark.parametrize("end", ["/v1", "/v1/", "/v1/messages"])
def test_the_path_that_the_dialect_appends_is_not_written_into_the_base_url(end):
    text = CLAUDE.replace("dialect: anthropic", f"dialect: anthropic, base_url: 'https://api.anthropic.com{end}'")
    problem = the_problem(text)
    assert (problem.path, problem.fix) == ("providers.claude.base_url", f"drop `{end.rstrip('/')}`")
    whole = GOOD.replace("models:", "base_url: 'https://api.openai.com/v1/chat/completions', models:")
    assert the_problem(whole).fix == "drop `/chat/completions`"


def test_each_dialect_has_headers_of_its_own():
    header = "headers: {Anthropic-Version: '2023-06-01'}, models:"
    assert the_problem(CLAUDE.replace("models: [claude", f"{header} [claude")).message.endswith("own")
    assert compiled(GOOD.replace("models:", header)).secrets.providers["openai"].headers


def test_a_weighted_route_has_weights_and_may_be_sticky_with_one_target_too():
    text = GOOD.replace("gpt-4o}]", "gpt-4o, weight: 3}], strategy: weighted, sticky: user")
    route = compiled(text).snapshot.routes["voice"]
    assert (route.sticky, route.targets[0].weight) == ("user", 3)
    assert the_problem(text.replace("strategy: weighted", "strategy: wighted")).path == "routes.voice.strategy"


def test_no_provider_at_all_is_a_mistake():
    assert the_problem("version: 1\nproviders: {}\n").message == "there is no provider"
    assert [p.message for p in problems_of("")] == ["`providers` is missing", "`version` is missing"]


def test_a_file_that_is_no_map_is_a_mistake():
    assert the_problem("- a\n").message == "must be a map"
    assert the_problem("hello").message == "must be a map"


def test_a_host_name_that_cannot_name_logs_asks_for_a_node():
    sources = machine()
    odd = type(sources)(sources.environment, sources.read_file, "host name!", sources.now)
    assert "node: gw-1" in the_problem(GOOD, odd).fix
    assert compiled(GOOD + "node: gw-9\n", odd).snapshot.node == "gw-9"


def test_the_console_has_a_port_of_its_own():
    text = GOOD + 'console: {listen: 127.0.0.1:8080, admin_token: "${TRUNKLINE_ADMIN_TOKEN}"}\n'
    assert the_problem(text).path == "console.listen"


def test_certificates_are_looked_into():
    text = GOOD + "tls: {cert: /c.pem, key: /k.pem}\n"
    assert compiled(text, machine(files={"/c.pem": PEM, "/k.pem": KEY_PEM})).snapshot.tls is not None
    assert the_problem(text, machine(files={"/c.pem": KEY_PEM, "/k.pem": KEY_PEM})).path == "tls.cert"
    assert the_problem(text, machine(files={"/c.pem": PEM, "/k.pem": ""})).path == "tls.key"


def test_the_key_that_signs_the_logs_must_be_there_and_is_no_part_of_a_snapshot_where_it_is_ours():
    text = GOOD + "audit: {key_file: /run/audit.key}\n"
    assert compiled(text, machine(files={"/run/audit.key": "PRIVATE+KEY+d+0+A"})).snapshot.audit.key_file
    assert the_problem(text).message == "there is no file `/run/audit.key`"
    problem = the_problem(text, machine(files={"/run/audit.key": PEM}))
    assert (problem.path, problem.fix) == ("audit.key_file", "name a key that `trunkline audit keys` makes")
    assert b"key_file" not in compiled(GOOD + "audit: {key_file: null}\n").canonical


def test_a_default_longer_than_the_total_is_cut_to_it():
    timeouts = compiled(GOOD.replace("targets:", "timeouts: {total: 3s}, targets:")).snapshot.routes["voice"].timeouts
    assert (timeouts.connect, timeouts.first_token, timeouts.gap, timeouts.total) == (1, 3, 3, 3)


SECOND_KEY = GOOD + '      other: {secret: "${HARBOR_VOICE_KEY}"}\n'


def test_two_keys_may_not_have_the_same_secret():
    problem = the_problem(SECOND_KEY)
    assert (problem.line, problem.path) == (10, "tenants.harbor.keys.other.secret")
    assert "tenants.harbor.keys.agent" in problem.message


def test_a_key_may_not_have_the_admin_token_for_a_secret():
    text = GOOD + f'console: {{admin_token: "{STRONG}"}}\n'
    assert "console.admin_token" in the_problem(text).message


CONSOLE = GOOD + f'console: {{admin_token: "{OTHER}", operators: {{jane: {{token: "%s", role: %s}}}}}}\n'


@pytest.mark.parametrize(("token", "owner"), [(STRONG, "console.operators.jane"), (OTHER, "console.admin_token")])
def test_an_operator_may_not_have_another_s_secret_for_a_token(token, owner):
    assert owner in the_problem(CONSOLE % (token, "examiner")).message


def test_operators_have_one_of_the_roles_and_strong_tokens():
    assert the_problem(CONSOLE % (THIRD, "boss")).path == "console.operators.jane.role"
    assert "128 bits" in the_problem(CONSOLE % ("guessed", "admin")).message
    assert "admin_token" in the_problem((CONSOLE % (THIRD, "admin")).replace("jane", "admin")).message
    compiled(CONSOLE % (THIRD, "supervisor"))


def test_two_tenants_may_not_have_a_key_of_the_same_id():
    text = GOOD + f'  second:\n    keys:\n      agent: {{secret: "{OTHER}"}}\n'
    assert "tenants.harbor.keys.agent" in the_problem(text).message


def log_key(**changes: object) -> Key:
    values = {"id": "made", "tenant": "harbor", "digests": (digest(THIRD),), "source": "log"} | changes
    return Key(**values)


def problems_with(key: Key) -> list[str]:
    try:
        load(GOOD, "t.yaml", machine(), keys=[key])
    except ConfigInvalid as invalid:
        return [str(problem) for problem in invalid.problems]
    return []


def test_keys_of_the_log_are_in_the_snapshot():
    good = load(GOOD, "t.yaml", machine(), keys=[log_key()])
    assert set(good.snapshot.keys) == {"agent", "made"}
    assert good.snapshot.keys["made"].source == "log"


def test_one_id_in_the_file_and_the_log_is_a_mistake():
    (problem,) = problems_with(log_key(id="agent"))
    assert "t.yaml:9" in problem
    assert "trunkline keys create" in problem


def test_one_secret_in_the_file_and_the_log_is_a_mistake():
    (problem,) = problems_with(log_key(digests=(digest(STRONG),)))
    assert "the key made" in problem


def test_a_key_of_the_log_needs_its_tenant_and_routes():
    (problem,) = problems_with(log_key(tenant="gone"))
    assert "keys revoke made" in problem
    (problem,) = problems_with(log_key(routes=("gone",)))
    assert "there is no route `gone`" in problem
