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

from msgspec.structs import replace

from trunkline.channel.messages import Heard
from trunkline.dialects.openai_client import decode_request
from trunkline.errors import (
    AuditUnavailable,
    CallError,
    ClientLeft,
    DeadlineExceeded,
    Draining,
    InvalidRequest,
    ProvidersFailed,
    RateLimited,
)
from trunkline.gateway import opening, settlement
from trunkline.gateway.admission import Admission
from trunkline.gateway.afterwards import Afterwards
from trunkline.gateway.answering import Answering
from trunkline.gateway.answers import error_answer
from trunkline.gateway.asking import Asking
from trunkline.gateway.attempt import Reply
from trunkline.gateway.call import Call
from trunkline.gateway.guarding import TOO_MANY_CHOICES, Guard
from trunkline.gateway.in_force import InForce
from trunkline.gateway.journal import SLICE, Journal
from trunkline.gateway.judging import AskingCall, Judging, Verdict, request_of
from trunkline.gateway.provider_news import ProviderNews
from trunkline.gateway.reach import Reach
from trunkline.gateway.refusals import Refusals
from trunkline.gateway.settling import Settling
from trunkline.gateway.shares import Places
from trunkline.gateway.watch import DeadlinePassed, Deadlines, Watch
from trunkline.guardrails.check import Question
from trunkline.guardrails.hold_back import TooManyChoices
from trunkline.guardrails.memory import Cleared
from trunkline.guardrails.policies import Policies
from trunkline.model.delta import Delta
from trunkline.model.records import CallRefused
from trunkline.operations import OperationalLog
from trunkline.policy.identity import assert_identity
from trunkline.wire.request import Request
from trunkline.wire.server import Responder


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
        self.admission = admission
        self._new_id = new_id
        self._news = ProviderNews(operations, tell)
        self._loop = asyncio.get_running_loop()
        self.places = Places(admission, self._news)
        self._deadlines = Deadlines(self._loop)
        self._settling = Settling(journal, admission, operations)
        self._answering = Answering(journal, self._settling, self._news, self._loop.time)
        self._asking = Asking(self.judge)
        self._afterwards = Afterwards(self._asking, journal, operations)
        self._cleared = Cleared()
        self.draining = False

    def cut(self) -> None:
        """Take note that the time of a drain is up: calls that are cancelled from here on are cut by the gateway."""
        self._settling.cutting = True

    async def judged(self, deadline: float) -> None:
        """Wait for what is asked about answers that have left; what is not there at `deadline` (loop time) is cut."""
        await self._afterwards.ended(deadline, self.cut)

    async def close(self) -> None:
        """Close what guardrails ask over, once no call is left."""
        await self._asking.close()

    async def carry(self, request: Request, responder: Responder, in_force: InForce) -> None:
        """Carry one call and answer it; leaves CancelledError to the server when the client has gone."""
        await self._carry(Call(self._new_id(), request, in_force), responder)

    async def judge(self, asking: AskingCall, question: Question) -> tuple[int, bytes]:
        """Carry a judge's call in the name of another one; return status and body of its answer.

        It is opened, limited, paid for and recorded as any call, for the same tenant, user and session.
        """
        request = request_of(question.body)
        verdict = Verdict(request)
        call = Call(self._new_id(), request, asking.in_force, Judging(asking, question.route))
        try:
            await self._carry(call, verdict)
        except Exception as error:
            self._operations.fault(error)  # the check takes it for an answer that did not come
            raise
        finally:
            if call.opened >= 0:
                asking.judges.append(call.id)
        return verdict.status, verdict.body

    async def _carry(self, call: Call, responder: Responder) -> None:
        try:
            self._admit(call)
            self._identify(call)
            self._understand(call)
            failure = await self._let_in(call)
            if len(call.request.body) > SLICE:
                await self._keep_request(call)
            self._open(call)
        except CallError as error:
            self.admission.release(call)
            self._refuse(call, error, responder)
            return
        except BaseException:  # its client has left, or it is a fault of ours: nothing may stay reserved
            self.admission.release(call)
            raise
        try:
            if failure is None:
                try:
                    await self._serve(call, responder)
                except CallError as error:
                    failure = error
                    if isinstance(error, RateLimited) and not call.asked:
                        self.admission.release(call)  # over the fair share everywhere: a refused call uses up nothing
            if failure is not None:  # outside of `except`: see CONTRIBUTING.md on what compiled code may await where
                if call.guard is not None:
                    failure = call.guard.error(failure)
                await self._answering.fail(call, failure, responder)
        except (asyncio.CancelledError, ConnectionResetError):
            self._settling.cut_short(call)
            raise
        finally:
            try:
                if not call.settled:
                    self._settling.close_broken(call)
            finally:
                self.admission.settle(call)  # where no record could be written
                self._afterwards.take(call)

    def _admit(self, call: Call) -> None:
        if self.draining and call.judging is None:  # a call in flight may end, with whom it has to ask
            raise Draining("This gateway is shutting down; send the call again.", retry_after=1.0)
        if not self._journal.healthy:
            raise AuditUnavailable("The record cannot be written, so no call is carried.", retry_after=5.0)

    def _identify(self, call: Call) -> None:
        if call.judging is not None:
            call.key = call.judging.asking.key
            return
        digest = hashlib.sha256(opening.secret_of(call.request.headers)).hexdigest()
        call.key = call.in_force.keys.find(digest, time.time())

    def _understand(self, call: Call) -> None:
        if call.key is None:
            raise ValueError("a call is identified before it is understood")
        if call.judging is not None:
            self._understand_judge(call, call.judging)
            return
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
        self._guard(call, call.in_force.policies(plan, opening.guardrails_asked_for(headers)))

    def _understand_judge(self, call: Call, judging: Judging) -> None:
        asking, in_force = judging.asking, call.in_force
        chat = call.chat = decode_request(call.request.body)
        call.plan = in_force.plan_of_judge(asking.key, judging.route, time.time())
        call.identity = replace(asking.identity, purpose="judge")
        if chat.stream:
            raise InvalidRequest("A judge's answer is read whole: it cannot be a stream.", param="stream")
        self._guard(call, in_force.policies_of_judge(call.plan, asking.policies))

    def _guard(self, call: Call, policies: Policies | None) -> None:
        """Put the call under the policies that are in force for it, if any are."""
        key, plan, identity, chat = call.key, call.plan, call.identity, call.chat
        if key is None or plan is None or identity is None or chat is None:
            raise ValueError("a call is understood before it is guarded")
        if policies is not None:
            asking = AskingCall(call.id, key, plan, identity, call.in_force, policies)
            guard = call.guard = Guard(policies, chat, partial(self._asking.ask_all, asking), call.began_ns)
            call.chat = guard.prepare()
            call.client_dropped = tuple(dict.fromkeys(call.client_dropped + guard.dropped))

    async def _let_in(self, call: Call) -> CallError | None:
        """Reserve what the call needs of its tenant's limits and budgets.

        Raises the error of a call that does not fit; returns it where the caller is to hear a sentence instead, for
        what somebody hears has a record of its own.
        """
        if call.chat is None:
            raise ValueError("a call is understood before it is let in")
        call.estimate = opening.estimate(call, call.chat, self.admission.learning)
        try:
            await self.admission.admit(call)
        except RateLimited as error:
            if self._answering.sentence(call, error) is None:
                raise
            return error
        except asyncio.CancelledError:
            left: CallError = ClientLeft("The client left while its call was held by a limit.")
            if self._settling.cutting:
                left = Draining("The gateway shut down while the call was held by a limit.")
            self._refusals.add(left, self._refused_record(call, left))
            raise
        return None

    def _open(self, call: Call) -> None:
        if call.chat is None or call.estimate is None or call.identity is None:
            raise ValueError("a call is understood before it is opened")
        record = opening.opened_record(call, call.chat, call.estimate, self._journal.persons(call.identity))
        call.opened = self._journal.opened(call, record, call.request.body, call.take_frames())

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
                self._settling.cut_short(call)
            raise

    async def _serve(self, call: Call, responder: Responder) -> None:
        """Reach a target and release its answer. Raises the CallError that ends the call, if one does."""
        plan, chat, task = call.plan, call.chat, asyncio.current_task(self._loop)
        if plan is None or chat is None or task is None:
            raise ValueError("a call is opened before it is served")
        watch = Watch(self._deadlines, task, plan.route.timeouts.total)
        try:
            guard = call.guard
            if guard is not None:
                call.chat = await guard.inspect(self._cleared)
                guard.hold(chat.n or 1, plan.route.instead_of_error.get("blocked", ""))
            begin = partial(self._answering.begin, call, responder)
            reach = Reach(call, plan, watch, self.places, self._loop.time, begin, self._settling.keep_large)
            reply = await reach.first_answer()
            if chat.stream:
                await self._answering.release(call, reply, responder, watch)
            elif guard is not None and guard.held is not None:
                reply.deltas = await self._hold_back(guard, reply)
        except DeadlinePassed:
            raise self._deadline(call, plan.route.timeouts.total) from None
        except asyncio.CancelledError:
            if watch.passed() is None:
                raise
            raise self._deadline(call, plan.route.timeouts.total) from None
        finally:
            watch.stop()
        if guard is not None:
            self._note_stop(call, guard)
        call.whole = guard is None or not guard.stopped_early
        settlement.charge(call, time.monotonic_ns())
        self.admission.learn(call)
        outcome = settlement.outcome_of_answer(call)
        if chat.stream:
            await self._answering.finish(call, outcome, responder)
        else:
            if guard is not None:
                guard.left(reply.deltas)
            await self._answering.answer(call, reply.deltas, outcome, None, responder)

    async def _hold_back(self, guard: Guard, reply: Reply) -> list[Delta]:
        try:
            return await guard.whole(reply.deltas)
        except TooManyChoices:
            reply.attempt.outcome, reply.attempt.reason = "failed", TOO_MANY_CHOICES
            raise ProvidersFailed(f"The provider's answer is of no use: {TOO_MANY_CHOICES}.") from None

    def _note_stop(self, call: Call, guard: Guard) -> None:
        """Take note of how the answer ends as it is released."""
        if guard.held is not None:
            call.released_characters = guard.held.released
            call.client_dropped += tuple(sorted(guard.held.dropped.difference(call.client_dropped)))
        if guard.stopped_by is not None:
            call.tally.finish = guard.finish_reason

    def _deadline(self, call: Call, total: float) -> CallError:
        if call.answering is not None:
            call.answering.outcome, call.answering.reason = "failed", "deadline"
        return DeadlineExceeded(f"No answer within the route's {total:g} s.")

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
