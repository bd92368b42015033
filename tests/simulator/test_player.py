"""The player: order, pace, pings and slow readers, against a responder that writes down what it is told."""

import asyncio

import pytest

from trunkline.simulator.plan import Ending, Plan
from trunkline.simulator.player import play


class Tape:
    """A responder without a connection, with the time of each thing it was told."""

    def __init__(self, *, congested=False):
        self.told = []
        self.times = []
        self.started = False
        self.congested = congested
        self.heard = asyncio.Event()
        self._awaited = None

    async def until(self, what, count=1):
        """Wait until it was told something so many times."""
        self._awaited = (what, count)
        await self.heard.wait()

    def _note(self, *what):
        self.told.append(what)
        self.times.append(asyncio.get_running_loop().time())
        if self._awaited is not None and self.told.count(self._awaited[0]) >= self._awaited[1]:
            self.heard.set()

    def start(self, status, headers):
        self.started = True
        self._note("start", status)

    def send(self, status, headers, body):
        self._note("send", status, body)

    def write(self, data):
        self._note("write", data)

    def finish(self, data=b""):
        self._note("finish", data)

    def abort(self):
        self._note("abort")

    def unframe(self):
        self.started = True
        self._note("unframe")

    async def drain(self):
        self._note("drain")
        self.congested = False


def play_on(tape, plan):
    asyncio.run(asyncio.wait_for(play(plan, tape), 10))
    return tape


def stream(**fields):
    pieces = [b"1", b"2", b"3"]
    return Plan(**{"headers": b"", "opening": b"o", "pieces": pieces, "closing": b"c", **fields})


WHOLE = [("start", 200), ("write", b"o"), ("write", b"1"), ("write", b"2"), ("write", b"3"), ("finish", b"c")]


@pytest.mark.parametrize("interval", [0.0, 0.0001])
def test_a_stream_is_played_in_order_paced_or_not(interval):
    assert play_on(Tape(), stream(interval=interval)).told == WHOLE


def test_a_paced_stream_takes_its_time_and_none_of_its_pieces_comes_early():
    tape = play_on(Tape(), stream(interval=0.004, first_after=0.002))
    started = tape.times[0]
    for index in range(3):
        assert tape.times[2 + index] - started >= 0.002 + index * 0.004 - 0.001


def test_a_head_can_come_before_the_first_token_with_pings_between():
    tape = play_on(Tape(), stream(first_after=0.01, ping=b"p", ping_every=0.002))
    assert tape.told[:2] == WHOLE[:2]
    assert ("write", b"p") in tape.told
    assert [told for told in tape.told if told != ("write", b"p")] == WHOLE


def test_no_byte_comes_before_its_latency():
    async def main():
        began = asyncio.get_running_loop().time()
        tape = Tape()
        await play(Plan(headers=b"", body=b"{}", head_after=0.003), tape)
        return tape.times[0] - began

    assert asyncio.run(asyncio.wait_for(main(), 10)) >= 0.002


def test_a_client_that_reads_slowly_is_waited_for():
    tape = play_on(Tape(congested=True), stream())
    assert tape.told.count(("drain",)) == 1
    assert [told for told in tape.told if told != ("drain",)] == WHOLE


def test_a_whole_answer_is_sent_at_once():
    assert play_on(Tape(), Plan(headers=b"", body=b"{}")).told == [("send", 200, b"{}")]


def test_a_stall_pings_until_it_is_cancelled():
    async def main():
        tape = Tape()
        plan = stream(ending=Ending.STALLED, ping=b"p", ping_every=0.0001)
        task = asyncio.create_task(play(plan, tape))
        await tape.until(("write", b"p"), 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ("finish", b"c") not in tape.told

    asyncio.run(asyncio.wait_for(main(), 10))


def test_a_cancelled_paced_stream_writes_nothing_more():
    async def main():
        tape = Tape()
        task = asyncio.create_task(play(stream(interval=0.0005), tape))
        await tape.until(("write", b"1"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        told = list(tape.told)
        passed = asyncio.Event()
        asyncio.get_running_loop().call_later(0.003, passed.set)
        await passed.wait()
        assert tape.told == told

    asyncio.run(asyncio.wait_for(main(), 10))


def test_a_dripping_response_comes_byte_by_byte():
    plan = Plan(headers=b"", silent=True, raw=b"HTTP", drip=1e-6, ending=Ending.CLOSED)
    told = play_on(Tape(), plan).told
    assert told == [("unframe",), *(("write", byte) for byte in (b"H", b"T", b"T", b"P")), ("finish", b"")]
