"""The admin API: what the commands ask, as HTTP. Paths, bodies and errors are JSON.

    GET    /metrics          for Prometheus
    GET    /api/status       processes, snapshot, logs
    POST   /api/apply        {"config": path}             -> {"digest", "lines"}
    POST   /api/guardrails   {"config": path}             -> {"guardrails", "tenants", "routes"}, as the file has them
    GET    /api/keys                                      -> {"keys": [...]}
    POST   /api/keys         {"tenant", "id", ...}        -> {"key", "secret"}, once
    DELETE /api/keys/{id}                                 -> {"key"}
    GET    /api/users        ?tenant&user&team&on&limit   -> {"users": [...], "total"}
    POST   /api/users        {"tenant", "file", "text"}   -> {"users", "added", "removed", "changed"}
    POST   /api/costs/import {"tenant", "file", "text"}   -> {"rows", "amount"}

and what `holds_api`, `ledger_api`, `evidence_api`, `limits_api` and `review_api` add. Errors are
`{"error": {"message", "problems"}}`: 400 and 422 say what to mend, 401 and 403 who is not let in, 404 why a question
has no answer, 503 that nothing could be changed.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from trunkline.audit.files.vault.key_encryption import VaultUnusable
from trunkline.channel.messages import WorkerState
from trunkline.config.problems import ConfigInvalid
from trunkline.control.admission import Admission, Forbidden
from trunkline.control.answers import (
    Apply,
    AskGuardrails,
    LimitsInUse,
    NewCosts,
    NewKey,
    NewUsers,
    ProposedGuardrails,
    Refused,
    UserQuery,
)
from trunkline.control.evidence_api import Reading, add_evidence
from trunkline.control.holds_api import add_holds
from trunkline.control.journal import Unrecorded
from trunkline.control.ledger_api import add_ledger
from trunkline.control.ledger_desk import LedgerDesk
from trunkline.control.limits_api import add_limits
from trunkline.control.limits_desk import LimitsDesk
from trunkline.control.registry import NotPublished, Registry
from trunkline.control.review_api import add_reviews
from trunkline.control.review_desk import ReviewDesk
from trunkline.control.vault_api import add_vault
from trunkline.ledger.answers import Misunderstood, Unanswerable
from trunkline.operations import OperationalLog

JSON = "application/json"
# A log that has failed stays so: only a start looks at what the failed write has left behind.
RECOVER = "Mend the disk or make room on it, then restart control (end process {pid}; another follows) or the gateway"
# Whoever scrapes gives up before long. Seconds.
SCRAPE_WITHIN = 2.0
Shape = TypeVar("Shape")
Status = Callable[[], dict[str, Any]]
Who = Callable[[Request], str]


class Answer(Response):
    """A msgspec Struct, or anything made of them, as JSON."""

    media_type = JSON

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return msgspec.json.encode(content)


def build(
    registry: Registry,
    status: Status,
    who: Who,
    log: OperationalLog,
    desk: LedgerDesk,
    workers: Callable[[], Sequence[WorkerState]],
    limits: LimitsDesk,
) -> FastAPI:
    """Return the API, for all listeners; `who` names the caller in records."""
    admission = Admission(registry)
    app = FastAPI(
        title="Trunkline admin API",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(admission)],
    )

    _add_processes(app, registry, status, who, log)
    _add_keys(app, registry, who, log)
    _add_imports(app, registry, who, log)
    add_holds(app, registry, desk, who, log, Answer, _asked)
    _add_metrics(app, registry, status, desk, workers, limits)
    add_limits(app, registry, limits, desk, _asked)
    reading = Reading(who, registry, admission)
    add_ledger(app, desk, Answer, _asked)
    add_evidence(app, desk, reading, Answer, _asked)
    add_reviews(app, ReviewDesk(registry, desk), desk, who, Answer, _asked)
    add_vault(app, registry, who, Answer, _asked)
    _handle_errors(app, log)
    return app


def _add_processes(app: FastAPI, registry: Registry, status: Status, who: Who, log: OperationalLog) -> None:
    @app.get("/api/status")
    async def get_status() -> Response:
        return Answer(status())

    @app.post("/api/apply")
    async def apply(request: Request) -> Response:
        asked = await _asked(request, Apply)
        registry.configuration.must_be(asked.config)
        applied = await registry.apply(who(request), "applied")
        log.event("info", "applied", snapshot=applied.digest, changes=len(applied.lines), who=who(request))
        return Answer(applied)

    @app.post("/api/guardrails")
    async def guardrails(request: Request) -> Response:
        asked = await _asked(request, AskGuardrails)
        registry.configuration.must_be(asked.config)
        return Answer(ProposedGuardrails.of(await registry.proposed()))


def _add_keys(app: FastAPI, registry: Registry, who: Who, log: OperationalLog) -> None:
    @app.get("/api/keys")
    async def list_keys() -> Response:
        return Answer({"keys": registry.all_keys()})

    @app.post("/api/keys")
    async def create_key(request: Request) -> Response:
        made = await registry.create_key(await _asked(request, NewKey), who(request))
        log.event("info", "key_created", key=made.key.id, tenant=made.key.tenant, who=who(request))
        return Answer(made, status_code=201, headers={"cache-control": "no-store"})

    @app.delete("/api/keys/{key_id:path}")
    async def revoke_key(key_id: str, request: Request) -> Response:
        view = await registry.revoke_key(key_id, who(request))
        log.event("info", "key_revoked", key=key_id, who=who(request))
        return Answer({"key": view})


def _add_imports(app: FastAPI, registry: Registry, who: Who, log: OperationalLog) -> None:
    """Add what comes as files from other systems: users, and costs that models do not have."""

    @app.get("/api/users")
    async def list_users(request: Request) -> Response:
        query = _query(request)
        return Answer(await asyncio.to_thread(registry.users, query))

    @app.post("/api/users")
    async def import_users(request: Request) -> Response:
        made = await registry.import_users(await _asked(request, NewUsers), who(request))
        log.event("info", "users_imported", tenant=made.tenant, users=made.users, who=who(request))
        return Answer(made)

    @app.post("/api/costs/import")
    async def import_costs(request: Request) -> Response:
        made = await registry.import_costs(await _asked(request, NewCosts), who(request))
        log.event("info", "costs_imported", tenant=made.tenant, rows=made.rows, amount=made.amount, who=who(request))
        return Answer(made)


def _add_metrics(
    app: FastAPI,
    registry: Registry,
    status: Status,
    desk: LedgerDesk,
    workers: Callable[[], Sequence[WorkerState]],
    limits: LimitsDesk,
) -> None:
    @app.get("/metrics")
    async def metrics() -> Response:
        from trunkline.control.metrics import CONTENT_TYPE, OF_TENANTS, page  # noqa: PLC0415 - only for who scrapes

        used: LimitsInUse | None = None
        with contextlib.suppress(Refused):  # no worker is ready: the page has all else
            used = await limits.ask(OF_TENANTS, SCRAPE_WITHIN)
        now = status()
        shown = page(
            *desk.counted(), workers(), used, now["proof"]["lag_seconds"], registry.refusals.total, now["copies"]
        )
        return Response(shown, media_type=CONTENT_TYPE)


def _handle_errors(app: FastAPI, log: OperationalLog) -> None:
    @app.exception_handler(ConfigInvalid)
    async def invalid(_: Request, error: ConfigInvalid) -> Response:
        problems = [str(problem) for problem in error.problems]
        log.event("error", "apply_failed", problems=len(problems), first=problems[0])
        return _error(422, "the configuration is not good; nothing was changed", problems)

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        return _error(400, str(error), error.problems)

    @app.exception_handler(Forbidden)
    async def forbidden(_: Request, error: Forbidden) -> Response:
        return _error(403, str(error))

    @app.exception_handler(Unanswerable)
    async def unanswerable(_: Request, error: Unanswerable) -> Response:
        return _error(422 if isinstance(error, Misunderstood) else 404, str(error))

    @app.exception_handler(Unrecorded)
    async def not_recorded(_: Request, error: Unrecorded) -> Response:
        log.event("error", "not_changed", reason=str(error))
        return _error(503, f"{error}. {RECOVER.format(pid=os.getpid())}")

    @app.exception_handler(VaultUnusable)
    async def vault_unusable(_: Request, error: VaultUnusable) -> Response:
        return _error(400, str(error))

    @app.exception_handler(NotPublished)
    @app.exception_handler(OSError)
    async def not_done(_: Request, error: Exception) -> Response:
        log.event("error", "not_changed", reason=str(error))
        return _error(503, str(error))

    @app.exception_handler(404)
    @app.exception_handler(405)
    async def not_there(request: Request, _: Exception) -> Response:
        return _error(404, f"there is no {request.method} {request.scope['path'][:200]}")

    @app.exception_handler(Exception)
    async def fault(_: Request, error: Exception) -> Response:
        log.fault(error)
        return _error(500, "control met an error of its own; its log says which kind")


def _error(status: int, message: str, problems: Sequence[str] = ()) -> Response:
    return JSONResponse({"error": {"message": message, "problems": list(problems)}}, status)


async def _asked(request: Request, shape: type[Shape]) -> Shape:
    """Return the body as what it has to be. Raises Refused."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise Refused(f"the body must be {JSON}")
    body = await request.body()
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise Refused(f"the body is not what {request.scope['path']} takes: {str(error)[:200]}") from None
    except (ValueError, RecursionError):
        raise Refused("the body is not JSON in UTF-8 of whole characters") from None


def _query(request: Request) -> UserQuery:
    try:
        return msgspec.convert(dict(request.query_params), UserQuery, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(f"the query is not what {request.scope['path']} takes: {str(error)[:200]}") from None
