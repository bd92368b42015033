"""Uses of limits that several workers tell become one answer; one that is silent is named."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from trunkline.channel.link import Link
from trunkline.channel.messages import (
    FromControl,
    LimitsAsked,
    LimitsOf,
    LimitsQuestion,
    LimitsShown,
    LimitUse,
    ShowLimits,
    ToControl,
)
from trunkline.control.answers import Refused
from trunkline.control.limits_desk import MOST_SHOWN, LimitsDesk, together

ALL = LimitsQuestion()


def use(owner: str | None, used: int, reset: float | None = 0.0, rule: str = "user_limits.requests_per_minute"):
    return LimitUse("acme", rule, "user", owner, "requests", "minute", True, 10, used, reset)


def shown(*uses: LimitUse, number: int = 1, left_out: int = 0, held: int = 0) -> LimitsShown:
    return LimitsShown(number, uses, left_out, held)


def test_what_several_workers_use_is_added_up_and_the_most_used_comes_first():
    said = {
        0: shown(use("ann", 3, 20.0), use("bo", 4, 7.0), held=2),
        1: shown(use("ann", 5, 30.0), use("cleo", 7, None), left_out=6, held=1),
    }
    found = together(said, (0, 1), 10)
    assert [(one.owner, one.used, one.reset) for one in found.uses] == [
        ("ann", 8, 30.0), ("cleo", 7, None), ("bo", 4, 7.0)
    ]  # fmt: skip
    assert (found.left_out, found.held, found.silent) == (6, 3, ())


def counted_by(who: str, *uses: LimitUse, left_out: int = 0, held: int = 0) -> LimitsShown:
    return LimitsShown(1, uses, left_out, held, who)


def test_what_all_gateways_use_is_not_added_to_what_one_of_them_does():
    own, of_all = use("ann", 3), [use("ann", 9), use("bo", 4)]
    said = {0: counted_by("redis", *of_all, left_out=2, held=1), 1: counted_by("this_gateway", own, held=4)}
    found = together(said, (0, 1, 2), 1)
    assert [(one.owner, one.used) for one in found.uses] == [("ann", 9)]
    assert (found.left_out, found.held, found.silent, found.counted_by) == (3, 5, (), "redis")


def test_where_redis_does_not_say_the_workers_of_this_gateway_are_added_up():
    said = {0: counted_by("this_gateway", use("ann", 3)), 1: counted_by("this_gateway", use("ann", 2))}
    found = together(said, (0, 1), 10)
    assert [(one.owner, one.used) for one in found.uses] == [("ann", 5)]
    assert found.counted_by == "this_gateway"
    assert together({0: shown(use("ann", 3))}, (0,), 10).counted_by == "workers"


def test_what_never_ends_in_one_worker_never_ends():
    found = together({0: shown(use("ann", 1, None)), 1: shown(use("ann", 1, 5.0))}, (0, 1), 10)
    assert [(one.used, one.reset) for one in found.uses] == [(2, None)]


def test_a_rule_that_one_worker_finds_unused_is_in_use_where_another_knows_by_whom():
    other = use(None, 0, rule="user_limits.tokens_per_day")
    found = together({0: shown(use(None, 0), other), 1: shown(use("ann", 1), other)}, (0, 1), 10)
    assert [(one.rule, one.owner) for one in found.uses] == [
        ("user_limits.requests_per_minute", "ann"),
        ("user_limits.tokens_per_day", None),
    ]


def test_what_is_beyond_the_most_is_counted():
    found = together({0: shown(*(use(f"u{n}", n + 1) for n in range(5)), left_out=4)}, (0,), 2)
    assert [one.owner for one in found.uses] == ["u4", "u3"]
    assert found.left_out == 3 + 4


@asynccontextmanager
async def desk():
    """A desk, and the supervisor's end of its channel."""
    ours, theirs = socket.socketpair()
    link: Link[ToControl] = await Link.open(ours, ToControl)
    supervisor: Link[FromControl] = await Link.open(theirs, FromControl)
    try:
        yield LimitsDesk(link), supervisor
    finally:
        await link.close(0)
        await supervisor.close(0)


def test_it_waits_for_every_worker_that_was_asked_and_takes_no_late_answer():
    async def main():
        async with desk() as (limits, supervisor):
            asking = asyncio.create_task(limits.ask(LimitsQuestion(user="ann", most=3)))
            order = await supervisor.receive()
            assert order == ShowLimits(1, LimitsQuestion(user="ann", most=MOST_SHOWN))
            limits.take(LimitsOf(0, shown(use("ann", 1), number=99)))  # of a question that nobody asks any more
            limits.take(LimitsOf(1, shown(use("ann", 2))))  # quicker than the word of who was asked
            limits.take(LimitsAsked(1, (0, 1)))
            assert not asking.done()
            limits.take(LimitsOf(0, shown(use("ann", 1))))
            assert [one.used for one in (await asking).uses] == [3]
            limits.take(LimitsOf(0, shown(use("ann", 1))))

    asyncio.run(main())


def test_a_worker_that_is_silent_is_named_and_none_at_all_is_an_error():
    async def main():
        async with desk() as (limits, _):
            asking = asyncio.create_task(limits.ask(ALL, within=0.05))
            await asyncio.sleep(0)
            limits.take(LimitsAsked(1, (0, 1)))
            limits.take(LimitsOf(0, shown(use("ann", 1))))
            found = await asking
            assert ([one.used for one in found.uses], found.silent) == ([1], (1,))
            with pytest.raises(Refused, match="no worker has answered"):
                await limits.ask(ALL, within=0.01)
            asking = asyncio.create_task(limits.ask(ALL))
            await asyncio.sleep(0)
            limits.take(LimitsAsked(3, ()))
            with pytest.raises(Refused, match="no worker has answered"):
                await asking

    asyncio.run(main())


def test_more_than_can_be_shown_is_refused():
    async def main():
        async with desk() as (limits, _):
            for most in (0, MOST_SHOWN + 1):
                with pytest.raises(Refused, match="1 to 2,000"):
                    await limits.ask(LimitsQuestion(most=most))

    asyncio.run(main())
