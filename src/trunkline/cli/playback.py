"""Playing a recorded answer: first all of it is read, then it is written at the times at which it was released."""

import codecs
import time
from collections.abc import Callable, Iterable, Iterator
from typing import IO, TextIO

from trunkline.cli.failure import Failed
from trunkline.ledger.evidence_answers import Chunk, ReplayEnd
from trunkline.operations import neutral


class Recording:
    """A whole answer, in a file: nothing is written of one that cannot be read to its end. `note` is to be known."""

    def __init__(self, file: IO[bytes]) -> None:
        self._data = file
        self._marks: list[tuple[float, int]] = []
        self.note: str | None = None

    def take(self, words: Iterable[Chunk | ReplayEnd]) -> None:
        """Take an answer to its end. Raises Failed if that does not come."""
        size = 0
        for word in words:
            match word:
                case Chunk(ms, data):
                    self._data.write(data)
                    self._marks.append((ms, len(data)))
                    size += len(data)
                case ReplayEnd(whole, note) if whole == size:
                    self.note = note
                    return
        raise Failed("control ended before it had answered: try again")

    def chunks(self) -> Iterator[tuple[float, bytes]]:
        """Yield the chunks again, each with its milliseconds since the call began."""
        self._data.seek(0)
        for ms, size in self._marks:
            yield ms, self._data.read(size)


class Written:
    """Writes bytes as they are; but a terminal gets what could steer it as an escape."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._terminal = out, out.isatty()
        self._text = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def __call__(self, data: bytes) -> None:
        """Write a chunk, all of it, now."""
        if self._terminal:
            text = self._text.decode(data)
            self._out.write("\n".join(map(neutral, text.split("\n"))))
            self._out.flush()
        else:
            self._out.buffer.write(data)
            self._out.buffer.flush()


def play(
    chunks: Iterable[tuple[float, bytes]],
    write: Callable[[bytes], None],
    *,
    fast: bool,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Write each chunk as long after the beginning as it was released after the call's, or all at once."""
    began = clock()
    for ms, data in chunks:
        early = began + ms / 1000 - clock()
        if not fast and early > 0:
            sleep(early)
        write(data)
