"""The promise over all members: no interval of a window's length has more than the limit, whatever fails."""

import pytest
from cluster import Cluster, Fault, Sound, claim, most_within, rule_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

REQUESTS = rule_of("requests", 120)
FEW = rule_of("requests", 20, scope="user")
TOKENS = rule_of("tokens", 3000)
SPAN = 60.0
USERS = ["ann", "bob", "cat", "dan", "eve", "fay", "gil", "hal"]  # who together reach the limits of all

FAULTS = st.lists(
    st.builds(
        Fault,
        at=st.floats(1, 200),
        kind=st.sampled_from(["cut", "deaf", "mute", "slow", "stall", "kill", "empty"]),
        member=st.integers(0, 3),
        seconds=st.one_of(st.floats(0, 2), st.floats(0, 20), st.floats(60, 150)),
    ),
    max_size=6,
)


def flood(cluster: Cluster, until: float, every: float = 0.3) -> None:
    def claims_of(random):
        return [claim(REQUESTS), claim(FEW, random.choice(USERS)), claim(TOKENS)]

    for node in cluster.nodes:
        cluster.demand(node, claims_of, every, until, tokens=(1, 60))
    cluster.run(until)


def holds(
    seed: int, faults, *, closes: bool, protocol: Sound | None = None, until: float = 330, every: float = 0.3
) -> None:
    cluster = Cluster(seed, 4, closes=closes, protocol=protocol)
    for fault in faults:
        cluster.fail(fault)
    flood(cluster, until, every)
    for rule, owner in ((REQUESTS, "t"), (TOKENS, "t"), *((FEW, user) for user in USERS)):
        assert most_within(cluster.admitted, rule, owner, SPAN) <= rule.limit, (rule.id, owner)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), faults=FAULTS, closes=st.booleans())
@example(  # killed again before it has carried a call: what its log says is still there
    seed=120,
    faults=[
        Fault(1.0, "cut", 0, 0.0),
        Fault(1.0, "kill", 0, 0.0),
        Fault(1.0, "empty", 0, 0.0),
        Fault(1.125, "kill", 0, 0.0),
    ],
    closes=False,
)
def test_no_window_has_more_than_the_limit_whatever_fails(seed, faults, closes):
    holds(seed, faults, closes=closes)


@pytest.mark.soak
@settings(max_examples=1000, deadline=None)
@given(seed=st.integers(0, 10_000), faults=FAULTS, closes=st.booleans())
def test_no_window_has_more_than_the_limit_whatever_fails_at_length(seed, faults, closes):
    holds(seed, faults, closes=closes)


@pytest.mark.parametrize("seed", range(3))
def test_four_members_in_a_flood_get_at_least_90_percent(seed):
    cluster = Cluster(seed, 4)
    big = rule_of("requests", 600)
    for node in cluster.nodes:
        cluster.demand(node, lambda _: [claim(big)], 0.05, 400)
    cluster.run(400)
    assert most_within(cluster.admitted, big, "t", SPAN) <= 600
    for minute in range(6):
        within = [at for at, *_ in cluster.admitted if 60 * minute <= at < 60 * (minute + 1)]
        assert len(within) > 540, minute


SLOTS = rule_of("concurrent", 6)
MANY_SLOTS = rule_of("concurrent", 100, scope="route")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), faults=FAULTS, closes=st.booleans())
def test_no_slot_is_left_taken_when_all_calls_have_ended_whatever_failed(seed, faults, closes):
    cluster = Cluster(seed, 4, closes=closes)
    for fault in faults:
        cluster.fail(fault)
    for node in cluster.nodes:
        cluster.demand(node, lambda _: [claim(SLOTS), claim(MANY_SLOTS)], 0.3, 200)
    cluster.run(370)  # the last fault is over, and everybody has spoken since
    assert all(node.contact.phase == "in_touch" for node in cluster.nodes)
    assert all(not slots for slots in cluster.authority._books._slots.values())
    assert all(not node.holdings._active for node in cluster.nodes)


@pytest.mark.parametrize("seed", range(3))
def test_no_more_slots_are_taken_at_once_than_there_are(seed):
    cluster, most = Cluster(seed, 4), 0
    for node in cluster.nodes:
        cluster.demand(node, lambda _: [claim(SLOTS), claim(MANY_SLOTS)], 0.2, 60)
    for step in range(6000):
        cluster.run(step / 100)
        counters = [node.holdings.own.find(SLOTS.id, "t") for node in cluster.nodes]
        most = max(most, sum(counter.used(cluster.nodes[0].moment()) for counter in counters if counter is not None))
    assert most == SLOTS.limit
