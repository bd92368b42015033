"""One simulated provider: a listening port, a script, a log of calls."""

import asyncio
import math
import time
from collections.abc import Callable

from trunkline.simulator import agent
from trunkline.simulator.answer import Answer, Asked, Frames, Rejection
from trunkline.simulator.calls import Call, CallLog
from trunkline.simulator.face import Face
from trunkline.simulator.faults import ErrorAnswer, InBandError
from trunkline.simulator.plan import Plan, apply
from trunkline.simulator.player import play
from trunkline.simulator.port import Port
from trunkline.simulator.rate import RateWindow
from trunkline.simulator.recall import Entry, Recall
from trunkline.simulator.script import Behaviour, Prompter, RateLimit, Script
from trunkline.wire.request import Request
from trunkline.wire.responder import Responder
from trunkline.wire.server import Server, ServerLimits

_LIMITS = ServerLimits(
    max_body=64 * 1024 * 1024, max_in_flight_bytes=1024 * 1024 * 1024, idle_timeout=3600.0, header_timeout=60.0
)
_JSON = b"content-type: application/json\r\n"


class Provider:
    """A fake provider on a loopback port. `openai` and `anthropic` of a `Simulator` are two of these."""

    def __init__(self, face: Face, behaviour: Behaviour, port: int, clock: Callable[[], float] = time.time) -> None:
        self._face = face
        self._prompter = Prompter(behaviour)
        self._port = Port(port)
        self._clock = clock
        self._log = CallLog()
        self._rate = RateWindow()
        self._limit: RateLimit | None = None  # of the call before the answer's headers are written
        self._recall = Recall()
        self._server: Server | None = None
        self.faults: list[Exception] = []
        """What the simulator itself got wrong; empty unless it has a defect."""

    def __repr__(self) -> str:
        state = "listening" if self._server is not None else "not listening"
        return f"Provider({self._face.name}, {self.url}, {state}, {self._log.seen} calls)"

    @property
    def name(self) -> str:
        """`openai` or `anthropic`."""
        return self._face.name

    @property
    def port(self) -> int:
        """The port, which stays the provider's own while it does not listen."""
        return self._port.number

    @property
    def url(self) -> str:
        """The base URL, as the provider's SDK wants it."""
        return f"http://127.0.0.1:{self.port}{self._face.base_path}"

    @property
    def calls(self) -> list[Call]:
        """The calls seen, the oldest first (at most the last 10,000)."""
        return self._log.calls

    @property
    def call_count(self) -> int:
        """How many calls have been seen in all."""
        return self._log.seen

    def play(self, behaviour: Behaviour) -> None:
        """Follow another script, or sequence of scripts, or function from now on. Rate limits start afresh."""
        self._prompter = Prompter(behaviour)
        self._rate, self._limit = RateWindow(), None

    async def wait_for_calls(self, count: int) -> list[Call]:
        """Wait until `count` calls have been seen since the start, and return the calls."""
        await self._log.until_seen(count)
        return self.calls

    async def wait_until_left(self, count: int = 1) -> list[Call]:
        """Wait until the clients of `count` calls have left before their answers were finished; return those calls."""
        await self._log.until_left(count)
        return [call for call in self.calls if call.client_left]

    async def wait_until_ended(self, count: int) -> list[Call]:
        """Wait until `count` calls are over, in whatever way, and return the calls."""
        await self._log.until_ended(count)
        return self.calls

    async def listen(self) -> None:
        """Accept connections; does nothing where it does already."""
        if self._server is None:
            self._server = server = Server(self._answer, _LIMITS, on_fault=self.faults.append)
            await server.serve(self._port.listening(), None)

    async def stop_listening(self) -> None:
        """Cut every connection and refuse new ones, as a provider that is down."""
        server, self._server = self._server, None
        if server is not None:
            await server.closed(asyncio.get_running_loop().time())

    async def close(self) -> None:
        """Stop for good and give the port back."""
        await self.stop_listening()
        self._port.release()

    async def _answer(self, request: Request, responder: Responder) -> None:
        entry = self._recall.of(request)
        call = self._log.open(request, entry.parsed)
        try:
            plan = self._plan(request, call, entry)
            call.status = None if plan.silent else plan.status
            await play(plan, responder)
        except (asyncio.CancelledError, ConnectionError):
            self._log.client_left(call)
            raise
        finally:
            self._log.close(call)

    def _plan(self, request: Request, call: Call, entry: Entry) -> Plan:
        request_id = self._face.request_id()
        try:
            if request.path != self._face.answers_at or request.method != b"POST":
                return self._listing(request, request_id)
            self._face.admit(request)
            call.script = script = self._prompter.script_for(call)
            self._check_rate(script)
            if isinstance(script.fault, ErrorAnswer):
                refusal = self._refusal(self._face.rejection_of(script.fault), request_id, script.fault.retry_after)
                refusal.head_after = script.first_token
                return refusal
            if entry.asked is None:
                entry.asked = self._face.understand(request, entry.parsed)
            if entry.answer is None or entry.script is not script:
                entry.script, entry.answer = script, agent.answer(script, entry.asked)
            return self._scripted(script, entry.asked, entry.answer, request_id)
        except _RateLimited as limited:
            return self._refusal(limited.rejection, request_id, limited.wait)
        except Rejection as rejection:
            return self._refusal(rejection, request_id)

    def _listing(self, request: Request, request_id: str) -> Plan:
        listing = self._face.listing(request.path) if request.method == b"GET" else None
        if listing is None:
            raise self._face.unknown_path(request.method.decode("latin-1"), request.path)
        self._face.admit(request)
        return Plan(headers=_JSON + self._headers(request_id), body=listing)

    def _check_rate(self, script: Script) -> None:
        limit = self._limit = script.rate_limit
        if limit is None:
            return
        wait = self._rate.take(limit, self._clock())
        if wait is not None:
            raise _RateLimited(self._face.rate_limited(limit.calls, limit.window, wait), wait)

    def _headers(self, request_id: str) -> bytes:
        now, limit = self._clock(), self._limit
        return self._face.headers(request_id, now, self._rate.standing(limit, now) if limit is not None else None)

    def _refusal(self, rejection: Rejection, request_id: str, retry_after: float | str | None = None) -> Plan:
        headers = _JSON + self._headers(request_id) + self._face.error_headers(rejection.status)
        headers += _retry_headers(retry_after)
        body = self._face.error_body(rejection, request_id)
        return Plan(status=rejection.status, headers=headers, body=body)

    def _scripted(self, script: Script, asked: Asked, answer: Answer, request_id: str) -> Plan:
        stamp = self._face.stamp(answer, request_id, int(self._clock()))
        if asked.stream:
            return self._streamed(script, request_id, self._face.frames(answer, asked, stamp))
        tokens = answer.output / script.tokens_per_second if script.tokens_per_second else 0.0
        plan = Plan(
            headers=_JSON + self._headers(request_id),
            body=self._face.body(answer, asked, stamp),
            head_after=script.first_token + tokens,
        )
        return self._faulted(plan, script, request_id, b"")

    def _streamed(self, script: Script, request_id: str, frames: Frames) -> Plan:
        head = b"content-type: %b\r\ncache-control: no-cache\r\n" % self._face.content_type_of_streams
        plan = Plan(
            headers=head + self._headers(request_id),
            opening=frames.opening,
            pieces=frames.pieces,
            closing=frames.finish + frames.mark,
            head_after=script.first_token if script.head is None else script.head,
            first_after=script.first_token,
            interval=script.tokens_per_frame / script.tokens_per_second if script.tokens_per_second else 0.0,
            ping=self._face.ping,
            ping_every=script.ping_every or math.inf,
        )
        return self._faulted(plan, script, request_id, frames.mark)

    def _faulted(self, plan: Plan, script: Script, request_id: str, mark: bytes) -> Plan:
        fault = script.fault
        if fault is None:
            return plan
        if not isinstance(fault, InBandError):
            return apply(plan, fault, mark=mark)
        error = ErrorAnswer(status=500, message=fault.message, type=fault.type, code=fault.code)
        body = self._face.error_body(self._face.rejection_of(error), request_id)
        return apply(plan, fault, error_frame=self._face.error_frame(fault), error_body=body)


class _RateLimited(Exception):
    def __init__(self, rejection: Rejection, wait: float) -> None:
        super().__init__(rejection.message)
        self.rejection = rejection
        self.wait = wait


def _retry_headers(retry_after: float | str | None) -> bytes:
    if retry_after is None:
        return b""
    if isinstance(retry_after, str):
        return b"retry-after: %b\r\n" % retry_after.encode()
    return b"retry-after: %d\r\nretry-after-ms: %d\r\n" % (math.ceil(retry_after), math.ceil(retry_after * 1000))
