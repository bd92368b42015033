"""Limits, budgets and capacity as the file has them, and as the snapshot does."""

import dataclasses
import re
from decimal import Decimal

import msgspec
import pytest
from config_samples import GOOD, STRONG, compiled, machine, problems_of, the_problem
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.config import build
from trunkline.config.addresses import redis_url, without_userinfo
from trunkline.config.canonical import decode_snapshot, digest_of, encode_snapshot
from trunkline.config.compile import load
from trunkline.config.document import Mapping, Scalar, compose
from trunkline.config.limit_checks import check_backend
from trunkline.config.places import Place, Problems
from trunkline.config.readers import BAD, Mistake
from trunkline.config.references import resolve
from trunkline.config.schema import MOST_COUNTED, LimitsSection, Root
from trunkline.config.section import SectionReader
from trunkline.model.snapshot import LOCAL, Budget, Capacity, Limits, Snapshot

# The digest of `GOOD`'s snapshot before there were limits: files without them must not change name.
BEFORE_LIMITS = "edd6d54d110760defaebf3f7719e7ee10eb600bdbe1467c248c0edc8b3fe3cfd"
FULL = (
    GOOD.replace(
        "harbor:\n",
        """harbor:
    time_zone: America/New_York
    limits: {requests_per_minute: 600, tokens_per_minute: 200000, concurrent_requests: 40}
    user_limits: {requests_per_minute: 120}
    team_limits: {requests_per_hour: 400, tokens_per_day: 1000000000000}
    route_limits: {voice: {requests_per_day: 500, tokens_per_hour: 7}}
    wait_up_to: 600ms
    budget: {amount: 500, per: month, on_exceeded: block}
    user_budget: {amount: 25.50, per: day, on_exceeded: warn}
    team_budget: {amount: 0.000000001, per: week}
    tag_budget: {amount: 1e9, per: total, tag: campaign}
    weight: 3
    enforce: observe
""",
    )
    .replace("routes: [voice]", "routes: [voice], limits: {concurrent_requests: 2}, budget: {amount: 1.0, per: day}")
    .replace("models:", "capacity: {requests_per_minute: 10000, tokens_per_minute: 2000000}, models:")
    + "limits: {backend: local, redis_url: null, on_authority_loss: refuse}\n"
)


def of_tenant(text: str) -> str:
    return GOOD.replace("harbor:\n", f"harbor:\n    {text}\n")


def test_every_limit_is_in_the_snapshot():
    snapshot = compiled(FULL).snapshot
    tenant = snapshot.tenants["harbor"]
    assert tenant.limits == Limits(requests_per_minute=600, tokens_per_minute=200_000, concurrent_requests=40)
    assert tenant.user_limits == Limits(requests_per_minute=120)
    assert tenant.team_limits == Limits(requests_per_hour=400, tokens_per_day=MOST_COUNTED)
    assert tenant.route_limits == {"voice": Limits(requests_per_day=500, tokens_per_hour=7)}
    assert (tenant.wait_up_to, tenant.weight, tenant.enforce) == (0.6, 3, "observe")
    assert tenant.budget == Budget("500", "month", "block")
    assert tenant.user_budget == Budget("25.5", "day", "warn")
    assert tenant.team_budget == Budget("0.000000001", "week")
    assert tenant.tag_budget == Budget("1000000000", "total", tag="campaign")
    assert snapshot.keys["agent"].limits == Limits(concurrent_requests=2)
    assert snapshot.keys["agent"].budget == Budget("1", "day")
    assert snapshot.providers["openai"].capacity == Capacity(10_000, 2_000_000)
    assert (snapshot.limits.backend, snapshot.limits.on_authority_loss) == ("local", "refuse")


def test_money_is_counted_in_billionths():
    assert Budget("25.5", "day").nano_usd == 25_500_000_000
    assert Budget("0.000000001", "day").nano_usd == 1
    assert Budget("1000000000", "total").nano_usd == 10**18
    assert Budget("999999999.999999999", "total").nano_usd == 10**18 - 1


