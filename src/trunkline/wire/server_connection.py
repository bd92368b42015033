"""One connection of a server, as asyncio sees it: reads requests, runs one handler at a time, notices who leaves."""

import asyncio
import enum
import math
import socket
import struct
from typing import Final, cast

from trunkline.errors import CallError, InternalError
from trunkline.wire.http import CONTINUE, AnswerHeads
from trunkline.wire.limits import PIPELINED_REQUEST
from trunkline.wire.owner import Owner
from trunkline.wire.refusals import error_answer, too_many_connections, too_slow
from trunkline.wire.request import Request
from trunkline.wire.request_reader import RequestReader
from trunkline.wire.responder import Responder

HIGH_WATER: Final = 64 * 1024
LOW_WATER: Final = 16 * 1024
# What a body must grow by in each `header_timeout`, if it does not become complete.
MIN_PROGRESS: Final = 32 * 1024
# After our last answer the client's bytes are read and thrown away for a while: closing on unread bytes would make the
# kernel send a reset, which can overtake the answer (RFC 9112, 9.6).
LINGER_SECONDS = 5.0
LINGER_BYTES = 16 * 1024 * 1024
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Phase(enum.Enum):
    """What a connection is waiting for."""

    IDLE = enum.auto()  # the first byte of a request
    ARRIVING = enum.auto()  # the rest of a request
    ANSWERING = enum.auto()  # the handler
    LEAVING = enum.auto()  # the client to read the last answer and close


