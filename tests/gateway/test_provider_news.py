"""What one worker finds out about a provider is said to the others, and believed by them."""

import asyncio

import pytest

from gateway.raw_client import hear
from gateway.running import FIRST_KEY, play, until
from trunkline.channel.messages import BreakerTurned, CapacityHeard, Hear, Heard, KeyRefused, TargetRests, UserAsked
from trunkline.gateway.upstreams import name_of
from trunkline.simulator import ErrorAnswer, Script

FIRST = "first/gpt-4o-mini"
GOOD = Script(text="All is well.")
LIMITED = Script(fault=ErrorAnswer(status=429, retry_after=30))
FAILING = Script(fault=ErrorAnswer(status=500))
REFUSED = Script(fault=ErrorAnswer(status=401))
OPENS_AT_ONCE = "breaker: {failures: 1, within: 30s, open_for: 20s}"
OTHER_KEY = "sk-other-Wn5rTq90ZxLp"
TWO_KEYS = f"[{FIRST_KEY}, {OTHER_KEY}]"


def tell(gateway, news, digest=None) -> None:
    gateway.link.send(Hear(digest or gateway.worker._endpoints.in_force.digest, news))


def test_a_rest_is_told_with_the_snapshot_that_it_is_of(tmp_path):
    async def story(gateway, simulator):
        await hear(gateway)
        heard = await gateway.told(Heard)
        assert heard == Heard(gateway.worker._endpoints.in_force.digest, TargetRests(FIRST, 30.0, "rate_limited"))

    play(tmp_path, story, LIMITED, GOOD)


def test_calls_in_flight_that_all_hear_of_one_rest_tell_it_once(tmp_path):
    limited = Script(fault=ErrorAnswer(status=429, retry_after=30), first_token=0.0)

    async def story(gateway, simulator):
        told = []

        async def listen():
            while True:
                told.append((await gateway.told(Heard)).news)

        listening = asyncio.create_task(listen())
        await asyncio.gather(*(hear(gateway) for _ in range(12)))
        tell(gateway, BreakerTurned(FIRST, 7.0))
        await until(lambda: gateway.health(FIRST).breaker.phase == "open")  # all that was said before has come
        listening.cancel()
        assert simulator.openai.call_count > 1
        # Each of them says half a minute from when it came; that it ends a few milliseconds later is no news.
        assert 1 <= len(told) < simulator.openai.call_count

    play(tmp_path, story, limited, GOOD)


def test_a_breaker_that_opens_and_closes_is_told(tmp_path):
    async def story(gateway, simulator):
        await hear(gateway)
        opened = (await gateway.told(Heard)).news
        assert opened.target == FIRST
        assert 19.0 < opened.seconds <= 20.0
        health = gateway.health(FIRST)
        health.breaker = health.breaker._replace(until=0.0)
        assert (await hear(gateway)).headers["x-trunkline-provider"] == "first"
        assert (await gateway.told(Heard)).news == BreakerTurned(FIRST, 0.0)

    play(tmp_path, story, [FAILING, GOOD], GOOD, route=OPENS_AT_ONCE)


def test_a_key_that_was_refused_is_told_by_a_name_that_is_not_the_key(tmp_path):
    async def story(gateway, simulator):
        await hear(gateway)
        news = (await gateway.told(Heard)).news
        assert news == KeyRefused("first", name_of(FIRST_KEY), None)
        assert FIRST_KEY not in repr(news)

    play(tmp_path, story, [REFUSED, GOOD], GOOD, first_key=TWO_KEYS)


@pytest.mark.parametrize(
    ("news", "reason"),
    [
        (TargetRests(FIRST, 30.0, "rate_limited"), "rate_limited"),
        (TargetRests(FIRST, 60.0, "unauthorized"), "unauthorized"),
        (BreakerTurned(FIRST, 20.0), "breaker_open"),
    ],
    ids=["rest", "key", "breaker"],
)
def test_what_another_worker_has_found_out_spares_the_provider_the_call(tmp_path, news, reason):
    async def story(gateway, simulator):
        tell(gateway, news)
        await until(lambda: gateway.health(FIRST).refuses(asyncio.get_running_loop().time(), None) is not None)
        assert (await hear(gateway)).headers["x-trunkline-provider"] == "second"
        assert gateway.record("call.closed")["attempts"][0]["reason"] == reason
        assert simulator.openai.call_count == 0

    play(tmp_path, story, GOOD, GOOD)


def test_a_breaker_that_closed_elsewhere_closes_here(tmp_path):
    async def story(gateway, simulator):
        tell(gateway, BreakerTurned(FIRST, 20.0))
        tell(gateway, BreakerTurned(FIRST, 0.0))
        tell(gateway, BreakerTurned("second/claude-haiku-4-5", 20.0))
        await until(lambda: gateway.health("second/claude-haiku-4-5").breaker.phase == "open")
        assert (await hear(gateway)).headers["x-trunkline-provider"] == "first"

    play(tmp_path, story, GOOD, GOOD)


def test_a_key_that_was_refused_elsewhere_is_not_used_here(tmp_path):
    async def story(gateway, simulator):
        tell(gateway, KeyRefused("first", name_of(FIRST_KEY), None))
        tell(gateway, KeyRefused("first", name_of("no key of ours"), None))
        tell(gateway, KeyRefused("no such provider", name_of(FIRST_KEY), None))
        account = gateway.upstream("first")
        await until(lambda: bool(account._resting))
        assert {account.next_key("gpt-4o-mini", asyncio.get_running_loop().time()) for _ in range(4)} == {OTHER_KEY}

    play(tmp_path, story, GOOD, GOOD, first_key=TWO_KEYS)


def test_what_is_told_of_another_snapshot_is_not_believed(tmp_path):
    async def story(gateway, simulator):
        tell(gateway, TargetRests(FIRST, 30.0, "unauthorized"), digest="of-another")
        tell(gateway, TargetRests("second/claude-haiku-4-5", 30.0, "rate_limited"))
        await until(lambda: gateway.health("second/claude-haiku-4-5").resting_until > 0.0)
        assert (await hear(gateway)).headers["x-trunkline-provider"] == "first"

    play(tmp_path, story, GOOD, GOOD)


def served(answers) -> int:
    return sum(heard.status == 200 for heard in answers)


async def burst_of(gateway, user):
    return await asyncio.gather(*(hear(gateway, {"model": "only-first", "user": user}) for _ in range(40)))


def test_who_asks_at_another_worker_counts_in_the_shares(tmp_path):
    async def story(gateway, simulator):
        for number in range(9):
            tell(gateway, UserAsked("first", "gpt-4o-mini", "harbor", 1, f"advisor-{number}"))
        shared = gateway.upstream("first").account._pool._tenants
        await until(lambda: "harbor" in shared and len(shared["harbor"].users) == 9)
        assert served(await burst_of(gateway, "ada")) == 30
        # In the open 18 are left; of the reserve, a share among twelve is less than that.
        assert served(await burst_of(gateway, "bea")) == 18

    play(tmp_path, story, GOOD, GOOD, first_account=", capacity: {requests_per_minute: 60}")


def test_what_a_provider_has_said_to_another_worker_is_shared_here_too(tmp_path):
    later = Script(text="All is well.", first_token=0.5)  # than all have asked: what its own answers say comes first

    async def story(gateway, simulator):
        tell(gateway, CapacityHeard("first", "gpt-4o-mini", 60, 0))
        account = gateway.upstream("first").account
        await until(lambda: account.of("gpt-4o-mini")._heard == (60, 0))
        assert served(await burst_of(gateway, "ada")) == 30

    play(tmp_path, story, later, GOOD)
