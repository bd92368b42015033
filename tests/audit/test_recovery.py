import asyncio
import json
import random
import shutil
from pathlib import Path

import pytest

from audit.logs import SETTINGS, Events, closed, open_log, opened, records, rewrite, whole
from trunkline.audit.files.segments import segments_of
from trunkline.audit.files.writer import CorruptLog, LogSettings, LogWriter
from trunkline.audit.format.frames import BODY, RECORD, encode_frame
from trunkline.audit.format.heads import decode_head
from trunkline.audit.format.segment import BATCH_BYTES, HEADER_BYTES, SEAL_BYTES


def stop(log: LogWriter) -> None:
    """End a writer as a crash would: nothing sealed, nothing more written."""
    log.flush()
    log._flusher.fail("crashed")
    log.close_sync()


def crash(directory: Path, story, settings=SETTINGS) -> None:
    log, _ = open_log(directory, settings)
    story(log)
    stop(log)


def recover(directory: Path, settings=SETTINGS):
    """Return what a new writer finds, and what it says; the log is closed again."""
    events = Events()
    log, found = open_log(directory, settings, events=events)
    log.close_sync()
    return found, events


def flip(path: Path, offset: int) -> None:
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x55]))


def used(path: Path) -> int:
    return len(path.read_bytes().rstrip(b"\0"))


def three_calls(log: LogWriter) -> None:
    for call in ("c1", "c2", "c3"):
        log.wait_sync(opened(log, call))
    log.wait_sync(closed(log, "c2"))


def test_a_log_that_was_not_sealed_goes_on_where_it_ended(tmp_path):
    crash(tmp_path / "log", three_calls)
    found, events = recover(tmp_path / "log")
    assert [call.call for call in found.open_calls] == ["c1", "c3"]
    assert (found.records, found.next_index, found.cut_bytes) == (5, 5, 0)
    assert events == []
    kinds = [record.type for record in records(tmp_path / "log")]
    assert kinds[4:] == ["call.closed", "log.started", "log.sealed"]
    assert len(segments_of(tmp_path / "log")) == 1


def test_an_open_call_comes_back_with_its_record_and_what_was_kept_of_it(tmp_path):
    def story(log):
        opened(log, "c1", size=700)
        for text in (b"one ", b"two "):
            log.append_body("c1", {"1.provider_response": text * 3, "response": text, "response_timing": b"[[1,4]]"})
        opened(log, "c2")
        log.append_body("c2", {"response": b"gone"})
        closed(log, "c2", kind="call.abandoned")

    crash(tmp_path / "log", story)
    found, _ = recover(tmp_path / "log")
    (call,) = found.open_calls
    assert json.loads(call.record)["tenant"] == "harbor"
    assert call.record == records(tmp_path / "log", "call.opened")[0].bytes
    assert (call.bytes_of("response"), call.bytes_of("provider_response"), call.segment) == (8, 24, 0)
    assert len(call.bodies) == 2


def test_calls_stay_open_over_any_number_of_segments_and_starts(tmp_path):
    def story(log):
        opened(log, "old", parameters={"schema": "s" * 80_000})
        log.append_body("old", {"response": b"partly"})
        for number in range(150):
            opened(log, f"c{number}", size=500)
            closed(log, f"c{number}")

    crash(tmp_path / "log", story)
    for _ in range(3):
        assert len(segments_of(tmp_path / "log")) > 3
        found, _ = recover(tmp_path / "log")
        (call,) = found.open_calls
        assert call.bytes_of("response") == 6
        assert json.loads(call.record)["parameters"] == {"schema": "s" * 80_000}
    log, _ = open_log(tmp_path / "log")
    log.wait_sync(closed(log, "old", kind="call.abandoned", frames=call.bodies))
    stop(log)
    assert recover(tmp_path / "log")[0].open_calls == []


def test_an_open_call_whose_record_was_spilled_comes_back_whole(tmp_path):
    settings = LogSettings(segment_bytes=1 << 20, min_free_bytes=0)
    crash(tmp_path / "log", lambda log: opened(log, "c1", text="t" * 80_000), settings)
    (call,) = recover(tmp_path / "log", settings)[0].open_calls
    assert json.loads(call.record)["text"] == "t" * 80_000


def test_a_seal_too_large_for_a_record_is_read_back(tmp_path):
    settings = LogSettings(segment_bytes=256 * 1024, min_free_bytes=0)

    def story(log):
        for number in range(300):
            opened(log, f"c{number}", text="t" * 300)

    crash(tmp_path / "log", story, settings)
    for _ in range(2):
        found, _ = recover(tmp_path / "log", settings)
        assert [call.call for call in found.open_calls] == [f"c{number}" for number in range(300)]
    (sealed, *_) = [record for record in records(tmp_path / "log") if record.type == "log.sealed"]
    assert len(sealed.bytes) < 2000
    assert len(whole(tmp_path / "log", sealed)["open"]) > 100