class Connection(asyncio.Protocol):
    """The protocol of one accepted connection; `deadline` (loop time) is when `expire` must be called."""

    __slots__ = (
        "_body_size",
        "_entered",
        "_gone",
        "_left_to_discard",
        "_mark",
        "_phase",
        "_read_ahead",
        "_reader",
        "_reading",
        "_responder",
        "_server",
        "_task",
        "_transport",
        "_waiter",
        "congested",
        "deadline",
    )

    def __init__(self, server: Owner) -> None:
        self._server = server
        self._phase = Phase.IDLE
        self._gone = False
        self._reading = True
        self._entered = False
        self._read_ahead = 0
        self._body_size = 0
        self._mark = 0
        self._left_to_discard = LINGER_BYTES
        self._task: asyncio.Task[None] | None = None
        self._responder: Responder | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.congested = False
        self.deadline = math.inf

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = transport = cast("asyncio.Transport", transport)
        transport.set_write_buffer_limits(HIGH_WATER, LOW_WATER)
        server = self._server
        self._reader = RequestReader(server.limits, server.held_bytes, _peer(transport))
        if server.connection_opened(self):
            # A draining server gives its newcomers time for one request, to be told to go elsewhere.
            self._wait_for_a_request(server.limits.header_timeout if server.draining else server.limits.idle_timeout)
        else:
            self._refuse(too_many_connections())

    def data_received(self, data: bytes) -> None:
        """The client has sent bytes."""
        if self._phase is Phase.LEAVING:
            self._discard(len(data))
            return
        self._reader.receive(data)
        if self._phase is Phase.ANSWERING:
            self._count_ahead(len(data))
        else:
            self._advance()

    def eof_received(self) -> None:
        """The client has closed its side, which ends its interest in an answer that is not finished."""
        if self._responder is not None and not self._responder.finished:
            self._leave_at_once()

    def connection_lost(self, _exc: Exception | None) -> None:
        """The connection is no more."""
        self._client_gone()
        self._server.connection_closed(self)

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        self.congested = True
        if self._phase is Phase.ANSWERING:
            self.deadline = self._patience()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.congested = False
        if self._phase is Phase.ANSWERING:
            self.deadline = self._patience()
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # What the responder calls

    @property
    def heads(self) -> AnswerHeads:
        """Ready made first lines of answers."""
        return self._server.heads

    @property
    def draining(self) -> bool:
        """Whether the server asks its clients to go elsewhere."""
        return self._server.draining

    def write(self, data: bytes) -> None:
        """Pass bytes to the transport at once; nothing where the client has gone."""
        if not self._gone:
            self._transport.write(data)

    def reset(self) -> None:
        """Cut the connection so that the client notices, whatever it has read so far."""
        if self._gone:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._leave_at_once()

    async def drained(self) -> None:
        """Wait until the client has read most of what was written; one caller at a time."""
        if self._gone:
            raise ConnectionResetError("the client has gone")
        if not self.congested:
            return
        if self._waiter is not None:
            raise RuntimeError("somebody waits for this client already")
        self._waiter = self._server.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    # What the server calls

    def expire(self, now: float) -> None:
        """Do what is due at `deadline`, which has passed."""
        if self._phase is Phase.IDLE:
            self.close()
        elif self._phase is Phase.ARRIVING:
            self._check_progress(now)
        elif self._phase is Phase.ANSWERING:
            self.reset()
        else:
            self._check_leaving(now)

    def close_if_idle(self) -> None:
        """Close a connection that waits for a request."""
        if self._phase is Phase.IDLE:
            self.close()

    def close_if_answered(self) -> None:
        """Close a connection for which no handler runs."""
        if self._phase is not Phase.ANSWERING:
            self.close()

    def close(self) -> None:
        """Close as soon as everything written has been sent."""
        if self._gone:
            return
        self._start_leaving()
        self._transport.close()

    def abort(self) -> None:
        """Close now; a client that has not got its whole answer sees a reset."""
        if self._responder is not None or self._transport.get_write_buffer_size():
            self.reset()
        else:
            self._leave_at_once()

    # Reading

    def _advance(self) -> None:
        try:
            request = self._reader.next_request()
        except CallError as error:
            self._refuse(error)
            return
        if request is not None:
            self._answer(request)
        else:
            self._expect_more()

    def _become_idle(self) -> None:
        if self._server.draining:
            self.close()
        else:
            self._wait_for_a_request(self._server.limits.idle_timeout)

    def _wait_for_a_request(self, seconds: float) -> None:
        self._phase = Phase.IDLE
        self.deadline = self._server.loop.time() + seconds

    def _expect_more(self) -> None:
        if self._phase is not Phase.ARRIVING:
            self._phase = Phase.ARRIVING
            self._mark = 0
            self.deadline = self._server.loop.time() + self._server.limits.header_timeout
        if self._reader.awaiting_continue:
            self._reader.awaiting_continue = False
            self.write(CONTINUE)

    def _check_progress(self, now: float) -> None:
        progress = self._reader.progress
        if progress - self._mark >= MIN_PROGRESS:
            self._mark = progress
            self.deadline = now + self._server.limits.header_timeout
            return
        self._refuse(too_slow(self._server.limits.header_timeout))

    def _count_ahead(self, size: int) -> None:
        """Bound what is read while a handler runs; until then reading goes on: only a reader sees a client leave."""
        held = self._server.held_bytes.take(size)
        if held:
            self._read_ahead += size
        most = self._server.limits.max_pipelined * PIPELINED_REQUEST
        if (not held or self._reader.buffered > most) and self._reading:
            self._reading = False
            self._transport.pause_reading()

    def _release_ahead(self) -> None:
        self._server.held_bytes.release(self._read_ahead)
        self._read_ahead = 0
        if not self._reading and not self._gone:
            self._reading = True
            self._transport.resume_reading()

    # Answering

    def _answer(self, request: Request) -> None:
        self._phase = Phase.ANSWERING
        self.deadline = self._patience()
        self._entered = False
        self._body_size = len(request.body)
        self._responder = responder = Responder(self, request)
        self._server.call_started()
        self._task = self._server.loop.create_task(self._handle(request, responder))
        if self._reader.buffered:
            self._count_ahead(self._reader.buffered)

    def _patience(self) -> float:
        """Until when a handler may take: its own limits are the gateway's, but a client that stops reading is ours."""
        return self._server.loop.time() + self._server.limits.idle_timeout if self.congested else math.inf

    async def _handle(self, request: Request, responder: Responder) -> None:
        self._entered = True
        try:
            await self._server.handler(request, responder)
        except Exception as error:  # noqa: BLE001 - the edge that answers 500; it is reported in _fault
            self._fault(error, responder)
        finally:
            self._settle(responder)

    def _fault(self, error: Exception, responder: Responder) -> None:
        if self._gone and isinstance(error, ConnectionError):
            return
        if not responder.started:
            responder.close_after = True
            responder.send(*error_answer(InternalError("the gateway failed; the call was not answered")))
        self._server.faulted(error)

    def _settle(self, responder: Responder) -> None:
        """The handler has ended, in whatever way."""
        self._task = self._responder = None
        self._server.held_bytes.release(self._body_size)
        self._server.call_ended()
        if self._gone:
            return
        if not responder.finished:
            self.reset()
        elif responder.close_after:
            self._half_close()
        elif self._reader.buffered:
            self._release_ahead()
            self._phase = Phase.IDLE
            self._advance()
        else:
            self._become_idle()

    # Leaving

    def _refuse(self, error: CallError) -> None:
        """Answer what no handler shall see, and close; every earlier request has had its answer."""
        if self._gone:
            return
        status, headers, body = error_answer(error)
        head = self._server.heads.of(status)
        self.write(b"%b%bconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (head, headers, len(body), body))
        self._half_close()
        self._server.refused(error, self._reader.peer)

    def _half_close(self) -> None:
        self._start_leaving()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _start_leaving(self) -> None:
        self._phase = Phase.LEAVING
        self._mark = self._transport.get_write_buffer_size()
        self.deadline = self._server.loop.time() + LINGER_SECONDS
        self._reader.discard()
        self._release_ahead()

    def _discard(self, size: int) -> None:
        self._left_to_discard -= size
        if self._left_to_discard < 0:
            self._leave_at_once()

    def _check_leaving(self, now: float) -> None:
        waiting = self._transport.get_write_buffer_size()
        if waiting < self._mark:
            self._mark = waiting
            self.deadline = now + LINGER_SECONDS
        else:
            self.abort()

    def _leave_at_once(self) -> None:
        self._client_gone()
        self._transport.abort()

    def _client_gone(self) -> None:
        """Stop everything that was done for this client; safe to call again."""
        if self._gone:
            return
        self._gone = True
        self._phase = Phase.LEAVING
        self.deadline = math.inf
        self._reader.discard()
        self._release_ahead()
        waiter, self._waiter = self._waiter, None
        task, responder = self._task, self._responder
        if task is not None and responder is not None and not responder.finished:
            task.cancel()
            if not self._entered:
                # A task cancelled before its first step never runs its `finally`.
                self._settle(responder)
        if waiter is not None and not waiter.done():
            waiter.set_exception(ConnectionResetError("the client has gone"))


def _peer(transport: asyncio.Transport) -> str:
    name = transport.get_extra_info("peername")
    if not isinstance(name, tuple):
        return "unix"
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
