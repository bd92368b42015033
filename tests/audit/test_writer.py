import asyncio
import errno
import json
import random
import stat

import pytest
import uvloop

from audit.disks import ForgettingDisk, SlowDisk
from audit.logs import ORIGIN, SETTINGS, Events, bodies, closed, open_log, opened, records, request_of, whole
from trunkline import __version__
from trunkline.audit.files.writer import LogFailed, LogSettings, LogWriter

PATIENCE = 20  # seconds; only so that a test that hangs ends


def test_what_is_appended_is_read_in_order_with_its_bodies(tmp_path):
    async def story():
        log, _ = open_log(tmp_path / "log")
        assert log.durable < opened(log, "c1", size=900)
        reference = log.append_body("c1", {"response": b"first half, ", "response_timing": b"[[1,12]]"})
        end = closed(log, "c1", frames=[reference], bodies={"response": [b"second ", b"half"]})
        await log.wait(end)
        assert log.durable >= end
        await log.close()

    uvloop.run(story())
    found = records(tmp_path / "log")
    assert [record.type for record in found] == ["log.started", "call.opened", "call.closed", "log.sealed"]
    assert [record.index for record in found] == [0, 1, 2, 3]
    assert [json.loads(record.bytes)["index"] for record in found] == [0, 1, 2, 3]
    assert all(json.loads(record.bytes)["log"] == ORIGIN for record in found)
    assert bodies(tmp_path / "log", found[1]) == [{"request": request_of("c1", 900)}]
    first, second = bodies(tmp_path / "log", found[2])
    assert first == {"response": b"first half, ", "response_timing": b"[[1,12]]"}
    assert second == {"response": b"second half"}


def test_a_log_begins_with_its_build_and_what_was_recovered(tmp_path):
    log, found = open_log(tmp_path / "log")
    log.close_sync()
    started = json.loads(records(tmp_path / "log")[0].bytes)
    assert (found.open_calls, found.next_index) == ([], 0)
    assert started["build"] == __version__
    assert started["recovered"] == {"records": 0, "open_calls": 0, "cut_at": 0, "cut_bytes": 0}


def test_a_segment_that_is_full_is_sealed_and_the_next_one_begins(tmp_path):
    async def story():
        log, _ = open_log(tmp_path / "log")
        for number in range(200):
            position = opened(log, f"c{number}", size=500)
            if number % 20:
                position = closed(log, f"c{number}")
            if number % 7 == 0:
                await log.wait(position)
        await log.close()

    asyncio.run(story())
    found = records(tmp_path / "log")
    assert [record.index for record in found] == list(range(len(found)))
    assert len([record for record in found if record.type.startswith("call.")]) == 390
    segments = sorted((tmp_path / "log").glob("*.seg"))
    assert len(segments) > 3
    assert [int(path.stem) for path in segments] == sorted({record.segment for record in found})
    sealed = [record for record in found if record.type == "log.sealed"]
    assert len(sealed) == len(segments)
    assert all(path.stat().st_size <= SETTINGS.segment_bytes for path in segments)


@pytest.mark.parametrize("error", [0, errno.EIO])
def test_a_log_keeps_the_segment_it_writes_and_the_one_before_in_memory_and_no_older_one(tmp_path, error):
    disk = ForgettingDisk(error)
    log, _ = open_log(tmp_path / "log", disk=disk)
    for number in range(400):
        opened(log, f"c{number}", size=500)
        closed(log, f"c{number}")
        if number % 20 == 0:
            log.flush()
    log.close_sync()
    segments = sorted(path.name for path in (tmp_path / "log").glob("*.seg"))
    assert len(segments) > 5
    assert disk.forgotten == segments[:-2]
    assert log.failure is None


