"""Carrying a stream: what comes from the provider goes out, is counted, and is logged at least every second."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from trunkline.dialects.openai_client import ChunkEncoder
from trunkline.dialects.provider import BrokenAnswer, StreamDecoder
from trunkline.errors import AuditUnavailable
from trunkline.gateway import shares
from trunkline.gateway.attempt import Reply
from trunkline.gateway.call import NANOSECONDS_PER_MS, Call
from trunkline.gateway.guarding import TOO_MANY_CHOICES
from trunkline.gateway.watch import Watch
from trunkline.guardrails.hold_back import TooManyChoices
from trunkline.model.delta import Delta
from trunkline.wire.client import Answer, WireError
from trunkline.wire.server import Responder

LOGGED_FROM: Final = 1 << 20  # bytes: no more than this waits for its second to be over
LOGGED_EVERY: Final = 1.0  # seconds: what a crash may lose of a running stream


class StreamCut(Exception):
    """The provider's stream broke off after a released byte; `reason` is for the record."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Release:
    """One stream on its way from a provider to a client."""

    def __init__(
        self, call: Call, encoder: ChunkEncoder, responder: Responder, watch: Watch, keep: Callable[[Call], None]
    ) -> None:
        self._call, self._responder, self._watch, self._keep = call, responder, watch, keep
        self._encode = encoder.encode
        self._loop = asyncio.get_running_loop()
        self._unrecorded: AuditUnavailable | None = None
        self._unlogged = 0

    async def run(self, reply: Reply, gap: float) -> None:
        """Carry the stream until the provider's end mark.

        Raises StreamCut if the stream breaks off or falls silent for `gap` seconds, DeadlinePassed for the whole
        call's deadline, AuditUnavailable if the log takes no more, CancelledError if the client leaves; the connection
        to the provider is gone in each case.
        """
        answer, decoder = reply.answer, reply.decoder
        if answer is None or decoder is None:
            raise ValueError("only a streamed reply can be released piece by piece")
        self._log_later()
        try:
            await self._carry(answer, decoder, reply.deltas, gap)
        except WireError as error:
            raise StreamCut(error.reason) from None
        except BrokenAnswer as error:
            raise StreamCut(f"broken_answer: {error.reason}") from None
        except TooManyChoices:
            raise StreamCut(f"broken_answer: {TOO_MANY_CHOICES}") from None
        except asyncio.CancelledError:
            passed = self._watch.passed()
            if passed is None:
                raise
            if passed.stage == "total":
                raise passed from None
            raise StreamCut("gap_timeout") from None
        finally:
            self._timer.cancel()
            self._watch.leave()
            if reply.ticket is not None:
                shares.settle(self._call, reply.ticket)
            if decoder.ended:
                answer.release()
            else:
                answer.abort()

    async def _carry(self, answer: Answer, decoder: StreamDecoder, deltas: list[Delta], gap: float) -> None:
        call, watch = self._call, self._watch
        await self._write(deltas, time.monotonic_ns())
        if self._stopped():
            return
        watch.enter("gap", gap)
        while not decoder.ended:
            waiting_ns = time.monotonic_ns()
            try:
                piece = await answer.next_piece()
            finally:
                now = time.monotonic_ns()
                call.waited_ns += now - waiting_ns
            if not piece:
                if call.tally.finish is None:
                    raise StreamCut("broken_answer: the stream ended early")
                break  # some servers leave the end mark out; a finish reason and a clean end say as much
            call.received.add(piece, int((now - call.began_ns) / NANOSECONDS_PER_MS))
            self._unlogged += len(piece)
            if self._unlogged > LOGGED_FROM:
                self._log()
            deltas = decoder.feed(piece)
            for delta in deltas:
                call.tally.take(delta)
            if deltas:  # a ping does not say that the answer goes on
                await self._write(deltas, now)
                if self._stopped():
                    return
                watch.enter("gap", gap)
            if decoder.error is not None:
                raise StreamCut(f"{decoder.error.status} {decoder.error.code or decoder.error.kind}")
        await self._finish()

    def _stopped(self) -> bool:
        """Whether guardrails have stopped all that was to come; then nobody waits for the rest."""
        guard = self._call.guard
        if guard is None or guard.held is None or not guard.held.stopped:
            return False
        guard.stopped_early = self._call.tally.usage is None or self._call.tally.finish is None
        return True

    async def _write(self, deltas: list[Delta], now: int) -> None:
        if self._unrecorded is not None:
            raise self._unrecorded
        guard = self._call.guard
        if guard is not None and guard.held is not None:
            self._watch.leave()  # what a check takes is not a gap of the provider's
            deltas = await guard.step(deltas, now)
        await self._send(deltas, now)

    async def _finish(self) -> None:
        """Write what was held back to the end."""
        guard = self._call.guard
        if guard is not None and guard.held is not None:
            self._watch.leave()
            deltas = await guard.finish()
            await self._send(deltas, time.monotonic_ns())

    async def _send(self, deltas: list[Delta], now: int) -> None:
        if not deltas:
            return
        call, responder, encode = self._call, self._responder, self._encode
        data = encode(deltas[0]) if len(deltas) == 1 else b"".join([encode(delta) for delta in deltas])
        if data:
            responder.write(data)
            call.released.add(data, int((now - call.began_ns) / NANOSECONDS_PER_MS))
            guard = call.guard
            held = guard.held if guard is not None else None
            if guard is not None:
                guard.left(deltas)
            call.released_characters = call.tally.characters if held is None else held.released
            if responder.congested:
                await self._wait_for_reader()

    async def _wait_for_reader(self) -> None:
        """Wait for a client that reads slowly; that takes from the call's time, not from a gap of the provider's."""
        self._watch.leave()
        waiting_ns = time.monotonic_ns()
        try:
            await self._responder.drain()
        finally:
            self._call.waited_ns += time.monotonic_ns() - waiting_ns

    def _log_later(self) -> None:
        self._timer = self._loop.call_later(LOGGED_EVERY, self._log)

    def _log(self) -> None:
        """Log what came and went since the last time, also while nothing more comes."""
        self._timer.cancel()
        self._log_later()
        self._unlogged = 0
        try:
            if self._call.received.chunks or self._call.released.chunks:
                self._keep(self._call)
        except AuditUnavailable as error:
            self._unrecorded = error
