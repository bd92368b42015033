"""What members and the authority do with each other, case by case."""

from math import inf

import pytest
from cluster import PATIENCE, Cluster, Fault, claim, rule_of

from trunkline.policy.budgets.account import Account
from trunkline.policy.budgets.calendar import Calendar
from trunkline.policy.leases.authority import Authority
from trunkline.policy.leases.books import Books
from trunkline.policy.leases.contact import WITHHELD_AFTER
from trunkline.policy.leases.messages import ACCOUNT, SLOTS, Answer, Ask, Correction, Report, Want
from trunkline.policy.leases.outbox import MOST, Outbox
from trunkline.policy.limits.limiter import NEW_USERS_PER_MINUTE, Refusal, Reservation
from trunkline.policy.limits.rules import OTHERS, Needs, Quota, Rule

ONE = Needs(1, 0)
REQUESTS = rule_of("requests", 100)
TOKENS = rule_of("tokens", 1000)
SLOT = rule_of("concurrent", 2)


def together(count: int = 2, **more) -> Cluster:
    """Return a cluster whose members are all admitted."""
    cluster = Cluster(1, count, **more)
    cluster.run(2.0)
    assert all(node.contact.admitted for node in cluster.nodes)
    return cluster


def call(cluster: Cluster, member: int, claims, needs=ONE, within: float = 0.1):
    """Carry one call to its reservation or refusal."""
    found = []
    cluster.nodes[member].call(claims, needs, found.append)
    cluster.run(cluster.now + within)
    assert len(found) == 1
    return found[0]


def used(cluster: Cluster, rule: Rule, owner: str = "t") -> int:
    """Return what the authority counts."""
    want = Want(rule.id, owner, 60 if rule.measure != "concurrent" else SLOTS, rule.limit, 0, 0, 0, True)
    authority, at = cluster.authority, cluster.authority_now()
    return authority._books.used(want, authority._roster.heard(at), at)


def test_a_call_takes_from_all_of_its_counters_or_from_none():
    cluster = together()
    assert isinstance(call(cluster, 0, [claim(REQUESTS), claim(TOKENS)], Needs(900, 0)), Reservation)
    refusal = call(cluster, 1, [claim(REQUESTS), claim(TOKENS)], Needs(200, 0))
    assert isinstance(refusal, Refusal)
    assert (refusal.claim.rule, refusal.used, refusal.units) == (TOKENS, 900, 200)
    assert 58 < refusal.wait < 64
    assert [used(cluster, REQUESTS), used(cluster, TOKENS)] == [1, 900]


def test_what_is_told_to_wait_fits_then():
    cluster = together()
    call(cluster, 0, [claim(TOKENS)], Needs(1000, 0))
    refusal = call(cluster, 1, [claim(TOKENS)], Needs(10, 0))
    cluster.run(cluster.now + refusal.wait)
    assert isinstance(call(cluster, 1, [claim(TOKENS)], Needs(10, 0)), Reservation)


def test_more_than_the_limit_never_fits():
    cluster = together()
    assert call(cluster, 0, [claim(TOKENS)], Needs(1001, 0)).wait == inf


def test_the_rule_with_the_longest_wait_is_named_and_all_that_refuse():
    cluster = together()
    call(cluster, 0, [claim(TOKENS)], Needs(1000, 0))
    held = [call(cluster, 0, [claim(SLOT)]) for _ in range(2)]
    refusal = call(cluster, 1, [claim(SLOT), claim(TOKENS)])
    assert refusal.claim.rule is TOKENS
    assert [refusing.rule for refusing in refusal.over] == [SLOT, TOKENS]
    assert all(isinstance(reservation, Reservation) for reservation in held)


def test_a_rule_that_does_not_block_is_counted_and_told():
    watched = rule_of("requests", 1, blocks=False)
    cluster = together()
    assert call(cluster, 0, [claim(watched)]).over == []
    assert [over.rule for over in call(cluster, 1, [claim(watched)]).over] == [watched]
    assert used(cluster, watched) == 2


def test_tokens_that_were_not_needed_come_back_and_debt_is_charged():
    cluster = together()
    first, second = call(cluster, 0, [claim(TOKENS)], Needs(400, 0)), call(cluster, 1, [claim(TOKENS)], Needs(300, 0))
    cluster.nodes[0].holdings.settle(first, Needs(50, 0), cluster.nodes[0].moment())
    cluster.nodes[0].holdings.settle(first, Needs(0, 0), cluster.nodes[0].moment())  # a second end changes nothing
    cluster.nodes[1].holdings.settle(second, Needs(500, 0), cluster.nodes[1].moment())
    cluster.run(cluster.now + 1)
    assert used(cluster, TOKENS) == 550


