"""A log that cannot be opened is tried again where that can help, and the operator is told why, once."""

import asyncio
import json
import os
from functools import partial

import pytest

from gateway.running import until
from trunkline.audit.files.directories import lock_directory
from trunkline.audit.files.disk import Disk
from trunkline.audit.files.writer import LogFailed, LogSettings, LogWriter
from trunkline.gateway import log_opening
from trunkline.gateway.log_opening import LogOpening
from trunkline.gateway.record_log import UnopenedLog
from trunkline.operations import OperationalLog

SETTINGS = LogSettings(segment_bytes=64 << 10, min_free_bytes=1 << 20)
ORIGIN = "deployment/gw-1/worker-0"


class NarrowDisk(Disk):
    """Has no room while it is `full`; takes note of each look."""

    def __init__(self) -> None:
        self.full, self.looks = True, 0

    def free_bytes(self, path):
        self.looks += 1
        return 0 if self.full else super().free_bytes(path)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(log_opening, "RETRY_EVERY", 0.01)


@pytest.fixture
def operations(tmp_path):
    fd = os.open(tmp_path / "operations.log", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    log = OperationalLog(fd, "json", "info", "worker-0")
    yield log
    log.close()
    os.close(fd)


def said(tmp_path) -> list[tuple[str, str | None]]:
    lines = (tmp_path / "operations.log").read_text().splitlines()
    return [(line["event"], line.get("reason")) for line in map(json.loads, lines)]


def opening(tmp_path, operations, disk: Disk | None = None) -> LogOpening:
    open_log = partial(LogWriter.open, tmp_path / "log", ORIGIN, SETTINGS, disk=disk)
    return LogOpening(lambda on_event: open_log(on_event=on_event), operations)


async def opened_once(trying: LogOpening, mend) -> LogWriter:
    """Wait for the log while what is in its way is mended."""
    waiting = asyncio.create_task(trying.in_time())
    await mend()
    async with asyncio.timeout(10):
        found = await waiting
    assert found is not None
    return found[0]


def test_a_log_that_another_process_writes_is_opened_when_that_has_ended(tmp_path, operations):
    async def main():
        (tmp_path / "log").mkdir(mode=0o700)
        other = lock_directory(tmp_path / "log")
        trying = opening(tmp_path, operations)
        assert trying.now() is None

        async def mend():
            os.close(other)

        log = await opened_once(trying, mend)
        assert log.healthy
        await log.close()

    asyncio.run(main())
    ((event, reason),) = said(tmp_path)
    assert event == "log_failed"
    assert "in use by another process" in reason


def test_a_log_on_a_full_disk_is_opened_when_there_is_room(tmp_path, operations):
    async def main():
        LogWriter.open(tmp_path / "log", ORIGIN, SETTINGS, on_event=lambda *_, **__: None)[0].close_sync()
        disk = NarrowDisk()
        trying = opening(tmp_path, operations, disk)
        assert trying.now() is None

        async def mend():
            await until(lambda: disk.looks >= 6)
            disk.full = False

        log = await opened_once(trying, mend)
        assert log.healthy
        await log.close()

    asyncio.run(main())
    told = said(tmp_path)
    assert {event for event, _ in told} == {"log_failed"}
    assert all(reason.endswith("the disk is nearly full: 0 bytes are free") for _, reason in told)
    assert len(set(told)) == len(told)  # whichever of the threads sees it first, each reason once


def test_what_becomes_of_an_opened_log_is_said_at_once(tmp_path, operations):
    async def main():
        disk = NarrowDisk()
        disk.full = False
        log, _ = opening(tmp_path, operations, disk).now()
        log._flusher.fail("the disk is gone")
        log.heartbeat()
        assert said(tmp_path) == [("log_failed", "the disk is gone")]
        await log.close()

    asyncio.run(main())


def test_a_damaged_log_is_not_tried_again(tmp_path, operations):
    async def main():
        log, _ = opening(tmp_path, operations).now()
        await log.close()
        segment = next((tmp_path / "log").glob("*.seg"))
        segment.chmod(0o600)
        segment.write_bytes(b"no segment" * 1000)
        trying = opening(tmp_path, operations)
        assert trying.now() is None
        async with asyncio.timeout(10):
            assert await trying.in_time() is None

    asyncio.run(main())
    ((event, _),) = said(tmp_path)
    assert event == "log_corrupt"


def test_no_descriptor_is_left_behind_by_attempts_that_fail(tmp_path, operations):
    log, _ = opening(tmp_path, operations).now()
    log._flusher.fail("left open, as after a crash")
    log.close_sync()

    class Broken(Disk):
        def sync(self, fd):
            raise OSError("broken")

    trying = opening(tmp_path, operations, Broken())
    trying.now()
    before = os.listdir("/proc/self/fd")
    trying.now()
    assert os.listdir("/proc/self/fd") == before


def test_what_stands_in_for_a_log_takes_nothing():
    async def main():
        log = UnopenedLog()
        assert not log.healthy
        for attempt in (lambda: log.append("call.opened", "id", b"{}"), lambda: log.append_body("id", {})):
            with pytest.raises(LogFailed):
                attempt()
        with pytest.raises(LogFailed):
            await log.wait(1)
        log.heartbeat()
        await log.close()

    asyncio.run(main())
