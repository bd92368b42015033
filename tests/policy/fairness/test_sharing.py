"""The share rule against a reference that keeps every moment: room, cap and reserve, and waits that are true."""

import tracemalloc

import pytest
from capacities import LATE_ALL, LATE_PARTY, START, WINDOW, Shared, at, within
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.policy.fairness.account import Account, Ticket
from trunkline.policy.fairness.pool import ACTIVE, MOST_USERS, Refused, Terms

WEIGHTS = st.fixed_dictionaries({"harbor": st.integers(1, 5), "birch": st.integers(1, 5), "cedar": st.just(1)})
ONE_TENANT = st.just({"harbor": 1})
USERS = st.sampled_from([None, "ada", "bea", "cem", "dov"])


def steps(longest: float, most: int = 1):
    """Return a strategy of questions: seconds after the last one, tenant, user and units, in bursts."""
    burst = st.tuples(
        st.floats(0, longest), st.sampled_from(["harbor", "birch"]), USERS, st.integers(1, most), st.integers(1, 12)
    )
    return st.lists(burst, max_size=25)


def play(shared: Shared, steps) -> float:
    """Ask all of it; return the moment of the last question."""
    now = START
    for later, tenant, user, units, times in steps:
        now += later
        for _ in range(times):
            shared.ask(now, tenant if tenant in shared.weights else "harbor", user, units)
    return now


CASES = {
    "requests": (steps(30.0), st.fixed_dictionaries({"requests": st.integers(1, 70)})),
    "tokens": (steps(30.0, most=40), st.fixed_dictionaries({"tokens": st.integers(40, 400)})),
}
# By itself, or with other workers: then by claims that all of them count together.
ways = pytest.mark.parametrize("divided", [False, True], ids=["alone", "divided"])
measures = pytest.mark.parametrize("measure", CASES)


def drawn(data, measure: str, divided: bool) -> Shared:
    asked, capacity = CASES[measure]
    shared = Shared(data.draw(WEIGHTS | ONE_TENANT), **data.draw(capacity), divided=divided)
    play(shared, data.draw(asked))
    return shared


def before(shared: Shared, index: int) -> Shared:
    """The same account as it was before one of the questions, by the list."""
    earlier = Shared(shared.weights, shared.requests, shared.tokens)
    earlier.asked = shared.asked[:index]
    return earlier


@ways
@measures
@settings(deadline=None)
@given(st.data())
def test_no_window_wherever_it_starts_holds_more_than_the_capacity(divided, measure, data):
    shared = drawn(data, measure, divided)
    for one in shared.asked:
        assert shared.held(one.now) <= shared.capacity


@ways
@measures
@settings(deadline=None)
@given(st.data())
def test_nobody_is_served_above_the_cap_or_out_of_the_reserve_above_their_share(divided, measure, data):
    shared = drawn(data, measure, divided)
    for index, one in enumerate(shared.asked):
        if not one.served:
            continue
        earlier = before(shared, index)
        of_tenant, of_user, cap = earlier.shares(one.now, one.tenant, one.user)
        user = earlier.held(one.now, 0, one.tenant, one.user)
        assert within(user, one.units, cap)
        if earlier.held(one.now) + one.units > shared.capacity - shared.capacity // 5:
            assert within(user, one.units, of_user)
            assert within(earlier.held(one.now, 0, one.tenant), one.units, of_tenant)