def test_a_call_that_never_began_leaves_nothing():
    cluster = together()
    reservation = call(cluster, 0, [claim(REQUESTS), claim(TOKENS), claim(SLOT)], Needs(400, 0))
    assert [used(cluster, rule) for rule in (REQUESTS, TOKENS, SLOT)] == [1, 400, 1]
    cluster.nodes[0].holdings.release(reservation, cluster.nodes[0].moment())
    cluster.run(cluster.now + 2)
    assert [used(cluster, rule) for rule in (REQUESTS, TOKENS, SLOT)] == [0, 0, 0]


def test_a_busy_member_is_served_from_what_it_holds_and_gives_back_the_rest():
    cluster = together()
    big = rule_of("requests", 6000)
    asks = []
    node = cluster.nodes[0]
    send = node.line._send
    node.line._send = lambda ask: (asks.append(ask), send(ask)) if ask.wants else send(ask)
    for _ in range(150):  # fifty a second
        assert isinstance(call(cluster, 0, [claim(big)], within=0.02), Reservation)
    assert len(asks) < 50
    cluster.run(cluster.now + 3)
    assert used(cluster, big) == 150
    assert node.holdings._active == {}


def test_nobody_is_given_more_than_a_fair_part_of_what_is_free():
    authority = Authority("e", 0)
    for name in ("a", "b"):
        report = Report((), ("a", "b"), fresh=True, first=True, last=True)
        authority.hear(Ask(1, name, 1, "e", by=10**6, report=report), 0)
    for serial in (2, 3):
        for name in ("a", "b"):
            answer = authority.hear(Ask(serial, name, 1, "e", by=10**6, roster=3), 0)
    assert (answer.admitted, answer.members, answer.divisor) == (True, 2, 2)
    want = Want("r", "o", 60, 101, 1, 1000, 0, blocks=True)
    first = authority.hear(Ask(4, "a", 1, "e", by=10**6, roster=3, wants=(want,)), 0)
    second = authority.hear(Ask(4, "b", 1, "e", by=10**6, roster=3, wants=(want,)), 0)
    assert [first.grants[0][0], second.grants[0][0]] == [51, 25]
    few = Want("few", "o", 60, 39, 1, 1000, 0, blocks=True)
    assert authority.hear(Ask(5, "a", 1, "e", by=10**6, roster=3, wants=(few,)), 0).grants[0][0] == 1


def test_slots_are_counted_over_all_and_those_of_a_dead_member_are_free():
    cluster = together(closes=True)
    first = call(cluster, 0, [claim(SLOT)])
    call(cluster, 0, [claim(SLOT)])
    refusal = call(cluster, 1, [claim(SLOT)])
    assert (refusal.claim.rule, refusal.used, refusal.wait) == (SLOT, 2, 1.0)
    cluster.nodes[0].holdings.settle(first, ONE, cluster.nodes[0].moment())
    cluster.run(cluster.now + 0.5)
    assert isinstance(call(cluster, 1, [claim(SLOT)]), Reservation)
    cluster.fail(Fault(cluster.now, "kill", 0, 0.5))
    cluster.run(cluster.now + 2)
    assert used(cluster, SLOT) == 1
    assert isinstance(call(cluster, 0, [claim(SLOT)]), Reservation)
    assert isinstance(call(cluster, 1, [claim(SLOT)]), Refusal)


@pytest.mark.parametrize("kind", ["cut", "stall"])
def test_slots_of_a_silent_member_are_free_and_count_again_when_it_is_heard(kind):
    wide = rule_of("concurrent", 4)
    cluster = together()
    held = [call(cluster, 0, [claim(wide)]) for _ in range(3)]
    cluster.fail(Fault(cluster.now, kind, 0, 6))
    cluster.run(cluster.now + 5)
    assert used(cluster, wide) == 0
    cluster.run(cluster.now + 3)
    assert used(cluster, wide) == len(held) == 3


