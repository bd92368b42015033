"""The part of the admin API for legal holds.

GET  /api/holds               ?every=yes     -> {"holds": [...]}
POST /api/holds               NewHold        -> {"hold"}
POST /api/holds/{id}/release  {"reason"}     -> {"hold"}
"""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response

from trunkline.control.answers import NewHold, ReleaseHold
from trunkline.control.registry import Registry
from trunkline.operations import OperationalLog


def add_holds(
    app: FastAPI,
    registry: Registry,
    who: Callable[[Request], str],
    log: OperationalLog,
    answer: Callable[[Any], Response],
    asked: Callable[[Request, type[Any]], Any],
) -> None:
    """Add the requests; `answer` makes a response, `asked` reads a body."""

    @app.get("/api/holds")
    async def list_holds(request: Request) -> Response:
        return answer({"holds": registry.holds(every=request.query_params.get("every") == "yes")})

    @app.post("/api/holds")
    async def place_hold(request: Request) -> Response:
        hold = await registry.place_hold(await asked(request, NewHold), who(request))
        log.event("info", "hold_placed", hold=hold.id, tenant=hold.tenant, who=who(request))
        return answer({"hold": hold})

    @app.post("/api/holds/{hold}/release")
    async def release_hold(hold: str, request: Request) -> Response:
        released = await registry.release_hold(hold, (await asked(request, ReleaseHold)).reason, who(request))
        log.event("info", "hold_released", hold=released.id, tenant=released.tenant, who=who(request))
        return answer({"hold": released})
