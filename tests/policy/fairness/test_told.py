"""What a provider says is left, carried on: what a token bucket really has is never overrated, and silence ends."""

from hypothesis import given
from hypothesis import strategies as st

from trunkline.policy.fairness.told import STALE, Told

NOW = 5000.0


def heard(limit, remaining, reset, spent=0):
    told = Told()
    told.hear(limit, remaining, reset, spent, NOW)
    return told


def test_nothing_is_in_the_way_of_a_provider_that_says_nothing():
    told = Told()
    assert told.limit(NOW) == 0
    assert told.wait(10**9, NOW) == 0.0
    told.spend(5, NOW)
    assert told.wait(10**9, NOW) == 0.0


def test_the_call_that_would_be_one_too_many_waits_until_one_has_come_back():
    told = heard(60, 1, 59.0)  # one a second
    assert told.wait(1, NOW) == 0.0
    told.spend(1, NOW)
    assert 0.99 < told.wait(1, NOW) < 1.01
    assert told.wait(1, NOW + 1.01) == 0.0


def test_what_others_have_used_of_the_account_counts():
    told = heard(60, 0, 60.0)
    assert 4.9 < told.wait(5, NOW) < 5.1


def test_calls_on_their_way_when_the_provider_spoke_are_taken_off():
    told = Told()
    first = told.spend(1, NOW)
    for _ in range(9):
        told.spend(1, NOW)
    told.hear(60, 10, 50.0, first, NOW)
    assert 0.9 < told.left(NOW) < 1.1
    assert told.wait(2, NOW) > 0


def test_news_of_a_call_that_was_asked_earlier_is_old():
    told = Told()
    first = told.spend(1, NOW)
    second = told.spend(1, NOW)
    told.hear(60, 3, 57.0, second, NOW)
    told.hear(60, 50, 10.0, first, NOW + 0.5)
    assert told.left(NOW) == 3.0


def test_what_has_not_been_said_for_long_holds_no_more():
    told = heard(60, 0, 60.0)
    assert told.limit(NOW + STALE - 1) == 60
    assert told.limit(NOW + STALE) == 0
    assert told.wait(60, NOW + STALE) == 0.0


@given(
    st.integers(1, 10**12),
    st.integers(0, 10**12),
    st.none() | st.floats(0, 10**6),
    st.lists(st.integers(1, 10**12), max_size=5),
    st.integers(1, 10**12),
    st.booleans(),
)
def test_whatever_a_provider_says_every_wait_ends(limit, remaining, reset, spent, units, reserve):
    told = heard(limit, min(remaining, limit), reset)
    for one in spent:
        told.spend(one, NOW)
    wait = told.wait(units, NOW, reserve=reserve)
    assert 0 <= wait <= STALE
    assert told.wait(units, NOW + wait, reserve=reserve) == 0.0
    assert wait < 1e-3 or told.wait(units, NOW + wait * 0.99, reserve=reserve) > 0


class Bucket:
    """A provider's own token bucket, with others who use it too."""

    def __init__(self, limit):
        self.limit, self.level, self.at = limit, float(limit), NOW

    def take(self, units, now):
        self.level = min(self.limit, self.level + self.limit / 60 * (now - self.at))
        self.at = now
        if self.level < units:
            return False
        self.level -= units
        return True

    def says(self):
        return int(self.level), (self.limit - int(self.level)) / (self.limit / 60)


@given(st.integers(1, 100), st.lists(st.tuples(st.floats(0, 5), st.booleans()), max_size=100))
def test_after_each_answer_a_bucket_takes_what_was_predicted_that_it_takes(limit, steps):
    bucket, told, now = Bucket(limit), Told(), NOW
    for later, ours in steps:
        now += later
        if not ours:
            if bucket.take(1, now):
                told.hear(limit, *bucket.says(), told.spent, now)
        elif told.wait(1, now) == 0.0:
            spent = told.spend(1, now)
            assert bucket.take(1, now)
            told.hear(limit, *bucket.says(), spent, now)