def test_a_restarted_authority_counts_what_members_report_and_waits_for_all_of_them():
    cluster = together()
    call(cluster, 0, [claim(TOKENS)], Needs(300, 0))
    call(cluster, 1, [claim(TOKENS)], Needs(400, 0))
    slot = call(cluster, 1, [claim(SLOT)])
    cluster.fail(Fault(cluster.now, "cut", 1, 5))
    cluster.fail(Fault(cluster.now, "empty", 0, 1))
    cluster.run(cluster.now + 3)
    assert call(cluster, 0, [claim(TOKENS)]).wait > 50
    cluster.run(cluster.now + 5)
    assert used(cluster, TOKENS) == 700
    assert used(cluster, SLOT) == len([slot])
    assert isinstance(call(cluster, 0, [claim(TOKENS)], Needs(300, 0)), Reservation)
    assert isinstance(call(cluster, 1, [claim(TOKENS)], Needs(1, 0)), Refusal)


def test_a_report_of_many_counters_comes_in_parts():
    cluster = together()
    users = rule_of("requests", 100, scope="user")
    for number in range(250):
        call(cluster, 0, [claim(users, f"u{number}")], within=0.02)
    cluster.empty()
    cluster.run(cluster.now + 2)
    assert all(node.contact.admitted for node in cluster.nodes)
    assert sum(used(cluster, users, f"u{number}") for number in range(250)) == 250


def test_without_the_authority_a_share_begins_a_window_later_and_says_so():
    cluster = together()
    call(cluster, 0, [claim(REQUESTS)])
    cluster.fail(Fault(cluster.now, "cut", 0, 1000))
    cluster.run(cluster.now + 2)
    node = cluster.nodes[0]
    assert node.contact.phase == "lost"
    refusal = call(cluster, 0, [claim(REQUESTS)])
    assert refusal.wait == pytest.approx(60 + WITHHELD_AFTER - 2, abs=1.5)
    cluster.run(cluster.now + refusal.wait)
    found = [call(cluster, 0, [claim(REQUESTS)], within=0.001) for _ in range(51)]
    assert [isinstance(each, Reservation) for each in found] == [True] * 50 + [False]
    assert 58 < found[-1].wait < 62
    # Meanwhile the other half is all that the other member has.
    others = [call(cluster, 1, [claim(REQUESTS)], within=0.02) for _ in range(51)]
    assert [isinstance(each, Reservation) for each in others] == [True] * 50 + [False]


def test_a_share_ends_after_a_day_and_nothing_is_withheld_then():
    cluster = together()
    call(cluster, 0, [claim(REQUESTS)])
    cluster.fail(Fault(cluster.now, "cut", 0, 100_000))
    cluster.run(cluster.now + 86_000)
    assert isinstance(call(cluster, 0, [claim(REQUESTS)]), Reservation)
    cluster.run(cluster.now + 400)
    assert call(cluster, 0, [claim(REQUESTS)]).wait == 5.0
    cluster.run(cluster.now + 100)
    assert sum(isinstance(call(cluster, 1, [claim(REQUESTS)], within=0.02), Reservation) for _ in range(101)) == 100


def test_one_that_is_to_refuse_refuses_until_the_authority_is_back():
    cluster = together(share=False)
    call(cluster, 0, [claim(REQUESTS)])
    cluster.fail(Fault(cluster.now, "cut", 0, 100))
    cluster.run(cluster.now + 90)
    assert call(cluster, 0, [claim(REQUESTS)]).wait == 5.0
    cluster.run(cluster.now + 12)
    assert isinstance(call(cluster, 0, [claim(REQUESTS)]), Reservation)


def test_a_limit_with_less_than_one_unit_for_each_has_no_share():
    one = rule_of("requests", 1)
    cluster = together()
    cluster.fail(Fault(cluster.now, "cut", 0, 1000))
    cluster.run(cluster.now + 100)
    assert call(cluster, 0, [claim(one)]).wait == 60.0
    assert isinstance(call(cluster, 1, [claim(one)]), Reservation)


def test_a_member_that_says_goodbye_leaves_its_share_to_the_others():
    cluster = together()
    node = cluster.nodes[0]
    node.send(node.line.leave(node.moment()))
    node.alive = False
    cluster.run(cluster.now + 10)
    assert cluster.nodes[1].contact.members == 1
    assert cluster.nodes[1].contact.divisor == 1
    assert sum(isinstance(call(cluster, 1, [claim(REQUESTS)], within=0.02), Reservation) for _ in range(101)) == 100


def budget(limit: int, per: str = "day") -> Rule:
    return Rule("t", "budget", "tenant", Quota("money", limit, per), lambda: Account(Calendar(per, "UTC")))


