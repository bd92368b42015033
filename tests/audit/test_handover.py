import asyncio
import time

from trunkline.audit.files.flusher import Item
from trunkline.audit.files.handover import CROWD, CROWD_REST, LONGEST_REST, Handover

A, B, C = (Item(frames, 1) for frames in (b"a", b"b", b"c"))


def gathering():
    handed = []
    handover = Handover(handed.append)
    return handover, handed


async def until(condition):
    while not condition():  # noqa: ASYNC110 - what is waited for is a timer of the handover's own
        await asyncio.sleep(0)


def test_without_a_loop_everything_goes_over_at_once():
    handover, handed = gathering()
    handover.add(A)
    handover.add(B)
    assert handed == [[A], [B]]


def test_what_is_waited_for_goes_over_at_the_turns_end_with_all_before_it():
    async def story():
        handover, handed = gathering()
        handover.loop = asyncio.get_running_loop()
        handover.add(A)
        handover.add(B)
        handover.hurry()
        handover.add(C)  # in the same turn
        assert handed == []
        await asyncio.sleep(0)
        assert handed == [[A, B, C]]

    asyncio.run(story())


def test_what_nobody_waits_for_goes_over_a_little_later():
    async def story():
        handover, handed = gathering()
        handover.loop = asyncio.get_running_loop()
        began = time.monotonic()
        handover.add(A)
        await until(lambda: handed)
        assert handed == [[A]]
        assert time.monotonic() - began >= LONGEST_REST * 0.9
        handover.add(B)
        await until(lambda: len(handed) == 2)
        assert handed[1] == [B]

    asyncio.run(story())


def test_nothing_is_handed_over_twice_or_empty():
    async def story():
        handover, handed = gathering()
        handover.loop = asyncio.get_running_loop()
        handover.hurry()
        handover.add(A)
        handover.hurry()
        handover.hurry()
        handover.now()
        await until(lambda: handover._timer is None)
        assert handed == [[A]]

    asyncio.run(story())


def test_a_crowd_waits_a_moment_for_what_the_next_turns_bring():
    async def story():
        handover, handed = gathering()
        handover.loop = asyncio.get_running_loop()
        crowd = [Item(b"%d" % number, 1) for number in range(CROWD)]
        began = time.monotonic()
        for item in crowd:
            handover.add(item)
        handover.hurry()
        await asyncio.sleep(0)
        handover.add(A)
        handover.hurry()
        await asyncio.sleep(0)
        await until(lambda: handed)
        assert handed == [[*crowd, A]]
        assert time.monotonic() - began >= CROWD_REST * 0.9

    asyncio.run(story())


def test_one_piece_less_than_a_crowd_waits_for_nothing():
    async def story():
        handover, handed = gathering()
        handover.loop = asyncio.get_running_loop()
        few = [Item(b"%d" % number, 1) for number in range(CROWD - 1)]
        for item in few:
            handover.add(item)
        handover.hurry()
        await asyncio.sleep(0)
        assert handed == [few]

    asyncio.run(story())


def test_a_crowd_is_handed_over_at_once_where_somebody_cannot_wait():
    async def story():
        handover, handed = gathering()
        handover.loop = asyncio.get_running_loop()
        for number in range(CROWD):
            handover.add(Item(b"%d" % number, 1))
        handover.hurry()
        await asyncio.sleep(0)
        handover.now()
        assert [len(work) for work in handed] == [CROWD]
        await until(lambda: handover._timer is None)  # by then the crowd's moment is over as well
        assert [len(work) for work in handed] == [CROWD]

    asyncio.run(story())
