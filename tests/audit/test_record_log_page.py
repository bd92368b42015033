"""The page that tells outsiders how to read a log, held against logs that were written."""

import json
import random
import re
from pathlib import Path

from audit.logs import bodies, closed, open_log, opened, records, whole
from trunkline.audit.files.settings import LogSettings
from trunkline.audit.format import codecs, frames, segment
from trunkline.audit.format import records as record_format

PAGE = (Path(__file__).parents[2] / "docs" / "record-log.md").read_text()


def the_reader_of_the_page():
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    names: dict = {}
    exec(compile(program, "record-log.md", "exec"), names)
    return names["read_log"]


def write(directory, clean):
    chance = random.Random(5)
    log, _ = open_log(directory)
    for number in range(80):
        call = f"c{number}"
        opened(log, call, size=chance.choice([0, 200, 900]), text="t" * chance.choice([0, 10, 70_000]))
        kept = [log.append_body(call, {"response": chance.randbytes(300)}) for _ in range(number % 3)]
        if number % 9:
            closed(log, call, frames=kept, bodies={"response": chance.randbytes(600), "response_timing": b"[[1,600]]"})
        if number % 10 == 0:
            log.flush()
    log.flush()
    if clean:
        log.close_sync()
    else:
        log._flusher.fail("crashed")
        log.close_sync()


def test_a_program_made_from_the_page_reads_what_we_read(tmp_path):
    read_log = the_reader_of_the_page()
    for clean in (True, False):
        directory = tmp_path / str(clean)
        write(directory, clean)
        theirs = list(read_log(directory))
        ours = [(whole(directory, record), bodies(directory, record)) for record in records(directory, upto="whole")]
        assert theirs == ours
        assert len(theirs) > 150
        assert len(list(directory.glob("*.seg"))) > 3


def test_the_numbers_of_the_page_are_those_of_the_format():
    settings = LogSettings()
    assert f"`{segment.MAGIC.decode()}`" in PAGE
    assert f"version: {segment.VERSION}" in PAGE
    assert f"{segment.HEADER_BYTES:,} bytes long" in PAGE
    assert f"has {segment.BATCH_BYTES - frames.OVERHEAD} bytes" in PAGE
    assert frames.MAX_PAYLOAD == 2**30
    assert (frames.BATCH, frames.RECORD, frames.BODY, frames.SEAL) == (1, 2, 3, 4)
    assert (codecs.PLAIN, codecs.ZSTD) == (0, 1)
    assert f"({record_format.MAX_RECORD:,} bytes)" in PAGE
    assert f"Segments are {settings.segment_bytes >> 20} MiB" in PAGE
    assert f"less\n  than {settings.min_free_bytes >> 20} MiB" in PAGE
    assert f"longer than {settings.flush_bound:g} s" in PAGE
    assert f"With {settings.queue_bytes >> 20} MiB waiting" in PAGE
    assert f"each {settings.heartbeat_every:g} s without" in PAGE
    assert settings.segment_age == 24 * 3600


def test_the_record_on_the_page_has_the_envelope_of_a_real_one(tmp_path):
    write(tmp_path / "log", clean=True)
    (shown,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    record = next(r for r in records(tmp_path / "log", "call.closed") if "bodies" in json.loads(r.bytes))
    real = json.loads(record.bytes)
    assert list(json.loads(shown))[:8] == list(real)[:8]
    assert list(json.loads(shown)["bodies"][0]) == [name for name in real["bodies"][-1] if name != "segment"]