def test_a_snapshot_with_limits_survives_its_bytes():
    good = compiled(FULL)
    again = decode_snapshot(good.canonical)
    assert again == good.snapshot
    assert digest_of(encode_snapshot(again)) == good.digest


def test_a_file_without_limits_keeps_its_digest():
    assert compiled(GOOD).digest == BEFORE_LIMITS
    assert compiled(GOOD).snapshot.limits is LOCAL
    assert Snapshot.__struct_defaults__[0] is LOCAL


@pytest.mark.parametrize(
    "text",
    [
        of_tenant("wait_up_to: 0s"),
        of_tenant("weight: 1"),
        of_tenant("enforce: limits"),
        of_tenant("route_limits: {}"),
        of_tenant("limits:"),
        of_tenant("budget: null"),
        GOOD + "limits: {backend: local, redis_url: null, on_authority_loss: share}\n",
        GOOD.replace("targets:", "strategy: priority, pass_through: drop, targets:"),
    ],
)
def test_a_default_written_out_changes_no_digest_made_or_read_back(text):
    good = compiled(text)
    assert good.digest == BEFORE_LIMITS == digest_of(encode_snapshot(decode_snapshot(good.canonical)))


LIMIT_SECTIONS = {
    "tenants.harbor.limits": of_tenant("limits: {}"),
    "tenants.harbor.user_limits": of_tenant("user_limits: {}"),
    "tenants.harbor.team_limits": of_tenant("team_limits: {requests_per_minute: null}"),
    "tenants.harbor.route_limits.voice": of_tenant("route_limits: {voice: {}}"),
    "tenants.harbor.keys.agent.limits": GOOD.replace("routes: [voice]", "limits: {}"),
}


@pytest.mark.parametrize("path", LIMIT_SECTIONS)
def test_a_section_without_a_limit_in_it_is_a_mistake(path):
    problem = the_problem(LIMIT_SECTIONS[path])
    assert (problem.path, problem.message) == (path, "has no limit in it")
    assert problem.fix.startswith("name one: requests_per_minute, ")


def test_a_capacity_without_a_number_in_it_is_a_mistake():
    problem = the_problem(GOOD.replace("models:", "capacity: {}, models:"))
    assert (problem.path, problem.message) == ("providers.openai.capacity", "has no capacity in it")


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        (of_tenant("limits: {requests_per_minute: 0}"), "limits.requests_per_minute", "too small; write one from 1"),
        (of_tenant("limits: {tokens_per_day: 1000000000001}"), "limits.tokens_per_day", "too large"),
        (of_tenant("limits: {tokens_per_day: 1.5}"), "limits.tokens_per_day", "no whole number"),
        (of_tenant("limits: {requests_per_minut: 1}"), "limits.requests_per_minut", "`requests_per_minute`"),
        (of_tenant("limits: 600"), "limits", "must be a map"),
        (of_tenant("route_limits: {vioce: {requests_per_day: 1}}"), "route_limits.vioce", "did you mean `voice`?"),
        (of_tenant("route_limits: {openai/gpt-4o: {requests_per_day: 1}}"), "route_limits.openai/gpt-4o", "route's"),
        (of_tenant("route_limits: {voice: 5}"), "route_limits.voice", "must be a map"),
        (of_tenant("wait_up_to: 11s"), "wait_up_to", "write a duration from 0s to 10s"),
        (of_tenant("wait_up_to: 5"), "wait_up_to", "has no unit"),
        (of_tenant("weight: 0"), "weight", "write one from 1 to 1,000"),
        (of_tenant("weight: 1001"), "weight", "too large"),
        (of_tenant("enforce: observ"), "enforce", "did you mean `observe`?"),
        (of_tenant("budget: {per: day}"), "budget", "`amount` is missing"),
        (of_tenant("budget: {amount: 5}"), "budget", "`per` is missing"),
        (of_tenant("budget: {amount: 5, per: year}"), "budget.per", "one of day, week, month, total"),
        (of_tenant("budget: {amount: 5, per: day, on_exceeded: stop}"), "budget.on_exceeded", "block or warn"),
        (of_tenant("budget: {amount: 5, per: day, tag: env}"), "budget.tag", "no such key"),
        (of_tenant("tag_budget: {amount: 5, per: day, tag: ' env'}"), "tag_budget.tag", "a tag's name"),
        (of_tenant(f"tag_budget: {{amount: 5, per: day, tag: {'e' * 65}}}"), "tag_budget.tag", "at most 64"),
        *(
            (of_tenant(f"user_budget: {{amount: {amount}, per: day}}"), "user_budget.amount", "above 0, at most")
            for amount in ("0", "0.0", "-1", "1000000001", "1000000000.000000001", "0.0000000001", "1e-10", "$5", "nan")
        ),
    ],
)
def test_a_mistake_is_found_at_its_path(text, path, says):
    problem = the_problem(text)
    assert problem.path == f"tenants.harbor.{path}"
    assert says in f"{problem.message}; {problem.fix}"


