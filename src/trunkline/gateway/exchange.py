"""The story of a call, from its request to its closed record.

`Exchange.carry` reads from top to bottom: identify, understand, admit, open the record, reach a target, release the
answer, settle. Every call to a provider goes this way; there is no second one.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable
from functools import partial

from trunkline.channel.messages import Heard
from trunkline.dialects.openai_client import AnswerHead, ChunkEncoder, decode_request, encode_answer, sentence_deltas
from trunkline.errors import (
    AuditUnavailable,
    CallError,
    ClientLeft,
    DeadlineExceeded,
    Draining,
    InternalError,
    InvalidRequest,
    ProvidersFailed,
    RateLimited,
    envelope,
)
from trunkline.gateway import opening, settlement
from trunkline.gateway.admission import Admission
from trunkline.gateway.answers import JSON_LINE, STREAM_LINES, answer_headers, error_answer, overhead_line
from trunkline.gateway.attempt import Reply
from trunkline.gateway.call import NANOSECONDS_PER_MS, Call
from trunkline.gateway.in_force import InForce
from trunkline.gateway.journal import SLICE, Journal
from trunkline.gateway.provider_news import ProviderNews
from trunkline.gateway.reach import Reach, hear
from trunkline.gateway.refusals import Refusals
from trunkline.gateway.release import Release, StreamCut
from trunkline.gateway.watch import DeadlinePassed, Deadlines, Watch
from trunkline.model.delta import Delta
from trunkline.model.records import Attempt, CallClosed, CallRefused, Outcome, Timings
from trunkline.operations import OperationalLog
from trunkline.policy.identity import assert_identity
from trunkline.wire.request import Request
from trunkline.wire.server import Responder

# Which of a route's sentences stands in for an error, by whose fault it is and what it says.
INSTEAD_OF = {
    "provider_unavailable": "unavailable",
    "providers_failed": "unavailable",
    "deadline_exceeded": "unavailable",
    "rate_limit_exceeded": "limited",
    "budget_exceeded": "over_budget",
}

CLIENT_LEFT = 499  # nginx's status for a client that closed the connection: nobody receives it


class Exchange:
    """Carries calls under the snapshot in force; one per worker. `tell` lets the others know of providers."""

    def __init__(
        self,
        journal: Journal,
        refusals: Refusals,
        admission: Admission,
        operations: OperationalLog,
        new_id: Callable[[], str],
        tell: Callable[[Heard], None],
    ) -> None:
        self._journal, self._refusals, self._operations = journal, refusals, operations
        self._admission = admission
        self._new_id = new_id
        self._news = ProviderNews(operations, tell)
        self._loop = asyncio.get_running_loop()
        self._deadlines = Deadlines(self._loop)
        self.draining = False
        self._cutting = False

    def cut(self) -> None:
        """Take note that the time of a drain is up: calls that are cancelled from here on are cut by the gateway."""
        self._cutting = True

    async def carry(self, request: Request, responder: Responder, in_force: InForce) -> None:
        """Carry one call and answer it; leaves CancelledError to the server when the client has gone."""
        call = Call(self._new_id(), request, in_force)
        try:
            self._admit()
            self._identify(call)
            self._understand(call)
            failure = await self._let_in(call)
            if len(request.body) > SLICE:
                await self._keep_request(call)
            self._open(call)
        except CallError as error:
            self._admission.release(call)
            self._refuse(call, error, responder)
            return
        except asyncio.CancelledError:
            self._admission.release(call)
            raise
        try:
            if failure is None:
                try:
                    await self._serve(call, responder)
                except CallError as error:
                    failure = error
            if failure is not None:  # outside of `except`: see CONTRIBUTING.md on what compiled code may await where
                await self._fail(call, failure, responder)
        except (asyncio.CancelledError, ConnectionResetError):
            self._cut_short(call)
            raise
        finally:
            if not call.settled:
                self._close_broken(call)
            self._admission.settle(call)  # where no record could be written

    def _admit(self) -> None:
        if self.draining:
            raise Draining("This gateway is shutting down; send the call again.", retry_after=1.0)
        if not self._journal.healthy:
            raise AuditUnavailable("The record cannot be written, so no call is carried.", retry_after=5.0)

    def _identify(self, call: Call) -> None:
        digest = hashlib.sha256(opening.secret_of(call.request.headers)).hexdigest()
        call.key = call.in_force.keys.find(digest, time.time())

    def _understand(self, call: Call) -> None:
        if call.key is None:
            raise ValueError("a call is identified before it is understood")
        if call.request.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise InvalidRequest(
                "The header `content-encoding` must be left out: send the body as it is.", param="content-encoding"
            )
        chat = call.chat = decode_request(call.request.body)
        now = time.time()
        call.plan = call.in_force.plan(call.key, chat.model, now)
        if "prompt" in chat.raw or b"x-trunkline-prompt" in call.request.headers:
            raise InvalidRequest("Prompt references are not supported yet: send the messages.", param="prompt")
        plan, headers = call.plan, call.request.headers
        call.identity = assert_identity(call.key, plan.tenant, headers, chat, plan.roster, now)
        if chat.unknown:
            handling = call.plan.route.pass_through
            if handling == "refuse":
                names = ", ".join(f"`{name}`" for name in chat.unknown[:20])
                raise InvalidRequest(
                    f"The route takes no unknown fields, and these are: {names}.", param=chat.unknown[0]
                )
            if handling == "drop":
                call.client_dropped = chat.unknown

    async def _let_in(self, call: Call) -> CallError | None:
        """Reserve what the call needs of its tenant's limits and budgets.

        Raises the error of a call that does not fit; returns it where the caller is to hear a sentence instead, for
        what somebody hears has a record of its own.
        """
        if call.chat is None:
            raise ValueError("a call is understood before it is let in")
        call.estimate = opening.estimate(call, call.chat, self._admission.learning)
        try:
            await self._admission.admit(call)
        except RateLimited as error:
            if self._sentence(call, error) is None:
                raise
            return error
        except asyncio.CancelledError:
            left = ClientLeft("The client left while its call was held by a limit.")
            self._refusals.add(left, self._refused_record(call, left))
            raise
        return None

    def _open(self, call: Call) -> None:
        if call.chat is None or call.estimate is None:
            raise ValueError("a call is understood before it is opened")
        record = opening.opened_record(call, call.chat, call.estimate)
        call.opened = self._journal.opened(record, call.request.body, call.take_frames())

    async def _keep_request(self, call: Call) -> None:
        """Log a large request slice by slice, ahead of the record that opens the call.

        A client that leaves meanwhile gets that record and its end all the same: no body may be in the log unnamed.
        """
        call.bodies["request"] = call.request.body
        try:
            await self._journal.keep_large(call)
        except asyncio.CancelledError:
            with contextlib.suppress(CallError):
                self._open(call)
                self._cut_short(call)
            raise

    async def _serve(self, call: Call, responder: Responder) -> None:
        """Reach a target and release its answer. Raises the CallError that ends the call, if one does."""
        plan, chat, task = call.plan, call.chat, asyncio.current_task(self._loop)
        if plan is None or chat is None or task is None:
            raise ValueError("a call is opened before it is served")
        watch = Watch(self._deadlines, task, plan.route.timeouts.total)
        try:
            begin = partial(self._begin, call, responder)
            reach = Reach(call, plan, watch, self._news, self._loop.time, begin, self._keep_large)
            reply = await reach.first_answer()
            if chat.stream:
                await self._release(call, reply, responder, watch)
        except DeadlinePassed:
            raise self._deadline(call, plan.route.timeouts.total) from None
        except asyncio.CancelledError:
            if watch.passed() is None:
                raise
            raise self._deadline(call, plan.route.timeouts.total) from None
        finally:
            watch.stop()
        call.whole = True
        settlement.charge(call, time.monotonic_ns())
        self._admission.learn(call)
        outcome = settlement.outcome_of_answer(call)
        if chat.stream:
            await self._finish(call, outcome, responder)
        else:
            await self._answer(call, reply.deltas, outcome, None, responder)

    async def _begin(self, call: Call, responder: Responder, opening_delta: Delta) -> None:
        """Begin a stream whose provider has begun to answer, with the role and nothing else.

        The caller has then heard nothing yet, so that another target may still say it all.
        """
        if call.encoder is None:
            encoder = await self._start(call, responder, call.answering)
            role = encoder.begin(opening_delta)
            call.released.add(role, int(call.since(time.monotonic_ns())))
            responder.write(role)

    def _deadline(self, call: Call, total: float) -> CallError:
        if call.answering is not None:
            call.answering.outcome, call.answering.reason = "failed", "deadline"
        return DeadlineExceeded(f"No answer within the route's {total:g} s.")

    async def _release(self, call: Call, reply: Reply, responder: Responder, watch: Watch) -> None:
        """Start the response and carry the stream to its end mark, keeping back the last frame."""
        plan = call.plan
        if plan is None:
            raise ValueError("a call is routed before it is released")
        try:
            encoder = call.encoder or await self._start(call, responder, call.answering)
        except BaseException:  # what has come so far is all that anybody reads
            if reply.answer is not None:
                reply.answer.abort()
            raise
        try:
            await Release(call, encoder, responder, watch, self._keep).run(reply, plan.route.timeouts.gap)
        except StreamCut as cut:
            reply.attempt.outcome, reply.attempt.reason = "failed", cut.reason
            hear(reply.target, "failed", call, plan, self._loop.time(), self._news)
            raise ProvidersFailed(f"The provider's answer broke off: {cut.reason}.") from None

    async def _start(self, call: Call, responder: Responder, attempt: Attempt | None) -> ChunkEncoder:
        """Begin a streamed response of this attempt, or of the gateway itself, once the opened record is durable."""
        chat = call.chat
        await self._journal.durable(call.opened)
        call.first_byte_ns = now = time.monotonic_ns()
        call.encoder = encoder = ChunkEncoder(
            self._head(call, attempt), wants_usage=chat is not None and chat.wants_usage
        )
        overhead = (now - call.began_ns - call.waited_ns) / NANOSECONDS_PER_MS
        responder.start(200, answer_headers(call, attempt, STREAM_LINES) + overhead_line(overhead))
        return encoder

    def _head(self, call: Call, attempt: Attempt | None) -> AnswerHead:
        if attempt is not None:
            model = call.tally.provider_model or attempt.model
        else:
            model = call.chat.model if call.chat else ""
        return AnswerHead(id=f"chatcmpl-{call.id}", created=int(time.time()), model=model)

    async def _answer(
        self, call: Call, deltas: list[Delta], outcome: Outcome, error: CallError | None, responder: Responder
    ) -> None:
        """Send a whole JSON answer, once the closed record is durable."""
        large = sum(map(len, call.received.chunks)) > SLICE
        if large:
            await self._keep_large(call)
        timings = settlement.timings_of(call, time.monotonic_ns())
        closing = settlement.closing_of(call, outcome, timings)
        attempt = call.answering if error is None else None
        body = encode_answer(self._head(call, attempt), deltas, closing)
        call.released.add(body, int(timings.total_ms))
        if large:
            await self._keep_large(call)
        call.released_characters = sum(len(delta.text) for delta in deltas) if error else call.tally.characters
        await self._journal.durable(self._settle(call, outcome, 200, timings, error))
        overhead = (time.monotonic_ns() - call.began_ns - call.waited_ns) / NANOSECONDS_PER_MS
        responder.send(200, answer_headers(call, attempt, JSON_LINE) + overhead_line(overhead), body)

    async def _finish(self, call: Call, outcome: Outcome, responder: Responder, error: CallError | None = None) -> None:
        """Send a stream's last frame, once the closed record is durable."""
        if call.encoder is None:
            raise ValueError("a stream is started before it is finished")
        timings = settlement.timings_of(call, time.monotonic_ns())
        last = call.encoder.end(settlement.closing_of(call, outcome, timings))
        call.released.add(last, int(timings.total_ms))
        await self._journal.durable(self._settle(call, outcome, 200, timings, error))
        responder.finish(last)

    def _settle(self, call: Call, outcome: Outcome, status: int, timings: Timings, error: CallError | None) -> int:
        """Close the call in the log, once; there is nothing to await, so nothing can cut it short."""
        record = settlement.closed_record(call, outcome, status, timings, error)
        position = self._append_closed(call, record)
        call.settled = True  # only now: a log that did not take it may take it at the call's very end
        self._admission.settle(call)  # with the record, so that what is restored from the log is neither less nor twice
        self._operations.call_line(record, call)
        return position

    def _append_closed(self, call: Call, record: CallClosed) -> int:
        """Append the closed record; where it is the bodies that cannot be written, without those."""
        try:
            return self._journal.closed(call, record)
        except AuditUnavailable:
            raise
        except Exception as fault:  # noqa: BLE001 - whatever it is, the call has to be closed
            self._say_unrecorded(call, fault)
            return self._journal.closed_bare(call, record)

    def _keep(self, call: Call) -> None:
        """Log what a running stream brought; raises nothing but AuditUnavailable, for a timer calls it."""
        try:
            self._journal.keep(call)
        except AuditUnavailable:
            raise
        except Exception as fault:  # noqa: BLE001
            self._say_unrecorded(call, fault)
            raise AuditUnavailable("The call cannot be recorded any further.") from None

    async def _keep_large(self, call: Call) -> None:
        """Log large bodies without holding up others; where it is the bodies that cannot be written, go on without."""
        try:
            await self._journal.keep_large(call)
        except AuditUnavailable:
            raise
        except Exception as fault:  # noqa: BLE001
            self._say_unrecorded(call, fault)

    def _say_unrecorded(self, call: Call, fault: Exception) -> None:
        self._operations.event("error", "bodies_unrecorded", call=call.id, kind=type(fault).__name__)

    async def _fail(self, call: Call, error: CallError, responder: Responder) -> None:
        """End a call with its error: as an answer, as a sentence in its place, or inside the stream."""
        if isinstance(error, AuditUnavailable):
            self._unrecorded(call, error, responder)
            return
        now = time.monotonic_ns()
        settlement.charge(call, now)
        timings = settlement.timings_of(call, now)
        outcome: Outcome = error.outcome  # type: ignore[assignment]
        sentence = self._sentence(call, error)
        try:
            if responder.started and call.encoder is not None:
                last = call.encoder.fail(envelope(error, call.id), sentence)
                call.released_characters += len(sentence or "")
                call.released.add(last, int(timings.total_ms))
                await self._journal.durable(self._settle(call, outcome, 200, timings, error))
                responder.finish(last)
            elif sentence is not None:
                await self._say(call, sentence, outcome, error, responder)
            else:
                status, headers, body = error_answer(error, call)
                call.released.add(body, int(timings.total_ms))
                await self._journal.durable(self._settle(call, outcome, status, timings, error))
                responder.send(status, headers, body)
        except AuditUnavailable as unavailable:
            self._unrecorded(call, unavailable, responder)

    def _sentence(self, call: Call, error: CallError) -> str | None:
        name = INSTEAD_OF.get(error.code or "")
        return call.plan.route.instead_of_error.get(name) if name and call.plan else None

    async def _say(self, call: Call, sentence: str, outcome: Outcome, error: CallError, responder: Responder) -> None:
        """Answer with a sentence instead of an error, as a provider would."""
        deltas = sentence_deltas(sentence)
        call.tally.finish = "stop"  # as it is released, whatever a provider may have begun to say
        if call.chat is None or not call.chat.stream:
            await self._answer(call, deltas, outcome, error, responder)
            return
        encoder = await self._start(call, responder, None)
        first = b"".join([encoder.encode(delta) for delta in deltas])
        call.released.add(first, int(call.since(time.monotonic_ns())))
        call.released_characters = len(sentence)
        responder.write(first)
        await self._finish(call, outcome, responder, error)

    def _unrecorded(self, call: Call, error: CallError, responder: Responder) -> None:
        """Tell the caller that the call can't be recorded, or cut what had begun: there is no record to answer by."""
        call.unrecorded = error
        if responder.started:
            responder.abort()
        else:
            responder.send(*error_answer(error, call))

    def _cut_short(self, call: Call) -> None:
        """Close a call that was cancelled; a client that leaves is nobody's failure, a drain that ends is ours."""
        if call.settled:
            return
        if self._cutting:
            error = Draining("The gateway shut down before the call had ended.")
            self._settle_partial(call, "failed", 200 if call.first_byte_ns else error.status, error)
            return
        call.left_ns = time.monotonic_ns()
        outcome: Outcome = "cancelled_after" if call.first_byte_ns else "cancelled_before"
        self._settle_partial(call, outcome, CLIENT_LEFT, None)

    def _settle_partial(self, call: Call, outcome: Outcome, status: int, error: CallError | None) -> None:
        """Close a call that nobody waits for any more, charged for what came; without a log it stays open in there."""
        now = time.monotonic_ns()
        settlement.charge(call, now)
        try:
            self._settle(call, outcome, status, settlement.timings_of(call, now), error)
        except AuditUnavailable:
            self._operations.event("error", "call_unrecorded", call=call.id)

    def _close_broken(self, call: Call) -> None:
        """Close a call that a fault of ours is about to end: whatever happens, an opened record gets its closed one."""
        error = call.unrecorded or InternalError("A fault of the gateway ended this call.")
        self._settle_partial(call, "failed", error.status, error)

    def _refuse(self, call: Call, error: CallError, responder: Responder) -> None:
        """Answer a call that is not let in, and count it."""
        key = call.key
        if key is not None:
            self._operations.note(
                "info",
                "call_refused",
                call=call.id,
                outcome=error.outcome,
                status=error.status,
                error=error.code,
                tenant=key.tenant,
                key=key.id,
            )
        self._refusals.add(error, self._refused_record(call, error), said=key is not None)
        responder.send(*error_answer(error, call))

    def _refused_record(self, call: Call, error: CallError) -> CallRefused:
        key = call.key
        return CallRefused(
            outcome=error.outcome,  # type: ignore[arg-type]
            status=error.status,
            code=error.code,
            source=error.source,
            rule=error.rule,
            owner=error.owner if isinstance(error, RateLimited) else None,
            count=1,
            tenant=key.tenant if key else None,
            key_id=key.id if key else None,
            route=call.plan.route.name if call.plan else None,
            first_call=call.id if key else None,
            user=call.identity.user if call.identity else None,
            message=error.message if key else None,
            snapshot=call.in_force.digest,
        )
