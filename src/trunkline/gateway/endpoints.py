"""The paths of the data plane; one that does not go through the exchange cannot reach a provider."""

import hashlib
import time

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

MODELS = "/v1/models"
JSON_HEADERS = JSON_LINE.encode()
_encode = msgspec.json.Encoder().encode


class Endpoints:
    """The handler of the data plane's server."""

    def __init__(self, exchange: Exchange, journal: Journal, refusals: Refusals) -> None:
        self._exchange, self._journal, self._refusals = exchange, journal, refusals
        self.in_force: InForce | None = None

    async def handle(self, request: Request, responder: Responder) -> None:
        """Answer one request."""
        path, in_force = request.path, self.in_force
        try:
            if path == "/healthz":
                responder.send(200, JSON_HEADERS, b'{"status":"alive"}')
            elif path == "/readyz":
                self._ready(responder)
            elif in_force is None:
                raise Overloaded("This gateway is starting; send the call again.", retry_after=1.0)
            elif path == "/v1/chat/completions" and request.method == b"POST":
                await self._exchange.carry(request, responder, in_force)
            elif (path == MODELS or path.startswith(MODELS + "/")) and request.method == b"GET":
                responder.send(200, JSON_HEADERS, _models(request, in_force))
            else:
                method = request.method.decode("latin-1")
                raise EndpointNotSupported(f"This gateway does not serve {method} {path[:200]}.")
        except CallError as error:
            self._refusals.add(error, refused_record(error, in_force.digest if in_force is not None else ""))
            responder.send(error.status, *error_lines(error, None, JSON_LINE))

    def why_not_ready(self) -> str | None:
        """Return why this worker should get no calls, or None if it should."""
        if self._exchange.draining:
            return "draining"
        if self.in_force is None:
            return "no snapshot is loaded"
        if not self._journal.healthy:
            return "the record log does not take records"
        return self._exchange.admission.why_not_ready()

    def _ready(self, responder: Responder) -> None:
        reason = self.why_not_ready()
        body = {"status": "ready"} if reason is None else {"status": "not ready", "reason": reason}
        leases = self._exchange.admission.leases
        if leases is not None and leases.state.phase != "in_touch":
            body["limits"] = leases.state.phase
        responder.send(200 if reason is None else 503, JSON_HEADERS, _encode(body))


def _models(request: Request, in_force: InForce) -> bytes:
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
