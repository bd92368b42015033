"""What a provider's answers teach: after the first of them it is never asked in vain."""

import pytest
from capacities import START, Shared, at
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.model.rates import ProviderRate, Standing
from trunkline.policy.fairness.account import LISTEN_EVERY, Account, Ticket
from trunkline.policy.fairness.pool import Refused, Terms
from trunkline.simulator.rate import RateWindow
from trunkline.simulator.script import RateLimit

HARBOR = Terms("harbor")


def said(limit, remaining, reset=None) -> ProviderRate:
    return ProviderRate(requests=Standing(limit, remaining, reset))


def ask(share, user="ada", prompt=10, answer=20, now=START, terms=HARBOR) -> Ticket | Refused:
    return share.ask(terms, user, prompt, answer, at(now))


def heard(rate: ProviderRate, share=None):
    """A share that has heard this as the answer to a first call."""
    share = share or Account("p").of("model")
    ticket = ask(share)
    assert isinstance(ticket, Ticket)
    ticket.hear(rate, at(START))
    return share


steps = st.lists(
    st.tuples(st.floats(0, 20), st.sampled_from([None, "ada", "bea"]), st.integers(1, 15), st.integers(0, 20)),
    max_size=25,
)


@settings(deadline=None)
@given(st.integers(1, 40), steps)
def test_a_provider_that_said_once_what_it_allows_is_never_asked_in_vain(calls, steps):
    """It counts otherwise than is assumed, in a sliding window; answers come late and in any order."""
    limit, provider, share, now = RateLimit(calls=calls), RateWindow(), Account("p").of("model"), START
    unheard: list[tuple[Ticket, ProviderRate]] = []

    def send(user):
        verdict = ask(share, user, now=now)
        if isinstance(verdict, Ticket):
            assert provider.take(limit, now) is None
            standing = provider.standing(limit, now)
            unheard.append((verdict, said(*standing)))

    def hear(place):
        ticket, rate = unheard.pop(place)
        ticket.hear(rate, at(now))

    send("ada")
    hear(0)
    for later, user, times, place in steps:
        now += later
        for _ in range(times):
            send(user)
        if unheard:
            hear(place % len(unheard))


def test_nothing_is_divided_while_nothing_is_known():
    share = Account("p").of("model")
    assert all(isinstance(ask(share), Ticket) for _ in range(1000))
    assert share._own._tenants == {}


def test_what_is_learned_is_divided():
    share = heard(said(60, 59, 1.0))
    verdicts = [ask(share) for _ in range(40)]
    assert sum(isinstance(one, Ticket) for one in verdicts) == 30
    assert verdicts[-1].over_share
    assert isinstance(ask(share, "bea"), Ticket)


def test_what_was_in_use_before_it_was_heard_of_counts():
    share = heard(said(60, 20, 40.0))
    verdicts = [ask(share, None) for _ in range(30)]
    assert sum(isinstance(one, Ticket) for one in verdicts) == 20
    assert not verdicts[-1].over_share


def test_each_model_learns_for_itself_and_a_configured_capacity_is_of_all_models():
    account = Account("p")
    heard(said(2, 0, 60.0), account.of("small"))
    assert isinstance(ask(account.of("large")), Ticket)
    terms, account = Terms("harbor", requests=2), Account("p")
    assert isinstance(ask(account.of("small"), terms=terms), Ticket)
    assert isinstance(ask(account.of("large"), terms=terms), Refused)


def test_a_configured_capacity_does_not_hide_what_the_provider_says():
    share = heard(said(60, 0, 60.0))
    refused = ask(share, terms=Terms("harbor", requests=1000))
    assert isinstance(refused, Refused)
    assert (refused.over_share, refused.capacity) == (False, 60)
    assert 0.9 < refused.wait < 1.1


@pytest.mark.parametrize("measure", ["tokens", "input_tokens", "output_tokens"])
def test_each_measure_can_be_the_short_one(measure):
    share = heard(ProviderRate(**{measure: Standing(6000, 5, 60.0)}))
    refused = ask(share)
    assert isinstance(refused, Refused)
    assert refused.measure == measure.replace("_", " ")


def test_a_call_that_never_left_is_still_there_by_the_provider_s_count():
    share = heard(said(10, 1, 60.0))
    ticket = ask(share, None)
    assert isinstance(ask(share, None), Refused)
    ticket.give_back(at(START))
    assert isinstance(ask(share, None), Ticket)


def test_answers_are_listened_to_ten_times_a_second_and_each_where_little_is_left():
    share = heard(said(100, 90, 1.0))
    assert [share.listens(START + parts * LISTEN_EVERY / 4) for parts in (0, 1, 3, 5, 6, 8)] == [True, False, False] * 2
    heard(said(100, 10, 60.0), share)
    assert all(share.listens(START + 1) for _ in range(3))


def test_the_refusal_names_the_tenant_where_it_is_the_tenant_s_share_that_is_used_up():
    share = Account("p").of("model")
    terms = Terms("harbor", tenants=2, requests=60)
    for number in range(48):
        assert isinstance(ask(share, f"u{number}", terms=terms), Ticket)
    refused = ask(share, "new", terms=terms)
    assert isinstance(refused, Refused)
    assert (refused.over_share, refused.of_tenant, refused.limit) == (True, True, 30)


def test_what_was_sent_before_a_capacity_was_known_is_charged_once_and_what_never_left_is_not():
    share = Account("p").of("model")
    tickets = [share.divide(HARBOR, "ada", 10, 20, at(START)) for _ in range(5)]
    tickets[0].give_back(at(START))
    tickets[1].settle(10, at(START))
    assert share.claim_unclaimed(at(START)) == []  # nobody knows of a capacity
    tickets = [share.divide(HARBOR, "ada", 10, 20, at(START + 1)) for _ in range(5)]
    tickets[0].give_back(at(START + 1))
    tickets[1].settle(10, at(START + 2))
    tickets[2].hear(ProviderRate(requests=Standing(60, 50, 1.0), tokens=Standing(1000, 900, 1.0)), at(START + 2))
    charged = [(claim.rule.measure, claim.rule.limit, units) for claim, units in share.claim_unclaimed(at(START + 2))]
    assert charged == [("requests", 60, 4), ("tokens", 1000, 100)]
    assert share.claim_unclaimed(at(START + 2)) == []


def test_what_was_sent_longer_ago_than_a_minute_is_not_charged():
    share = Account("p").of("model")
    share.divide(HARBOR, "ada", 10, 20, at(START))
    share.hear_limits(60, 0, START + 70)
    assert share.claim_unclaimed(at(START + 70)) == []


@pytest.mark.parametrize("name", ["all", "tenant", "user"])
def test_a_user_may_have_any_name(name):
    shared = Shared({name: 1, "harbor": 1}, requests=10, divided=True)
    assert all(shared.ask(START, "harbor", "ada").served for _ in range(5))
    assert [shared.ask(START, name, name).served for _ in range(4)] == [True, True, True, False]
    verdict = shared.asked[-1].verdict
    assert verdict.over_share  # the reserve is for those below their share
    assert (verdict.limit, verdict.of_tenant) == (2, False)
