"""What a simulated provider saw: its calls, for assertions, and events to wait for instead of sleeping."""

import asyncio
import time
from collections import deque
from typing import Any

from trunkline.wire.request import Request

KEPT = 10_000
_SECRET = frozenset({b"authorization", b"x-api-key", b"api-key", b"cookie", b"proxy-authorization"})
HIDDEN = "(hidden)"


class Call:
    """One request and what became of it.

    Times are Unix seconds. `body` is the parsed JSON, None where there is none. `headers` has lower-case names, and
    `(hidden)` for what carries a key. `status` is what was planned to be answered, None where no head was. `left_at` is
    when the client left before the answer was finished; `ended_at` is set in any case once the call is over.
    """

    __slots__ = ("_head", "body", "ended_at", "left_at", "method", "number", "path", "received_at", "script", "status")

    def __init__(self, number: int, request: Request, body: Any) -> None:
        self.number = number
        self.method = request.method.decode("latin-1")
        self.path = request.path
        self.body = body
        self.received_at = time.time()
        self.ended_at: float | None = None
        self.left_at: float | None = None
        self.status: int | None = None
        self.script: Any = None
        self._head = {name: value for name, value in request.headers.items() if name not in _SECRET}
        for name in _SECRET & request.headers.keys():
            self._head[name] = HIDDEN.encode()

    @property
    def headers(self) -> dict[str, str]:
        """The request's headers, without the values of keys."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self._head.items()}

    @property
    def client_left(self) -> bool:
        """Whether the client left before the answer was finished."""
        return self.left_at is not None

    def __repr__(self) -> str:
        state = "left" if self.client_left else "open" if self.ended_at is None else "ended"
        return f"Call({self.number}: {self.method} {self.path} -> {self.status}, {state})"


class CallLog:
    """The last calls of a provider and counts of all of them; its waits are for one event loop."""

    def __init__(self) -> None:
        self._kept: deque[Call] = deque(maxlen=KEPT)
        self.seen = 0
        self.left = 0
        self.ended = 0
        self._changed: asyncio.Future[None] | None = None

    @property
    def calls(self) -> list[Call]:
        """The calls that are kept, the oldest first."""
        return list(self._kept)

    def open(self, request: Request, body: Any) -> Call:
        """Note a call that begins."""
        self.seen += 1
        call = Call(self.seen, request, body)
        self._kept.append(call)
        self._notify()
        return call

    def client_left(self, call: Call) -> None:
        """Note that the client of a call left before its answer was finished."""
        call.left_at = time.time()
        self.left += 1

    def close(self, call: Call) -> None:
        """Note that a call is over."""
        call.ended_at = time.time()
        self.ended += 1
        self._notify()

    async def until_seen(self, count: int) -> None:
        """Wait until `count` calls have been seen, counted from the start."""
        while self.seen < count:
            await self._change()

    async def until_left(self, count: int) -> None:
        """Wait until the clients of `count` calls have left, counted from the start."""
        while self.left < count:
            await self._change()

    async def until_ended(self, count: int) -> None:
        """Wait until `count` calls are over, counted from the start."""
        while self.ended < count:
            await self._change()

    async def _change(self) -> None:
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        # Shielded: others may wait for the same change.
        await asyncio.shield(self._changed)

    def _notify(self) -> None:
        changed, self._changed = self._changed, None
        if changed is not None and not changed.done():
            changed.set_result(None)
