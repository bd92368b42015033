"""A call that a check makes in the name of another: a model is asked over the gateway's own routes what it thinks of a
text, and its answer goes to the check in place of a client.
"""

import time
from typing import Final, final

from trunkline.gateway.in_force import InForce, Plan
from trunkline.guardrails.policies import Policies
from trunkline.model.identity import Identity
from trunkline.model.snapshot import Key
from trunkline.wire.http import AnswerHeads
from trunkline.wire.request import Request
from trunkline.wire.server import Responder

PATH: Final = "/v1/chat/completions"


@final
class AskingCall:
    """The call in whose name somebody is asked: whose it is, and under what it runs; `judges` are calls made for it."""

    __slots__ = ("id", "identity", "in_force", "judges", "key", "policies", "route")

    def __init__(
        self, call_id: str, key: Key, plan: Plan, identity: Identity, in_force: InForce, policies: Policies
    ) -> None:
        self.id, self.key, self.route, self.identity = call_id, key, plan.route.name, identity
        self.in_force, self.policies = in_force, policies
        self.judges: list[str] = []


@final
class Judging:
    """What a judge's call is for: the call whose text it is about, and the route that its check asks."""

    __slots__ = ("asking", "route")

    def __init__(self, asking: AskingCall, route: str) -> None:
        self.asking, self.route = asking, route


def request_of(body: bytes) -> Request:
    """Return the request of a judge's call."""
    path = PATH.encode()
    return Request(
        method=b"POST", target=path, path=PATH, headers={}, body=body, received=time.monotonic_ns(), peer="(a check)"
    )


@final
class _Nowhere:
    """The connection of a call that has none."""

    __slots__ = ("congested", "draining", "heads")

    def __init__(self) -> None:
        self.congested = self.draining = False
        self.heads = AnswerHeads(0.0)

    def write(self, data: bytes) -> None:
        """Nobody is there."""

    def reset(self) -> None:
        """Nobody notices."""

    async def drained(self) -> None:
        """There is nothing to wait for."""


@final
class Verdict(Responder):
    """Keeps the whole answer to a judge's call; `status` is 0 where there was none."""

    __slots__ = ("body", "status")

    def __init__(self, request: Request) -> None:
        super().__init__(_Nowhere(), request)
        self.status, self.body = 0, b""

    def send(self, status: int, headers: bytes, body: bytes) -> None:  # noqa: ARG002 - no line of them says anything to a check
        """Keep a whole answer."""
        if self.started or self.finished:
            raise RuntimeError("this request has its answer already")
        self.started = self.finished = True
        self.status, self.body = status, body
