"""How a call is answered: a whole answer, a stream from its head to its last frame, an error, or a sentence instead."""

import time
from collections.abc import Callable
from typing import Final, final

from trunkline.dialects.openai_client import AnswerHead, ChunkEncoder, encode_answer, sentence_deltas
from trunkline.errors import AnswerReplaced, AuditUnavailable, CallError, ProvidersFailed, envelope
from trunkline.gateway import settlement, shares
from trunkline.gateway.answers import JSON_LINE, STREAM_LINES, answer_headers, error_answer, overhead_line
from trunkline.gateway.attempt import Reply
from trunkline.gateway.call import NANOSECONDS_PER_MS, Call
from trunkline.gateway.journal import SLICE, Journal
from trunkline.gateway.provider_news import ProviderNews
from trunkline.gateway.reach import hear
from trunkline.gateway.release import Release, StreamCut
from trunkline.gateway.settling import Settling
from trunkline.gateway.watch import Watch
from trunkline.model.delta import Delta
from trunkline.model.records import Attempt, Outcome
from trunkline.wire.server import Responder

# Which of a route's sentences stands in for an error, by whose fault it is and what it says.
INSTEAD_OF: Final = {
    "provider_unavailable": "unavailable",
    "providers_failed": "unavailable",
    "deadline_exceeded": "unavailable",
    "rate_limit_exceeded": "limited",
    "budget_exceeded": "over_budget",
    "content_filter": "blocked",
}


