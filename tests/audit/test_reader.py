import asyncio
import json
import shutil
import threading
from itertools import islice

import pytest

from audit.disks import SlowDisk
from audit.logs import bodies, closed, open_log, opened, records, rewrite
from trunkline.audit.files.reader import LogReader, Place, read_body, read_records, read_whole
from trunkline.audit.files.segment_file import SegmentFile
from trunkline.audit.files.segments import segments_of
from trunkline.audit.files.writer import CorruptLog
from trunkline.audit.format.bodies import encode_body
from trunkline.audit.format.codecs import zstd_codec
from trunkline.audit.format.frames import BODY, RECORD, decode_frame, encode_frame
from trunkline.audit.format.heads import decode_head
from trunkline.audit.format.references import BodyRef, decode_reference
from trunkline.audit.format.segment import SEAL_BYTES

PATIENCE = 20


def write_calls(log, count, name="c"):
    for number in range(count):
        opened(log, f"{name}{number}", size=500)
        closed(log, f"{name}{number}")


def written(directory, count=120):
    log, _ = open_log(directory)
    write_calls(log, count)
    log.close_sync()
    return directory


def poll(reader):
    return [record.bytes for record in reader.poll()]


def test_an_empty_directory_has_no_records(tmp_path):
    assert list(read_records(tmp_path)) == []


def test_following_sees_each_record_once_and_in_order_while_it_is_written(tmp_path):
    """A reader in another thread polls as fast as it can while two callers go through many segments."""
    directory, seen, done = tmp_path / "log", [], threading.Event()

    def follow():
        reader = LogReader(directory)
        while not done.is_set():
            seen.extend(poll(reader))
        seen.extend(poll(reader))
        reader.close()

    async def caller(log, name):
        for number in range(150):
            await log.wait(opened(log, f"{name}{number}", size=600))
            await log.wait(closed(log, f"{name}{number}"))

    async def story():
        log, _ = open_log(directory)
        thread = threading.Thread(target=follow)
        thread.start()
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(caller(log, "a"), caller(log, "b"))
            await log.close()
        finally:
            done.set()
            thread.join(PATIENCE)

    asyncio.run(story())
    assert seen == [record.bytes for record in records(directory)]
    assert len(segments_of(directory)) > 5


def test_a_reader_can_go_on_from_behind_any_record(tmp_path):
    directory = written(tmp_path / "log", 60)
    everything = list(read_records(directory))
    for number in (0, 1, 2, 50, len(everything) - 2, len(everything) - 1):
        place = Place(*everything[number].next)
        assert list(read_records(directory, place)) == everything[number + 1 :]


def test_a_poll_that_is_broken_off_goes_on_behind_what_it_gave(tmp_path):
    directory = written(tmp_path / "log", 60)
    reader, seen = LogReader(directory), []
    for _ in range(1000):
        seen += islice(reader.poll(), 7)
    reader.close()
    assert [record.bytes for record in seen] == [record.bytes for record in records(directory)]


def test_what_is_acknowledged_is_claimed_once_the_log_is_idle(tmp_path):
    log, _ = open_log(tmp_path / "log")
    log.wait_sync(opened(log, "c1"))
    assert [record.id for record in records(tmp_path / "log", "call.")] == ["c1"]
    log.close_sync()


def test_a_batch_that_nothing_claims_is_read_only_on_demand(tmp_path):
    disk = SlowDisk()
    log, _ = open_log(tmp_path / "log", disk=disk)
    log.flush()
    disk.close_gate()
    opened(log, "c1")
    assert disk.entered.wait(PATIENCE)
    path = segments_of(tmp_path / "log")[0]
    end = len(path.read_bytes().rstrip(b"\0"))
    disk.gate.release(1000)
    log.flush()
    log._flusher.fail("crashed")
    log.close_sync()
    data = path.read_bytes()
    mark = len(data.rstrip(b"\0"))
    assert mark > end
    start = data.rindex(b'"outcome"') if b'"outcome"' in data else data.rindex(b'"tenant"')
    tail = data.index(b"\0" * 4096, start)
    head = next(at for at in range(tail, start, -1) if data[at : at + 4] == b"\x34\0\0\0" and data[at + 4] == 1)
    path.write_bytes(data[:head].ljust(len(data), b"\0"))
    assert [record.type for record in records(tmp_path / "log")] == ["log.started"]
    assert [record.type for record in records(tmp_path / "log", upto="whole")] == ["log.started", "call.opened"]


def test_a_reader_waits_at_a_seal_for_the_next_segment(tmp_path):
    log, _ = open_log(tmp_path / "log")
    log.close_sync()
    reader = LogReader(tmp_path / "log")
    assert len(poll(reader)) == 2
    assert poll(reader) == []
    log, _ = open_log(tmp_path / "log")
    reader.check_tail()
    assert [json.loads(record)["type"] for record in poll(reader)] == ["log.started"]
    reader.close()
    reader.close()
    log.close_sync()


def test_damage_is_named_by_file_and_offset(tmp_path):
    directory = written(tmp_path / "log")
    path = segments_of(directory)[1]
    data = bytearray(path.read_bytes())
    place = data.index(b'"id":"end-of-c')
    data[place] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    seen = []
    with pytest.raises(CorruptLog) as caught:
        seen.extend(read_records(directory))
    assert (caught.value.file, caught.value.offset < place) == (path, True)
    assert [record.index for record in seen] == list(range(len(seen)))
    assert seen[-1].type == "log.sealed"


