"""All or nothing: reservations over several counters."""

import resource
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from trunkline.policy.limits.gauge import Gauge
from trunkline.policy.limits.limiter import NEW_USERS_PER_MINUTE, Limiter, Refusal, Reservation
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import OTHERS, Claim, Needs, Quota, Rule
from trunkline.policy.limits.window import Window


def at(seconds: float) -> Moment:
    return Moment(seconds, 1_700_000_000.0 + seconds)


def minute() -> Window:
    return Window(60)


def rule_of(scope, measure, limit, **more) -> Rule:
    kind = Gauge if measure == "concurrent" else minute
    return Rule("t", f"{scope}_limits.{measure}", scope, Quota(measure, limit, "minute"), kind, **more)


TENANT = rule_of("tenant", "requests", 5)
USER = rule_of("user", "requests", 3)
TOKENS = rule_of("tenant", "tokens", 100)
SLOTS = rule_of("tenant", "concurrent", 2)


def claims_of(user: str) -> list[Claim]:
    return [Claim(TENANT, "t"), Claim(USER, user), Claim(TOKENS, "t"), Claim(SLOTS, "t")]


def used(limiter: Limiter, claim: Claim, now: float) -> int:
    counter = limiter.find(claim.rule.id, claim.owner)
    return counter.used(at(now)) if counter is not None else 0


def test_a_refused_call_uses_up_nothing():
    limiter = Limiter()
    claims = claims_of("ann")
    refusal = limiter.reserve(claims, Needs(tokens=101, money=0), at(1))
    assert isinstance(refusal, Refusal)
    assert (refusal.claim, refusal.wait, refusal.units) == (claims[2], inf, 101)
    assert [used(limiter, claim, 1) for claim in claims] == [0, 0, 0, 0]


def test_the_rule_that_lets_the_call_in_last_is_the_one_named():
    limiter = Limiter()
    for second in range(3):
        reservation = limiter.reserve(claims_of("ann"), Needs(10, 0), at(second))
        limiter.settle(reservation, Needs(10, 0), at(second))
    for second in (20, 21):
        limiter.settle(limiter.reserve(claims_of("bob"), Needs(35, 0), at(second)), Needs(35, 0), at(second))
    refusal = limiter.reserve(claims_of("ann"), Needs(70, 0), at(22))  # 5 calls, 3 of ann's, 100 tokens
    assert refusal.claim.rule is TOKENS
    assert [claim.rule for claim in refusal.over] == [TENANT, USER, TOKENS]
    assert isinstance(limiter.reserve(claims_of("ann"), Needs(70, 0), at(22 + refusal.wait)), Reservation)


def test_a_rule_that_does_not_block_is_told_and_counted():
    watched = rule_of("user", "requests", 1, blocks=False)
    limiter = Limiter()
    claims = [Claim(watched, "ann")]
    assert limiter.reserve(claims, Needs(1, 0), at(0)).over == []
    assert limiter.reserve(claims, Needs(1, 0), at(0)).over == claims
    assert used(limiter, claims[0], 0) == 2
    assert limiter.standing(claims, "requests", at(0)) is None


def test_the_tightest_rule_is_the_one_told():
    limiter = Limiter()
    limiter.reserve(claims_of("ann"), Needs(1, 0), at(0))
    limiter.reserve(claims_of("bob"), Needs(1, 0), at(0))
    standing = limiter.standing(claims_of("ann"), "requests", at(0))
    assert (standing.claim.rule, standing.left) == (USER, 2)
    standing = limiter.standing(claims_of("cid"), "requests", at(0))
    assert (standing.claim.rule, standing.left) == (TENANT, 3)
    assert 60 <= standing.reset <= 61.6


