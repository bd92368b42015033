"""The part of the admin API that hands out what was asked and answered: never unrecorded, and not to every role.

GET  /api/calls/{call_id}    ?bodies=yes; without, a story has nothing of that and is for every role
GET  /api/sessions/{session} ?tenant=
POST /api/calls/places       PlacesQuestion: where calls stand in the logs, for who goes through what they said
POST /api/replay             {"call"}         -> lines of JSON: Chunk..., ReplayEnd
POST /api/audit/export       ExportQuestion   -> lines of JSON: ExportData and ExportStep..., ExportEnd
"""

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from trunkline.control.admission import Admission
from trunkline.control.ledger_desk import LedgerDesk
from trunkline.control.reads import AuditRead, read_by_export, read_by_scan
from trunkline.control.registry import Registry
from trunkline.control.roles import Right
from trunkline.ledger.answers import Unanswerable
from trunkline.ledger.evidence_answers import EvidenceFailed, ExportQuestion, ReplayQuestion
from trunkline.ledger.place_answers import PlacesQuestion

LINES = "application/x-ndjson"
# Words that are made in one go, so that others have a turn in between; a word has at most a third of a megabyte.
AT_ONCE = 16
Answer = Callable[[Any], Response]


class Reading:
    """Says whose requests may see what was said, and records each of them; `who` names the caller."""

    def __init__(self, who: Callable[[Request], str], registry: Registry, admission: Admission) -> None:
        self.who, self._registry, self._admission = who, registry, admission

    def check(self, request: Request) -> None:
        """Let nobody see what was said whose role does not have that right. Raises Forbidden."""
        self._admission.require(request, Right.CONTENT)

    async def note(self, request: Request, **what: Any) -> None:
        """Record that the caller is about to be shown something (`AuditRead`). Raises Unrecorded: then it must not."""
        await self._registry.note(AuditRead(who=self.who(request), **what))


def add_evidence(
    app: FastAPI, desk: LedgerDesk, reading: Reading, answer: Answer, asked: Callable[[Request, type[Any]], Any]
) -> None:
    """Add the requests; `answer` makes a response, `asked` reads a body."""

    @app.get("/api/calls/{call_id:path}")
    async def show_call(call_id: str, request: Request) -> Response:
        bodies = request.query_params.get("bodies") == "yes"
        if bodies:
            reading.check(request)
        story = await desk.ask(lambda ledger: ledger.call(call_id, bodies=bodies))
        if story.bodies:
            await reading.note(request, action="bodies", calls=1, call=story.call)
        return answer(story)

    @app.get("/api/sessions/{session:path}")
    async def show_session(session: str, request: Request) -> Response:
        reading.check(request)
        tenant = request.query_params.get("tenant")
        told = await desk.ask(lambda ledger: ledger.session(session, tenant))
        await reading.note(request, action="session", calls=told.calls, session=told.session, tenant=told.tenant)
        return answer(told)

    @app.post("/api/calls/places")
    async def places_of_calls(request: Request) -> Response:
        reading.check(request)
        question: PlacesQuestion = await asked(request, PlacesQuestion)
        found = await desk.ask(lambda ledger: ledger.places(question))
        if question.after is None and found.of:
            await reading.note(request, **read_by_scan(question, found.of))
        return answer(found)

    @app.post("/api/replay")
    async def replay(request: Request) -> Response:
        reading.check(request)
        question: ReplayQuestion = await asked(request, ReplayQuestion)
        found = await desk.ask(lambda ledger: ledger.replay(question.call))
        await reading.note(request, action="replay", calls=1, call=found.call)
        return StreamingResponse(lines_of(found.words(), desk), media_type=LINES)

    @app.post("/api/audit/export")
    async def export(request: Request) -> Response:
        reading.check(request)
        question: ExportQuestion = await asked(request, ExportQuestion)
        found = await desk.ask(lambda ledger: ledger.export(question))
        await reading.note(request, **read_by_export(question, found.calls))
        return StreamingResponse(lines_of(found.words(reading.who(request)), desk), media_type=LINES)


async def lines_of(words: Iterator[msgspec.Struct], desk: LedgerDesk) -> AsyncIterator[bytes]:
    """Yield a line for each word, the last of which may be EvidenceFailed; whoever goes away ends it."""
    try:
        while some := await desk.ask(lambda _: list(islice(words, AT_ONCE))):
            yield b"".join(msgspec.json.encode(word) + b"\n" for word in some)
    except Unanswerable as error:
        yield msgspec.json.encode(EvidenceFailed(str(error))) + b"\n"