def test_a_budget_is_one_for_all_and_resets_with_its_period():
    cluster = together()
    daily = budget(100)
    first = call(cluster, 0, [claim(daily)], Needs(1, 60))
    assert isinstance(call(cluster, 1, [claim(daily)], Needs(1, 40)), Reservation)
    refusal = call(cluster, 1, [claim(daily)], Needs(1, 1))
    left = 86_400 - cluster.nodes[1].moment().wall % 86_400
    assert refusal.wait == pytest.approx(left, abs=1)
    cluster.nodes[0].holdings.settle(first, Needs(1, 30), cluster.nodes[0].moment())
    cluster.run(cluster.now + 1)
    assert isinstance(call(cluster, 1, [claim(daily)], Needs(1, 30)), Reservation)
    cluster.run(cluster.now + left + 1)
    assert isinstance(call(cluster, 1, [claim(daily)], Needs(1, 100)), Reservation)


def test_without_the_authority_the_share_of_a_budget_begins_with_the_next_period():
    cluster = together()
    daily = budget(100)
    call(cluster, 0, [claim(daily)], Needs(1, 60))
    left = 86_400 - cluster.nodes[0].moment().wall % 86_400
    cluster.run(cluster.now + left - 1000)
    cluster.fail(Fault(cluster.now, "cut", 0, 10_000))
    cluster.run(cluster.now + 500)
    refusal = call(cluster, 0, [claim(daily)], Needs(1, 1))
    assert refusal.wait == pytest.approx(500, abs=2)
    cluster.run(cluster.now + refusal.wait)
    assert isinstance(call(cluster, 0, [claim(daily)], Needs(1, 50)), Reservation)
    assert isinstance(call(cluster, 0, [claim(daily)], Needs(1, 1)), Refusal)
    cluster.run(cluster.now + 9600)  # back: what its share was used for is known there
    assert isinstance(call(cluster, 1, [claim(daily)], Needs(1, 51)), Refusal)
    assert isinstance(call(cluster, 1, [claim(daily)], Needs(1, 50)), Reservation)


def test_a_flood_of_refusals_asks_once_in_a_while():
    cluster = together()
    call(cluster, 0, [claim(TOKENS)], Needs(1000, 0))
    node, asks = cluster.nodes[1], []
    send = node.line._send
    node.line._send = lambda ask: (asks.append(ask), send(ask)) if ask.wants else send(ask)
    for _ in range(200):  # in four seconds
        assert isinstance(call(cluster, 1, [claim(TOKENS)], within=0.02), Refusal)
    assert len(asks) <= 41


def test_workers_that_are_started_later_keep_nobody_waiting():
    day = Want("r", "o", 86_400, 100, 1, 0, 0, blocks=True)
    authority = Authority("e", 0)
    hear, at = authority.hear, 0
    first = Report((), ("a/0",), fresh=True, first=True, last=True)
    hear(Ask(1, "a/0", 1, "e", by=10**6, report=first), at)
    assert hear(Ask(2, "a/0", 1, "e", by=10**6, roster=2, wants=(day,)), at).verdict == "granted"
    one_of_two = Report((), ("b/0", "b/1"), fresh=True, first=True, last=True)
    hear(Ask(1, "b/0", 1, "e", by=10**6, report=one_of_two), at)
    hear(Ask(3, "a/0", 1, "e", by=10**6, roster=3), at)
    assert hear(Ask(2, "b/0", 1, "e", by=10**6, roster=3, wants=(day,)), at).verdict == "granted"


def test_those_that_have_left_are_awaited_by_nobody():
    cluster = together(3)
    gone = cluster.nodes[2]
    gone.send(gone.line.leave(gone.moment()))
    gone.alive = False
    cluster.fail(Fault(cluster.now, "cut", 1, 10))  # it hears nothing of that
    cluster.run(cluster.now + 12)
    assert cluster.nodes[1].contact.members == 2
    assert isinstance(call(cluster, 1, [claim(REQUESTS)]), Reservation)


