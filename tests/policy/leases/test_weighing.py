"""The thresholds of a budget that many members spend: each is told once, when all of them together have reached it."""

from cluster import Cluster, Fault, claim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trunkline.policy.budgets.account import Account, reached_by
from trunkline.policy.budgets.calendar import Calendar
from trunkline.policy.leases.messages import ACCOUNT, Counted, Spent
from trunkline.policy.leases.weighing import KEPT, Weighing
from trunkline.policy.limits.limiter import Reservation
from trunkline.policy.limits.rules import Needs, Quota, Rule

LIMIT = 1000
BUDGET = Rule(
    "t", "budget", "tenant", Quota("money", LIMIT, "total"), lambda: Account(Calendar("total", "UTC")), blocks=False
)
MEMBERS = 3
FAULTS = st.builds(
    Fault,
    at=st.floats(2.0, 9.0),
    kind=st.sampled_from(["mute", "deaf", "cut", "slow", "stall", "empty"]),
    member=st.integers(0, MEMBERS - 1),
    seconds=st.floats(0.05, 3.0),
)


def spend(cluster: Cluster, member: int, money: int, spent: list[int]) -> None:
    """Have a member carry a call that costs so much; it ends at once."""
    node = cluster.nodes[member]

    def done(found) -> None:
        assert isinstance(found, Reservation)
        node.holdings.settle(found, Needs(1, money), node.moment())
        spent.append(money)

    if node.running():
        node.call([claim(BUDGET)], Needs(1, money), done)


def percents(cluster: Cluster) -> list[int]:
    return [crossing.percent for crossing in cluster.crossed]


def test_a_threshold_that_no_member_has_reached_alone_is_told_when_all_have():
    cluster = Cluster(1, MEMBERS)
    cluster.run(2.0)
    spent: list[int] = []
    calls = ((0, 300, []), (1, 300, [50]), (2, 210, [50, 80]), (0, 10, [50, 80]), (1, 300, [50, 80, 100]))
    for member, money, told in calls:
        spend(cluster, member, money, spent)
        cluster.run(cluster.now + 1.0)
        assert percents(cluster) == told
    assert [crossing.spent for crossing in cluster.crossed] == [600, 810, 1120]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    calls=st.lists(st.tuples(st.integers(0, MEMBERS - 1), st.integers(1, 90)), min_size=1, max_size=30),
    faults=st.lists(FAULTS, max_size=4),
)
def test_each_threshold_is_told_once_whatever_goes_wrong_and_again_at_most_where_the_authority_is_emptied(
    seed, calls, faults
):
    cluster = Cluster(seed, MEMBERS)
    for fault in faults:
        cluster.fail(fault)
    cluster.run(2.0)
    spent: list[int] = []
    for member, money in calls:
        spend(cluster, member, money, spent)
        cluster.run(cluster.now + 0.25)
    cluster.run(cluster.now + 20.0)
    told, emptied = percents(cluster), sum(fault.kind == "empty" for fault in faults)
    assert sorted(set(told)) == reached_by(sum(spent), LIMIT)
    assert all(told.count(percent) <= 1 + emptied for percent in told)
    assert all(crossing.spent * 100 >= LIMIT * crossing.percent for crossing in cluster.crossed)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), kills=st.lists(st.floats(2.0, 9.0), min_size=1, max_size=3))
@example(seed=33, kills=[8.125, 2.0, 3.0])
@example(seed=532012, kills=[2.0, 5.34375])  # killed while the answer that tells it is under way
def test_members_that_are_killed_and_come_back_are_counted_once(seed, kills):
    cluster = Cluster(seed, MEMBERS, closes=True)
    for number, at in enumerate(kills):
        cluster.fail(Fault(at=at, kind="kill", member=number, seconds=0.5))
    cluster.run(2.0)
    spent: list[int] = []
    for number in range(27):
        node = cluster.nodes[number % MEMBERS]
        if node.alive:
            spend(cluster, number % MEMBERS, 40, spent)
        cluster.run(cluster.now + 0.25)
    cluster.run(cluster.now + 5.0)
    # What one of them had spent and not said when it was killed is weighed with the next call.
    spend(cluster, 0, 1, spent)
    cluster.run(cluster.now + 1.0)
    untold = [percent for _, percent, _ in cluster.untold]
    assert sorted(percents(cluster) + untold) == reached_by(sum(spent), LIMIT)


def spent(units: int, mark: int = 0, limit: int = 100, weighed: int = 0) -> Spent:
    return Spent("r", "o", mark, limit, units, weighed)


def counted(units: int, weighed: int) -> Counted:
    return Counted("r", "o", ACCOUNT, 0, False, ((0.0, units),), units, weighed)


def test_what_was_told_before_all_were_started_anew_is_not_told_again():
    weighing = Weighing()
    weighing.restore(counted(30, 30), "a", ())
    weighing.restore(counted(30, 30), "b", ())
    assert weighing.weigh(spent(31), "a") == ([], 61)
    assert weighing.weigh(spent(50), "b") == ([80], 81)


def test_what_a_member_has_taken_over_from_another_counts_once():
    weighing = Weighing()
    weighing.weigh(spent(20), "a")
    weighing.weigh(spent(25), "b")
    weighing.restore(counted(45, 45), "a", ("b",))
    assert weighing.weigh(spent(46), "a") == ([], 46)


def test_a_limit_that_is_raised_has_thresholds_of_its_own():
    weighing = Weighing()
    assert weighing.weigh(spent(60), "a") == ([50], 60)
    assert weighing.weigh(spent(61, limit=200), "a") == ([], 61)
    assert weighing.weigh(spent(100, limit=200), "a") == ([50], 100)


def test_a_member_that_has_not_heard_what_it_was_told_is_told_again():
    weighing = Weighing()
    weighing.weigh(spent(40), "a")
    assert weighing.weigh(spent(20), "b") == ([50], 60)
    assert weighing.weigh(spent(60, weighed=40), "a") == ([80], 80)
    assert weighing.weigh(spent(45), "b") == ([50, 100], 105)
    assert weighing.weigh(spent(46, weighed=45), "b") == ([], 106)
    assert weighing.weigh(spent(60, weighed=60), "a") == ([], 106)


def test_the_newest_periods_are_kept():
    weighing = Weighing()
    for mark in range(1, KEPT + 5):
        assert weighing.weigh(spent(60, mark), "a") == ([50], 60)
        assert weighing.weigh(spent(61, mark, weighed=60), "a") == ([], 61)
    assert len(weighing._tallies["r", "o"]) == KEPT
