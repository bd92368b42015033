"""Segments in memory: what a writer would have written, for tests that damage it."""

from typing import NamedTuple

from hypothesis import strategies as st

from trunkline.audit.format.frames import BODY, RECORD, encode_frame
from trunkline.audit.format.scan import DurableBytesLost, Scan
from trunkline.audit.format.segment import (
    HEADER_BYTES,
    BatchHead,
    Header,
    Seal,
    encode_batch_head,
    encode_header,
    encode_seal,
)

SALT = bytes(range(100, 116))
ORIGIN = "deployment/node/worker-0"
FREE = 700  # bytes of free space behind the last batch


class Image(NamedTuple):
    """A segment's bytes, the payloads of each of its batches, and where each batch begins and ends."""

    data: bytes
    payloads: list[list[bytes]]
    spans: list[tuple[int, int]]
    end: str


def image(batches: list[list[tuple[int, bytes]]], end: str = "free") -> Image:
    """Build a segment; `end` says what stands after the last batch: `free` space, a `mark` or a `seal`."""
    data = bytearray(encode_header(Header(ORIGIN, 1, SALT)))
    index, spans = 0, []
    for batch in batches:
        frames = b"".join(encode_frame(kind, 0, payload) for kind, payload in batch)
        records = sum(kind == RECORD for kind, _ in batch)
        start = len(data)
        data += encode_batch_head(BatchHead(start, start, index, len(frames), records), SALT) + frames
        spans.append((start, len(data)))
        index += records
    if end == "mark":
        data += encode_batch_head(BatchHead(len(data), len(data), index, 0, 0), SALT)
    if end == "seal":
        data += encode_seal(Seal(len(data), spans[-1][0] if spans else HEADER_BYTES, index), SALT)
    else:
        data += bytes(FREE)
    return Image(bytes(data), [[payload for _, payload in batch] for batch in batches], spans, end)


def read_image(data: bytes) -> tuple[list[list[bytes]], Scan, int]:
    """Return the payloads of the batches that a scan finds, the scan, and the size of the torn tail.

    Raises DurableBytesLost.
    """
    scan = Scan(lambda offset, length: data[offset : offset + length], SALT, index=0)
    found = [[frame.payload for frame in batch.frames] for batch in scan.batches()]
    return found, scan, scan.tail()


def outcome(data: bytes) -> tuple[str, list[list[bytes]]]:
    """Return `corrupt`, `torn` or `clean`, and what was read up to there."""
    try:
        found, _, torn = read_image(data)
    except DurableBytesLost:
        return "corrupt", []
    return "torn" if torn else "clean", found


payloads = st.tuples(st.sampled_from([RECORD, BODY]), st.binary(max_size=60))
batches = st.lists(st.lists(payloads, min_size=1, max_size=4), max_size=5)
images = st.builds(image, batches, st.sampled_from(["free", "mark", "seal"]))
