"""What is known of one call while it runs: a ledger card that the exchange fills in from top to bottom."""

import time
from typing import Final

from trunkline.audit.format.bodies import Part
from trunkline.audit.format.references import BodyRef
from trunkline.audit.format.timing import encode_timing
from trunkline.dialects.openai_client import ChunkEncoder
from trunkline.errors import CallError
from trunkline.gateway.guarding import Guard
from trunkline.gateway.in_force import InForce, Plan, PlannedTarget
from trunkline.gateway.judging import Judging
from trunkline.model.chat import ChatRequest
from trunkline.model.delta import Delta, Usage
from trunkline.model.identity import Identity
from trunkline.model.records import Attempt, Cost, Estimate
from trunkline.model.snapshot import Key
from trunkline.policy.limits.limiter import Reservation
from trunkline.wire.request import Request

NANOSECONDS_PER_US: Final = 1000
NANOSECONDS_PER_MS = 1_000_000


class Tally:
    """What has come of an answer so far, counted delta by delta."""

    __slots__ = (
        "characters", "declined", "finish", "provider_id", "provider_model", "service_tier", "stop_reason", "tools",
        "uncounted", "usage",
    )  # fmt: skip

    def __init__(self) -> None:
        self.characters = 0
        self.declined = False
        self.finish: str | None = None
        self.stop_reason: str | None = None
        self.provider_id: str | None = None
        self.provider_model: str | None = None
        self.service_tier: str | None = None
        self.tools: list[str] = []
        self.usage: Usage | None = None
        self.uncounted = False  # whether the provider's counts lack something

    def take(self, delta: Delta) -> None:
        """Count one delta."""
        if delta.text:
            self.characters += len(delta.text)
        if delta.tool is not None:
            self._take_tool(delta)
        if delta.finish is not None:
            self.finish = delta.finish
            self.stop_reason = delta.stop_reason
            self.declined = self.declined or delta.finish == "content_filter"
        if delta.usage is not None or delta.uncounted:
            self.usage, self.uncounted = delta.usage or self.usage, delta.uncounted
        if delta.refusal:
            self.characters += len(delta.refusal)
            self.declined = True
        if delta.reasoning:
            self.characters += len(delta.reasoning)
        if delta.provider_id is not None:
            self.provider_id = delta.provider_id
            self.service_tier = delta.service_tier  # a provider says both in one place
        if delta.model is not None:
            self.provider_model = delta.model

    def _take_tool(self, delta: Delta) -> None:
        tool = delta.tool
        if tool is not None:
            if tool.name:
                self.tools.append(tool.name)
            self.characters += len(tool.arguments)

    @property
    def empty(self) -> bool:
        """Whether the answer says nothing at all: no text, no tool, and no reason for its silence."""
        return not (self.characters or self.tools or self.declined or self.finish == "length")


class Track:
    """Bytes in the order they came or went, with when: what a stream's body is stored from."""

    __slots__ = ("chunks", "marks")

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.marks: list[tuple[int, int]] = []  # (milliseconds since the call began, bytes)

    def add(self, data: bytes, at_ms: int) -> None:
        """Keep a piece."""
        self.chunks.append(data)
        self.marks.append((at_ms, len(data)))

    def move_to(self, parts: dict[str, Part], name: str, *, streamed: bool) -> None:
        """Move what was kept into the parts of a body, with when it came; what was no stream and came at once needs no
        timing.
        """
        if self.chunks:
            parts[name] = self.chunks
            if streamed or len(self.chunks) > 1:
                parts[f"{name}_timing"] = encode_timing(self.marks)
            self.chunks, self.marks = [], []