def test_files_are_private_and_sealed_ones_read_only(tmp_path):
    log, _ = open_log(tmp_path / "a" / "log")
    log.flush()
    current = next((tmp_path / "a" / "log").glob("*.seg"))
    assert stat.S_IMODE(current.stat().st_mode) == 0o600
    assert current.stat().st_size == SETTINGS.segment_bytes
    log.close_sync()
    assert stat.S_IMODE(current.stat().st_mode) == 0o400
    assert current.stat().st_size < SETTINGS.segment_bytes
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "log").stat().st_mode) == 0o700
    others = [path for path in (tmp_path / "a" / "log").iterdir() if path != current]
    assert {stat.S_IMODE(path.stat().st_mode) for path in others} == {0o600}


def test_an_item_larger_than_a_segment_gets_one_of_its_own(tmp_path):
    log, _ = open_log(tmp_path / "log", LogSettings(segment_bytes=16384, min_free_bytes=0, compress_from=1 << 30))
    for number in range(3):
        opened(log, f"c{number}", size=100_000)
    log.close_sync()
    found = records(tmp_path / "log", "call.")
    assert [bodies(tmp_path / "log", record)[0]["request"] for record in found] == [
        request_of(f"c{number}", 100_000) for number in range(3)
    ]


def test_a_record_above_the_limit_spills_and_comes_back_whole(tmp_path):
    log, _ = open_log(tmp_path / "log")
    opened(log, "c1", parameters={"schema": "s" * 100_000})
    log.close_sync()
    (record,) = records(tmp_path / "log", "call.")
    assert len(record.bytes) < 2000
    assert whole(tmp_path / "log", record)["parameters"] == {"schema": "s" * 100_000}
    assert bodies(tmp_path / "log", record) == [{"request": request_of("c1")}]


def test_all_that_waits_while_one_flush_runs_is_the_next_one(tmp_path):
    disk = SlowDisk()

    async def story():
        log, _ = open_log(tmp_path / "log", LogSettings(segment_bytes=1 << 20, min_free_bytes=0), disk)
        disk.close_gate()
        gate = disk.gate
        first = opened(log, "first")
        await asyncio.to_thread(disk.entered.wait, PATIENCE)
        waiting = [asyncio.ensure_future(_wait(log, opened(log, f"c{number}"))) for number in range(50)]
        before = len(disk.flushed)
        gate.release(2)
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*waiting)
        assert log.durable >= first
        assert len(disk.flushed) == before + 2
        gate.release(1000)
        await log.close()

    asyncio.run(story())


async def _wait(log: LogWriter, position: int) -> None:
    await log.wait(position)


def test_waiting_for_what_is_durable_does_not_suspend(tmp_path):
    async def story():
        log, _ = open_log(tmp_path / "log")
        position = opened(log, "c1")
        log.wait_sync(position)
        log.wait_sync(position)
        with pytest.raises(StopIteration):
            log.wait(position).__await__().send(None)
        await log.close()

    asyncio.run(story())


def test_a_waiter_that_is_cancelled_disturbs_no_other(tmp_path):
    disk = SlowDisk()

    async def story():
        log, _ = open_log(tmp_path / "log", disk=disk)
        disk.close_gate()
        waiting = [asyncio.ensure_future(_wait(log, opened(log, f"c{number}"))) for number in range(4)]
        await asyncio.to_thread(disk.entered.wait, PATIENCE)
        waiting[1].cancel()
        disk.gate.release(1000)
        async with asyncio.timeout(PATIENCE):
            found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(one) for one in found] == [type(None), asyncio.CancelledError, type(None), type(None)]
        await log.close()

    asyncio.run(story())


def test_more_than_the_bound_is_not_taken_and_taken_again_when_it_is_through(tmp_path):
    disk = SlowDisk()
    settings = LogSettings(segment_bytes=1 << 20, min_free_bytes=0, queue_bytes=20_000)

    async def story():
        log, _ = open_log(tmp_path / "log", settings, disk)
        disk.close_gate()
        with pytest.raises(LogFailed, match="wait for the disk"):
            [opened(log, f"c{number}") for number in range(1000)]
        assert 20_000 < log.backlog < 30_000
        assert log.healthy
        with pytest.raises(LogFailed, match="wait for the disk"):
            log.append_body("c0", {"response": b"x"})
        disk.gate.release(1000)
        log.flush()
        assert log.backlog == 0
        async with asyncio.timeout(PATIENCE):
            await log.wait(opened(log, "again"))
        await log.close()

    asyncio.run(story())
    assert records(tmp_path / "log", "call.")[-1].id == "again"


