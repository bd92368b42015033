"""The operational log: what happens to the processes, one line an event, one line a call, never a call's content.

Text for a person or JSON for a collector. Lines are gathered and written in pieces that a pipe takes whole, so that
the lines of several processes on one pipe don't mix. Writing never blocks the event loop: where the reader is slow a
bounded amount waits, and what comes on top is dropped and counted.
"""

import os
import re
import select
import socket
import stat
import time
from collections import deque
from typing import Final, Literal, Protocol

import msgspec

from trunkline.model.money import NOTHING
from trunkline.model.names import STEERING
from trunkline.model.records import CallClosed
from trunkline.model.snapshot import Key, Route

Form = Literal["text", "json"]
Level = Literal["info", "warning", "error"]

LEVELS: Final[dict[str, int]] = {"info": 20, "warning": 30, "error": 40}
# A write of at most this much to a pipe is never interleaved with another process's (POSIX).
PIECE_BYTES: Final = select.PIPE_BUF
# Gathered lines are written when they come to this much, if the owner hasn't asked for it before.
GATHER_BYTES: Final = 64 * 1024
# What may wait for a slow reader.
PENDING_BYTES: Final = 1024 * 1024
# A fact is cut here: it came from outside and may be long.
FACT_CHARACTERS: Final = 500
# Names already quoted; a configuration has some hundreds at most.
QUOTED_NAMES: Final = 4096
_encode: Final = msgspec.json.Encoder().encode
NANOSECONDS_PER_MS: Final = 1_000_000
PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+*-]+")
_SURROGATES = f"{chr(0xD800)}-{chr(0xDFFF)}"  # no literal: a compiled one would have to be UTF-8
UNSAFE: Final = re.compile(f"[{STEERING}{_SURROGATES}]")


class PlanFacts(Protocol):
    """What the line of a call takes from its plan."""

    @property
    def route(self) -> Route:
        """The route that the call was for."""


class CallFacts(Protocol):
    """What the line of a call takes from the call, beside its closed record."""

    @property
    def key(self) -> Key | None:
        """The key that the call came with."""

    @property
    def plan(self) -> PlanFacts | None:
        """Where the call was to go."""


def neutral(text: str) -> str:
    """Return the text with everything that could steer a terminal or forge a line written as an escape."""
    return UNSAFE.sub(lambda match: match.group().encode("unicode_escape", "surrogatepass").decode("ascii"), text)