def test_a_word_that_comes_too_late_is_none():
    authority = Authority("e", 0)
    report = Report((), ("a",), fresh=True, first=True, last=True)
    assert authority.hear(Ask(1, "a", 1, "e", by=5_000_000, report=report), 5_000_001).verdict == "late"
    assert authority.hear(Ask(2, "a", 1, "e", by=6_000_000, report=report), 5_000_001).verdict == "heard"
    assert authority.hear(Ask(3, "a", 1, "e", by=6_000_000), 6_000_001).verdict == "late"
    assert authority.hear(Ask(4, "a", 0, "e", by=9_000_000), 6_000_002).verdict == "late"  # of an earlier session
    # One without an authority is told that there is one, and stays without a word.
    assert authority.hear(Ask(5, "a", 1, "e"), 6_000_003).verdict == "report"


def test_those_just_started_wait_for_members_that_nobody_has_named():
    authority = Authority("e", 0, settle=5)
    report = Report((), ("a",), fresh=True, first=True, last=True)
    assert not authority.hear(Ask(1, "a", 1, "e", by=10**7, report=report), 1).admitted
    assert not authority.hear(Ask(2, "a", 1, "e", by=10**7), 2_000_000).admitted
    known = Authority("e", 0, settle=5)
    known.hear(Ask(1, "a", 1, "e", by=10**7, report=report), 1)
    older = Report((), ("b",), fresh=False, first=True, last=True)
    known.hear(Ask(1, "b", 1, "d", by=10**7, divisor=1, report=older), 1_500_000)
    known.hear(Ask(2, "b", 1, "e", by=10**7, roster=3, divisor=1), 1_600_000)
    assert known.hear(Ask(2, "a", 1, "e", by=10**7), 2_000_000).admitted
    assert authority.hear(Ask(3, "a", 1, "e", by=10**7), 4_000_000).admitted is False
    assert authority.hear(Ask(4, "a", 1, "e", by=10**7), 5_000_000).admitted


def test_an_answer_that_came_too_late_to_be_spent_is_given_back():
    cluster = together()
    node = cluster.nodes[0]
    node.holdings.own.counter(REQUESTS, "t", node.moment())
    pending = node.holdings.take([claim(REQUESTS)], ONE, node.moment())
    asked = node.moment().monotonic
    ask = node.holdings.ask(pending, node.moment())
    answer = cluster.authority.hear(ask, cluster.authority_now())
    assert isinstance(answer, Answer)
    assert used(cluster, REQUESTS) == 1
    cluster.run(cluster.now + 1.01)
    assert node.holdings.granted(pending, answer, asked, node.moment()) is None
    cluster.run(cluster.now + 1)
    assert used(cluster, REQUESTS) == 0


def test_standing_knows_of_the_others_what_was_told_last():
    cluster = together()
    for _ in range(30):
        call(cluster, 1, [claim(REQUESTS)])
    call(cluster, 0, [claim(REQUESTS)])
    standing = cluster.nodes[0].holdings.standing([claim(REQUESTS)], "requests", cluster.nodes[0].moment())
    assert 68 <= standing.left <= 69  # what is lent to the other counts as used
    assert standing.claim.rule is REQUESTS


def test_patience_is_longer_than_a_machine_is_busy():
    cluster = together()
    node = cluster.nodes[0]
    cluster.fail(Fault(cluster.now, "stall", 0, 2.5))  # it stands still itself, and the authority is none the worse
    cluster.run(cluster.now + 3)
    assert node.contact.phase == "in_touch"
    assert PATIENCE < 2.5


def test_where_there_are_many_slots_one_is_kept_for_the_next_call_for_a_moment():
    wide = rule_of("concurrent", 100)
    cluster = together()
    node = cluster.nodes[0]
    first = call(cluster, 0, [claim(wide)])
    node.holdings.settle(first, ONE, node.moment())
    again = node.holdings.take([claim(wide)], ONE, node.moment())
    assert isinstance(again, Reservation)  # without asking
    node.holdings.settle(again, ONE, node.moment())
    assert used(cluster, wide) == 1
    cluster.run(cluster.now + 2)
    assert used(cluster, wide) == 0


def test_a_slot_that_is_kept_is_void_without_the_authority():
    wide = rule_of("concurrent", 100)
    cluster = together()
    node = cluster.nodes[0]
    node.holdings.settle(call(cluster, 0, [claim(wide)]), ONE, node.moment())
    node.line.lose(node.moment())
    assert isinstance(node.holdings.take([claim(wide)], ONE, node.moment()), Refusal)


def test_a_goodbye_gives_back_what_is_held():
    wide = rule_of("requests", 6000)
    cluster = together()
    node = cluster.nodes[0]
    for _ in range(50):
        call(cluster, 0, [claim(wide)], within=0.02)
    assert used(cluster, wide) > 50
    node.send(node.line.leave(node.moment()))
    node.alive = False
    cluster.run(cluster.now + 0.1)
    assert used(cluster, wide) == 50


