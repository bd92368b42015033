"""The log of calls: no keys, bounded, and events instead of sleeps."""

import asyncio

import pytest

from trunkline.simulator.calls import HIDDEN, KEPT, CallLog
from trunkline.wire.request import Request


def request(headers=None):
    return Request(b"POST", b"/v1/messages", "/v1/messages", headers or {}, b"{}", 0, "127.0.0.1:1")


@pytest.mark.parametrize("name", [b"authorization", b"x-api-key", b"api-key", b"cookie", b"proxy-authorization"])
def test_a_call_does_not_hold_the_value_of_a_key(name):
    call = CallLog().open(request({name: b"sk-secret", b"user-agent": b"test"}), {})
    assert call.headers == {name.decode(): HIDDEN, "user-agent": "test"}
    held = [getattr(call, slot) for slot in call.__slots__]
    assert "sk-secret" not in repr((call, held))


def test_the_log_is_a_ring_and_its_count_goes_on():
    log = CallLog()
    for _ in range(KEPT + 5):
        log.open(request(), None)
    assert log.seen == KEPT + 5
    assert len(log.calls) == KEPT
    assert (log.calls[0].number, log.calls[-1].number) == (6, KEPT + 5)


def test_waiting_ends_with_the_event_that_was_waited_for():
    async def main():
        log = CallLog()
        waits = [
            asyncio.create_task(wait)
            for wait in (log.until_seen(2), log.until_seen(2), log.until_left(1), log.until_ended(2))
        ]
        first = log.open(request(), None)
        log.open(request(), None)
        await asyncio.gather(*waits[:2])
        assert not waits[2].done()
        log.client_left(first)
        log.close(first)
        await waits[2]
        assert first.client_left
        assert not waits[3].done()
        log.close(log.calls[1])
        await waits[3]

    asyncio.run(asyncio.wait_for(main(), 10))


def test_a_wait_that_is_cancelled_does_not_end_the_others():
    async def main():
        log = CallLog()
        gone, staying = (asyncio.create_task(log.until_seen(1)) for _ in range(2))
        await asyncio.wait({gone, staying}, timeout=0)
        gone.cancel()
        log.open(request(), None)
        await staying
        assert gone.cancelled() or gone.done()

    asyncio.run(asyncio.wait_for(main(), 10))