def test_every_mistake_is_found_at_once():
    text = of_tenant(
        "limits: {}\n    route_limits: {x: {}, voice: {}}\n    budget: {amount: 0, per: fortnight}\n    weight: 0"
    )
    assert sorted(problem.path.removeprefix("tenants.harbor.") for problem in problems_of(text)) == [
        "budget.amount",
        "budget.per",
        "limits",
        "route_limits.voice",
        "route_limits.x",
        "weight",
    ]


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 10**18))
def test_an_amount_is_read_and_counted_exactly(nano):
    written = format(Decimal(nano).scaleb(-9), "f")
    budget = compiled(of_tenant(f"budget: {{amount: {written}, per: day}}")).snapshot.tenants["harbor"].budget
    assert budget is not None
    assert budget.nano_usd == nano
    assert re.fullmatch(r"(0|[1-9][0-9]*)(\.[0-9]*[1-9])?", budget.amount)


REDIS = [
    "redis://127.0.0.1",
    "rediss://user:p%40ss@redis.internal:6380/3",
    "redis://:pw@[::1]:6379/",
    "unix:///run/redis.sock",
]


@pytest.mark.parametrize("url", [*REDIS, "unix://user:pw@/run/redis.sock"])
def test_a_server_is_reached_over_tcp_tls_or_a_socket(url):
    assert redis_url(url) == url
    assert "@" not in without_userinfo(url)
    assert redis_url(without_userinfo(url)) == without_userinfo(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "redis:127.0.0.1",
        "redis://",
        "redis://:pw@",
        "redis://host:0",
        "redis://host:99999",
        "redis://host:port",
        "redis://host/db",
        "redis://host/0/1",
        "redis://host/0?password=pw",
        "redis://host#x",
        "redis://host?",
        "redis://ho st",
        "redis://evil\\@host",
        "redis://[::1",
        "unix://run/redis.sock",
        "unix:///",
        "unix:///run/redis.sock?password=pw",
        "127.0.0.1:6379",
    ],
)
def test_any_other_url_is_refused_without_being_shown(url):
    with pytest.raises(Mistake) as mistake:
        redis_url(url)
    assert "pw" not in f"{mistake.value.message}; {mistake.value.fix}"


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30).map(lambda tail: f"redis://{tail}") | st.text(max_size=40))
def test_what_is_taken_has_no_password_once_it_is_taken_away(text):
    try:
        url = redis_url(text)
    except Mistake:
        return
    assert "@" not in without_userinfo(url).partition("://")[2].partition("/")[0]


def with_redis(url: str, backend: str = "redis") -> LimitsSection:
    """The section of a file with Redis."""
    node = Mapping(
        1,
        1,
        ((Scalar(1, 1, "backend", plain=True, written="backend"), Scalar(1, 9, backend, plain=True, written=backend)),),
    )
    return LimitsSection(
        place=Place("limits", node), backend=backend, redis_url=url, redis_ca_bundle=None, on_authority_loss="share"
    )