def test_a_second_writer_is_refused_and_the_first_goes_on(tmp_path):
    log, _ = open_log(tmp_path / "log")
    with pytest.raises(LogFailed, match="in use by another process"):
        open_log(tmp_path / "log")
    log.wait_sync(opened(log, "c1"))
    log.close_sync()
    again, found = open_log(tmp_path / "log")
    assert [call.call for call in found.open_calls] == ["c1"]
    again.close_sync()


def test_a_closed_log_takes_nothing_and_closes_twice(tmp_path):
    async def story():
        log, _ = open_log(tmp_path / "log")
        await log.close()
        await log.close()
        assert not log.healthy
        with pytest.raises(LogFailed, match="closed"):
            opened(log, "late")
        log.heartbeat()

    asyncio.run(story())
    assert [record.type for record in records(tmp_path / "log")] == ["log.started", "log.sealed"]


def test_an_idle_log_beats_and_a_busy_one_does_not(tmp_path):
    now = [1_795_464_000_000_000_000]
    log, _ = open_log(tmp_path / "log", clock=lambda: now[0])
    for seconds in (4, 4, 4, 4, 4):
        now[0] += seconds * 10**9
        log.heartbeat()
    now[0] += 9 * 10**9
    opened(log, "c1")
    now[0] += 9 * 10**9
    log.heartbeat()
    log.close_sync()
    kinds = [record.type for record in records(tmp_path / "log")]
    assert kinds == ["log.started", "log.heartbeat", "call.opened", "log.sealed"]


def test_an_old_segment_is_sealed_though_it_is_not_full(tmp_path):
    now = [1_795_464_000_000_000_000]
    settings = LogSettings(segment_bytes=32768, min_free_bytes=0, segment_age=60)
    log, _ = open_log(tmp_path / "log", settings, clock=lambda: now[0])
    now[0] += 61 * 10**9
    log.heartbeat()
    log.heartbeat()
    opened(log, "c1")
    log.close_sync()
    found = records(tmp_path / "log")
    assert [(record.type, record.segment) for record in found] == [
        ("log.started", 0),
        ("log.sealed", 0),
        ("call.opened", 2),
        ("log.sealed", 2),
    ]


def test_bodies_kept_in_an_earlier_segment_are_found_from_a_later_record(tmp_path):
    log, _ = open_log(tmp_path / "log")
    opened(log, "stream")
    filler = random.Random(3).randbytes(2000)
    references = [log.append_body("stream", {"response": b"%d" % n, "filler": filler}) for n in range(60)]
    closed(log, "stream", frames=references)
    log.close_sync()
    (record,) = records(tmp_path / "log", "call.closed")
    assert len({reference.segment for reference in references}) > 2
    found = bodies(tmp_path / "log", record)
    assert [part["response"] for part in found] == [b"%d" % number for number in range(60)]


def test_flushes_are_counted_by_how_long_they_took(tmp_path):
    log, _ = open_log(tmp_path / "log")
    for number in range(5):
        log.wait_sync(opened(log, f"c{number}"))
    times = log.flush_times
    assert times.total == 6 == sum(times.counts)
    assert 0 < log.last_flush_seconds <= times.total_seconds
    log.close_sync()


def test_a_log_may_not_go_on_in_the_directory_of_another(tmp_path):
    open_log(tmp_path / "log")[0].close_sync()
    with pytest.raises(Exception, match="belongs to the log deployment/node/worker-0"):
        LogWriter.open(tmp_path / "log", "deployment/node/other", SETTINGS, on_event=Events())
