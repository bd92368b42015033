import msgspec
from config_samples import GOOD, STRONG, THIRD, compiled
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.config.differences import diff

OLD = compiled(GOOD).snapshot


def lines(old: str, new: str) -> list[str]:
    assert old in GOOD
    return diff(OLD, compiled(GOOD.replace(old, new)).snapshot)


def test_equal_snapshots_have_no_difference():
    assert diff(OLD, compiled(GOOD).snapshot) == []


def test_a_new_thing_is_one_line_and_so_is_a_lost_one():
    more = compiled(
        GOOD.replace("tenants:", "  text: {targets: [{provider: openai, model: gpt-4o}]}\ntenants:")
    ).snapshot
    assert diff(OLD, more) == ["+ route text"]
    assert diff(more, OLD) == ["- route text"]


def test_a_change_names_its_path_and_both_values():
    assert lines("models:", "base_url: 'https://eu.api.openai.com/v1', models:") == [
        '~ providers.openai.base_url: "https://api.openai.com/v1" -> "https://eu.api.openai.com/v1"'
    ]
    assert lines("gpt-4o}", "gpt-4o, first_token: 3s}") == ["~ routes.voice.targets[0].first_token: (default) -> 3.0"]


def test_a_list_that_grows_is_shown_whole():
    assert lines("[gpt-4o-mini]", "[gpt-4o-mini, gpt-4o]") == [
        '~ providers.openai.models: ["gpt-4o-mini"] -> ["gpt-4o-mini", "gpt-4o"]'
    ]


def test_a_new_secret_is_said_without_the_secret():
    (line,) = lines('"${HARBOR_VOICE_KEY}"', f'"{THIRD}"')
    assert line.startswith("~ keys.agent.digests[0]")
    assert THIRD not in line
    assert STRONG not in line


def test_settings_outside_the_named_things_are_compared_too():
    assert lines("version: 1", "version: 1\nlog: {level: error}") == ['~ log.level: "info" -> "error"']


def test_changes_of_limits_and_budgets_are_shown():
    with_limits = GOOD.replace(
        "harbor:\n",
        "harbor:\n    limits: {requests_per_minute: 600}\n    route_limits: {voice: {requests_per_day: 9}}\n"
        "    budget: {amount: 500, per: month}\n",
    )
    limited = compiled(with_limits).snapshot
    assert diff(OLD, limited) == [
        '~ tenants.harbor.budget: (default) -> {"amount": "500", "per": "month"}',
        '~ tenants.harbor.limits: (default) -> {"requests_per_minute": 600}',
        '~ tenants.harbor.route_limits: (default) -> {"voice": {"requests_per_day": 9}}',
    ]
    changed = with_limits.replace("600", "400").replace("500", "250.5").replace("month}", "month, on_exceeded: warn}")
    assert diff(limited, compiled(changed).snapshot) == [
        '~ tenants.harbor.budget.amount: "500" -> "250.5"',
        '~ tenants.harbor.budget.on_exceeded: (default) -> "warn"',
        "~ tenants.harbor.limits.requests_per_minute: 600 -> 400",
    ]
    capacity = compiled(GOOD.replace("models:", "capacity: {requests_per_minute: 60}, models:")).snapshot
    assert diff(OLD, capacity) == ['~ providers.openai.capacity: (default) -> {"requests_per_minute": 60}']
    key = compiled(GOOD.replace("routes: [voice]", "routes: [voice], limits: {concurrent_requests: 2}")).snapshot
    assert diff(key, OLD) == ['~ keys.agent.limits: {"concurrent_requests": 2} -> (default)']
    section = compiled(GOOD + "limits: {on_authority_loss: refuse}\n").snapshot
    assert diff(OLD, section) == ['~ limits: (default) -> {"on_authority_loss": "refuse"}']


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1, max_size=20))
def test_no_value_reaches_the_terminal_with_its_escape_sequences(text):
    (line, *_) = diff(OLD, msgspec.structs.replace(OLD, node=f"\x9b{text}\x1b[2J"))
    assert line.isascii()
    assert line.isprintable()
