from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.model.snapshot import Allow, Provider, Route, Target, Tenant
from trunkline.policy.routing import approved, choices, order_by_weight

US = Provider(name="us", dialect="openai", base_url="https://us", region="us", data_retention=0.0)
EU = Provider(name="eu", dialect="openai", base_url="https://eu", region="eu")


@pytest.mark.parametrize(
    ("allow", "provider", "reason"),
    [
        (Allow(), EU, None),
        (Allow(providers=("us",)), US, None),
        (Allow(providers=("us",)), EU, "not_approved:provider"),
        (Allow(regions=("us",)), EU, "not_approved:region"),
        (Allow(regions=("us",)), Provider(name="x", dialect="openai", base_url="https://x"), "not_approved:region"),
        (Allow(data_retention=86400.0), US, None),
        (Allow(data_retention=86400.0), EU, "not_approved:data_retention"),
        (
            Allow(data_retention=0.0),
            Provider(name="x", dialect="openai", base_url="https://x", data_retention=1.0),
            "not_approved:data_retention",
        ),
    ],
)
def test_what_a_tenant_has_not_approved_is_named(allow, provider, reason):
    assert approved(Tenant(name="t", allow=allow), provider) == reason


def test_targets_that_are_not_approved_stay_in_the_list_with_the_reason():
    route = Route(name="r", targets=(Target(provider="us", model="m"), Target(provider="eu", model="m")))
    found = choices(route, Tenant(name="t", allow=Allow(regions=("eu",))), {"us": US, "eu": EU})
    assert [choice.skip for choice in found] == ["not_approved:region", None]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=8), st.integers(0, 2**64 - 1))
def test_any_draw_orders_every_target_once_and_always_the_same_way(weights, draw):
    ordered = order_by_weight(weights, draw)
    assert sorted(ordered) == list(range(len(weights)))
    assert ordered == order_by_weight(weights, draw)


def test_over_all_draws_each_target_comes_first_as_often_as_it_weighs():
    firsts = Counter(order_by_weight((1, 3, 6), draw)[0] for draw in range(1000))
    assert firsts == {0: 100, 1: 300, 2: 600}
