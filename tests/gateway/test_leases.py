"""Leases of several workers from one supervisor, over real sockets."""

import asyncio
import time

import pytest

from gateway.leasing import ONE, claim_of, desk, reserve, until
from trunkline.gateway.leases import moment
from trunkline.policy.limits.limiter import Limiter, Refusal, Reservation
from trunkline.policy.limits.rules import Needs


def test_two_workers_have_one_limit_together():
    async def main():
        async with desk() as (_, leases):
            claims = [claim_of("requests", 100)]
            calls = [reserve(leases[number % 2], claims) for number in range(300)]
            found = await asyncio.gather(*calls)
            assert sum(isinstance(each, Reservation) for each in found) == 100
            refusal = next(each for each in found if isinstance(each, Refusal))
            assert refusal.claim == claims[0]
            assert 50 < refusal.wait < 65

    asyncio.run(main())


def test_what_is_held_is_reserved_without_waiting():
    async def main():
        async with desk() as (_, leases):
            claims = [claim_of("requests", 100_000)]
            for _ in range(500):
                assert isinstance(await reserve(leases[0], claims), Reservation)
            held = next(iter(leases[0]._holdings._active.values()))
            await until(lambda: held.rate > 0)
            # How fast it goes is known now: with the next one comes what the following will need.
            assert isinstance(await reserve(leases[0], claims), Reservation)
            assert isinstance(leases[0].reserve(claims, ONE, moment()), Reservation)

    asyncio.run(main())


def test_a_slot_is_free_for_another_worker_as_soon_as_its_call_ends():
    async def main():
        async with desk() as (_, leases):
            claims = [claim_of("concurrent", 1)]
            for number in range(20):
                mine, other = leases[number % 2], leases[(number + 1) % 2]
                found = await reserve(mine, claims)
                while isinstance(found, Refusal):  # the slot is on its way back
                    await asyncio.sleep(0.005)
                    found = await reserve(mine, claims)
                assert isinstance(await reserve(other, claims), Refusal)
                mine.settle(found, ONE, moment())

    asyncio.run(main())


def test_a_call_cancelled_while_it_asks_leaves_nothing():
    async def main():
        async with desk() as (_, leases):
            claims = [claim_of("concurrent", 5), claim_of("tokens", 1000)]
            for spin in range(60):
                call = asyncio.ensure_future(reserve(leases[0], claims, Needs(100, 0)))
                for _ in range(spin % 12):
                    await asyncio.sleep(0)
                call.cancel()
                found = (await asyncio.gather(call, return_exceptions=True))[0]
                if isinstance(found, Reservation):
                    leases[0].release(found, moment())
            await asyncio.sleep(0.5)
            found = [await reserve(leases[1], claims, Needs(100, 0)) for _ in range(5)]
            assert all(isinstance(each, Reservation) for each in found)
            assert leases[0].standing(claims, "tokens", moment()).left >= 500

    asyncio.run(main())


@pytest.mark.parametrize(("share", "phase"), [(True, "sharing"), (False, "refusing")])
def test_a_supervisor_that_has_gone_is_noticed_and_told(share, phase):
    async def main():
        async with desk(share=share) as (found, leases):
            claims = [claim_of("requests", 100)]
            await found.seats[0].close()
            await until(lambda: leases[0].state.phase == phase)
            assert found.states[-1] == (0, phase, "the supervisor has gone")
            refusal = await reserve(leases[0], claims)
            assert refusal.wait == (pytest.approx(65, abs=1) if share else 5.0)
            assert isinstance(await reserve(leases[1], claims), Reservation)

    asyncio.run(main())


def test_a_supervisor_that_hangs_is_given_up_in_time_and_found_again():
    async def main():
        async with desk() as (found, leases):
            claims = [claim_of("requests", 100)]
            assert isinstance(await reserve(leases[0], claims), Reservation)
            found.hang()
            began = time.monotonic()
            refusal = await reserve(leases[0], claims)
            assert 0.2 < time.monotonic() - began < 2
            assert refusal.wait == pytest.approx(65, abs=1)
            assert leases[0].state.phase == "sharing"
            found.go_on()
            await until(lambda: leases[0].state.phase == "in_touch")
            assert isinstance(await reserve(leases[0], claims), Reservation)

    asyncio.run(main())


def test_a_worker_that_is_started_again_goes_on_where_it_was():
    async def main():
        async with desk() as (place, leases):
            claims = [claim_of("requests", 10)]
            for _ in range(6):
                assert isinstance(await reserve(leases[0], claims), Reservation)
            await place.seats[0].close()  # killed: no goodbye
            own = Limiter()
            own.restore(claims[0].rule, "t", [(59.0, 6)], moment())
            again = await place.join(0, own, fresh=False)
            await until(lambda: again.state.phase == "in_touch")
            early = [await reserve(again, claims) for _ in range(6)]
            assert sum(isinstance(each, Reservation) for each in early) <= 4
            late = [await reserve(leases[1], claims) for _ in range(6)]
            admitted = [each for each in [*early, *late] if isinstance(each, Reservation)]
            assert len(admitted) == 4

    asyncio.run(main())
