"""The part of the admin API that asks the ledger.

GET  /api/calls            ?tenant=&team=&user=&subject=&session=&route=&outcome=&finding=&tool=&since=&until=&limit=
POST /api/sql              {"query", "limit"}
POST /api/costs            {"by", "span", ...}: what calls have cost
POST /api/costs/paid       {"by", "span", ...}: what was paid to providers
GET  /api/index            how far the index is
POST /api/index            begin it anew
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from fastapi import FastAPI, Request, Response

from trunkline.control.answers import Refused
from trunkline.control.ledger_desk import LedgerDesk
from trunkline.ledger.answers import CallsQuestion, Forget, Period, SessionsQuestion, SqlQuestion
from trunkline.ledger.cost_answers import CostsQuestion, PaidQuestion

Shape = TypeVar("Shape", bound=msgspec.Struct)
Answer = Callable[[Any], Response]


def add_ledger(app: FastAPI, desk: LedgerDesk, answer: Answer, asked: Callable[[Request, type[Any]], Any]) -> None:
    """Add the ledger's requests; `answer` makes a response, `asked` reads a body."""

    @app.get("/api/calls")
    async def list_calls(request: Request) -> Response:
        question = from_query(request, CallsQuestion)
        return answer(await desk.ask(lambda ledger: ledger.calls(question)))

    @app.get("/api/sessions")
    async def list_sessions(request: Request) -> Response:
        question = from_query(request, SessionsQuestion)
        return answer(await desk.ask(lambda ledger: ledger.sessions(question)))

    @app.post("/api/sql")
    async def sql(request: Request) -> Response:
        question = await asked(request, SqlQuestion)
        return answer(await desk.ask(lambda ledger: ledger.sql(question)))

    @app.post("/api/costs")
    async def costs(request: Request) -> Response:
        question = await asked(request, CostsQuestion)
        return answer(await desk.ask(lambda ledger: ledger.costs(question)))

    @app.post("/api/costs/paid")
    async def paid(request: Request) -> Response:
        question = await asked(request, PaidQuestion)
        return answer(await desk.ask(lambda ledger: ledger.paid(question)))

    _add_index(app, desk, answer, asked)


def _add_index(app: FastAPI, desk: LedgerDesk, answer: Answer, asked: Callable[[Request, type[Any]], Any]) -> None:
    @app.get("/api/index")
    async def index_status() -> Response:
        return answer(await desk.ask(lambda ledger: ledger.status()))

    @app.post("/api/index")
    async def rebuild_index() -> Response:
        await desk.clear()
        return answer(await desk.ask(lambda ledger: ledger.status()))

    @app.post("/api/index/forget")
    async def forget(request: Request) -> Response:
        question = await asked(request, Forget)
        return answer(await desk.ask(lambda ledger: ledger.forget(question)))


def from_query(request: Request, shape: type[Shape]) -> Shape:
    """Return a question from the words of a request's query. Raises Refused."""
    words: dict[str, Any] = dict(request.query_params)
    period = {name: words.pop(name) for name in msgspec.structs.asdict(Period()) if name in words}
    if period:
        words["period"] = period
    try:
        return msgspec.convert(words, shape, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(f"the query is not what {request.scope['path']} takes: {str(error)[:200]}") from None