def test_only_the_last_segments_are_read(tmp_path):
    def story(log):
        for number in range(150):
            opened(log, f"c{number}", size=500)
            closed(log, f"c{number}")

    crash(tmp_path / "log", story)
    for path in segments_of(tmp_path / "log")[:-2]:
        path.unlink()
    found, _ = recover(tmp_path / "log")
    assert found.records < 100


def test_a_torn_tail_is_cut_and_said(tmp_path):
    crash(tmp_path / "log", three_calls)
    (path,) = segments_of(tmp_path / "log")
    end = used(path)
    start = end - BATCH_BYTES if path.read_bytes()[end - BATCH_BYTES + 4] == 1 else end
    with path.open("r+b") as file:
        file.seek(end)
        file.write(b"\x07half of a batch that nobody was told of" * 40)
    found, events = recover(tmp_path / "log")
    assert found.cut_bytes > 0
    assert events.named("log_tail_cut") == [{"file": str(path), "offset": found.cut_at, "bytes": found.cut_bytes}]
    assert start <= found.cut_at <= end
    started = [record for record in records(tmp_path / "log") if record.type == "log.started"][-1]
    assert json.loads(started.bytes)["recovered"]["cut_bytes"] == found.cut_bytes
    assert b"nobody was told" not in path.read_bytes()


def test_damage_before_what_was_durable_refuses_to_start_and_says_where(tmp_path):
    crash(tmp_path / "log", three_calls)
    (path,) = segments_of(tmp_path / "log")
    before = path.read_bytes()
    place = before.index(b'"id":"c1"')
    flip(path, place)
    damaged = path.read_bytes()
    with pytest.raises(CorruptLog) as caught:
        open_log(tmp_path / "log")
    assert caught.value.file == path
    assert HEADER_BYTES < caught.value.offset < place
    assert path.read_bytes() == damaged  # nothing is repaired behind anybody's back


def test_a_damaged_header_refuses_to_start(tmp_path):
    crash(tmp_path / "log", three_calls)
    (path,) = segments_of(tmp_path / "log")
    flip(path, 20)
    with pytest.raises(CorruptLog, match="header"):
        open_log(tmp_path / "log")


def test_a_missing_seal_before_a_later_segment_refuses_to_start(tmp_path):
    def story(log):
        for number in range(60):
            opened(log, f"c{number}", size=500)
            closed(log, f"c{number}")

    crash(tmp_path / "log", story)
    *_, first, second = segments_of(tmp_path / "log")
    kept = first.read_bytes()
    first.chmod(0o600)
    first.write_bytes(kept[:-SEAL_BYTES])
    with pytest.raises(CorruptLog, match="its seal is missing"):
        open_log(tmp_path / "log")
    first.write_bytes(kept)
    second.rename(second.with_name(f"{int(second.stem) + 1:020d}.seg"))
    with pytest.raises(CorruptLog, match="is not where the next begins"):
        open_log(tmp_path / "log")


def test_a_damaged_seal_record_refuses_to_start(tmp_path):
    log, _ = open_log(tmp_path / "log")
    opened(log, "c1")
    log.close_sync()
    (path,) = segments_of(tmp_path / "log")
    flip(path, path.read_bytes().index(b'"open":['))
    with pytest.raises(CorruptLog, match="checksum is wrong"):
        open_log(tmp_path / "log")