@final
class Answering:
    """Answers calls, none before its records are durable; one per worker. `now` is the event loop's clock."""

    __slots__ = ("_journal", "_news", "_now", "_settling")

    def __init__(self, journal: Journal, settling: Settling, news: ProviderNews, now: Callable[[], float]) -> None:
        self._journal, self._settling, self._news, self._now = journal, settling, news, now

    async def begin(self, call: Call, responder: Responder, opening_delta: Delta) -> None:
        """Begin a stream whose provider has begun to answer, with the role and nothing else.

        The caller has then heard nothing yet, so that another target may still say it all.
        """
        if call.encoder is None:
            encoder = await self._start(call, responder, call.answering)
            role = encoder.begin(opening_delta)
            call.released.add(role, int(call.since(time.monotonic_ns())))
            responder.write(role)

    async def release(self, call: Call, reply: Reply, responder: Responder, watch: Watch) -> None:
        """Start the response and carry the stream to its end mark, keeping back the last frame."""
        plan = call.plan
        if plan is None:
            raise ValueError("a call is routed before it is released")
        try:
            encoder = call.encoder or await self._start(call, responder, call.answering)
        except BaseException:  # what has come so far is all that anybody reads
            if reply.answer is not None:
                reply.answer.abort()
            if reply.ticket is not None:
                shares.settle(call, reply.ticket)
            raise
        try:
            await Release(call, encoder, responder, watch, self._settling.keep).run(reply, plan.route.timeouts.gap)
        except StreamCut as cut:
            reply.attempt.outcome, reply.attempt.reason = "failed", cut.reason
            hear(reply.target, "failed", call, plan, self._now(), self._news)
            raise ProvidersFailed(f"The provider's answer broke off: {cut.reason}.") from None

    async def _start(self, call: Call, responder: Responder, attempt: Attempt | None) -> ChunkEncoder:
        """Begin a streamed response of this attempt, or of the gateway itself, once the opened record is durable."""
        chat = call.chat
        await self._journal.durable(call.opened)
        call.first_byte_ns = now = time.monotonic_ns()
        call.encoder = encoder = ChunkEncoder(
            self._head(call, attempt), wants_usage=chat is not None and chat.wants_usage
        )
        overhead = call.overhead_ns(now) / NANOSECONDS_PER_MS
        responder.start(200, answer_headers(call, attempt, STREAM_LINES) + overhead_line(overhead))
        return encoder

    def _head(self, call: Call, attempt: Attempt | None) -> AnswerHead:
        if attempt is not None:
            model = call.tally.provider_model or attempt.model
        else:
            model = call.chat.model if call.chat else ""
        return AnswerHead(id=f"chatcmpl-{call.id}", created=int(time.time()), model=model)

    async def answer(
        self, call: Call, deltas: list[Delta], outcome: Outcome, error: CallError | None, responder: Responder
    ) -> None:
        """Send a whole JSON answer, once the closed record is durable."""
        large = sum(map(len, call.received.chunks)) > SLICE
        if large:
            await self._settling.keep_large(call)
        timings = settlement.timings_of(call, time.monotonic_ns())
        closing = settlement.closing_of(call, outcome, timings)
        attempt = call.answering if error is None else None
        body = encode_answer(self._head(call, attempt), deltas, closing)
        call.released.add(body, int(timings.total_ms))
        if large:
            await self._settling.keep_large(call)
        if error is not None:
            call.released_characters = sum(len(delta.text) for delta in deltas)
        elif call.guard is None or call.guard.held is None:
            call.released_characters = call.tally.characters
        await self._journal.durable(self._settling.settle(call, outcome, 200, timings, error))
        overhead = call.overhead_ns(time.monotonic_ns()) / NANOSECONDS_PER_MS
        responder.send(200, answer_headers(call, attempt, JSON_LINE) + overhead_line(overhead), body)

    async def finish(self, call: Call, outcome: Outcome, responder: Responder, error: CallError | None = None) -> None:
        """Send a stream's last frame, once the closed record is durable."""
        if call.encoder is None:
            raise ValueError("a stream is started before it is finished")
        timings = settlement.timings_of(call, time.monotonic_ns())
        last = call.encoder.end(settlement.closing_of(call, outcome, timings))
        call.released.add(last, int(timings.total_ms))
        await self._journal.durable(self._settling.settle(call, outcome, 200, timings, error))
        responder.finish(last)

    async def fail(self, call: Call, error: CallError, responder: Responder) -> None:
        """End a call with its error: as an answer, as a sentence in its place, or inside the stream."""
        if isinstance(error, AuditUnavailable):
            self._unrecorded(call, error, responder)
            return
        now = time.monotonic_ns()
        settlement.charge(call, now)
        timings = settlement.timings_of(call, now)
        outcome: Outcome = error.outcome  # type: ignore[assignment]
        sentence = self.sentence(call, error)
        try:
            if responder.started and call.encoder is not None:
                last = call.encoder.fail(envelope(error, call.id), sentence)
                call.released_characters += len(sentence or "")
                call.released.add(last, int(timings.total_ms))
                await self._journal.durable(self._settling.settle(call, outcome, 200, timings, error))
                responder.finish(last)
            elif sentence is not None:
                await self._say(call, sentence, outcome, error, responder)
            else:
                status, headers, body = error_answer(error, call)
                call.released.add(body, int(timings.total_ms))
                await self._journal.durable(self._settling.settle(call, outcome, status, timings, error))
                responder.send(status, headers, body)
        except AuditUnavailable as unavailable:
            self._unrecorded(call, unavailable, responder)

    def sentence(self, call: Call, error: CallError) -> str | None:
        """Return what the call's route says where this error would be silence, if it says anything."""
        if call.judging is not None:
            return None  # nobody hears what a judge says
        if isinstance(error, AnswerReplaced):
            return error.sentence
        name = INSTEAD_OF.get(error.code or "")
        return call.plan.route.instead_of_error.get(name) if name and call.plan else None

    async def _say(self, call: Call, sentence: str, outcome: Outcome, error: CallError, responder: Responder) -> None:
        """Answer with a sentence instead of an error, as a provider would."""
        deltas = sentence_deltas(sentence)
        call.tally.finish = "stop"  # as it is released, whatever a provider may have begun to say
        if call.chat is None or not call.chat.stream:
            await self.answer(call, deltas, outcome, error, responder)
            return
        encoder = await self._start(call, responder, None)
        first = b"".join([encoder.encode(delta) for delta in deltas])
        call.released.add(first, int(call.since(time.monotonic_ns())))
        call.released_characters = len(sentence)
        responder.write(first)
        await self.finish(call, outcome, responder, error)

    def _unrecorded(self, call: Call, error: CallError, responder: Responder) -> None:
        """Tell the caller that the call can't be recorded, or cut what had begun: there is no record to answer by."""
        call.unrecorded = error
        if responder.started:
            responder.abort()
        else:
            responder.send(*error_answer(error, call))
