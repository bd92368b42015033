"""Small logs on the real disk, and the calls that tests put into them."""

import json
from pathlib import Path

from trunkline.audit.files.disk import Disk
from trunkline.audit.files.reader import StoredRecord, read_body, read_records, read_whole
from trunkline.audit.files.writer import LogSettings, LogWriter, Recovery
from trunkline.audit.format.heads import decode_head
from trunkline.audit.format.sealing import NO_KEYS, OpeningKeys
from trunkline.audit.format.segment import HEADER_BYTES, BatchHead, decode_header, encode_batch_head, encode_header

ORIGIN = "deployment/node/worker-0"
SEGMENT = 32 * 1024
SETTINGS = LogSettings(segment_bytes=SEGMENT, min_free_bytes=0)


class Events(list):
    """Keeps what a log says of itself."""

    def __call__(self, name: str, /, **facts: object) -> None:
        self.append((name, facts))

    def named(self, name: str) -> list[dict]:
        return [facts for found, facts in self if found == name]


def open_log(
    directory: Path, settings: LogSettings = SETTINGS, disk: Disk | None = None, events: Events | None = None, **more
) -> tuple[LogWriter, Recovery]:
    on_event = events if events is not None else Events()
    return LogWriter.open(directory, ORIGIN, settings, on_event=on_event, disk=disk, **more)


def opened(log: LogWriter, call: str, size: int = 300, **members) -> int:
    payload = json.dumps({"call": call, "tenant": "harbor", **members}).encode()
    return log.append("call.opened", call, payload, {"request": request_of(call, size)})


def closed(log: LogWriter, call: str, kind: str = "call.closed", frames=None, bodies=None) -> int:
    payload = json.dumps({"call": call, "outcome": "answered"}).encode()
    return log.append(kind, f"end-of-{call}", payload, bodies, frames)


def request_of(call: str, size: int = 300) -> bytes:
    return (call.encode() + b" asks; ").ljust(size, b".")


def records(directory: Path, kind: str = "", upto="claimed") -> list[StoredRecord]:
    return [record for record in read_records(directory, upto=upto) if record.type.startswith(kind)]


def whole(directory: Path, record: StoredRecord) -> dict:
    return json.loads(read_whole(directory, record))


def bodies(directory: Path, record: StoredRecord, keys: OpeningKeys = NO_KEYS) -> list[dict[str, bytes]]:
    head = decode_head(read_whole(directory, record, keys))
    return [read_body(directory, reference, record.segment, keys) for reference in head.bodies]


def rewrite(path: Path, frames: list[bytes], count: int) -> None:
    """Put one batch of these frames, of which so many are records, into a segment, as a writer with a fault would."""
    header = decode_header(path.read_bytes()[:HEADER_BYTES])
    head = BatchHead(HEADER_BYTES, HEADER_BYTES, 0, sum(map(len, frames)), count)
    data = encode_header(header) + encode_batch_head(head, header.salt) + b"".join(frames)
    path.write_bytes(data.ljust(SEGMENT, b"\0"))