def test_redis_counts_for_many_machines_and_its_password_is_no_part_of_the_snapshot():
    compiled = load(GOOD + "limits: {backend: redis, redis_url: 'redis://:hid-den@127.0.0.1/0'}\n", "t.yaml", machine())
    assert (compiled.snapshot.limits.backend, compiled.snapshot.limits.redis_url) == ("redis", "redis://127.0.0.1/0")
    assert compiled.secrets.redis_url == "redis://:hid-den@127.0.0.1/0"


def test_a_backend_without_its_url_is_a_mistake():
    problems = Problems("t.yaml")
    check_backend(with_redis("redis://127.0.0.1"), problems)
    assert problems.found == []
    check_backend(dataclasses.replace(with_redis(""), redis_url=None), problems)
    assert [(problem.path, problem.message) for problem in problems.found] == [("limits.backend", "needs `redis_url`")]


def test_authorities_to_trust_are_for_a_redis_over_tls_alone_and_must_be_a_file():
    pem = "-----BEGIN CERTIFICATE-----"
    files = {"ca.pem": pem, "text.pem": "no certificate"}
    with_tls = "limits: {backend: redis, redis_url: 'rediss://127.0.0.1/0', redis_ca_bundle: ca.pem}\n"
    compiled = load(GOOD + with_tls, "t.yaml", machine(files=files))
    assert compiled.snapshot.limits.redis_ca_bundle == "ca.pem"
    for text, message in (
        (with_tls.replace("rediss", "redis"), "has no use without a `redis_url` of `rediss://`"),
        (with_tls.replace("ca.pem", "text.pem"), "the file `text.pem` has no `CERTIFICATE-----` in it"),
        (with_tls.replace("ca.pem", "none.pem"), "there is no file `none.pem`"),
    ):
        problem = the_problem(GOOD + text, machine(files=files))
        assert (problem.path, problem.message) == ("limits.redis_ca_bundle", message)


def test_a_url_without_its_backend_is_a_mistake_that_shows_no_password():
    text = GOOD + 'limits: {redis_url: "${REDIS_URL}"}\n'
    environment = {"OPENAI_API_KEY": "sk-x", "HARBOR_VOICE_KEY": STRONG, "REDIS_URL": "redis://:hid-den@127.0.0.1/0"}
    problem = the_problem(text, machine(environment))
    assert (problem.path, problem.message) == ("limits.redis_url", "has no use with `backend: local`")
    wrong = the_problem(text, machine(environment | {"REDIS_URL": "redis://:hid-den@127.0.0.1/x"}))
    assert "hid-den" not in str(problem) + str(wrong)


def root_of(text: str) -> Root:
    node, _ = compose(text, "t.yaml")
    assert isinstance(node, Mapping)
    problems = Problems("t.yaml")
    root = SectionReader(Root)(Place("", resolve(Place("", node), machine(), problems)), problems)
    assert root is not BAD
    return root


def test_the_password_of_redis_travels_with_the_secrets_alone():

    root = dataclasses.replace(root_of(GOOD), limits=with_redis("rediss://user:hid-den@redis.internal:6379/0"))
    snapshot = build.snapshot(root, "gw", (), {}, {})
    secrets = build.secrets(root)
    assert secrets.redis_url == "rediss://user:hid-den@redis.internal:6379/0"
    assert snapshot.limits.redis_url == "rediss://redis.internal:6379/0"
    assert b"hid-den" not in encode_snapshot(snapshot)
    assert "hid-den" not in repr(snapshot) + repr(secrets) + str(secrets)
    assert msgspec.json.decode(msgspec.json.encode(secrets), type=type(secrets)) == secrets


def test_sentences_for_limits_are_no_longer_without_effect():
    text = GOOD.replace("gpt-4o}]", "gpt-4o}], instead_of_error: {limited: One moment., over_budget: Not today.}")
    assert load(text, "t.yaml", machine()).notes == ()
