"""The admin API: what the commands ask, as HTTP. Paths, bodies and errors are JSON.

    GET    /api/status       processes, snapshot, logs
    POST   /api/apply        {"config": path}             -> {"digest", "lines"}
    GET    /api/keys                                      -> {"keys": [...]}
    POST   /api/keys         {"tenant", "id", ...}        -> {"key", "secret"}, once
    DELETE /api/keys/{id}                                 -> {"key"}

Errors are `{"error": {"message", "problems"}}`: 400 and 422 say what to mend, 503 that nothing could be changed.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from trunkline.config.problems import ConfigInvalid
from trunkline.control.answers import NewKey, Refused
from trunkline.control.journal import Unrecorded
from trunkline.control.registry import NotPublished, Registry
from trunkline.operations import OperationalLog

JSON = "application/json"


class Answer(Response):
    """A msgspec Struct, or anything made of them, as JSON."""

    media_type = JSON

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return msgspec.json.encode(content)


def build(
    registry: Registry, status: Callable[[], dict[str, Any]], who: Callable[[Request], str], log: OperationalLog
) -> FastAPI:
    """Return the API for one listener; `who` names the caller in records."""
    app = FastAPI(title="Trunkline admin API", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/api/status")
    async def get_status() -> Response:
        return Answer(status())

    @app.post("/api/apply")
    async def apply(request: Request) -> Response:
        asked = await _object(request)
        _same_file(asked.get("config"), registry.configuration.path)
        applied = await registry.apply(who(request), "applied")
        log.event("info", "applied", snapshot=applied.digest, changes=len(applied.lines), who=who(request))
        return Answer(applied)

    @app.get("/api/keys")
    async def list_keys() -> Response:
        return Answer({"keys": registry.all_keys()})

    @app.post("/api/keys")
    async def create_key(request: Request) -> Response:
        made = await registry.create_key(_new_key(await _object(request)), who(request))
        log.event("info", "key_created", key=made.key.id, tenant=made.key.tenant, who=who(request))
        return Answer(made, status_code=201, headers={"cache-control": "no-store"})

    @app.delete("/api/keys/{key_id}")
    async def revoke_key(key_id: str, request: Request) -> Response:
        view = await registry.revoke_key(key_id, who(request))
        log.event("info", "key_revoked", key=key_id, who=who(request))
        return Answer({"key": view})

    _handle_errors(app, log)
    return app


def _handle_errors(app: FastAPI, log: OperationalLog) -> None:
    @app.exception_handler(ConfigInvalid)
    async def invalid(_: Request, error: ConfigInvalid) -> Response:
        problems = [str(problem) for problem in error.problems]
        log.event("error", "apply_failed", problems=len(problems), first=problems[0])
        return _error(422, "the configuration is not good; nothing was changed", problems)

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        return _error(400, str(error))

    @app.exception_handler(NotPublished)
    @app.exception_handler(Unrecorded)
    @app.exception_handler(OSError)
    async def not_done(_: Request, error: Exception) -> Response:
        log.event("error", "not_changed", reason=str(error))
        return _error(503, str(error))

    @app.exception_handler(404)
    @app.exception_handler(405)
    async def not_there(request: Request, _: Exception) -> Response:
        return _error(404, f"there is no {request.method} {request.url.path[:200]}")

    @app.exception_handler(Exception)
    async def fault(_: Request, error: Exception) -> Response:
        log.fault(error)
        return _error(500, "control met an error of its own; its log says which kind")


def _error(status: int, message: str, problems: list[str] | None = None) -> Response:
    return JSONResponse({"error": {"message": message, "problems": problems or []}}, status)


async def _object(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise Refused(f"the body must be {JSON}")
    try:
        value = json.loads(await request.body())
    except ValueError:
        raise Refused("the body is not JSON") from None
    if not isinstance(value, dict):
        raise Refused("the body is not a JSON object")
    return value


def _new_key(asked: dict[str, Any]) -> NewKey:
    try:
        return msgspec.convert(asked, NewKey)
    except msgspec.ValidationError as error:
        raise Refused(f"not a key to make: {error}") from None


def _same_file(named: object, running: str) -> None:
    """Applying another file than the one that `serve` was given would be undone by the next reload."""
    if named is not None and (not isinstance(named, str) or Path(named).resolve() != Path(running).resolve()):
        raise Refused(
            f"this gateway runs on {Path(running).resolve()}; apply that file, or start it with the other one"
        )
