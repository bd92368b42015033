"""Reading in bulk gives what reading record by record gives, from any position on."""

import pytest

from audit.logs import closed, open_log, opened, records
from trunkline.audit.files import batches
from trunkline.audit.files.batches import BatchReader, Position, body_of, record_at
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.heads import decode_head


@pytest.fixture
def directory(tmp_path):
    """A log of several segments, the last of them not sealed."""
    log, _ = open_log(tmp_path / "log")
    for number in range(200):
        opened(log, f"call-{number}", size=number * 7)
        if number % 3:
            closed(log, f"call-{number}")
        if number % 10 == 0:
            log.flush()
    log.flush()
    yield tmp_path / "log"
    log.close_sync()


def polled(directory, start: Position | None = None):
    reader = BatchReader(directory, start)
    try:
        return list(reader.poll())
    finally:
        reader.close()


def test_it_yields_every_record_once_in_order(directory):
    read = [record for batch in polled(directory) for record, _ in batch.records]
    assert read == [record.bytes for record in records(directory)]
    assert len(list(directory.glob("*.seg"))) > 2


def test_it_goes_on_from_any_position(directory):
    found = polled(directory)
    for number, batch in enumerate(found):
        assert polled(directory, batch.following) == found[number + 1 :]


def test_it_may_be_left_after_any_batch(directory):
    reader = BatchReader(directory)
    found = []
    while (batch := next(reader.poll(), None)) is not None:
        found.append(batch)
    reader.close()
    assert found == polled(directory)
    assert reader.origin is not None
    reader.close()


def test_a_record_is_found_where_it_stood(directory):
    for batch in polled(directory):
        for record, offset in batch.records:
            assert record_at(directory, batch.segment, offset) == record


def test_unread_bytes_become_fewer(directory):
    reader = BatchReader(directory)
    before = reader.unread_bytes()
    next(reader.poll())
    assert 0 < reader.unread_bytes() < before
    reader.close()


def test_there_is_nothing_in_a_log_that_has_not_begun(tmp_path):
    reader = BatchReader(tmp_path)
    assert list(reader.poll()) == []
    assert reader.origin is None
    assert reader.unread_bytes() == 0


def test_damage_to_what_was_durable_is_told(directory):
    segment = min(directory.glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[data.index(b"harbor")] ^= 1
    segment.chmod(0o600)
    segment.write_bytes(data)
    with pytest.raises(CorruptLog):
        polled(directory)


def test_a_body_is_found_near_its_record_or_far_from_it(tmp_path, monkeypatch):
    log, _ = open_log(tmp_path / "log")
    kept = log.append_body("call-0", {"response": b"first "})
    for number in range(100):
        opened(log, f"call-{number}", size=900)
    closed(log, "call-0", frames=[kept], bodies={"response": b"last"})
    log.close_sync()
    ((record, segment, offset),) = [
        (record, batch.segment, offset)
        for batch in polled(tmp_path / "log")
        for record, offset in batch.records
        if b'"type":"call.closed"' in record
    ]
    for nearby in ((0,), (500,), (500, 2 << 20), batches.NEARBY):
        monkeypatch.setattr(batches, "NEARBY", nearby)
        found = [body_of(tmp_path / "log", named, segment, offset) for named in decode_head(record).bodies]
        assert found == [{"response": b"first "}, {"response": b"last"}]
