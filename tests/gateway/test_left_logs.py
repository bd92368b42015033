"""Calls that a worker left open are ended, also where nobody goes on with its log."""

import asyncio
import json
import os

import msgspec

from ledger.logs import call_id, closed, opened
from trunkline.audit.files.data_dir import DataDir, open_data_dir
from trunkline.audit.files.reader import read_records
from trunkline.audit.files.segments import segments_of
from trunkline.audit.files.writer import LogSettings, LogWriter
from trunkline.gateway.left_logs import end_left_calls, left_logs
from trunkline.model.vault import NO_VAULT
from trunkline.operations import OperationalLog

SETTINGS = LogSettings(segment_bytes=256 * 1024, min_free_bytes=0)


def write(data_dir: DataDir, node: str, process: str, *, calls: int, crash: bool) -> None:
    """Write a log as a worker does; all but the last two of its calls have ended."""
    directory, origin = data_dir.log_directory(node, process), data_dir.origin(node, process)
    log, _ = LogWriter.open(directory, origin, SETTINGS, on_event=lambda _name, /, **_facts: None)
    for number in range(calls):
        log.append("call.opened", call_id(number), msgspec.json.encode(opened(number)))
        if number < calls - 2:
            log.append("call.closed", f"end-{number}", msgspec.json.encode(closed(number)))
    log.flush()
    if crash:
        log._flusher.fail("crashed")
    log.close_sync()


def end(data_dir: DataDir, tmp_path, node: str, workers: int) -> list[str]:
    """End what is left, and return what the operational log has of it."""
    with (tmp_path / "operations.log").open("wb") as file:
        operations = OperationalLog(file.fileno(), "json", "info", "worker-0")
        asyncio.run(end_left_calls(data_dir, node, workers, NO_VAULT, operations))
        operations.close()
    lines = (tmp_path / "operations.log").read_text().splitlines()
    return [f"{said['event']} {said['log']} {said.get('calls')}" for said in map(json.loads, lines)]


def ends(data_dir: DataDir, log: str) -> dict[str, str]:
    records = (json.loads(stored.bytes) for stored in read_records(data_dir.path / "log" / log))
    return {record["call"]: record["outcome"] for record in records if record["type"] in ENDS}


ENDS = ("call.closed", "call.abandoned")


def test_logs_of_workers_beyond_those_that_run_and_of_another_name_are_left(tmp_path):
    for log in ("gw/worker-0", "gw/worker-1", "gw/worker-2", "gw/worker-10", "gw/control", "old/worker-0"):
        (tmp_path / "log" / log).mkdir(parents=True)
    logs = tmp_path / "log"
    assert left_logs(tmp_path, "gw", 2) == [logs / "gw/worker-10", logs / "gw/worker-2", logs / "old/worker-0"]
    assert left_logs(tmp_path, "gw", 11) == [logs / "old/worker-0"]


def test_calls_that_a_worker_left_open_that_has_no_successor_are_abandoned_once(tmp_path):
    data_dir = open_data_dir(tmp_path / "data")
    write(data_dir, "gw", "worker-1", calls=6, crash=True)
    write(data_dir, "gw", "worker-2", calls=5, crash=False)  # sealed, with calls open: its drain was cut
    write(data_dir, "old", "worker-0", calls=4, crash=True)
    said = end(data_dir, tmp_path, "gw", 1)
    assert said == ["recovered gw/worker-1 2", "recovered gw/worker-2 2", "recovered old/worker-0 2"]
    for log, calls in (("gw/worker-1", 6), ("gw/worker-2", 5), ("old/worker-0", 4)):
        expected = ["answered"] * (calls - 2) + ["abandoned"] * 2
        assert ends(data_dir, log) == dict(zip(map(call_id, range(calls)), expected, strict=True))
    written = sorted(data_dir.path.rglob("*"))
    assert end(data_dir, tmp_path, "gw", 1) == []
    assert sorted(data_dir.path.rglob("*")) == written  # a log at rest is not begun again at each start


def test_a_log_that_is_damaged_is_named_and_the_others_are_ended(tmp_path):
    data_dir = open_data_dir(tmp_path / "data")
    for process in ("worker-1", "worker-2"):
        write(data_dir, "gw", process, calls=3, crash=True)
    (path,) = segments_of(data_dir.path / "log" / "gw" / "worker-1")
    with path.open("r+b") as file:
        file.seek(4096 + 600)  # behind the head, within what was durable
        file.write(os.urandom(64))
    said = end(data_dir, tmp_path, "gw", 1)
    assert said == ["log_left gw/worker-1 None", "recovered gw/worker-2 2"]
    assert set(ends(data_dir, "gw/worker-2").values()) == {"answered", "abandoned"}


def test_a_log_that_another_process_still_writes_is_left_to_it(tmp_path):
    data_dir = open_data_dir(tmp_path / "data")
    directory, origin = data_dir.log_directory("gw", "worker-1"), data_dir.origin("gw", "worker-1")
    log, _ = LogWriter.open(directory, origin, SETTINGS, on_event=lambda _name, /, **_facts: None)
    log.append("call.opened", call_id(0), msgspec.json.encode(opened(0)))
    log.flush()
    assert end(data_dir, tmp_path, "gw", 1) == ["log_left gw/worker-1 None"]
    log.append("call.closed", "end-0", msgspec.json.encode(closed(0)))
    log.close_sync()
    assert end(data_dir, tmp_path, "gw", 1) == []
    assert ends(data_dir, "gw/worker-1") == {call_id(0): "answered"}
