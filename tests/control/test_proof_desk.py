"""Control's proof desk with a real journal: it signs what there is, to the end, and says why where it does not."""

import asyncio
import json
import os
import time
from contextlib import asynccontextmanager

import pytest

from audit.logs import Events, closed, opened
from trunkline.audit.files.data_dir import open_data_dir
from trunkline.audit.files.key_file import KEY_FILE, PUBLIC_KEY_FILE, make_key, read_public_key
from trunkline.audit.files.settings import LogSettings
from trunkline.audit.files.verification import Verification
from trunkline.audit.files.writer import LogWriter
from trunkline.control.journal import Journal
from trunkline.control.proof_desk import ProofDesk
from trunkline.operations import OperationalLog

DID_NOT_HANG = 30.0
SMALL = LogSettings(segment_bytes=64 * 1024, min_free_bytes=0)


@asynccontextmanager
async def desk_on(path, key_file=None):
    """A desk that runs, and what it has said so far, as a function."""
    said = path.parent / "said.log"
    descriptor = os.open(said, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    log = OperationalLog(descriptor, "json", "info", "control")
    journal = Journal.open(path, "gw-1", Events())
    desk = ProofDesk(path, journal.directory, key_file, journal, log)
    running = asyncio.create_task(desk.run())

    def events():
        log.flush()
        return [json.loads(line) for line in said.read_text().splitlines()]

    try:
        yield desk, events
    finally:
        running.cancel()
        await desk.finish()
        await journal.close()
        log.close()
        os.close(descriptor)


def worker(path):
    data_dir = open_data_dir(path)
    directory, origin = data_dir.log_directory("gw-1", "worker-0"), data_dir.origin("gw-1", "worker-0")
    return LogWriter.open(directory, origin, SMALL, on_event=Events())[0]


async def until(happened):
    give_up = time.monotonic() + DID_NOT_HANG
    while not (found := happened()):
        assert time.monotonic() < give_up
        await asyncio.sleep(0.01)
    return found


def verified(path):
    return Verification(path, read_public_key(path), time.time_ns(), lambda _: None).run()


def test_what_the_logs_have_is_signed_while_they_are_written_and_to_their_end(tmp_path):
    path = tmp_path / "data"

    async def main():
        async with desk_on(path) as (desk, events):
            log = worker(path)
            for number in range(300):
                opened(log, f"call-{number}")
                closed(log, f"call-{number}")
            await asyncio.to_thread(log.flush)
            await until((path / "proof/gw-1/worker-0/checkpoint").exists)
            await asyncio.to_thread(log.close_sync)
            assert desk.lag_seconds < DID_NOT_HANG
            assert [event["event"] for event in events()] == ["audit_key_made"]
            assert events()[0]["public_key"] == (path / PUBLIC_KEY_FILE).read_text().strip()

    asyncio.run(main())
    report = verified(path)
    assert (report.findings, report.unsigned) == ([], 0)
    assert report.records > 600
    assert report.checkpoints > 3  # at every seal


def test_a_key_that_is_gone_is_not_replaced_but_missed(tmp_path):
    path = tmp_path / "data"

    async def main():
        async with desk_on(path):
            await until((path / "proof/gw-1/control/checkpoint").exists)
        (path / KEY_FILE).unlink()
        async with desk_on(path) as (_, events):
            (failed, *_) = await until(events)
            assert failed["event"] == "proof_failed"
            assert "put it back" in failed["reason"]
        assert not (path / KEY_FILE).exists()

    asyncio.run(main())
    assert [found.kind for found in verified(path).findings if found.kind == "damage"] == []


@pytest.mark.parametrize("named", [True, False])
def test_the_key_of_the_configuration_signs_and_no_other_follows_it(tmp_path, named):
    path = tmp_path / "data"
    key_file = tmp_path / "elsewhere.key"
    key = make_key(key_file, open_data_dir(path).deployment)

    async def main():
        async with desk_on(path, key_file):
            await until((path / "proof/gw-1/control/checkpoint").exists)
        assert read_public_key(path).key == key.public.key
        assert not (path / KEY_FILE).exists()
        make_key(path / KEY_FILE, open_data_dir(path).deployment)
        async with desk_on(path, key_file if named else None) as (_, events):
            if not named:
                (failed, *_) = await until(events)
                assert "signed with another key" in failed["reason"]

    asyncio.run(main())
    assert [found for found in verified(path).findings if found.kind == "damage"] == []
