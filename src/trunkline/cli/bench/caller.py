"""One keep-alive connection of the load generator, calling again and again. Callbacks only: a task per call costs more
than the call itself."""

import asyncio
import re
import time
from typing import Protocol

import httptools

# What a stream says: the gateway and the provider write JSON without spaces, and the text has no escapes.
_CONTENT = re.compile(rb'"content":"([^"\\]*)"')
_SAYS = b'"content":"'
_SAYS_NOTHING = b'"content":""'
_END_OF_EVENT = b"\n\n"
_END_OF_STREAM = b"data: [DONE]\n\n"


class Run(Protocol):
    """What callers share: the bytes of a call, whether to go on, and where results go."""

    request: bytes
    expected: bytes

    def another(self) -> bool:
        """Say whether the caller is to make another call, which it then makes."""

    def answered(self, began: float, first: float, ended: float, gaps: list[float]) -> None:
        """Take the times of a call that was answered whole (`time.perf_counter`)."""

    def lose(self) -> None:
        """Count a stream that began and did not come whole."""

    def fail(self, reason: str, said: bytes) -> None:
        """Count a call that was not answered."""

    def replace(self, caller: "Caller") -> None:
        """Connect again: this connection is of no use any more."""

    def retire(self, caller: "Caller") -> None:
        """Take note that a caller has ended."""


class Caller(asyncio.Protocol):
    """Makes JSON calls, one after the other, for as long as the run wants another."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._parser = httptools.HttpResponseParser(self)
        self._began = self._first = 0.0
        self._gaps: list[float] = []
        self._body: list[bytes] = []
        self._calling = self._spent = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; `begin` makes the first call."""
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def begin(self) -> None:
        """Make a call, or end if the run wants no more."""
        if not self._run.another():
            self._transport.close()
            self._run.retire(self)
            return
        self._body.clear()
        self._reset()
        self._calling = True
        self._began = time.perf_counter()
        self._transport.write(self._run.request)

    def data_received(self, data: bytes) -> None:
        """Take bytes of an answer."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._give_up("no HTTP")

    def connection_lost(self, _: Exception | None) -> None:
        """Count what was under way, and have this connection replaced."""
        self._give_up("connection closed")

    def on_body(self, body: bytes) -> None:
        """Take a piece of an answer (called by the parser)."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Count the answer and make the next call (called by the parser)."""
        if not self._calling:
            return
        self._calling = False
        ended = time.perf_counter()
        status, said = self._parser.get_status_code(), b"".join(self._body)
        if status != 200:
            self._run.fail(f"status {status}", said)
        elif not self._whole(said):
            self._amiss(said)
        else:
            self._run.answered(self._began, self._first, ended, self._gaps)
        if self._parser.should_keep_alive():
            self.begin()
        else:
            self._replace()

    def _reset(self) -> None:
        """Forget the last answer."""

    def _whole(self, said: bytes) -> bool:
        return self._run.expected in said

    def _amiss(self, said: bytes, /) -> None:
        self._run.fail("another text", said)

    def _give_up(self, reason: str) -> None:
        if self._calling:
            self._calling = False
            if self._body:
                self._amiss(b"".join(self._body))
            else:
                self._run.fail(reason, b"")
            self._replace()

    def _replace(self) -> None:
        if not self._spent:
            self._spent = True
            self._transport.abort()
            self._run.replace(self)


class Listener(Caller):
    """Makes streamed calls, and takes the time of every token."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._rest = b""
        self._last = 0.0

    def on_body(self, body: bytes) -> None:
        """Take a piece of a stream; what came since the last whole event waits for the rest of its own."""
        now = time.perf_counter()
        self._body.append(body)
        events = self._rest + body if self._rest else body
        if events.endswith(_END_OF_EVENT):
            self._rest = b""
        else:
            end = events.rfind(_END_OF_EVENT) + len(_END_OF_EVENT)
            if end < len(_END_OF_EVENT):
                self._rest = events
                return
            events, self._rest = events[:end], events[end:]
        if events.count(_SAYS) == events.count(_SAYS_NOTHING):
            return
        if self._last:
            self._gaps.append(now - self._last)
        else:
            self._first = now
        self._last = now

    def _reset(self) -> None:
        # A new list: the run has kept nothing of the old one, but clearing it would free and grow it for every call.
        self._gaps = []
        self._rest, self._last = b"", 0.0

    def _whole(self, said: bytes) -> bool:
        return said.endswith(_END_OF_STREAM) and b"".join(_CONTENT.findall(said)) == self._run.expected

    def _amiss(self, _: bytes, /) -> None:
        self._run.lose()