class OperationalLog:
    """Writes one process's lines to a file descriptor, which stays the caller's.

    Used by one thread. `dropped` counts the lines that a slow reader has cost so far; the log says so itself once the
    reader is back.
    """

    def __init__(self, fd: int, form: Form, level: str, process: str) -> None:
        self.dropped = 0
        self._outlet = _outlet(fd)
        self._process = process
        self._lines: list[bytes] = []
        self._gathered = 0
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._dropped_unsaid = 0
        self._stamped, self._stamp_text = -1, ""
        self._quoted: dict[tuple[str | None, ...], str] = {}
        self.configure(form, level)

    def configure(self, form: Form, level: str) -> None:
        """Change the form and the least level of the lines to come."""
        self._json = form == "json"
        self._least = LEVELS[level]

    def event(self, level: Level, name: str, /, **facts: object) -> None:
        """Write what happened, with its facts, at once; facts that are None are left out."""
        if LEVELS[level] >= self._least:
            self._add(self._event_line(level, name, facts))
            self.flush()

    def note(self, level: Level, name: str, /, **facts: object) -> None:
        """Write what happens often, with its facts: gathered like the lines of calls, and written with `flush`."""
        if LEVELS[level] >= self._least:
            self._add(self._event_line(level, name, facts))
            if self._gathered > GATHER_BYTES:
                self.flush()

    def fault(self, error: BaseException) -> None:
        """Write that something happened which nobody foresaw: its kind and where, never what it said of its data."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        at = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace is not None else None
        self.event("error", "fault", kind=type(error).__name__, at=at)

    def call_line(self, record: CallClosed, call: CallFacts) -> None:
        """Write the line of a call that has ended: who, where to, how it went, at what cost. Written with `flush`."""
        if self._least > LEVELS["info"]:
            return
        self._add(self._json_call(record, call) if self._json else self._text_call(record, call))
        if self._gathered > GATHER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what has been gathered, as far as the reader takes it without waiting."""
        if self._lines:
            self._gather()
        self._drain()
        if self._dropped_unsaid and not self._pending:
            count, self._dropped_unsaid = self._dropped_unsaid, 0
            self._add(self._event_line("warning", "log_lines_dropped", {"count": count}))
            self._gather()
            self._drain()

    def close(self) -> None:
        """Write what can be written at once, and let go of what this object opened itself."""
        self.flush()
        self._outlet.close()

    # Lines

    def _stamp(self) -> str:
        now = time.time_ns() // NANOSECONDS_PER_MS
        if now != self._stamped:
            self._stamped = now
            second, millisecond = divmod(now, 1000)
            self._stamp_text = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{millisecond:03d}Z"
        return self._stamp_text

    def _event_line(self, level: str, name: str, facts: dict[str, object]) -> bytes:
        said = {fact: _bounded(value) for fact, value in facts.items() if value is not None}
        if self._json:
            head = {"at": self._stamp(), "level": level, "process": self._process, "event": name}
            return _json_line({key: _encodable(value) for key, value in (head | said).items()})
        words = " ".join(f"{fact}={_text_of(value)}" for fact, value in said.items())
        return f"{self._stamp()} {level:<7} {self._process} {name} {words}".rstrip().encode() + b"\n"

    def _text_call(self, record: CallClosed, call: CallFacts) -> bytes:
        usage, timings = record.usage, record.timings
        cost = record.cost.amount if record.cost is not None else NOTHING
        first = f" first_token_ms={_number(timings.first_token_ms)}" if timings.first_token_ms is not None else ""
        return (
            f"{self._stamp()} info    {self._process} call {record.call} {record.outcome} status={record.status}"
            f"{self._names(record, call)} attempts={_asked(record)}"
            f" prompt_tokens={usage.prompt_tokens if usage else 0}"
            f" completion_tokens={usage.completion_tokens if usage else 0}"
            f" cost={cost}{first} total_ms={_number(timings.total_ms)} overhead_ms={_number(timings.overhead_ms)}\n"
        ).encode()

    def _json_call(self, record: CallClosed, call: CallFacts) -> bytes:
        usage, timings, key, plan = record.usage, record.timings, call.key, call.plan
        line: dict[str, object] = {
            "at": self._stamp(),
            "level": "info",
            "process": self._process,
            "event": "call",
            "call": record.call,
            "outcome": record.outcome,
            "status": record.status,
        }
        if record.error is not None and record.error.code is not None:
            line["error"] = record.error.code
        line |= {
            "tenant": key.tenant if key is not None else None,
            "key": key.id if key is not None else None,
            "route": plan.route.name if plan is not None else None,
            "provider": record.provider,
            "model": record.model,
            "attempts": _asked(record),
            "prompt_tokens": usage.prompt_tokens if usage else 0,
            "completion_tokens": usage.completion_tokens if usage else 0,
            "cost": record.cost.amount if record.cost is not None else NOTHING,
        }
        if timings.first_token_ms is not None:
            line["first_token_ms"] = timings.first_token_ms
        line["total_ms"] = timings.total_ms
        line["overhead_ms"] = timings.overhead_ms
        return _json_line(line)

    def _names(self, record: CallClosed, call: CallFacts) -> str:
        """Return the names in a call's line; the same few come again and again."""
        key, plan, error = call.key, call.plan, record.error
        names = (
            error.code if error is not None else None,
            key.tenant if key is not None else None,
            key.id if key is not None else None,
            plan.route.name if plan is not None else None,
            record.provider,
            record.model,
        )
        text = self._quoted.get(names)
        if text is None:
            code, tenant, key_id, route, provider, model = ("-" if n is None else _text_of(_bounded(n)) for n in names)
            text = "" if names[0] is None else f" error={code}"
            text += f" tenant={tenant} key={key_id} route={route} target={provider}/{model}"
            if len(self._quoted) < QUOTED_NAMES:
                self._quoted[names] = text
        return text

    # Writing

    def _add(self, line: bytes) -> None:
        self._lines.append(line)
        self._gathered += len(line)

    def _gather(self) -> None:
        """Cut the gathered lines into pieces of whole lines; drop what is above the bound."""
        lines, self._lines, self._gathered = self._lines, [], 0
        piece: list[bytes] = []
        size = 0
        for line in lines:
            if self._pending_bytes + size + len(line) > PENDING_BYTES:
                self.dropped += 1
                self._dropped_unsaid += 1
                continue
            if size + len(line) > PIECE_BYTES:
                self._hold(piece, size)
                piece, size = [], 0
            piece.append(line)
            size += len(line)
        self._hold(piece, size)

    def _hold(self, piece: list[bytes], size: int) -> None:
        if piece:
            self._pending.append(b"".join(piece))
            self._pending_bytes += size

    def _drain(self) -> None:
        while self._pending:
            piece = self._pending[0]
            try:
                written = self._outlet.write(piece)
            except BlockingIOError:
                return
            except OSError:  # the reader has gone: nobody to tell
                written = len(piece)
            self._pending_bytes -= written
            if written == len(piece):
                self._pending.popleft()
            else:
                self._pending[0] = piece[written:]


