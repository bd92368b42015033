"""Server-sent events, incrementally: any cut of the bytes gives the same events, within bounded memory.

Source: WHATWG HTML, section 9.2.6 "Interpreting an event stream". `id` and `retry` mean nothing here and are ignored.
"""

from typing import Final

from trunkline.dialects.provider import BrokenAnswer

LARGEST_FRAME: Final = 4_000_000  # bytes of one line and of one event's data; audio comes in pieces far below this

LONGEST_END: Final = 64  # bytes of an unfinished event that may be a stream's end mark

_BOM: Final = b"\xef\xbb\xbf"
_LF: Final = 10


class SseParser:
    """One stream's parser; `feed` returns the events completed as (event name, data), the name empty where unnamed."""

    __slots__ = ("_after_cr", "_data", "_event", "_fresh", "_largest", "_rest", "_rest_size", "_size", "clean")

    def __init__(self, largest: int = LARGEST_FRAME) -> None:
        self._largest = largest
        self._rest: list[bytes] = []  # the unfinished line, in pieces: joining at each would be quadratic
        self._rest_size = 0
        self._data: list[bytes] = []
        self._size = 0
        self._event = b""
        self._fresh = True  # nothing read yet, so a byte order mark may come
        self.clean = False  # whether nothing is kept from earlier bytes
        self._after_cr = False  # a line feed that comes now belongs to the carriage return before it

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """Take bytes, return the events that they complete; raises BrokenAnswer above the limit."""
        end = data.find(b"\n")
        if (
            self.clean
            and end == len(data) - 2
            and data[-1] == _LF
            and data.startswith(b"data: ")
            and b"\r" not in data
            and end < self._largest
        ):  # one usual frame, whole: what most reads bring
            return [(b"", data[6:end])]
        events: list[tuple[bytes, bytes]] = []
        self._feed(data, events)
        self.clean = not (self._rest or self._data or self._event or self._after_cr or self._fresh)
        return events

    def _feed(self, data: bytes, events: list[tuple[bytes, bytes]]) -> None:
        if self._after_cr and data:
            self._after_cr = False
            if data[0] == _LF:
                data = data[1:]
        if self._rest:
            if b"\n" not in data and b"\r" not in data:
                self._keep(data)
                return
            self._rest.append(data)
            data = b"".join(self._rest)
            self._rest = []
            self._rest_size = 0
        position = self._parse(data, events)
        if position < len(data):
            self._keep(data[position:])

    @property
    def unfinished(self) -> bytes:
        """The data of the event begun and not yet ended: what a stream that lacks its last line feeds leaves.

        Empty for one of more than `LONGEST_END` bytes: to join those at each look would be quadratic.
        """
        if self.clean or self._rest_size + self._size > LONGEST_END:
            return b""
        data, event = list(self._data), self._event
        line = b"".join(self._rest)
        if line.startswith(b"data:"):
            data.append(_value(line))
        return b"" if event else b"\n".join(data)

    def _parse(self, data: bytes, events: list[tuple[bytes, bytes]]) -> int:
        """Read all whole lines; return where the first unfinished one begins."""
        position, end = 0, len(data)
        any_cr = b"\r" in data
        line_feed = data.find(b"\n")
        while position < end:
            if 0 <= line_feed < position:  # looked for again only once passed: lines may end without any
                line_feed = data.find(b"\n", position)
            line_end = line_feed
            if any_cr:
                line_end, after = self._line_end(data, position, line_feed)
            else:
                after = line_end + 1
            if line_end < 0:
                break
            if (
                after < end
                and data[after] == _LF
                and not self._data
                and not self._event
                and data.startswith(b"data: ", position)
            ):  # the usual frame: one line of data and an empty one, nothing kept between
                if line_end - position > self._largest:
                    raise _too_large(self._largest)
                events.append((b"", data[position + 6 : line_end]))
                self._fresh = False
                position = after + 1
                continue
            if not (any_cr or self._data or self._event) and data.startswith(b"event: ", position):
                data_end = data.find(b"\n", after)
                if data_end > 0 and data.startswith(b"data: ", after) and data.startswith(b"\n", data_end + 1):
                    # the usual named frame: its name, one line of data and an empty one
                    if max(line_end - position, data_end - after) > self._largest:
                        raise _too_large(self._largest)
                    events.append((data[position + 7 : line_end], data[after + 6 : data_end]))
                    self._fresh = False
                    position = data_end + 2
                    continue
            self._line(data[position:line_end], events)
            position = after
        return position

    def _line_end(self, data: bytes, position: int, line_feed: int) -> tuple[int, int]:
        """Return where this line ends and where the next begins, when carriage returns are about."""
        carriage_return = data.find(b"\r", position, line_feed if line_feed >= 0 else len(data))
        if carriage_return < 0:
            return line_feed, line_feed + 1
        after = carriage_return + 1
        if after == len(data):
            self._after_cr = True
        elif data[after] == _LF:
            after += 1
        return carriage_return, after

    def _line(self, line: bytes, events: list[tuple[bytes, bytes]]) -> None:
        if len(line) > self._largest:
            raise _too_large(self._largest)
        if self._fresh:
            self._fresh = False
            line = line.removeprefix(_BOM)
        if not line:
            if self._data:
                events.append((self._event, b"\n".join(self._data)))
            self._data, self._size, self._event = [], 0, b""
        elif line.startswith(b"data:") or line == b"data":
            value = _value(line)
            self._size += len(value) + 1
            if self._size > self._largest:
                raise _too_large(self._largest)
            self._data.append(value)
        elif line.startswith(b"event:") or line == b"event":
            self._event = _value(line)

    def _keep(self, piece: bytes) -> None:
        self._rest.append(piece)
        self._rest_size += len(piece)
        if self._rest_size > self._largest:
            raise _too_large(self._largest)


def _value(line: bytes) -> bytes:
    return line.partition(b":")[2].removeprefix(b" ")


def _too_large(largest: int) -> BrokenAnswer:
    return BrokenAnswer(f"an event of the stream is larger than {largest} bytes")
