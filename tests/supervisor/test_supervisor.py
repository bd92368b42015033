"""The supervisor over real processes that behave as badly as a test asks."""

import asyncio
import os
import signal

from running_supervisor import supervising


def digests(supervisor):
    return [slot.state.digest for slot in supervisor._slots]


def test_a_snapshot_is_in_force_on_every_worker(tmp_path):
    async def main():
        async with supervising(tmp_path, ["one", "two"]) as (supervisor, _, lines):
            assert (await lines.until("published"))["digest"] == "one"
            assert (await lines.until("published"))["digest"] == "two"
            await lines.until("done")
            assert digests(supervisor) == ["two", "two"]
            # Those who publish without secrets mean the ones that are known.
            assert [slot.given.secrets["openai"].api_keys for slot in supervisor._slots] == [("one",), ("one",)]

    asyncio.run(main())


def test_a_snapshot_that_a_worker_cannot_load_is_in_force_on_none(tmp_path):
    async def main():
        async with supervising(tmp_path, ["one", "bad-two"]) as (supervisor, _, lines):
            failed = await lines.until("publish_failed")
            assert failed["digest"] == "bad-two"
            assert failed["reason"] == "worker 0: it is bad; worker 1: it is bad"
            await lines.until("done")
            assert [slot.given.digest for slot in supervisor._slots] == ["one", "one"]
            assert digests(supervisor) == ["one", "one"]

    asyncio.run(main())


def test_a_worker_that_does_not_answer_is_killed_and_the_old_snapshot_stays(tmp_path):
    async def main():
        async with supervising(tmp_path, ["one", "mute-two"]) as (supervisor, _, lines):
            assert "worker 0 did not answer within 1 s" in (await lines.until("publish_failed"))["reason"]
            for slot in supervisor._slots:
                while slot.state.restarts == 0 or not slot.state.ready:
                    await changed(supervisor)
            assert digests(supervisor) == ["one", "one"]

    asyncio.run(main())


def test_a_worker_that_dies_of_a_snapshot_gets_the_one_before(tmp_path):
    async def main():
        async with supervising(tmp_path, ["one", "deadly-two", "three"]) as (supervisor, _, lines):
            assert "died" in (await lines.until("publish_failed"))["reason"]
            assert (await lines.until("published"))["digest"] == "three"
            for slot in supervisor._slots:
                while not slot.state.ready:
                    await changed(supervisor)
            assert digests(supervisor) == ["three", "three"]

    asyncio.run(main())


def test_a_first_snapshot_that_cannot_be_loaded_ends_the_start(tmp_path):
    async def main():
        async with supervising(tmp_path, ["bad-one"]) as (_, running, lines):
            assert "it is bad" in (await lines.until("start_failed"))["reason"]
            assert await running == 1

    asyncio.run(main())


def test_a_worker_that_dies_before_it_takes_a_call_ends_the_start(tmp_path):
    async def main():
        async with supervising(tmp_path, ["one"], worker="stillborn") as (_, running, lines):
            assert (await lines.until("worker_died"))["status"] == 3
            assert await running == 1

    asyncio.run(main())


def test_what_died_is_replaced_and_gets_what_is_in_force(tmp_path):
    async def main():
        async with supervising(tmp_path, ["one"]) as (supervisor, running, lines):
            await lines.until("done")
            os.kill(supervisor._slots[1].state.pid, signal.SIGKILL)
            assert (await lines.until("worker_died"))["worker"] == 1
            while supervisor._slots[1].state.restarts == 0 or not supervisor._slots[1].state.ready:
                await changed(supervisor)
            assert digests(supervisor) == ["one", "one"]
            os.kill(supervisor._control._child.pid, signal.SIGKILL)
            assert (await lines.until("control_died"))["status"] == -signal.SIGKILL
            await lines.until("resumed")
            assert not running.done()

    asyncio.run(main())


def test_sigterm_drains_the_workers_and_then_stops_control(tmp_path):
    async def main():
        async with supervising(tmp_path, ["one"]) as (supervisor, running, lines):
            await lines.until("done")
            os.kill(os.getpid(), signal.SIGTERM)
            assert (await lines.until("draining"))["seconds"] == 1.0
            assert await running == 0
            assert [slot.state.pid for slot in supervisor._slots] == [None, None]

    asyncio.run(main())


def test_the_data_directory_is_free_again_at_the_end(tmp_path):
    async def main():
        for _ in range(2):
            async with supervising(tmp_path, ["one"]) as (_, _, lines):
                await lines.until("done")

    asyncio.run(main())


async def changed(supervisor):
    """Wait until a worker's state changes."""
    supervisor._changed.clear()
    await supervisor._changed.wait()
