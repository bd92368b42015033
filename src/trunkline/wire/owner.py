"""What a connection needs of the server that it belongs to."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from trunkline.errors import CallError
from trunkline.wire.http import AnswerHeads
from trunkline.wire.limits import InFlightBytes, ServerLimits
from trunkline.wire.request import Request
from trunkline.wire.responder import Responder

Handler = Callable[[Request, Responder], Awaitable[None]]


class Member(Protocol):
    """A connection, as its server sees it; `deadline` (loop time) is when `expire` must be called."""

    deadline: float

    def expire(self, now: float) -> None:
        """Do what is due at `deadline`, which has passed."""

    def close_if_idle(self) -> None:
        """Close a connection that waits for a request."""

    def close_if_answered(self) -> None:
        """Close a connection for which no handler runs."""

    def abort(self) -> None:
        """Close now; a client that has not got its whole answer sees a reset."""


class Owner(Protocol):
    """What a connection needs of its server."""

    handler: Handler
    limits: ServerLimits
    held_bytes: InFlightBytes
    heads: AnswerHeads
    draining: bool
    loop: asyncio.AbstractEventLoop

    def connection_opened(self, connection: "Member") -> bool:
        """Count a connection; False where there are too many."""

    def connection_closed(self, connection: "Member") -> None:
        """Forget a connection."""

    def call_started(self) -> None:
        """Count a request whose handler starts."""

    def call_ended(self) -> None:
        """Count a request whose handler has ended."""

    def refused(self, error: CallError, peer: str) -> None:
        """Take note of a request that no handler saw."""

    def faulted(self, error: Exception) -> None:
        """Take note of an error that a handler should not have raised."""
