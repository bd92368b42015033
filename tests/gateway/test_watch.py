"""Deadlines of all calls on one timer, told from each other and from any other cancellation."""

import asyncio

import pytest
import uvloop

from trunkline.gateway.watch import LOOK_EVERY, DeadlinePassed, Deadlines, Watch


async def watched(total: float, wait, *, enter: tuple[str, float] | None = None) -> str:
    """Run `wait` under a watch; return the stage whose deadline passed, or `done`."""
    watch = Watch(Deadlines(asyncio.get_running_loop()), asyncio.current_task(), total)
    try:
        if enter is not None:
            watch.enter(*enter)
        await wait(watch)
        return "done"
    except asyncio.CancelledError:
        passed = watch.passed()
        if passed is None:
            raise
        assert isinstance(passed, DeadlinePassed)
        return passed.stage
    finally:
        watch.stop()


async def forever(_watch: Watch) -> None:
    await asyncio.get_running_loop().create_future()


def run(main) -> object:
    async def bounded():
        async with asyncio.timeout(10):
            return await main

    return uvloop.run(bounded())


def test_the_total_deadline_passes() -> None:
    assert run(watched(0.01, forever)) == "total"


@pytest.mark.parametrize("stage", ["first_token", "gap"])
def test_a_stage_passes_before_the_total(stage: str) -> None:
    assert run(watched(5.0, forever, enter=(stage, 0.01))) == stage


def test_the_total_passes_before_a_longer_stage() -> None:
    assert run(watched(0.01, forever, enter=("gap", 5.0))) == "total"


def test_a_stage_that_is_over_does_not_pass() -> None:
    async def leaving(watch: Watch) -> None:
        watch.leave()
        await forever(watch)

    assert run(watched(0.05, leaving, enter=("gap", 0.01))) == "total"


def test_a_stage_that_is_entered_again_begins_anew() -> None:
    async def again(watch: Watch) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(5):
            watch.enter("gap", 0.2)
            turn = loop.create_future()
            loop.call_later(0.06, turn.set_result, None)
            await turn

    assert run(watched(30.0, again)) == "done"


def test_a_shorter_stage_passes_in_place_of_a_longer_one() -> None:
    async def shorter(watch: Watch) -> None:
        watch.enter("gap", 5.0)
        watch.enter("first_token", 0.01)
        await forever(watch)

    assert run(watched(30.0, shorter)) == "first_token"


def test_after_a_stage_has_passed_the_next_one_and_the_total_still_hold() -> None:
    async def main() -> list[str]:
        watch = Watch(Deadlines(asyncio.get_running_loop()), asyncio.current_task(), 0.1)
        stages = []
        for stage in ("first_token", "first_token", None):
            if stage:
                watch.enter(stage, 0.01)
            try:
                await forever(watch)
            except asyncio.CancelledError:
                stages.append(watch.passed().stage)
        watch.stop()
        assert asyncio.current_task().cancelling() == 0
        return stages

    assert run(main()) == ["first_token", "first_token", "total"]


def test_a_cancellation_by_somebody_else_is_not_a_deadline() -> None:
    async def main() -> None:
        task = asyncio.create_task(watched(10.0, forever))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())


def test_a_client_that_leaves_as_a_deadline_passes_has_left() -> None:
    async def both(_watch: Watch) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        loop.call_at(loop.time() + 0.005, task.cancel)
        began = loop.time()
        loop.call_soon(lambda: [None for _ in iter(lambda: loop.time() - began > 0.03, True)])  # both are due at once
        await forever(_watch)

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(watched(0.006, both))

    run(main())


def test_what_remains_never_goes_below_zero() -> None:
    async def main() -> tuple[float, float]:
        deadlines = Deadlines(asyncio.get_running_loop())
        plenty, nothing = (Watch(deadlines, asyncio.current_task(), total) for total in (100.0, -1.0))
        remains = plenty.remaining(), nothing.remaining()
        plenty.stop()
        nothing.stop()
        return remains

    plenty, nothing = run(main())
    assert 99.0 < plenty <= 100.000001  # the sum of two times may be rounded up
    assert nothing == 0.0


def test_a_watch_that_is_stopped_cancels_nobody() -> None:
    async def main() -> str:
        loop = asyncio.get_running_loop()
        Watch(Deadlines(loop), asyncio.current_task(), 0.0).stop()
        turn = loop.create_future()
        loop.call_later(3 * LOOK_EVERY, turn.set_result, "undisturbed")
        return await turn

    assert run(main()) == "undisturbed"


def test_many_calls_share_one_timer_which_begins_again_after_the_last_of_them() -> None:
    async def main() -> tuple[list[str], str]:
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop)

        async def call(total: float) -> str:
            watch = Watch(deadlines, asyncio.current_task(), total)
            try:
                await loop.create_future()
            except asyncio.CancelledError:
                return watch.passed().stage
            finally:
                watch.stop()

        stages = await asyncio.gather(*(call(number / 500) for number in range(50)))
        again = await call(0.01)  # the timer has ended, or is about to: it begins again
        return stages, again

    stages, again = run(main())
    assert stages == ["total"] * 50
    assert again == "total"
