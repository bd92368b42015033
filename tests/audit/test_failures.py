import asyncio
import contextlib
import errno
import fcntl
import os

import pytest

from audit.disks import OPERATIONS, FailingDisk, FullDisk, HangingDisk
from audit.logs import Events, bodies, closed, open_log, opened, records, request_of
from trunkline.audit.files.disk import Disk
from trunkline.audit.files.writer import LogFailed, LogSettings

PATIENCE = 20
CALLS = 40


async def carry(log, acknowledged):
    """Two callers whose calls go through several segments; note what was acknowledged."""

    async def caller(name):
        for number in range(CALLS):
            call = f"{name}{number}"
            await log.wait(opened(log, call, size=700))
            acknowledged.append(("call.opened", call))
            await log.wait(closed(log, call, bodies={"response": b"answer to " + call.encode()}))
            acknowledged.append(("call.closed", call))

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(caller("a"), caller("b"))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("after", "error"), [(0, errno.EIO), (1, errno.ENOSPC), (2, errno.EIO), (17, errno.ENOSPC)])
def test_after_any_failure_nothing_acknowledged_is_lost_and_nobody_hangs(tmp_path, operation, after, error):
    disk, events, acknowledged = FailingDisk(operation, after, error), Events(), []

    async def story():
        log, _ = open_log(tmp_path / "log", disk=disk, events=events)
        try:
            await carry(log, acknowledged)
        finally:
            await log.close()

    with contextlib.suppress(LogFailed):
        asyncio.run(story())
        assert not disk.failed or events.named("log_failed")
    assert len(events.named("log_failed")) <= 1

    again, _ = open_log(tmp_path / "log")
    again.close_sync()
    found = {(r.type, r.id.removeprefix("end-of-")): r for r in records(tmp_path / "log", "call.")}
    for kind, call in acknowledged:
        (body,) = bodies(tmp_path / "log", found[kind, call])
        assert body in ({"request": request_of(call, 700)}, {"response": b"answer to " + call.encode()})
    indexes = [record.index for record in records(tmp_path / "log")]
    assert indexes == list(range(len(indexes)))


def test_a_failed_flush_is_final_and_said_once(tmp_path):
    disk, events = FailingDisk("write_durably", 2), Events()

    async def story():
        log, _ = open_log(tmp_path / "log", disk=disk, events=events)
        log.wait_sync(opened(log, "c1"))
        position = opened(log, "c2")
        waiting = [asyncio.ensure_future(log.wait(position)) for _ in range(3)]
        async with asyncio.timeout(PATIENCE):
            found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(one) for one in found] == [LogFailed] * 3
        assert not log.healthy
        assert "Input/output error" in log.failure
        for attempt in (lambda: opened(log, "c3"), lambda: log.append_body("c1", {"response": b"x"}), log.flush):
            with pytest.raises(LogFailed, match="Input/output error"):
                attempt()
        with pytest.raises(LogFailed):
            await log.wait(position)
        log.heartbeat()
        await log.close()

    asyncio.run(story())
    assert len(events.named("log_failed")) == 1
    assert disk._left == -1  # the flush that failed was the last


def test_a_disk_that_hangs_fails_those_who_wait_within_the_bound(tmp_path):
    disk, events = HangingDisk(), Events()
    settings = LogSettings(segment_bytes=32768, min_free_bytes=0, flush_bound=0.1)

    async def story():
        log, _ = open_log(tmp_path / "log", settings, disk, events)
        assert log.healthy
        disk.hangs.set()
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(LogFailed, match=r"did not answer within 0.1 s"):
                await log.wait(opened(log, "c1"))
        assert not log.healthy
        with pytest.raises(LogFailed):
            opened(log, "c2")
        await log.close()
        with pytest.raises(LogFailed, match="in use by another"):  # the write may still happen
            open_log(tmp_path / "log", settings)
        disk.released.set()
        log._flusher.join(PATIENCE)
        await log.close()

    asyncio.run(story())
    assert len(events.named("log_failed")) == 1
    again, found = open_log(tmp_path / "log")
    assert [call.call for call in found.open_calls] == ["c1"]
    again.close_sync()