class _Outlet(Protocol):
    """Writes without blocking: BlockingIOError where nothing can be taken now."""

    def write(self, data: bytes) -> int: ...

    def close(self) -> None: ...


class _Direct:
    """A regular file, or what we could open again for ourselves."""

    def __init__(self, fd: int, owned: int | None) -> None:
        self._fd, self._owned = fd, owned

    def write(self, data: bytes) -> int:
        return os.write(self._fd, data)

    def close(self) -> None:
        if self._owned is not None:
            os.close(self._owned)
            self._owned = None


class _Socket:
    """What a service manager gives: a stream socket."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=os.dup(fd))

    def write(self, data: bytes) -> int:
        return self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def close(self) -> None:
        self._socket.close()


class _Polled:
    """A pipe or terminal that we may not open again: `poll` promises room for one piece."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def write(self, data: bytes) -> int:
        if not self._poll.poll(0):
            raise BlockingIOError
        return os.write(self._fd, data[:PIECE_BYTES])

    def close(self) -> None:
        self._poll.unregister(self._fd)


def _outlet(fd: int) -> _Outlet:
    """Return a way to write to `fd` that never blocks.

    O_NONBLOCK belongs to the open file, which our parent shares with us: setting it would break the parent's shell.
    Opened again, a pipe or terminal is ours alone. A regular file doesn't block, and its position is to stay shared.
    """
    mode = os.fstat(fd).st_mode
    if stat.S_ISSOCK(mode):
        return _Socket(fd)
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        return _Direct(fd, None)
    try:
        owned = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return _Polled(fd)
    return _Direct(owned, owned)


def _number(value: float) -> str:
    return _encode(value).decode()  # a quarter of the time that `str` takes


def _asked(record: CallClosed) -> int:
    attempts = record.attempts
    if len(attempts) == 1:
        return int(attempts[0].outcome != "skipped")
    return sum(attempt.outcome != "skipped" for attempt in attempts)


def _bounded(value: object) -> object:
    if isinstance(value, int | float):
        return value
    text = str(value)
    return text if len(text) <= FACT_CHARACTERS else text[:FACT_CHARACTERS] + "..."


def _text_of(value: object) -> str:
    """Return a value as one word: quoted where it would not be one, and unable to steer a terminal."""
    text = str(value)
    if PLAIN.fullmatch(text):
        return text
    return '"' + neutral(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _json_line(line: object) -> bytes:
    data = _encode(line)
    if data.isascii() and b"\x7f" not in data:
        return data + b"\n"
    # JSON leaves C1 controls and directions of writing as they are; a terminal obeys them.
    return UNSAFE.sub(_json_escape, data.decode()).encode() + b"\n"


def _json_escape(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be")  # two of them for a tag character
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _encodable(value: object) -> object:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