def test_users_made_up_for_each_call_share_a_counter_in_the_end():
    limiter, owners = Limiter(), set()
    rule_ = rule_of("user", "requests", 2)
    for number in range(NEW_USERS_PER_MINUTE):
        limiter.reserve([Claim(rule_, f"u{number}")], Needs(1, 0), at(0))
    for number in range(10):
        refused = limiter.reserve([Claim(rule_, f"late{number}")], Needs(1, 0), at(1))
        owners.add(isinstance(refused, Refusal))
    assert owners == {False, True}
    assert used(limiter, Claim(rule_, OTHERS), 1) == 2
    assert isinstance(limiter.reserve([Claim(rule_, "u7")], Needs(1, 0), at(1)), Reservation)
    assert isinstance(limiter.reserve([Claim(rule_, "late0")], Needs(1, 0), at(62)), Reservation)
    assert len(limiter) == NEW_USERS_PER_MINUTE + 2


def test_debt_of_a_call_that_outlasts_its_window_is_charged():
    limiter = Limiter()
    claim = Claim(TOKENS, "t")
    reservation = limiter.reserve([claim], Needs(10, 0), at(0))
    limiter.sweep(at(100), 10)
    limiter.settle(reservation, Needs(90, 0), at(100))
    assert used(limiter, claim, 100) == 80


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.soak
def test_a_million_users_seen_and_ten_thousand_active_fit_in_50_mb():
    rules = [rule_of("user", "requests", 120), rule_of("user", "tokens", 10_000)]
    needs = Needs(100, 0)
    before, limiter = resident(), Limiter()
    for number in range(1_000_000):  # ten thousand within each minute and its last sub-bucket
        now = at(number * 62 / 10_000)
        claims = [Claim(rule_, f"user-{number}") for rule_ in rules]
        limiter.settle(limiter.reserve(claims, needs, now), needs, now)
        if number % 100 == 0:
            limiter.sweep(now, 500)
    assert 20_000 <= len(limiter) < 40_000
    assert resident() - before < 50_000_000


def test_what_was_counted_survives_a_restart():
    limiter, again = Limiter(), Limiter()
    limiter.reserve(claims_of("ann"), Needs(40, 0), at(1000))
    limiter.reserve(claims_of("bob"), Needs(30, 0), at(1030))
    by_id = {claim.rule.id: claim.rule for claim in claims_of("x")}
    for rule_id, owner in limiter.places():
        again.restore(by_id[rule_id], owner, limiter.find(rule_id, owner).state(at(1031)), at(5))
    assert used(again, Claim(TOKENS, "t"), 5) == 70
    assert used(again, Claim(USER, "ann"), 5) == 1
    assert used(again, Claim(SLOTS, "t"), 5) == 0
    assert used(again, Claim(TOKENS, "t"), 5 + 29) == 70
    assert used(again, Claim(TOKENS, "t"), 5 + 40) == 30


class Calls(RuleBasedStateMachine):
    """Calls that begin, end, fail and are undone in any order leave nothing behind."""

    running = Bundle("running")

    def __init__(self):
        super().__init__()
        self.limiter, self.now = Limiter(), 100.0
        self.held, self.admitted = [], []

    @rule(
        target=running,
        user=st.sampled_from(["ann", "bob", "cid"]),
        tokens=st.integers(0, 60),
        later=st.floats(0, 40),
    )
    def begin(self, user, tokens, later):
        self.now += later
        found = self.limiter.reserve(claims_of(user), Needs(tokens, 0), at(self.now))
        if isinstance(found, Refusal):
            assert found.wait > 0
            return multiple()
        self.held.append(found)
        self.admitted.append((self.now, user))
        return found

    @rule(reservation=consumes(running), tokens=st.integers(0, 90))
    def end(self, reservation, tokens):
        self.limiter.settle(reservation, Needs(tokens, 0), at(self.now))
        self.held.remove(reservation)

    @rule(reservation=consumes(running))
    def undo(self, reservation):
        self.limiter.release(reservation, at(self.now))
        self.limiter.settle(reservation, Needs(50, 0), at(self.now))  # a second end changes nothing
        self.held.remove(reservation)

    @rule(most=st.integers(0, 10))
    def sweep(self, most):
        self.limiter.sweep(at(self.now), most)

    @invariant()
    def slots_are_those_of_the_calls_that_run(self):
        assert used(self.limiter, Claim(SLOTS, "t"), self.now) == len(self.held) <= 2

    @invariant()
    def nobody_has_more_than_the_limit(self):
        assert used(self.limiter, Claim(TENANT, "t"), self.now) <= 5
        for user in ("ann", "bob", "cid"):
            assert used(self.limiter, Claim(USER, user), self.now) <= 3

    def teardown(self):
        for reservation in self.held:
            self.limiter.settle(reservation, Needs(0, 0), at(self.now))
        self.limiter.sweep(at(self.now + 200), 1000)
        assert len(self.limiter) == 0


