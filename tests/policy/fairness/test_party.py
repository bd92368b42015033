"""What a party holds, against a list of every moment: never less is counted, and little more."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from trunkline.policy.fairness.party import PARTS, REQUESTS, TOKENS, WINDOW, Party, part_of

LATE = WINDOW / PARTS
steps = st.lists(
    st.tuples(st.floats(0, 40), st.integers(0, 3), st.integers(0, 900), st.sampled_from(["take", "give_back", "look"])),
    max_size=60,
)


def played(steps):
    """Play steps with a party and with a list of (moment, requests, tokens); yield both after each."""
    party, taken, now = Party(0), [], 1000.0
    for later, requests, tokens, what in steps:
        now += later
        if what == "take":
            taken.append([now, party.take(requests, tokens, part_of(now)), requests, tokens])
        elif what == "give_back" and taken:
            _, part, had, tokened = taken.pop()
            party.give_back(had, tokened, part)
        yield party, [(at, r, t) for at, _, r, t in taken], now


@given(steps)
def test_all_that_was_taken_within_a_window_is_counted_and_nothing_that_is_older_by_a_part(steps):
    for party, taken, now in played(steps):
        for measure in (REQUESTS, TOKENS):
            held = party.holds(measure, now)
            assert held >= sum(one[measure] for one in taken if one[0] > now - WINDOW)
            assert held <= sum(one[measure] for one in taken if one[0] > now - WINDOW - LATE)


@given(steps, st.integers(1, 2000), st.integers(1, 2000))
def test_a_wait_is_true_after_it_the_units_are_within_the_limit_and_not_before(steps, units, limit):
    for party, _, now in played(steps):
        wait = party.wait(TOKENS, units, limit, now)
        needed = limit - min(units, limit)
        if wait == 0.0:
            assert party.holds(TOKENS, now) <= needed
        else:
            assert 0 < wait <= WINDOW + LATE + 1e-5
            assert party.holds(TOKENS, now) > needed
            later = Party(0)
            later._entries = list(party._entries)
            assert later.holds(TOKENS, now + wait - 1e-4) > needed
            assert later.holds(TOKENS, now + wait) <= needed


def test_time_that_steps_back_a_little_takes_nothing_away():
    party = Party(0)
    party.take(1, 10, part_of(120.0))
    assert party.take(1, 10, part_of(119.9)) == part_of(120.0)
    assert (party.holds(REQUESTS, 119.9), party.holds(TOKENS, 120.0)) == (2, 20)


def test_a_party_is_small_however_much_it_takes():
    party = Party(0)
    for second in range(1000):
        party.take(1, 1_000_000, part_of(float(second)))
    party.holds(REQUESTS, 999.0)
    assert len(party._entries) <= 3 * (PARTS + 1)
    assert sys.getsizeof(party._entries) < 600
