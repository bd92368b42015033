"""Asking one target once: from the request's bytes to the first good piece of an answer, or the reason why not."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Literal, NamedTuple

from trunkline.dialects.provider import BrokenAnswer, ProviderFault, StreamDecoder
from trunkline.gateway.call import Call
from trunkline.gateway.in_force import PlannedTarget
from trunkline.gateway.journal import SLICE
from trunkline.gateway.upstreams import name_of
from trunkline.gateway.watch import Watch
from trunkline.model.delta import Delta
from trunkline.model.records import Attempt
from trunkline.policy.fairness.account import Ticket
from trunkline.wire.client import Answer, WireError

FailureKind = Literal[
    "failed", "rate_limited", "unauthorized", "another_key", "misconfigured", "rejected", "passed_over"
]
Begin = Callable[[Delta], Awaitable[None]]
NANOSECONDS_PER_SECOND: Final = 1_000_000_000
OPENING_LIMIT: Final = 1 << 20  # bytes of a stream that may come before it says anything
STREAM_TYPE: Final = b"text/event-stream"
JSON_TYPE: Final = b"application/json"


class RefusedKey(NamedTuple):
    """One of an account's keys, by the name that stands for it, and the model that it may not use; None for all."""

    name: str
    model: str | None


class AttemptFailed(Exception):
    """A target gave no answer: `reason` for the record, `kind` for what to do next, `key` for one that was refused."""

    def __init__(self, reason: str, kind: FailureKind = "failed", fault: ProviderFault | None = None) -> None:
        super().__init__(reason)
        self.reason, self.kind, self.fault = reason, kind, fault
        self.key: RefusedKey | None = None


class Reply:
    """The beginning of an answer: the deltas so far and, for a stream, where the rest comes from."""

    __slots__ = ("answer", "attempt", "decoder", "deltas", "target", "ticket")

    def __init__(self, target: PlannedTarget, attempt: Attempt, deltas: list[Delta]) -> None:
        self.target, self.attempt, self.deltas = target, attempt, deltas
        self.ticket: Ticket | None = None  # its place in the account's capacity, to be settled when it has ended
        self.answer: Answer | None = None
        self.decoder: StreamDecoder | None = None


async def ask(
    call: Call,
    target: PlannedTarget,
    attempt: Attempt,
    learn: Callable[[Answer], None],
    request: bytes,
    watch: Watch,
    begin: Begin,
) -> Reply:
    """Send the encoded request to the target and return the answer's beginning.

    A JSON answer is read whole. `learn` is called with its head, `begin` is awaited when a stream has begun but says
    nothing yet. Raises AttemptFailed for all that the next target may do better and for what the provider rejects; a
    passed total deadline leaves as DeadlinePassed, a client that left as CancelledError. In any of these cases the
    connection is gone.
    """
    upstream = target.upstream
    streamed = call.chat is not None and call.chat.stream
    if streamed:
        watch.enter("first_token", target.first_token)
    asked_ns = time.monotonic_ns()
    key = upstream.next_key(target.target.model, asked_ns / NANOSECONDS_PER_SECOND)
    attempt.started_ms = call.since(asked_ns)
    # A list, because mypyc takes a name that `try` assigns for one that `finally` finds assigned.
    unread: list[Answer] = []
    try:
        answer = await upstream.pool.ask(
            upstream.dialect.path,
            upstream.headers(key),
            request,
            connect_timeout=min(call.plan.route.timeouts.connect, watch.remaining()) if call.plan else None,
            on_sent=call.note_sent,
        )
        unread.append(answer)
        note_head(attempt, answer, upstream.dialect.request_id_header)
        learn(answer)
        if answer.status != 200:
            raise await _rejection(call, target, answer, key)
        if streamed:
            reply = await _first_piece(call, target, attempt, answer, asked_ns, begin)
        else:
            reply = await _whole(call, target, attempt, answer)
        unread.clear()
    except WireError as error:
        raise AttemptFailed(error.reason) from None
    except BrokenAnswer as error:
        raise AttemptFailed(f"broken_answer: {error.reason}") from None
    except asyncio.CancelledError:
        passed = watch.passed()
        if passed is None:
            raise
        if passed.stage == "total":
            raise passed from None
        raise AttemptFailed("first_token_timeout") from None
    finally:
        now = time.monotonic_ns()
        call.waited_ns += now - asked_ns
        watch.leave()
        attempt.total_ms = call.since(now)  # so far: what is left of an answer is added when it ends
        for answer in unread:  # whatever the reason, nobody reads on
            answer.abort()
    attempt.first_token_ms = call.since(now)
    return reply


