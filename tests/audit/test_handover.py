import asyncio
import time

from trunkline.audit.files.handover import LONGEST_REST, Handover


def gathering():
    handed = []
    handover = Handover(handed.append)
    return handover, handed


async def until(condition):
    while not condition():  # noqa: ASYNC110 - what is waited for is a timer of the handover's own
        await asyncio.sleep(0)


def test_without_a_loop_everything_goes_over_at_once():
    handover, handed = gathering()
    handover.add("a")
    handover.add("b")
    assert handed == [["a"], ["b"]]


def test_what_is_waited_for_goes_over_at_the_turns_end_with_all_before_it():
    async def story():
        handover, handed = gathering()
        handover.loop = asyncio.get_running_loop()
        handover.add("opened")
        handover.add("closed")
        handover.hurry()
        handover.add("appended in the same turn")
        assert handed == []
        await asyncio.sleep(0)
        assert handed == [["opened", "closed", "appended in the same turn"]]

    asyncio.run(story())


def test_what_nobody_waits_for_goes_over_a_little_later():
    async def story():
        handover, handed = gathering()
        handover.loop = asyncio.get_running_loop()
        began = time.monotonic()
        handover.add("opened")
        await until(lambda: handed)
        assert handed == [["opened"]]
        assert time.monotonic() - began >= LONGEST_REST * 0.9
        handover.add("again")
        await until(lambda: len(handed) == 2)
        assert handed[1] == ["again"]

    asyncio.run(story())


def test_nothing_is_handed_over_twice_or_empty():
    async def story():
        handover, handed = gathering()
        handover.loop = asyncio.get_running_loop()
        handover.hurry()
        handover.add("a")
        handover.hurry()
        handover.hurry()
        handover.now()
        await until(lambda: handover._timer is None)
        assert handed == [["a"]]

    asyncio.run(story())
