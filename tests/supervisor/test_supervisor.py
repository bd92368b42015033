"""The supervisor over real processes that behave as badly as a test asks."""

import asyncio
import json
import os
import signal

from running_supervisor import supervising
from stand_ins import NEWS

from trunkline.channel.messages import Load, Logging, Publish


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
            assert [slot.given.secrets.providers["openai"].api_keys for slot in supervisor._slots] == [
                ("one",),
                ("one",),
            ]

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


def test_a_worker_that_is_slow_keeps_its_calls_and_goes_back_to_the_old_snapshot(tmp_path):
    async def main():
        async with supervising(tmp_path, ["one", "slow-two", "three", "slow-four"]) as (supervisor, _, lines):
            await lines.until("published", digest="one")
            pids = [slot.state.pid for slot in supervisor._slots]
            assert "worker 0 did not answer within 1 s" in (await lines.until("publish_failed"))["reason"]
            # What comes next is not mixed up with the answers that came late.
            await lines.until("published", digest="three")
            assert digests(supervisor) == ["three", "three"]
            await lines.until("publish_failed", digest="slow-four")
            assert [slot.given.digest for slot in supervisor._slots] == ["three", "three"]
            while any(slot._answers for slot in supervisor._slots):
                await changed(supervisor)
            assert digests(supervisor) == ["three", "three"]
            assert [(slot.state.pid, slot.state.restarts) for slot in supervisor._slots] == [(pid, 0) for pid in pids]

    asyncio.run(main())


def test_a_worker_that_hangs_is_replaced_and_gets_the_old_snapshot(tmp_path, monkeypatch):
    monkeypatch.setattr("trunkline.supervisor.slot.HUNG_AFTER", 0.05)

    async def main():
        async with supervising(tmp_path, ["one", "mute-two"]) as (supervisor, _, lines):
            assert "worker 0 did not answer within 1 s" in (await lines.until("publish_failed"))["reason"]
            assert (await lines.until("worker_replaced", worker=0))["reason"] == "it does not answer any more"
            for slot in supervisor._slots:
                while slot.state.restarts == 0 or not slot.state.ready:
                    await changed(supervisor)
            assert digests(supervisor) == ["one", "one"]

    asyncio.run(main())


def test_a_worker_that_carries_calls_and_says_nothing_any_more_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr("trunkline.supervisor.slot.LOOK_EVERY", 0.02)

    async def main():
        async with supervising(tmp_path, ["one"]) as (_, _, lines):
            replaced = await lines.until("worker_replaced")  # a stand-in reports nothing
            assert replaced["reason"] == "it has said nothing for 0.1 s"
            assert (await lines.until("worker_died", worker=replaced["worker"]))["status"] == -signal.SIGKILL

    asyncio.run(main())


def test_a_worker_that_is_starting_is_not_waited_for_and_gets_the_snapshot_next(tmp_path):
    async def main():
        async with supervising(tmp_path, ["one"], worker="once-slow") as (supervisor, _, lines):
            await lines.until("done")
            slot = supervisor._slots[1]
            os.kill(slot.state.pid, signal.SIGKILL)
            while slot.given is None or slot.state.restarts == 0:
                await changed(supervisor)
            starting = slot.state.pid
            await supervisor._publish(Publish("/two", "two", None, 1.0, Logging("json")))
            assert supervisor._in_force.digest == "two"
            while slot.state.digest != "two":
                await changed(supervisor)
            assert digests(supervisor) == ["two", "two"]
            assert slot.state.pid == starting

    asyncio.run(main())


def test_what_one_worker_has_learnt_is_told_to_the_others_and_not_to_itself(tmp_path):
    async def main():
        async with supervising(tmp_path, ["one", "telling-two"]) as (supervisor, _, lines):
            heard = await lines.until("not_ready")
            digest, _, news = heard["reason"].partition(" ")
            assert (heard["worker"], digest) == (0, "telling-two")
            assert json.loads(news) == NEWS
            assert [slot.state.ready for slot in supervisor._slots] == [False, True]

    asyncio.run(main())


def test_a_worker_that_has_drained_listens_no_more(tmp_path):
    async def main():
        async with supervising(tmp_path, ["one"]) as (supervisor, running, lines):
            await lines.until("done")
            os.kill(supervisor._slots[1].state.pid, signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGTERM)
            while supervisor._sockets[0].fileno() != -1:
                await changed(supervisor)
            assert supervisor._sockets[1].fileno() != -1
            os.kill(supervisor._slots[1].state.pid, signal.SIGCONT)
            assert await running == 0

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


def test_what_is_published_during_a_drain_is_refused_and_no_worker_is_touched(tmp_path):
    async def main():
        async with supervising(tmp_path, ["one", "late-two"]) as (supervisor, running, lines):
            await lines.until("waiting")
            workers = [slot.state.pid for slot in supervisor._slots]
            for pid in workers:
                os.kill(pid, signal.SIGSTOP)  # as with calls in flight: the drain takes its time
            os.kill(os.getpid(), signal.SIGTERM)
            failed = await lines.until("publish_failed")
            assert (failed["digest"], failed["reason"]) == ("late-two", "draining")
            assert [(slot.state.pid, slot.given.digest) for slot in supervisor._slots] == [
                (pid, "one") for pid in workers
            ]
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
            assert await running == 0

    asyncio.run(main())


def test_a_worker_that_drains_is_not_killed_for_a_load_that_it_never_answers(tmp_path, monkeypatch):
    monkeypatch.setattr("trunkline.supervisor.slot.HUNG_AFTER", 0.0)

    async def main():
        async with supervising(tmp_path, ["one"]) as (supervisor, running, lines):
            await lines.until("done")
            slot = supervisor._slots[0]
            os.kill(slot.state.pid, signal.SIGSTOP)  # whatever it is sent, it does not answer
            asked = asyncio.create_task(slot.load(Load("/two", "two", {}), 0.0))
            assert "did not answer" in await asked
            slot.drain(1.0)
            slot.follow()
            assert await slot.load(Load("/three", "three", {}), 1.0) == "draining"
            assert slot.given.digest == "two"
            os.kill(slot.state.pid, signal.SIGCONT)
            while slot.state.reason != "drained":
                await changed(supervisor)
            await running

    asyncio.run(main())


def test_workers_that_do_not_drain_are_cut_and_the_status_says_so(tmp_path):
    async def main():
        async with supervising(tmp_path, ["one"]) as (supervisor, running, lines):
            await lines.until("done")
            os.kill(supervisor._slots[1].state.pid, signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGTERM)
            await lines.until("draining")
            os.kill(os.getpid(), signal.SIGTERM)
            cut = await lines.until("cut")
            assert cut["reason"] == "a second signal, SIGTERM"
            assert cut["workers"] in {1, 2}  # the other one may have been done already
            assert await running == 1

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