def note_head(attempt: Attempt, answer: Answer, request_id_header: bytes) -> None:
    """Keep of the response's head what the record names."""
    attempt.status = answer.status
    request_id = answer.headers.get(request_id_header)
    if request_id is not None:
        attempt.provider_request_id = request_id.decode("latin-1")[:200]


async def _rejection(call: Call, target: PlannedTarget, answer: Answer, key: str) -> AttemptFailed:
    body = await answer.read()
    call.received.add(body, int(call.since(time.monotonic_ns())))
    fault = target.upstream.dialect.decode_fault(answer.status, answer.headers, body, time.time())
    if fault.kind != "unauthorized":
        return failure_of(fault)
    # 403 is a permission that the account lacks for this model; 401 and 402 say that the key or the account is no good.
    model, everywhere = target.target.model, fault.status != 403
    left = target.upstream.refuse_key(key, model, time.monotonic(), everywhere=everywhere)
    failure = failure_of(fault, another_key=left)
    failure.key = RefusedKey(name_of(key), None if everywhere else model)
    return failure


def failure_of(fault: ProviderFault, *, another_key: bool = False) -> AttemptFailed:
    """Return what a provider's error means for the call."""
    reason = f"{fault.status} {fault.code or fault.kind}"
    match fault.kind:
        case "rate_limited":
            return AttemptFailed(reason, "rate_limited", fault)
        case "unauthorized":
            return AttemptFailed(reason, "another_key" if another_key else "unauthorized", fault)
        case "rejected" | "misconfigured":
            return AttemptFailed(reason, fault.kind, fault)
        case _:
            return AttemptFailed(reason, "failed", fault)


async def _whole(call: Call, target: PlannedTarget, attempt: Attempt, answer: Answer) -> Reply:
    if not answer.headers.get(b"content-type", JSON_TYPE).startswith(JSON_TYPE):
        raise AttemptFailed("wrong_content_type")
    body = await answer.read()
    call.received.add(body, int(call.since(time.monotonic_ns())))
    if len(body) > SLICE:
        await asyncio.sleep(0)  # to put it together and to decode it takes milliseconds each: others first
    deltas = target.upstream.dialect.decode_answer(body)
    for delta in deltas:
        call.tally.take(delta)
    if call.tally.empty:
        raise AttemptFailed("empty_answer")
    return Reply(target, attempt, deltas)


async def _first_piece(
    call: Call, target: PlannedTarget, attempt: Attempt, answer: Answer, asked_ns: int, begin: Begin
) -> Reply:
    """Read a stream until its first good piece; role chunks, pings and counts before it are kept, not good."""
    if not answer.headers.get(b"content-type", b"").startswith(STREAM_TYPE):
        raise AttemptFailed("wrong_content_type")
    decoder = target.upstream.dialect.stream_decoder()
    deltas: list[Delta] = []
    size = 0
    while True:
        piece = await answer.next_piece()
        size += len(piece)
        if size > OPENING_LIMIT:
            raise AttemptFailed("answer_too_large")
        if not piece:
            raise AttemptFailed("empty_answer" if decoder.ended else "broken_answer: the stream ended early")
        call.received.add(piece, int(call.since(time.monotonic_ns())))
        for delta in decoder.feed(piece):
            call.tally.take(delta)
            deltas.append(delta)
        if decoder.error is not None:
            raise failure_of(decoder.error)
        if not call.tally.empty:
            break
        if decoder.ended:
            raise AttemptFailed("empty_answer")
        if deltas:
            call.waited_ns += time.monotonic_ns() - asked_ns  # so far: the head that goes out says what was not waiting
            try:
                await begin(deltas[0])
            finally:
                call.waited_ns -= time.monotonic_ns() - asked_ns
    reply = Reply(target, attempt, deltas)
    reply.answer, reply.decoder = answer, decoder
    return reply