def test_users_beyond_the_bound_share_what_they_ask_for():
    users = rule_of("requests", 1, scope="user")
    cluster = together()
    node = cluster.nodes[0]
    for number in range(NEW_USERS_PER_MINUTE):
        node.holdings.own.counter(users, f"u{number}", node.moment())
    assert isinstance(call(cluster, 0, [claim(users, "late")], within=0.02), Reservation)
    assert isinstance(call(cluster, 0, [claim(users, "later")], within=0.02), Refusal)
    assert used(cluster, users, OTHERS) == 1


def test_without_the_authority_more_than_a_limit_never_fits_and_what_does_not_block_is_told():
    watched = rule_of("requests", 3, blocks=False)
    cluster = together()
    cluster.fail(Fault(cluster.now, "cut", 0, 1000))
    cluster.run(cluster.now + 70)
    assert call(cluster, 0, [claim(TOKENS)], Needs(1001, 0)).wait == inf
    assert call(cluster, 0, [claim(watched)]).over == []
    assert [over.rule for over in call(cluster, 0, [claim(watched)]).over] == [watched]  # its share is one


def test_an_authority_whose_clock_has_jumped_ahead_is_understood_the_second_time():
    cluster = together()
    cluster.offset += 2.0
    assert isinstance(call(cluster, 0, [claim(REQUESTS)]), Reservation)
    cluster.offset -= 100.0  # it stands still
    assert isinstance(call(cluster, 0, [claim(REQUESTS)]), Reservation)
    assert used(cluster, REQUESTS) == 2


def test_an_authority_whose_clock_jumps_while_a_member_reports_hears_the_report_once_more():
    cluster = together()
    call(cluster, 0, [claim(REQUESTS)])
    cluster.empty()
    node = cluster.nodes[0]
    for _ in range(200):
        cluster.run(cluster.now + 0.005)
        if node.contact.phase == "reporting":
            break
    cluster.offset += 2.0
    cluster.run(cluster.now + 2)
    assert node.contact.phase == "in_touch"
    assert used(cluster, REQUESTS) >= 1


def test_members_that_are_not_heard_for_two_days_are_forgotten():
    authority = Authority("e", 0)
    report = Report((), ("a", "b"), fresh=False, first=True, last=True)
    authority.hear(Ask(1, "a", 1, "e", by=10**6, report=report), 0)
    assert authority.hear(Ask(2, "a", 1, "e", by=10**6), 0).names == ("a", "b")
    authority.hear(Ask(1, "c", 1, "e", by=10**6, report=Report((), ("c",), True, True, True)), 0)
    later = 2 * 86_400 * 10**6 + 1
    assert authority.hear(Ask(1, "d", 1, ""), later).names == ()


def test_of_an_account_the_newest_periods_are_kept_and_idle_windows_cost_nothing():
    books = Books()
    for period in (1, 2, 3):
        books.correct(Correction("r", "o", ACCOUNT, period, 5), "a", 0)
    wants = [Want("r", "o", ACCOUNT, 10, 1, 0, period, True) for period in (1, 2, 3)]
    assert [books.used(want, [], 0) for want in wants] == [0, 5, 5]
    for number in range(10):
        books.correct(Correction("r", str(number), 60, 0, 1), "a", 0)
    assert len(books) == 10
    for _ in range(5):
        books.sweep(70_000_000)
    assert len(books) == 0


def test_nothing_is_told_of_what_is_not_limited():
    cluster = together()
    node = cluster.nodes[0]
    assert node.holdings.standing([claim(TOKENS)], "requests", node.moment()) is None


def test_what_is_to_be_put_right_is_bounded_and_one_for_each_counter():
    outbox = Outbox()
    for _ in range(3):
        outbox.add(Correction("r", "o", 60, 7, -2))
        outbox.add(Correction("r", "o", 60, 7, 5))
    assert outbox.take() == (Correction("r", "o", 60, 7, -6), Correction("r", "o", 60, 7, 15))
    for number in range(MOST + 5):
        outbox.add(Correction("r", f"u{number}", 60, 0, 1))
    outbox.add(Correction("r", "u0", 60, 0, 1))
    sent = []
    while not outbox.empty:
        sent += outbox.take()
    assert len(sent) == MOST
    assert sent[0].units == 2
