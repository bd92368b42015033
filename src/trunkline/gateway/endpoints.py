"""The paths of the data plane; one that does not go through the exchange cannot reach a provider."""

import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Final, final

import msgspec

from trunkline.errors import CallError, EndpointNotSupported, ModelNotFound, Overloaded
from trunkline.gateway import opening
from trunkline.gateway.answers import JSON_LINE, error_lines
from trunkline.gateway.exchange import Exchange
from trunkline.gateway.in_force import InForce
from trunkline.gateway.journal import Journal
from trunkline.gateway.refusals import Refusals, refused_record
from trunkline.wire.request import Request
from trunkline.wire.server import Responder

MODELS: Final = "/v1/models"
JSON_HEADERS: Final = JSON_LINE.encode()
_encode: Final = msgspec.json.Encoder().encode

Serve = Callable[[Request, Responder, InForce], Awaitable[None]]
Probe = Callable[[Request, Responder], None]


@final
class Endpoint:
    """A method and a path that are served, and by what: `probe` also before a snapshot is in force, `serve` then.

    No method: any. `below`: the paths beneath it are served too.
    """

    __slots__ = ("below", "method", "path", "probe", "serve")

    def __init__(
        self, method: bytes, path: str, serve: Serve | None = None, probe: Probe | None = None, *, below: bool = False
    ) -> None:
        self.method, self.path, self.serve, self.probe, self.below = method, path, serve, probe, below

    @property
    def name(self) -> str:
        """Method and path, as in `GET /v1/models`."""
        return f"{self.method.decode() or 'any'} {self.path}"

    def matches(self, request: Request) -> bool:
        """Whether this is where a request goes."""
        path = request.path
        if path != self.path and not (self.below and path.startswith(self.path + "/")):
            return False
        return not self.method or request.method == self.method


class Endpoints:
    """The handler of the data plane's server. `table` has all that it serves, and nothing is served past it."""

    def __init__(self, exchange: Exchange, journal: Journal, refusals: Refusals) -> None:
        self._exchange, self._journal, self._refusals = exchange, journal, refusals
        self.in_force: InForce | None = None
        self.table: tuple[Endpoint, ...] = (
            Endpoint(b"POST", "/v1/chat/completions", exchange.carry),
            Endpoint(b"GET", MODELS, self._models, below=True),
            Endpoint(b"", "/healthz", probe=self._alive),
            Endpoint(b"", "/readyz", probe=self._ready),
        )

    async def handle(self, request: Request, responder: Responder) -> None:
        """Answer one request."""
        in_force = self.in_force
        try:
            endpoint = self._find(request)
            if endpoint is not None and endpoint.probe is not None:
                endpoint.probe(request, responder)
            elif in_force is None:
                raise Overloaded("This gateway is starting; send the call again.", retry_after=1.0)
            elif endpoint is not None and endpoint.serve is not None:
                await endpoint.serve(request, responder, in_force)
            else:
                method = request.method.decode("latin-1")
                raise EndpointNotSupported(f"This gateway does not serve {method} {request.path[:200]}.")
        except CallError as error:
            self._refusals.add(error, refused_record(error, in_force.digest if in_force is not None else ""))
            responder.send(error.status, *error_lines(error, None, JSON_LINE))

    def _find(self, request: Request) -> Endpoint | None:
        for endpoint in self.table:
            if endpoint.matches(request):
                return endpoint
        return None

    def why_not_ready(self) -> str | None:
        """Return why this worker should get no calls, or None if it should."""
        if self._exchange.draining:
            return "draining"
        if self.in_force is None:
            return "no snapshot is loaded"
        if not self._journal.healthy:
            return "the record log does not take records"
        return self._exchange.admission.why_not_ready()

    def _alive(self, request: Request, responder: Responder) -> None:  # noqa: ARG002 - as all probes are called
        responder.send(200, JSON_HEADERS, b'{"status":"alive"}')

    def _ready(self, request: Request, responder: Responder) -> None:  # noqa: ARG002 - as all probes are called
        reason = self.why_not_ready()
        body = {"status": "ready"} if reason is None else {"status": "not ready", "reason": reason}
        leases = self._exchange.admission.leases
        if leases is not None and leases.state.phase != "in_touch":
            body["limits"] = leases.state.phase
        responder.send(200 if reason is None else 503, JSON_HEADERS, _encode(body))

    async def _models(self, request: Request, responder: Responder, in_force: InForce) -> None:
        responder.send(200, JSON_HEADERS, _listing(request, in_force))


def _listing(request: Request, in_force: InForce) -> bytes:
    """Return the models of the request's key as OpenAI lists them, or the one that the path names."""
    key = in_force.keys.find(hashlib.sha256(opening.secret_of(request.headers)).hexdigest(), time.time())
    names = in_force.models(key)
    wanted = request.path[len(MODELS) + 1 :]
    if not wanted:
        return _encode({"object": "list", "data": [_model(name) for name in names]})
    if wanted not in names:
        known = ", ".join(f"`{name}`" for name in names) or "none"
        raise ModelNotFound(f"There is no model `{wanted[:100]}`. This API key may use: {known}.", param="model")
    return _encode(_model(wanted))


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "trunkline"}
