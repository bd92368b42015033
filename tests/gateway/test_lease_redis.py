"""Leases of several workers from one real Redis."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from gateway.leasing import ONE, claim_of, reserve, until
from gateway.redis_server import RedisServer
from trunkline.gateway.clock import moment
from trunkline.gateway.lease_redis import LeaseRedis
from trunkline.gateway.leases import Leases, Membership
from trunkline.policy.budgets.account import Account
from trunkline.policy.budgets.calendar import Calendar
from trunkline.policy.limits.limiter import Limiter, Refusal, Reservation
from trunkline.policy.limits.rules import Claim, Needs, Quota, Rule

NAMES = ("a/0", "a/1")


@pytest.fixture
def server(tmp_path):
    running = RedisServer(tmp_path)
    yield running
    running.kill()


def budget_of(limit: int, **more) -> Rule:
    quota = Quota("money", limit, "total")
    return Rule("t", "budget", "tenant", quota, lambda: Account(Calendar("total", "UTC")), **more)


def ignored(*_) -> None:
    """Hear of nothing."""


@asynccontextmanager
async def workers(server: RedisServer, *, share: bool = True, crossed=ignored):
    """Yield two workers' leases, both let in, and their states as they came."""
    states: list[tuple[str, str, str]] = []

    def told(name):
        return lambda state, reason: states.append((name, state.phase, reason))

    leases = [
        Leases(Limiter(), Membership(name, NAMES, fresh=True, share=share), LeaseRedis(server.url), told(name), crossed)
        for name in NAMES
    ]
    for each in leases:
        each.start()
    try:
        async with asyncio.timeout(60):
            await until(lambda: all(each.state.phase == "in_touch" for each in leases))
            yield leases, states
    finally:
        for each in leases:
            await each.close()


def admitted(found) -> int:
    return sum(isinstance(each, Reservation) for each in found)


def test_a_threshold_of_a_budget_is_told_once_when_all_machines_together_have_reached_it(server):
    budget = budget_of(100, blocks=False)
    crossed: list[tuple[int, int]] = []

    async def main():
        def told(crossing, _) -> None:
            crossed.append((crossing.percent, crossing.spent))

        async with workers(server, crossed=told) as (leases, _):
            for number, (money, so_far) in enumerate([(30, 0), (30, 1), (15, 1), (15, 2)]):
                found = await reserve(leases[number % 2], [Claim(budget, "t")], Needs(1, money))
                leases[number % 2].settle(found, Needs(1, money), moment())
                await until(lambda: all(each._holdings.unweighed.empty for each in leases))
                assert len(crossed) == so_far
            found = await reserve(leases[0], [Claim(budget, "t")], Needs(1, 10))
            leases[0].settle(found, Needs(1, 10), moment())
        assert crossed == [(50, 60), (80, 90), (100, 100)]  # the last one as it left

    asyncio.run(main())


def test_who_leaves_and_comes_back_has_used_nothing_twice(server):
    budget = budget_of(100)
    claims = [Claim(budget, "t"), claim_of("tokens", 100)]

    async def life(own: Limiter, name: str, money: int, after: tuple[str, ...] = ()):
        membership = Membership(name, (name,), fresh=True, share=True, after=after)
        leases = Leases(own, membership, LeaseRedis(server.url), ignored, ignored)
        leases.start()
        await until(lambda: leases.state.phase == "in_touch")
        found = await reserve(leases, claims, Needs(money, money))
        if isinstance(found, Reservation):
            leases.settle(found, Needs(money, money), moment())
        await leases.close()
        return found

    async def main():
        async with asyncio.timeout(60):
            own = Limiter()
            assert isinstance(await life(own, "a/0", 60), Reservation)
            assert isinstance(await life(own, "a/0", 30), Reservation)  # as one that has counted its log again
            assert isinstance(await life(own, "b/0", 10, after=("a/0",)), Reservation)  # under another name
            refusal = await life(own, "b/0", 1)
            assert isinstance(refusal, Refusal)
            assert refusal.used == 100

    asyncio.run(main())


def test_workers_of_many_machines_have_one_limit_together(server):
    async def main():
        async with workers(server) as (leases, _):
            claims = [claim_of("requests", 100), claim_of("tokens", 1000)]
            calls = [reserve(leases[number % 2], claims) for number in range(300)]
            found = await asyncio.gather(*calls)
            assert admitted(found) == 100
            refusal = next(each for each in found if isinstance(each, Refusal))
            assert refusal.claim == claims[0]
            assert 50 < refusal.wait < 65

    asyncio.run(main())