@ways
@measures
@settings(deadline=None)
@given(st.data())
def test_who_is_below_their_share_is_refused_for_want_of_room_only(divided, measure, data):
    shared = drawn(data, measure, divided)
    for index, one in enumerate(shared.asked):
        earlier = before(shared, index)
        of_tenant, of_user, cap = earlier.shares(one.now, one.tenant, one.user)
        user = earlier.held(one.now, LATE_PARTY, one.tenant, one.user)
        tenant = earlier.held(one.now, LATE_PARTY, one.tenant)
        below = within(user, one.units, of_user) and (len(shared.weights) == 1 or within(tenant, one.units, of_tenant))
        everybody = earlier.held(one.now, LATE_ALL)
        if below and within(everybody, one.units, shared.capacity):
            assert one.served
        if below and not one.served:
            assert not one.verdict.over_share
        open_to_all = within(everybody, one.units, shared.capacity - shared.capacity // 5)
        if within(user, one.units, cap) and open_to_all:  # while there is room anyone may use it
            assert one.served


@ways
@settings(deadline=None)
@given(steps(8.0), WEIGHTS | ONE_TENANT, st.integers(1, 70), st.data())
def test_after_the_wait_the_same_call_is_served_and_not_before(divided, asked, weights, capacity, data):
    first = Shared(weights, requests=capacity, divided=divided)
    now = play(first, asked)
    refused = [index for index, one in enumerate(first.asked) if not one.served and one.now == now]
    if not refused:
        return
    one = first.asked[-1] if not first.asked[-1].served else first.asked[data.draw(st.sampled_from(refused))]
    wait = one.verdict.wait
    assert 0 < wait <= WINDOW + LATE_PARTY + 1e-3
    # Of several rules that refuse, those who count for all workers say the longest wait only.
    early = [] if divided else [(wait * 0.999 - 1e-4, False)]
    for seconds, served in (*early, (wait, True)):
        again = Shared(weights, requests=capacity, divided=divided)
        play(again, asked)
        assert again.ask(now + seconds, one.tenant, one.user).served == served


def saturate(shared: Shared, parties, seconds: float, begin: float = START) -> None:
    """All parties ask all the time, the first of them first and most."""
    for tick in range(int(seconds * 4)):
        for position, (tenant, user) in enumerate(parties):
            for _ in range(5 if position == 0 else 1):
                shared.ask(begin + tick / 4, tenant, user)


@ways
@pytest.mark.parametrize("users", [2, 3, 5, 10, 20])
def test_who_is_below_their_share_is_served_while_others_hold_more_than_theirs(divided, users):
    """A hog with a head start falls back to what is left, and everybody else has their share a window later."""
    shared = Shared({"harbor": 1}, requests=120, divided=divided)
    saturate(shared, [("harbor", "hog")], 60)
    assert shared.held(START + 59.75) == 60  # alone half of it
    parties = [("harbor", name) for name in ("hog", *(f"u{n}" for n in range(users - 1)))]
    saturate(shared, parties, 190, START + 60)
    share = 120 // (users + 1)
    for end in (START + 130, START + 190, START + 240):
        for tenant, user in parties[1:]:
            assert shared.held(end, LATE_PARTY, tenant, user) >= share * 9 // 10
        assert shared.held(end, 0, "harbor", "hog") <= 60


@ways
def test_tenants_have_shares_by_weight_however_many_users_each_has(divided):
    shared = Shared({"harbor": 1, "birch": 3}, requests=160, divided=divided)
    crowd = [("harbor", f"u{n}") for n in range(20)]
    saturate(shared, crowd, 60)
    saturate(shared, [*crowd, ("birch", "x"), ("birch", "y")], 200, START + 60)
    for end in (START + 135, START + 200, START + 250):
        # Two users of three shares of 120 (one is a newcomer's), and a fourth of 160.
        assert shared.held(end, LATE_PARTY, "birch") >= 80 * 9 // 10
        assert shared.held(end, LATE_PARTY, "harbor") >= 40 * 9 // 10


@ways
def test_a_user_alone_has_half_and_a_newcomer_finds_the_other(divided):
    shared = Shared({"harbor": 1}, requests=60, divided=divided)
    burst = [shared.ask(START, "harbor", "ada") for _ in range(200)]
    assert [one.served for one in burst] == [True] * 30 + [False] * 170
    assert burst[-1].verdict.over_share
    assert (burst[-1].verdict.limit, burst[-1].verdict.capacity) == (30, 60)
    assert 60 < burst[-1].verdict.wait <= 66.01
    others = [shared.ask(START + 1, "harbor", f"u{n}") for n in range(9) for _ in range(3)]
    assert all(one.served for one in others)


@ways
def test_two_bursts_leave_something_for_the_third(divided):
    shared = Shared({"harbor": 1}, requests=60, divided=divided)
    for user in ("ada", "bea"):
        for _ in range(100):
            shared.ask(START, "harbor", user)
    assert shared.held(START) == 50
    assert all(shared.ask(START + 1, "harbor", f"u{n}").served for n in range(8))


@ways
def test_calls_without_a_user_have_all_of_it_while_they_are_alone_and_half_beside_others(divided):
    shared = Shared({"harbor": 1}, requests=60, divided=divided)
    assert sum(shared.ask(START, "harbor", None).served for _ in range(100)) == 60
    shared = Shared({"harbor": 1}, requests=60, divided=divided)
    shared.ask(START, "harbor", "ada")
    assert sum(shared.ask(START, "harbor", None).served for _ in range(100)) == 30


def test_a_tenant_that_is_only_observed_counts_and_is_refused_for_want_of_room_only():
    share, others = Account("p").of("model"), Terms("harbor", tenants=2, requests=60)
    observed = Terms("birch", tenants=2, requests=60, observed=True)
    verdicts = [share.ask(observed, "x", 0, 0, at(START)) for _ in range(61)]
    assert [isinstance(one, Ticket) for one in verdicts] == [True] * 60 + [False]
    assert isinstance(verdicts[-1], Refused)
    assert not verdicts[-1].over_share
    assert isinstance(share.ask(others, "ada", 0, 0, at(START)), Refused)


@ways
def test_a_tenant_alone_leaves_the_reserve_to_one_that_may_come(divided):
    shared = Shared({"harbor": 1, "birch": 1}, requests=60, divided=divided)
    for n in range(100):
        shared.ask(START, "harbor", f"u{n}")
    assert shared.held(START) == 48
    assert all(shared.ask(START + 1, "birch", "x").served for _ in range(10))


@ways
def test_a_call_larger_than_a_share_is_served_where_its_party_holds_nothing(divided):
    shared = Shared({"harbor": 1}, tokens=1000, divided=divided)
    assert shared.ask(START, "harbor", "ada", 700).served
    assert not shared.ask(START, "harbor", "ada", 1).served
    huge = Shared({"harbor": 1}, tokens=1000, divided=divided)
    assert huge.ask(START, "harbor", "ada", 5000).served
    refused = huge.ask(START, "harbor", "bea", 1).verdict
    assert not refused.over_share
    assert huge.ask(START + refused.wait, "harbor", "bea", 1).served


@ways
def test_tokens_that_were_not_needed_are_there_again_and_those_beyond_the_estimate_count(divided):
    shared = Shared({"harbor": 1}, tokens=1000, divided=divided)
    ticket = shared.ask(START, "harbor", "ada", 500).verdict
    assert not shared.ask(START, "harbor", "ada", 100).served
    ticket.settle(100, at(START + 5))
    assert shared.ask(START + 5, "harbor", "ada", 400).served
    more = Shared({"harbor": 1}, tokens=1000, divided=divided)
    ticket = more.ask(START, "harbor", "ada", 100).verdict
    ticket.settle(900, at(START + 30))
    assert not more.ask(START + 30, "harbor", "bea", 200).served
    assert more.ask(START + 30, "harbor", "bea", 100).served
    assert not more.ask(START + 70, "harbor", "bea", 200).served  # what came later counts from then


@ways
def test_a_call_that_never_left_has_taken_nothing(divided):
    shared = Shared({"harbor": 1}, requests=2, divided=divided)
    shared.ask(START, "harbor", "ada").verdict.give_back(at(START + 1))
    assert shared.ask(START + 1, "harbor", "ada").served
    assert not shared.ask(START + 1, "harbor", "ada").served


@ways
def test_who_has_not_asked_for_long_counts_no_more_and_costs_no_memory(divided):
    shared = Shared({"harbor": 1}, requests=6000, divided=divided)
    for n in range(100):
        shared.ask(START, "harbor", f"u{n}")
    assert shared.share.ask(shared.terms["harbor"], "ada", 0, 0, at(START)) is not None
    later = START + 60 * (ACTIVE + 2)
    shared.ask(later, "harbor", "ada")
    (tenant,) = shared.share._account._tenants.values()
    assert set(tenant.users) == {"ada"}


def test_a_flood_of_users_is_bounded():
    share, terms = Account("p").of("model"), Terms("harbor", requests=10**6)
    for n in range(MOST_USERS + 500):
        assert isinstance(share.ask(terms, f"u{n}", 0, 0, at(START)), Ticket)
    (tenant,) = share._account._tenants.values()
    assert len(tenant.users) == MOST_USERS + 1


def test_ten_thousand_active_users_cost_less_than_five_megabytes():
    share, terms = Account("p").of("model"), Terms("harbor", requests=10**6, tokens=10**9)
    tracemalloc.start()
    try:
        for n in range(10_000):
            assert isinstance(share.ask(terms, f"advisor-{n}", 900, 256, at(START + n / 1000)), Ticket)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 5_000_000


def test_a_refusal_says_which_measure_is_short():
    share, terms = Account("p").of("model"), Terms("harbor", requests=100, tokens=1000)
    assert isinstance(share.ask(terms, "ada", 400, 100, at(START)), Ticket)
    refused = share.ask(terms, "ada", 400, 100, at(START))
    assert isinstance(refused, Refused)
    assert (refused.measure, refused.limit, refused.over_share) == ("tokens", 500, True)