def test_a_segment_that_is_missing_or_has_lost_its_seal_is_noticed(tmp_path):
    directory = written(tmp_path / "log")
    shutil.copytree(directory, tmp_path / "unsealed")
    path = segments_of(tmp_path / "unsealed")[1]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-SEAL_BYTES])
    with pytest.raises(CorruptLog, match="its seal is missing"):
        list(read_records(tmp_path / "unsealed"))
    segments_of(directory)[1].unlink()
    with pytest.raises(CorruptLog, match="missing"):
        list(read_records(directory))


def test_a_body_that_is_damaged_or_missing_is_named(tmp_path):
    log, _ = open_log(tmp_path / "log")
    opened(log, "c1", size=900)
    log.close_sync()
    (record,) = records(tmp_path / "log", "call.")
    (reference,) = decode_head(record.bytes).bodies
    assert bodies(tmp_path / "log", record)[0]["request"].startswith(b"c1 asks")
    path = segments_of(tmp_path / "log")[0]
    data = bytearray(path.read_bytes())
    data[data.index(reference.key) + 60] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    with pytest.raises(CorruptLog, match="missing or damaged"):
        read_body(tmp_path / "log", reference, record.segment)
    absent = BodyRef("sha256:" + "0" * 64, "none", 0, {})
    with pytest.raises(CorruptLog, match="missing or damaged"):
        read_body(tmp_path / "log", absent, record.segment)


def test_a_spilled_record_whose_body_is_gone_is_an_error_and_not_a_shorter_record(tmp_path):
    log, _ = open_log(tmp_path / "log")
    opened(log, "c1", text="t" * 100_000)
    log.close_sync()
    (record,) = records(tmp_path / "log", "call.")
    path = segments_of(tmp_path / "log")[0]
    data = bytearray(path.read_bytes())
    spilled = decode_head(record.bytes).spilled
    assert spilled is not None
    data[data.index(spilled.key)] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    with pytest.raises(CorruptLog):
        read_whole(tmp_path / "log", record)


def test_an_intact_frame_that_is_no_record_is_damage(tmp_path):
    log, _ = open_log(tmp_path / "log")
    log._flusher.fail("crashed")
    log.close_sync()
    rewrite(segments_of(tmp_path / "log")[0], [encode_frame(RECORD, 0, b"no record")], 1)
    with pytest.raises(CorruptLog, match="cannot be read"):
        records(tmp_path / "log", upto="whole")


def test_a_body_that_is_not_what_its_frame_says_is_damage(tmp_path):
    log, _ = open_log(tmp_path / "log")
    log._flusher.fail("crashed")
    log.close_sync()
    frame, reference = encode_body("c1", {"request": b"what is asked"}, zstd_codec())
    payload = decode_frame(frame, 0, 0).payload.replace(b"asked", b"ASKED")
    rewrite(segments_of(tmp_path / "log")[0], [encode_frame(BODY, 0, payload)], 0)
    with pytest.raises(CorruptLog, match="digest is wrong"):
        read_body(tmp_path / "log", decode_reference(reference, 0), 0)


def test_a_place_or_a_body_in_a_segment_that_is_gone_is_damage(tmp_path):
    directory = written(tmp_path / "log", 5)
    with pytest.raises(CorruptLog, match="segment is missing"):
        list(read_records(directory, Place(99, 4096, 4096)))
    with pytest.raises(CorruptLog, match="segment is missing"):
        read_body(directory, BodyRef("sha256:" + "0" * 64, "none", 0, {}, 99), 0)


def test_a_tail_that_grows_between_two_looks_is_no_damage(tmp_path, monkeypatch):
    """The scan for witnesses runs behind a writer: what it finds missing may be there by then."""
    directory = tmp_path / "log"
    log, _ = open_log(directory)
    reader = LogReader(directory)
    assert len(poll(reader)) == 1
    real = SegmentFile.read
    stale = segments_of(directory)[0].read_bytes()
    opened(log, "c1")
    log.flush()
    opened(log, "c2")
    log.flush()
    looks = iter(range(1))
    first = lambda file, offset, length: stale[offset : offset + length]  # noqa: E731

    def read(file, offset, length):
        return first(file, offset, length) if next(looks, None) is not None else real(file, offset, length)

    monkeypatch.setattr(SegmentFile, "read", read)
    reader.check_tail()
    monkeypatch.undo()
    assert [json.loads(record)["id"] for record in poll(reader)] == ["c1", "c2"]
    reader.close()
    log.close_sync()


def test_bodies_with_the_same_bytes_have_the_parts_that_their_own_record_names(tmp_path):
    log, _ = open_log(tmp_path)
    opened(log, "c1")
    same = b"said twice, under two names"
    closed(
        log, "c1", frames=[log.append_body("c1", {"sent": same}), log.append_body("c1", {"a": same[:4], "b": same[4:]})]
    )
    log.close_sync()
    (record,) = records(tmp_path, "call.closed")
    assert bodies(tmp_path, record) == [{"sent": same}, {"a": same[:4], "b": same[4:]}]