@pytest.mark.parametrize("lost", ["seal", "half the seal", "the cut"])
def test_a_seal_that_was_begun_is_finished(tmp_path, lost):
    log, _ = open_log(tmp_path / "log")
    opened(log, "c1")
    log.close_sync()
    (path,) = segments_of(tmp_path / "log")
    sealed = path.read_bytes()
    keep = {"seal": len(sealed) - SEAL_BYTES, "half the seal": len(sealed) - SEAL_BYTES // 2, "the cut": len(sealed)}
    path.chmod(0o600)
    path.write_bytes(sealed[: keep[lost]] + bytes(5000))
    found, _ = recover(tmp_path / "log")
    assert [call.call for call in found.open_calls] == ["c1"]
    assert path.read_bytes() == sealed
    assert [record.index for record in records(tmp_path / "log")] == [0, 1, 2, 3, 4]


def test_a_crash_right_after_a_new_segment_was_named(tmp_path):
    log, _ = open_log(tmp_path / "log")
    opened(log, "c1")
    log.close_sync()
    log, _ = open_log(tmp_path / "log")
    stop(log)
    path = segments_of(tmp_path / "log")[-1]
    path.write_bytes(path.read_bytes()[:HEADER_BYTES].ljust(SETTINGS.segment_bytes, b"\0"))
    found, _ = recover(tmp_path / "log")
    assert ([call.call for call in found.open_calls], found.next_index) == (["c1"], 3)


def test_whatever_happens_to_the_last_segment_it_is_cut_or_refused(tmp_path):
    """Flips, holes and cuts of the real file: what is read afterwards begins like what was written."""
    crash(tmp_path / "good", three_calls)
    good = [record.bytes for record in records(tmp_path / "good", upto="whole")]
    (source,) = segments_of(tmp_path / "good")
    data, end = source.read_bytes(), used(source)
    chance = random.Random(7)
    seen = set()
    for round_ in range(60):
        directory = tmp_path / f"bad{round_}"
        shutil.copytree(tmp_path / "good", directory)
        (path,) = segments_of(directory)
        at = chance.randrange(HEADER_BYTES, end + 50)
        kind = chance.choice(["flip", "hole", "cut"])
        if kind == "flip":
            flip(path, at)
        else:
            hole = chance.randrange(1, 600) if kind == "hole" else len(data)
            path.write_bytes(data[:at] + bytes(min(hole, len(data) - at)) + data[at + hole :])
        try:
            log, found = open_log(directory)
        except CorruptLog as corrupt:
            seen.add("corrupt")
            assert HEADER_BYTES <= corrupt.offset <= at
            continue
        log.close_sync()
        seen.add("torn" if found.cut_bytes else "clean")
        read = [record.bytes for record in records(directory)][: found.records]
        assert read == good[: found.records]
        if kind == "flip":
            assert found.records == len(good)  # the mark behind them claims them all
        shutil.rmtree(directory)
    assert seen == {"corrupt", "torn", "clean"}


def test_abandoning_is_left_to_the_owner(tmp_path):
    async def story():
        log, found = open_log(tmp_path / "log")
        for call in found.open_calls:
            await log.wait(closed(log, call.call, kind="call.abandoned", frames=call.bodies))
        await log.close()
        return [call.call for call in found.open_calls]

    crash(tmp_path / "log", three_calls)
    assert asyncio.run(story()) == ["c1", "c3"]
    assert asyncio.run(story()) == []


SPILLED = {"digest": "sha256:" + "ab" * 32, "codec": "none", "size": 1, "parts": {"members": [0, 1]}}
ENVELOPE = {"v": 1, "id": "x", "at": "2026-11-23T20:00:00.000000000Z", "log": "o", "index": 0}


@pytest.mark.parametrize(
    ("frames", "records_in_it", "reason"),
    [
        ([encode_frame(BODY, 0, b"no body")], 0, "too short"),
        ([encode_frame(BODY, 0, bytes(32) + b"\xff\xff" + bytes(4))], 0, "shorter than its own table"),
        ([encode_frame(BODY, 0, bytes(32) + b"\1\0\2\0\0\0" + b"c[]")], 0, "table cannot be read"),
        ([encode_frame(RECORD, 0, b"no record")], 1, "cannot be read"),
        (
            [encode_frame(RECORD, 0, json.dumps(ENVELOPE | {"type": "call.opened", "spilled": SPILLED}).encode())],
            1,
            "spilled record is missing",
        ),
    ],
)
def test_frames_that_are_intact_and_make_no_sense_refuse_to_start(tmp_path, frames, records_in_it, reason):
    crash(tmp_path / "log", three_calls)
    (path,) = segments_of(tmp_path / "log")
    rewrite(path, frames, records_in_it)
    with pytest.raises(CorruptLog, match=reason):
        open_log(tmp_path / "log")


def test_a_seal_whose_spilled_record_is_gone_refuses_to_start(tmp_path):
    settings = LogSettings(segment_bytes=1 << 20, min_free_bytes=0)
    log, _ = open_log(tmp_path / "log", settings)
    for number in range(300):
        opened(log, f"c{number}", text="t" * 300)
    log.close_sync()
    (path,) = segments_of(tmp_path / "log")
    (sealed,) = [record for record in records(tmp_path / "log") if record.type == "log.sealed"]
    flip(path, path.read_bytes().index(decode_head(sealed.bytes).spilled.key))
    with pytest.raises(CorruptLog, match=r"body of log\.sealed is missing"):
        open_log(tmp_path / "log", settings)
