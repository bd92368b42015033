"""The part of the admin API that has the review queue, and who has looked.

GET  /api/audit/reads             ?who=&action=&call=&since=&until=&limit=
GET  /api/review                  ?state=&verdict=&reviewer=&tenant=&user=&route=&since=&until=&limit=: the queue
GET  /api/review/samples          ?since=&until=&limit=
POST /api/review/report           ReportQuestion
POST /api/review/sample           SampleQuestion: choose calls
POST /api/review/next             NextQuestion: take one
POST /api/review/decide           DecideQuestion
GET  /api/review/notes/{call_id}  all that was decided of a call, with the notes
"""

import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response

from trunkline.control.ledger_api import from_query
from trunkline.control.ledger_desk import LedgerDesk
from trunkline.control.review_desk import ReviewDesk
from trunkline.ledger.review_answers import (
    DecideQuestion,
    NextQuestion,
    QueueQuestion,
    ReadsQuestion,
    ReportQuestion,
    SampleQuestion,
    SamplesQuestion,
)

Answer = Callable[[Any], Response]
Asked = Callable[[Request, type[Any]], Any]


def add_reviews(
    app: FastAPI, reviews: ReviewDesk, desk: LedgerDesk, who: Callable[[Request], str], answer: Answer, asked: Asked
) -> None:
    """Add the requests; `who` names the caller, `answer` makes a response, `asked` reads a body."""
    _add_lists(app, desk, answer, asked)

    @app.post("/api/review/sample")
    async def sample(request: Request) -> Response:
        return answer(await reviews.sample(await asked(request, SampleQuestion), who(request)))

    @app.post("/api/review/next")
    async def take_next(request: Request) -> Response:
        question: NextQuestion = await asked(request, NextQuestion)
        return answer(await reviews.next(question.tenant, who(request)))

    @app.post("/api/review/decide")
    async def decide(request: Request) -> Response:
        return answer(await reviews.decide(await asked(request, DecideQuestion), who(request)))

    @app.get("/api/review/notes/{call_id:path}")
    async def notes(call_id: str, request: Request) -> Response:
        return answer(await reviews.history(call_id, who(request)))


def _add_lists(app: FastAPI, desk: LedgerDesk, answer: Answer, asked: Asked) -> None:
    @app.get("/api/audit/reads")
    async def reads(request: Request) -> Response:
        question = from_query(request, ReadsQuestion)
        return answer(await desk.ask(lambda ledger: ledger.reviews().reads(question)))

    @app.get("/api/review")
    async def queue(request: Request) -> Response:
        question = from_query(request, QueueQuestion)
        return answer(await desk.ask(lambda ledger: ledger.reviews().listed(question, time.time())))

    @app.get("/api/review/samples")
    async def samples(request: Request) -> Response:
        question = from_query(request, SamplesQuestion)
        return answer(await desk.ask(lambda ledger: ledger.reviews().samples(question)))

    @app.post("/api/review/report")
    async def report(request: Request) -> Response:
        question: ReportQuestion = await asked(request, ReportQuestion)
        return answer(await desk.ask(lambda ledger: ledger.reviews().report(question, time.time())))
