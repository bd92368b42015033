"""The part of the admin API for what is kept and what expires.

GET  /api/holds               ?every=yes     -> {"holds": [...]}
POST /api/holds               NewHold        -> {"hold"}
POST /api/holds/{id}/release  {"reason"}     -> {"hold"}
POST /api/retention           {"apply"}      -> {"logs": [...]}, what has expired, or, with apply, what of it went
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response

from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.sealing import Unopened
from trunkline.control.answers import ExpiredLog, NewHold, Refused, ReleaseHold, Retention
from trunkline.control.ledger_desk import LedgerDesk
from trunkline.control.registry import Registry
from trunkline.operations import OperationalLog

if TYPE_CHECKING:
    from trunkline.ledger.ledger import Ledger

Answer = Callable[[Any], Response]
Asked = Callable[[Request, type[Any]], Any]
Who = Callable[[Request], str]


def add_holds(
    app: FastAPI, registry: Registry, desk: LedgerDesk, who: Who, log: OperationalLog, answer: Answer, asked: Asked
) -> None:  # fmt: skip
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

    @app.post("/api/retention")
    async def retention(request: Request) -> Response:
        question: Retention = await asked(request, Retention)
        try:
            if not question.apply:
                return answer({"logs": await registry.expired()})
            gone = await registry.expire(who(request))
        except CorruptLog as error:
            raise Refused(f"{error}; `trunkline audit verify` says more") from None
        except Unopened as error:
            raise Refused(str(error)) from None
        for one in gone:
            await desk.ask(partial(_forget, one))
            log.event("info", "log_expired", file=one.log, segments=one.segments, bytes=one.bytes, who=who(request))
        return answer({"logs": gone})


def _forget(gone: ExpiredLog, ledger: "Ledger") -> None:
    ledger.expire(gone.log, gone.following or 0)
