"""Reading a segment from its beginning to its tail, and judging what comes after the tail.

A batch is taken whole or not at all. Where the first one is that is not whole and intact, the segment ends. If any
intact batch, mark or seal further on says that more than that had been flushed, then bytes that were durable are
gone: corruption. If none does, what follows is the remains of a write that was never acknowledged: a torn tail.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from trunkline.audit.format.frames import HEAD, RECORD, BadFrame, Frame, decode_frames
from trunkline.audit.format.segment import (
    BATCH_BYTES,
    HEADER_BYTES,
    SEAL_BYTES,
    BatchHead,
    Seal,
    decode_batch_head,
    decode_seal,
)

Read = Callable[[int, int], bytes]  # offset and length in the segment; fewer bytes come only at its end

CHUNK = 1 << 20  # bytes read at a time behind the tail
_ZEROS = bytes(CHUNK)


class Batch(NamedTuple):
    """An intact batch: its head and its frames."""

    head: BatchHead
    frames: list[Frame]


class Fault(NamedTuple):
    """Where a segment stops making sense, and why."""

    offset: int
    reason: str


class DurableBytesLost(ValueError):
    """Something further on proves that what is damaged here had been durable."""

    def __init__(self, fault: Fault, witness: int) -> None:
        super().__init__(f"{fault.reason} at offset {fault.offset}, but the batch at {witness} says it was durable")
        self.fault, self.witness = fault, witness


class Scan:
    """Reads one segment. After `batches` is exhausted the other attributes say how the segment ends.

    `end` is the first offset that holds no batch; `claimed` the highest offset that something read so far claims to
    be durable; `seal` is there if the segment was sealed; `fault` if what stands at `end` is neither free space nor a
    seal.
    """

    def __init__(self, read: Read, salt: bytes, start: int = HEADER_BYTES, index: int | None = None) -> None:
        self._read, self._salt = read, salt
        self._index = index
        self.end = start
        self.claimed = start
        self.seal: Seal | None = None
        self.fault: Fault | None = None

    def batches(self) -> Iterator[Batch]:
        """Yield the intact batches in order."""
        while (batch := self._next()) is not None:
            self.end = batch.head.end
            self._index = batch.head.first_index + batch.head.records
            yield batch

    def tail(self) -> int:
        """Return how many bytes behind `end` hold remains of an unacknowledged write: 0 if the segment ends cleanly.

        Raises DurableBytesLost if they, or the space where bytes should be, had been durable.
        """
        if self.seal is not None:
            return 0
        fault = self.fault or Fault(self.end, "the log ends")
        used = self.end
        for offset, chunk in self._chunks():
            self._look_for_witness(fault, chunk, offset)
            if chunk != _ZEROS[: len(chunk)]:
                used = offset + len(chunk.rstrip(b"\0"))
        if self.fault is None and used <= self.end + BATCH_BYTES:
            return 0  # a mark
        return used - self.end

    def _next(self) -> Batch | None:
        data = self._read(self.end, BATCH_BYTES)
        head = decode_batch_head(data, self._salt, self.end)
        if head is None:
            self.seal = decode_seal(data, self._salt, self.end)
            if self.seal is not None:
                self.claimed = self.end + SEAL_BYTES
            elif data.strip(b"\0"):
                self.fault = Fault(self.end, "a batch head is damaged")
            return None
        if head.durable > self.end or (self._index is not None and head.first_index != self._index):
            self.fault = Fault(self.end, "a batch is out of order")
            return None
        self.claimed = max(self.claimed, head.durable)
        return self._whole(head) if head.length else None

    def _whole(self, head: BatchHead) -> Batch | None:
        start = self.end + BATCH_BYTES
        data = self._read(start, head.length)
        try:
            frames = list(decode_frames(data, start))
        except BadFrame as bad:
            self.fault = Fault(bad.offset, bad.reason)
            return None
        if len(data) != head.length or sum(frame.kind == RECORD for frame in frames) != head.records:
            self.fault = Fault(self.end, "a batch is cut short")
            return None
        return Batch(head, frames)

    def _chunks(self) -> Iterator[tuple[int, bytes]]:
        """Yield what stands behind the tail; chunks overlap, so that each head is in one of them whole."""
        offset = self.end
        while chunk := self._read(offset, CHUNK):
            yield offset, chunk
            if len(chunk) <= BATCH_BYTES:
                return
            offset += len(chunk) - BATCH_BYTES

    def _look_for_witness(self, fault: Fault, chunk: bytes, base: int) -> None:
        place = chunk.find(self._salt)
        while place >= 0:
            start = place - HEAD.size
            if start >= 0:
                data = chunk[start : start + BATCH_BYTES]
                head = decode_batch_head(data, self._salt, base + start)
                sealed = decode_seal(data, self._salt, base + start) is not None
                if sealed or (head is not None and head.durable > self.end):
                    raise DurableBytesLost(fault, base + start)
            place = chunk.find(self._salt, place + 1)