def test_a_redis_that_was_killed_and_emptied_is_told_what_was_used(server):
    async def main():
        async with workers(server) as (leases, states):
            claims = [claim_of("requests", 100)]
            assert admitted([await reserve(leases[number % 2], claims) for number in range(60)]) == 60
            server.kill()
            await until(lambda: all(each.state.phase == "sharing" for each in leases))
            refusal = await reserve(leases[0], claims)
            assert refusal.wait == pytest.approx(65, abs=2)
            server.start()
            await until(lambda: all(each.state.phase == "in_touch" for each in leases))
            found = await asyncio.gather(*[reserve(leases[number % 2], claims) for number in range(60)])
            assert 35 <= admitted(found) <= 40  # a few may be lent to the other
            assert {state[1] for state in states} == {"in_touch", "sharing"}
            assert all(reason for _, phase, reason in states if phase == "sharing")

    asyncio.run(main())


def test_a_redis_that_was_emptied_under_way_is_told_too(server):
    async def main():
        async with workers(server) as (leases, _):
            claims = [claim_of("requests", 100)]
            assert admitted([await reserve(leases[number % 2], claims) for number in range(60)]) == 60
            with server.client() as client:
                client.flushall()
            found = await asyncio.gather(*[reserve(leases[number % 2], claims) for number in range(60)])
            assert admitted(found) <= 40
            while admitted(found) < 40:
                await asyncio.sleep(0.1)
                found += await asyncio.gather(*[reserve(leases[number % 2], claims) for number in range(60)])
            assert admitted(found) == 40

    asyncio.run(main())


def test_a_redis_that_comes_back_with_what_it_knew_a_while_ago_is_not_believed(tmp_path):
    server = RedisServer(tmp_path)

    async def main():
        async with workers(server) as (leases, _):
            claims = [claim_of("requests", 100)]
            assert admitted([await reserve(leases[0], claims) for _ in range(10)]) == 10
            with server.client() as client:
                client.save()
            assert admitted([await reserve(leases[0], claims) for _ in range(80)]) == 80
            contacts = [each._holdings.contact for each in leases]
            epoch = contacts[0].epoch
            server.kill()  # it starts again from the file, with ten
            server.start()
            await until(lambda: all(each.epoch != epoch and each.phase == "in_touch" for each in contacts))
            found = []
            while admitted(found) < 10:
                found += [await reserve(leases[number % 2], claims) for number in range(20)]
                await asyncio.sleep(0.1)
            assert admitted(found) == 10

    try:
        asyncio.run(main())
    finally:
        server.kill()


def test_a_redis_that_hangs_is_given_up_and_found_again(server):
    async def main():
        async with workers(server, share=False) as (leases, _):
            claims = [claim_of("requests", 100)]
            assert admitted([await reserve(leases[0], claims)]) == 1
            server.stop()
            refusal = await reserve(leases[0], claims)
            assert isinstance(refusal, Refusal)
            assert leases[0].state.phase == "refusing"
            server.go_on()
            await until(lambda: all(each.state.phase == "in_touch" for each in leases))
            assert admitted([await reserve(leases[0], claims)]) == 1

    asyncio.run(main())


def test_slots_of_a_worker_that_was_killed_are_free_after_a_while(server):
    async def main():
        async with workers(server) as (leases, _):
            claims = [claim_of("concurrent", 2)]
            assert admitted([await reserve(leases[0], claims) for _ in range(2)]) == 2
            for task in leases[0]._tasks:  # killed: it says nothing more
                task.cancel()
            assert admitted([await reserve(leases[1], claims)]) == 0
            await asyncio.sleep(3.2)
            # Its share is withheld, for it may be alive.
            assert admitted([await reserve(leases[1], claims) for _ in range(2)]) == 1

    asyncio.run(main())


def test_one_that_was_drained_leaves_everything_to_the_others(server):
    async def main():
        async with workers(server) as (leases, _):
            claims = [claim_of("concurrent", 2)]
            found = [await reserve(leases[0], claims) for _ in range(2)]
            for reservation in found:
                leases[0].settle(reservation, ONE, moment())
            await leases[0].close()
            assert admitted([await reserve(leases[1], claims) for _ in range(2)]) == 2

    asyncio.run(main())


def test_a_redis_that_wants_a_password_gets_it_and_no_reason_names_it(tmp_path):
    server = RedisServer(tmp_path)
    with server.client() as client:
        client.config_set("requirepass", "hid-den")

    async def main():
        reasons = []
        for url in (server.url, server.url.replace("unix://", "unix://:wrong-hid-den@")):
            running, before = asyncio.create_task(LeaseRedis(url).run(print, reasons.append)), len(reasons)
            await until(lambda count=before: len(reasons) > count)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert len(reasons) >= 2
        assert all(reason and "hid-den" not in reason for reason in reasons)
        leases = Leases(
            Limiter(),
            Membership("a/0", ("a/0",), fresh=True, share=True),
            LeaseRedis(server.url.replace("unix://", "unix://:hid-den@")),
            ignored,
            ignored,
        )
        leases.start()
        await until(lambda: leases.state.phase == "in_touch")
        await leases.close()

    try:
        asyncio.run(main())
    finally:
        server.kill()