def test_a_disk_that_hangs_is_noticed_though_nobody_waits(tmp_path):
    disk = HangingDisk()
    log, _ = open_log(tmp_path / "log", LogSettings(segment_bytes=32768, min_free_bytes=0, flush_bound=0.01), disk)
    disk.hangs.set()
    opened(log, "c1")
    with pytest.raises(LogFailed, match="did not answer"):
        log.flush()
    assert not log.healthy
    disk.released.set()
    log.close_sync()


def test_a_disk_that_is_nearly_full_ends_the_log_before_its_last_block(tmp_path):
    disk, settings = FullDisk(1 << 30), LogSettings(segment_bytes=65536, min_free_bytes=1 << 20)

    async def story():
        log, _ = open_log(tmp_path / "log", settings, disk)
        await log.wait(opened(log, "c1"))
        disk.free = (1 << 20) - 1
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(LogFailed, match="nearly full"):
                await _until_it_fails(log)
        await log.close()

    asyncio.run(story())


def test_room_that_others_take_is_noticed_before_the_segment_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr("trunkline.audit.files.flusher.LOOK_EVERY", 0.0)
    disk = FullDisk(1 << 30)
    log, _ = open_log(tmp_path / "log", LogSettings(segment_bytes=65536, min_free_bytes=1 << 20), disk)
    log._flusher._following._making.join(PATIENCE)
    disk.free = (1 << 20) - 1
    opened(log, "c1")
    with pytest.raises(LogFailed, match="nearly full: 1048575 bytes are free"):
        log.flush()
    log.close_sync()


async def _until_it_fails(log):
    while True:
        await log.wait(opened(log, "c2", size=20))


def test_no_log_is_begun_on_a_full_disk(tmp_path):
    with pytest.raises(LogFailed, match="nearly full"):
        open_log(tmp_path / "log", LogSettings(segment_bytes=65536, min_free_bytes=1 << 20), FullDisk(1 << 20))
    open_log(tmp_path / "log")[0].close_sync()


def test_a_directory_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LogFailed):
        open_log(tmp_path / "file" / "log")


def test_a_write_that_the_kernel_takes_by_halves_is_completed(tmp_path, monkeypatch):
    real = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda fd, data, *rest: real(fd, [data[0][: max(1, len(data[0]) // 3)]], *rest))
    log, _ = open_log(tmp_path / "log")
    log.wait_sync(opened(log, "c1", size=5000))
    log.close_sync()
    (record,) = records(tmp_path / "log", "call.")
    assert bodies(tmp_path / "log", record) == [{"request": request_of("c1", 5000)}]


def test_a_kernel_that_takes_nothing_is_a_failure_and_no_endless_loop(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "pwritev", lambda *_: 0)
    with pytest.raises(LogFailed, match="took nothing"):
        open_log(tmp_path / "log")


def test_a_fault_of_ours_in_the_flusher_fails_the_log_and_leaves_nobody_waiting(tmp_path):
    class Faulty(Disk):
        broken = False

        def write_durably(self, fd, data, offset):
            if self.broken:
                raise KeyError("a mistake")
            super().write_durably(fd, data, offset)

    async def story():
        disk = Faulty()
        log, _ = open_log(tmp_path / "log", disk=disk)
        disk.broken = True
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(LogFailed, match="KeyError: 'a mistake'"):
                await log.wait(opened(log, "c1"))
        await log.close()

    asyncio.run(story())


def test_a_lock_that_cannot_be_taken_is_said(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(LogFailed, match="No locks available"):
        open_log(tmp_path / "log")


def test_a_record_that_is_too_long_whatever_is_spilled_is_refused_and_leaves_no_gap(tmp_path):
    log, _ = open_log(tmp_path / "log")
    with pytest.raises(LogFailed, match="above the limit"):
        log.append("score", "i" * 70_000, b"{}")
    opened(log, "c1")
    log.close_sync()
    assert [record.index for record in records(tmp_path / "log")] == [0, 1, 2]