class Call:
    """One call from its request to its closed record. Times are `time.monotonic_ns()`."""

    __slots__ = (
        "answering",
        "asked",
        "attempts",
        "began_ns",
        "bodies",
        "body_frames",
        "chat",
        "client_dropped",
        "cost",
        "encoder",
        "estimate",
        "first_byte_ns",
        "guard",
        "guessed_tokens",
        "id",
        "identity",
        "in_force",
        "judging",
        "key",
        "left_ns",
        "limit_lines",
        "opened",
        "plan",
        "queued_ns",
        "received",
        "released",
        "released_characters",
        "request",
        "reservation",
        "sent",
        "settled",
        "spent",
        "tally",
        "target",
        "unrecorded",
        "usage",
        "waited_ns",
        "whole",
    )

    def __init__(self, call_id: str, request: Request, in_force: InForce, judging: Judging | None = None) -> None:
        self.id = call_id
        self.judging = judging  # whose text it is about, where it is a judge's call
        self.began_ns = request.received or time.monotonic_ns()
        self.request = request
        self.in_force = in_force
        self.key: Key | None = None
        self.chat: ChatRequest | None = None
        self.identity: Identity | None = None
        self.plan: Plan | None = None
        self.estimate: Estimate | None = None
        self.guard: Guard | None = None  # where policies are in force
        self.guessed_tokens = 0  # of the prompt, before what is known of the model's tokenizer
        self.reservation: Reservation | None = None  # of the tenant's limits and budgets
        self.limit_lines = ""  # the header lines that say how they stand
        self.opened = -1  # position of the opened record in the log
        self.attempts: list[Attempt] = []
        self.asked = 0  # how many targets have been asked; those passed over do not count
        self.answering: Attempt | None = None  # the attempt that is running, or that the answer came from
        self.target: PlannedTarget | None = None  # and its target
        self.bodies: dict[str, Part] = {}  # parts for the next body frame, by name
        self.body_frames: list[BodyRef] = []
        self.tally = Tally()
        self.usage: Usage | None = None  # what the call is charged for, and at what cost
        self.cost: Cost | None = None
        self.spent: Cost | None = None  # what targets were owed that failed all the same
        self.whole = False  # whether the answer has come whole: what the provider counted stands, whoever leaves now
        self.sent = False  # whether the provider has the request of the attempt that is running
        self.received = Track()
        self.released = Track()
        self.released_characters = 0
        self.client_dropped: tuple[str, ...] = ()
        self.waited_ns = 0
        self.queued_ns = 0  # held because a limit was reached; a part of what was waited
        self.first_byte_ns = 0
        self.left_ns = 0
        self.encoder: ChunkEncoder | None = None  # of a stream that has been started
        self.settled = False
        self.unrecorded: CallError | None = None  # what ended a call that the log did not take

    def since(self, at_ns: int) -> float:
        """Return the milliseconds from the call's beginning to this moment."""
        return (at_ns - self.began_ns) // NANOSECONDS_PER_US / 1000

    def overhead_ns(self, now_ns: int) -> int:
        """Return how long the gateway itself has taken so far, without what it waited for."""
        asked_ns = self.guard.asked_ns if self.guard is not None else 0
        return max(0, now_ns - self.began_ns - self.waited_ns - asked_ns)

    def begin_attempt(self, attempt: Attempt, target: PlannedTarget, request: bytes) -> None:
        """Start counting an answer from nothing, and keep what is sent for it."""
        self.attempts.append(attempt)
        self.asked += 1
        self.answering, self.target, self.sent = attempt, target, False
        self.tally, self.received = Tally(), Track()
        self.bodies[f"{self.asked}.provider_request"] = request

    def note_sent(self) -> None:
        """The request has left: from here on the provider is at work."""
        self.sent = True

    def end_attempt(self) -> None:
        """The attempt that was running has failed; what came of it stays in the record's body."""
        self.received.move_to(self.bodies, f"{self.asked}.provider_response", streamed=False)
        self.answering = self.target = None
        self.tally = Tally()

    def take_frames(self) -> list[BodyRef]:
        """Hand out the frames that are in the log already, for the record that is to name them."""
        frames, self.body_frames = self.body_frames, []
        return frames

    def take_bodies(self) -> dict[str, Part]:
        """Hand out the parts of the next body frame: what came and went since the last one."""
        bodies, self.bodies = self.bodies, {}
        self.received.move_to(bodies, f"{self.asked}.provider_response", streamed=False)
        # A replay gives a stream again as it was: one chunk alone in a frame, as in a slow one, has its time too.
        self.released.move_to(bodies, "response", streamed=self.encoder is not None)
        return bodies
