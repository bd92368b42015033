"""A call's answer again, byte for byte as it was released, from its record: nothing is asked or made anew."""

from collections.abc import Iterator
from typing import Any, Final

from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.sealing import Unopened
from trunkline.audit.format.timing import decode_timing
from trunkline.ledger.answers import Unanswerable
from trunkline.ledger.archive import Archive, Piece, Stored
from trunkline.ledger.evidence_answers import Chunk, ReplayEnd
from trunkline.ledger.index import Index
from trunkline.ledger.questions import GONE, call_id_of
from trunkline.ledger.schema import FACTS

RESPONSE: Final = "response"
# What is handed on at once of a body that came in one piece.
MOST_BYTES: Final = 256 * 1024


class Replay:
    """The released bytes of one call, to be read once; `call` is its id."""

    def __init__(self, call: str, ended: Stored, *, stream: bool) -> None:
        self.call = call
        self._ended, self._stream = ended, stream

    def words(self) -> Iterator[Chunk | ReplayEnd]:
        """Yield the chunks in their order, and the end. Raises Unanswerable where the log has lost some of them."""
        size = 0
        try:
            for chunk in chunks_of(self._ended.pieces(RESPONSE), self._ended.members, stream=self._stream):
                size += len(chunk.data)
                yield chunk
        except (CorruptLog, OSError, Unopened, ValueError) as error:
            raise Unanswerable(f"what was released of {self.call} cannot be read: {error}") from None
        abandoned = self._ended.members["type"] == "call.abandoned"
        yield ReplayEnd(size, ABANDONED if abandoned else None)


ABANDONED: Final = "its worker died while it ran: of the last second before that the record may not have all"


def chunks_of(pieces: Iterator[Piece], ended: dict[str, Any], *, stream: bool) -> Iterator[Chunk]:
    """Yield what went to the client, with when; `ended` is the record's members. Raises ValueError for a bad timing.

    Where a piece has no timing it went at once: a JSON answer at the call's end, the beginning of a stream with its
    first byte, anything else of it right after what was before it.
    """
    timings = ended.get("timings", {})
    at = timings.get("first_byte_ms", 0.0) if stream else timings.get("total_ms", 0.0)
    for data, timing in pieces:
        marks = [(at, len(data))] if timing is None else decode_timing(timing)
        if sum(size for _, size in marks) != len(data) or any(size < 0 for _, size in marks):
            raise ValueError("the times of its chunks are not those of its bytes")
        start = 0
        for ms, size in marks:
            for begin in range(start, start + size, MOST_BYTES):
                yield Chunk(ms, data[begin : min(begin + MOST_BYTES, start + size)])
            start += size
            at = ms


def replay_of(index: Index, archive: Archive, named: str) -> Replay:
    """Return what was released of a call. Raises Misunderstood or Unanswerable."""
    call = call_id_of(named)
    sql = f"""
        SELECT c.stream, c.outcome, l.directory, c.end_segment, c.end_offset
        FROM {FACTS}.calls c JOIN {FACTS}.logs l ON l.log = c.log WHERE c.id = ?::UUID
    """
    for stream, outcome, directory, segment, offset in index.ask(sql, [call]):
        ended = archive.stored(directory, segment, offset)
        if ended is None:
            raise Unanswerable(f"the call {call} cannot be replayed: {GONE}")
        _check(call, ended, outcome, stream=stream)
        return Replay(call, ended, stream=stream)
    raise Unanswerable(_why_not(index, call))


def _check(call: str, ended: Stored, outcome: str, *, stream: bool) -> None:
    """Raise Unanswerable if nothing of the call went to its client, or nobody kept what did."""
    if outcome == "cancelled_before":
        raise Unanswerable(f"nothing was released of the call {call}: its client left before the first byte")
    if outcome == "abandoned" and (not stream or not ended.members.get("released_bytes")):
        raise Unanswerable(f"the log knows of nothing that was released of the call {call}: its worker died before")
    if not ended.has(RESPONSE):
        raise Unanswerable(f"what was released of the call {call} was not recorded")


def _why_not(index: Index, call: str) -> str:
    """Say why there is no ended call of this id."""
    if index.ask(f"SELECT 1 FROM {FACTS}.running WHERE id = ?::UUID", [call]):
        return f"the call {call} has not ended: it can be replayed when it has"
    if index.ask(f"SELECT 1 FROM {FACTS}.refusals WHERE first_call = ?::UUID", [call]):
        return f"the call {call} was not let in; such calls are counted, and what they were told is in `calls show`"
    return f"there is no call {call} in the index; `trunkline calls list` shows the latest"
