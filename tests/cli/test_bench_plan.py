from hypothesis import given
from hypothesis import strategies as st

from trunkline.cli.bench.plan import LoadPlan, Spread, spread

TIMES = st.lists(st.integers(min_value=0, max_value=10**6).map(lambda us: us / 1e6), min_size=1, max_size=300)


@given(TIMES)
def test_a_quantile_is_the_least_value_that_so_many_do_not_exceed(times):
    found = spread(times)
    for share, value in ((0.5, found.p50), (0.99, found.p99), (1.0, found.most)):
        milliseconds = sorted(round(time * 1000, 3) for time in times)
        assert value in milliseconds
        assert sum(one <= value for one in milliseconds) >= share * len(times)
        assert sum(one < value for one in milliseconds) < share * len(times)


def test_nothing_measured_has_no_quantiles():
    assert spread([]) == Spread(None, None, None)


def test_a_plan_does_not_show_its_key():
    plan = LoadPlan(host="127.0.0.1", port=80, key="tl-secret", model="m", callers=2, deltas=3)
    assert "tl-secret" not in f"{plan} {plan!r}"
