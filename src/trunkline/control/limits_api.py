"""The part of the admin API that tells of limits.

GET  /api/limits           how they are used; the fields of LimitsQuestion as a query  -> LimitsInUse
POST /api/limits/simulate  Simulate                        -> lines of JSON: SimulationStep..., SimulationReport
"""

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from trunkline.channel.messages import LimitsQuestion
from trunkline.control.answers import Simulate
from trunkline.control.ledger_api import from_query
from trunkline.control.ledger_desk import LedgerDesk
from trunkline.control.limits_desk import LimitsDesk
from trunkline.control.registry import Registry
from trunkline.ledger.answers import Unanswerable
from trunkline.ledger.limit_answers import SimulationFailed

if TYPE_CHECKING:
    from trunkline.ledger.simulation import Simulation

JSON, LINES = "application/json", "application/x-ndjson"


def add_limits(
    app: FastAPI,
    registry: Registry,
    limits: LimitsDesk,
    desk: LedgerDesk,
    asked: Callable[[Request, type[Any]], Any],
) -> None:
    """Add the requests; `asked` reads a body."""

    @app.get("/api/limits")
    async def limits_in_use(request: Request) -> Response:
        found = await limits.ask(from_query(request, LimitsQuestion))
        return Response(msgspec.json.encode(found), media_type=JSON)

    @app.post("/api/limits/simulate")
    async def simulate(request: Request) -> Response:
        question: Simulate = await asked(request, Simulate)
        registry.configuration.must_be(question.config)
        proposed = await registry.proposed()
        simulation = await desk.ask(lambda ledger: ledger.simulation(proposed.tenants, proposed.keys, question.asked))
        return StreamingResponse(_words_of(simulation, desk), media_type=LINES)


async def _words_of(simulation: "Simulation", desk: LedgerDesk) -> AsyncIterator[bytes]:
    """Yield a line for each step of a simulation, and its report; whoever goes away ends it."""
    try:
        while await desk.ask(lambda _: simulation.advance()):
            yield msgspec.json.encode(simulation.step()) + b"\n"
        yield msgspec.json.encode(await desk.ask(lambda _: simulation.report())) + b"\n"
    except Unanswerable as error:
        yield msgspec.json.encode(SimulationFailed(str(error))) + b"\n"