Calls.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_calls = Calls.TestCase


REMEMBERED = {user: tuple(claims_of(user)) for user in ("ann", "bob", "cid")}


@settings(max_examples=200)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["reserve"] * 5 + ["settle", "settle", "release", "sweep", "reload", "keep fewer"]),
            st.sampled_from(sorted(REMEMBERED)),
            st.integers(0, 60),
            st.sampled_from([0.0, 0.0, 0.5, 20.0, 100.0]),
        ),
        max_size=60,
    )
)
def test_counters_that_are_kept_looked_up_are_those_that_are_looked_up_each_time(steps):
    """Claims that are remembered are one tuple for all calls; lists are looked up for each."""
    kept, anew = Limiter(), Limiter()
    running: list[tuple[Reservation, Reservation]] = []
    now = 0.0
    for what, user, number, later in steps:
        now += later
        if what == "reserve":
            found = kept.reserve(REMEMBERED[user], Needs(number, 0), at(now))
            other = anew.reserve(claims_of(user), Needs(number, 0), at(now))
            assert type(found) is type(other)
            if isinstance(found, Reservation) and isinstance(other, Reservation):
                running.append((found, other))
            elif isinstance(found, Refusal) and isinstance(other, Refusal):
                assert (found.claim.rule, found.wait, found.used) == (other.claim.rule, other.wait, other.used)
        elif what in ("settle", "release") and running:
            for limiter, reservation in zip((kept, anew), running.pop(number * len(running) // 61), strict=True):
                if what == "settle":
                    limiter.settle(reservation, Needs(number * 2, 0), at(now))
                else:
                    limiter.release(reservation, at(now))
        elif what == "sweep":
            kept.sweep(at(now), number)
            anew.sweep(at(now), number)
        elif what in ("reload", "keep fewer"):
            rules = [TENANT, USER, TOKENS, SLOTS] if what == "reload" else [USER, SLOTS]
            kept.keep(rules)
            anew.keep(rules)
        assert kept.places() == anew.places()
        assert [used(kept, claim, now) for claims in REMEMBERED.values() for claim in claims] == [
            used(anew, claim, now) for claims in REMEMBERED.values() for claim in claims
        ]
        for measure in ("requests", "tokens", "concurrent"):
            ours = kept.standing(REMEMBERED[user], measure, at(now))
            theirs = anew.standing(claims_of(user), measure, at(now))
            assert (ours.claim.rule, ours.left, ours.reset) == (theirs.claim.rule, theirs.left, theirs.reset)


def test_who_counted_as_one_of_the_others_gets_a_counter_of_their_own_once_there_is_one():
    limiter, rule_ = Limiter(), rule_of("user", "requests", 2)
    for number in range(NEW_USERS_PER_MINUTE):
        limiter.reserve([Claim(rule_, f"u{number}")], Needs(1, 0), at(0))
    late = (Claim(rule_, "late"),)
    assert isinstance(limiter.reserve(late, Needs(1, 0), at(1)), Reservation)
    assert (used(limiter, late[0], 1), used(limiter, Claim(rule_, OTHERS), 1)) == (0, 1)
    assert isinstance(limiter.reserve(late, Needs(1, 0), at(62)), Reservation)
    assert (used(limiter, late[0], 62), used(limiter, Claim(rule_, OTHERS), 62)) == (1, 0)
