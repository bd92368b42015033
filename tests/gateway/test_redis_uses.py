"""What all gateways use is what Redis has counted of them: the sum of what each has used itself."""

import asyncio
import random

import pytest

from gateway.leasing import until
from gateway.redis_server import RedisServer
from trunkline.channel.messages import LimitsQuestion
from trunkline.gateway.clock import moment
from trunkline.gateway.lease_redis import LeaseRedis
from trunkline.gateway.leases import Leases, Membership
from trunkline.gateway.redis_uses import counted_in_redis
from trunkline.model.snapshot import Budget, Key, Limits, Tenant
from trunkline.policy.limits.limiter import Limiter, Reservation
from trunkline.policy.limits.rules import Needs
from trunkline.policy.limits.tenant_rules import TenantRules

KEY = Key(id="app", tenant="acme", digests=("0" * 64,), limits=Limits(concurrent_requests=1000))
ACME = Tenant(
    name="acme",
    limits=Limits(tokens_per_day=1_000_000, requests_per_minute=100_000),
    user_limits=Limits(requests_per_hour=1000, concurrent_requests=100),
    user_budget=Budget("1", "day"),
    budget=Budget("1", "total", "warn"),
)
RULES = TenantRules(ACME, [KEY])
PLAN = RULES.of_plan(KEY.id, "fast")
USERS = ("ann", "böb", "c:3:d", "")
GATEWAYS = ("a/0", "b/0")


@pytest.fixture
def server(tmp_path):
    running = RedisServer(tmp_path)
    yield running
    running.kill()


def used(limiters: list[Limiter], rule_id: str, owner: str) -> int:
    counters = [limiter.find(rule_id, owner) for limiter in limiters]
    return sum(counter.used(moment()) for counter in counters if counter is not None)


async def call(leases: Leases, user: str) -> Reservation:
    claims = PLAN.claims(user, None, {})
    found = leases.reserve(claims, Needs(50, 40), moment())
    found = found if isinstance(found, Reservation) else await found
    assert isinstance(found, Reservation)
    return found


def asked_of(server: RedisServer, **fields) -> Limiter | None:
    return asyncio.run(counted_in_redis(server.url, None, [RULES], LimitsQuestion(**fields)))


@pytest.mark.parametrize("seed", range(3))
def test_what_gateways_use_together_is_told_by_rule_and_owner(server, seed):
    chance, owns = random.Random(seed), [Limiter() for _ in GATEWAYS]

    async def main() -> None:
        leases = [
            Leases(own, Membership(name, (name,), fresh=True, share=True), LeaseRedis(server.url), ignored, ignored)
            for name, own in zip(GATEWAYS, owns, strict=True)
        ]
        for each in leases:
            each.start()
        async with asyncio.timeout(60):
            await until(lambda: all(each.state.phase == "in_touch" for each in leases))
            for number in range(60):
                one = leases[chance.randrange(2)]
                found = await call(one, chance.choice(USERS))
                if number % 4:  # the others go on
                    one.settle(found, Needs(chance.randrange(100), chance.randrange(80)), moment())
            # What is held for the next second counts in Redis, and is given back.
            holdings = [each._holdings for each in leases]
            await until(lambda: not any(lot for each in holdings for held in each._held.values() for lot in held.lots))
            await until(
                lambda: all(
                    each._outbox.empty and not one._line._asked for each, one in zip(holdings, leases, strict=True)
                )
            )
            found = await counted_in_redis(server.url, None, [RULES], LimitsQuestion())
            assert found is not None
            places = {place for own in owns for place in own.places()}
            assert {place: used([found], *place) for place in places} == {place: used(owns, *place) for place in places}
            assert all(used([found], *place) == 0 for place in set(found.places()) - places)
            assert sum(used(owns, *place) > 0 for place in places) > 10
            of_user = await counted_in_redis(server.url, None, [RULES], LimitsQuestion(user="böb", rule="user_limits"))
            assert of_user is not None
            assert {owner for _, owner in of_user.places()} == {"böb"}
            assert used([of_user], "acme/user_limits.requests_per_hour/hour", "böb") == used(
                owns, "acme/user_limits.requests_per_hour/hour", "böb"
            )
        for each in leases:
            await each.close()

    asyncio.run(main())


def ignored(*_) -> None:
    """Hear of nothing."""


def test_in_a_redis_in_which_nobody_counts_nothing_is_used(server):
    found = asked_of(server)
    assert found is not None
    assert len(found) == 0


def test_a_redis_that_is_not_there_says_nothing(server):
    server.kill()
    assert asked_of(server) is None


def test_a_redis_that_hangs_says_nothing(server):
    server.stop()
    assert asked_of(server) is None
