"""Calls of the past as guardrails see them: from real logs, whatever has become of the call or of its bodies."""

import itertools
import json

import pytest

from ledger.logs import Machine, abandoned, closed, follow, open_index, opened
from trunkline.audit.files.data_dir import LOGS
from trunkline.audit.format.sealing import NO_KEYS
from trunkline.cli.past_calls import Unreadable, read_call, was_let_in
from trunkline.ledger.archive import Archive
from trunkline.ledger.place_answers import PlacesQuestion
from trunkline.ledger.places import places_of
from trunkline.model.records import Attempt

REQUEST = {"model": "voice", "messages": [{"role": "user", "content": "Hello?"}], "n": 2}
ANSWER = {
    "id": "x", "object": "chat.completion", "created": 1, "model": "m-2",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Sixty percent."}, "finish_reason": "stop"}],
}  # fmt: skip
CLAUDE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "Sixty percent."}], "usage": {"input_tokens": 5, "output_tokens": 5},
}  # fmt: skip
SKIPPED = Attempt(provider="first", model="m-1", dialect="openai", outcome="skipped", reason="resting")


def attempt(outcome="answered", dialect="openai", status: int | None = 200):
    return Attempt(provider="second", model="m-2", dialect=dialect, outcome=outcome, status=status)


def chunk(text: str) -> bytes:
    said = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m-2",
            "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}  # fmt: skip
    return b"data: " + json.dumps(said).encode() + b"\n\n"


@pytest.fixture
def read(tmp_path):
    """Return what writes a call, in a data directory of its own, and reads it back."""
    numbers = itertools.count()

    def call(end=None, request=REQUEST, answers=None, *, stream=False, lose=False):
        machine = Machine(tmp_path / str(next(numbers)))
        asked = request if isinstance(request, bytes) else json.dumps(request).encode()
        machine.write(opened(1, stream=stream), bodies={"request": asked} if request else None)
        if lose:
            machine.stop()
        machine.write(end if end is not None else closed(1, attempts=(attempt(),)), bodies=answers)
        machine.stop()
        index = open_index(machine.path)
        try:
            follow(index, machine.path)
            (place,) = places_of(index, PlacesQuestion(since=0.0, until=4e9), 0).calls
        finally:
            index.close()
        if lose:
            min((machine.path / LOGS).glob("*/*/*.seg")).unlink()
        return read_call(Archive(machine.path, NO_KEYS), place)

    return call


def text_of(call) -> str:
    return "".join(delta.text for delta in call.answer)


@pytest.mark.parametrize(("dialect", "said"), [("openai", ANSWER), ("anthropic", CLAUDE)])
def test_a_call_is_read_in_the_dialect_of_who_answered(read, dialect, said):
    answers = {"1.provider_response": b'{"error": {}}', "2.provider_response": json.dumps(said).encode()}
    failed = attempt("failed", "openai" if dialect == "anthropic" else "anthropic", 500)
    call = read(closed(1, attempts=(SKIPPED, failed, SKIPPED, attempt(dialect=dialect))), answers=answers)
    assert (call.chat.messages[0].content, call.chat.n) == ("Hello?", 2)
    assert (text_of(call), call.answer_kept) == ("Sixty percent.", True)
    assert (call.opened["tenant"], call.ended["outcome"]) == ("harbor", "answered")


def test_a_stream_is_read_as_far_as_it_came(read):
    whole = chunk("Sixty ") + chunk("percent.")
    for more in (b"", b"data: rubbish\n\n", b"data: {"):
        answers = {"1.provider_response": whole + more, "1.provider_response_timing": b"[[1,2]]"}
        for outcome in ("cancelled", "failed"):
            call = read(closed(1, attempts=(attempt(outcome),)), answers=answers, stream=True)
            assert (text_of(call), call.answer_kept) == ("Sixty percent.", True)
    ended = read(answers={"1.provider_response": whole + b"data: [DONE]\n\n"}, stream=True)
    assert text_of(ended) == "Sixty percent."


def test_what_is_no_answer_any_more_is_said_to_be_none(read):
    for wrong in ({"answers": {"1.provider_response": b"rubbish"}}, {"request": b"rubbish"}):
        with pytest.raises(Unreadable):
            read(**wrong)
    with pytest.raises(Unreadable, match="no dialect `mistral`"):
        read(closed(1, attempts=(attempt(dialect="mistral"),)), answers={"1.provider_response": b"{}"})


@pytest.mark.parametrize(
    ("attempts", "answers", "kept"),
    [
        ((), {}, True), ((SKIPPED,), {}, True), ((attempt("failed", status=500),), {"1.provider_response": b"x"}, True),
        ((attempt("failed", status=None),), {}, True), ((attempt("cancelled"),), {}, True), ((attempt(),), {}, False),
        ((attempt(),), {"response": b"{}"}, False),
    ],
)  # fmt: skip
def test_where_no_provider_answered_there_is_nothing_to_keep(read, attempts, answers, kept):
    call = read(closed(1, attempts=attempts), answers=answers)
    assert (call.answer, call.answer_kept) == (None, kept)


def test_of_a_call_whose_worker_died_what_was_released_is_read(read):
    call = read(
        abandoned(1), answers={"response": chunk("Sixty ") + b"data: {", "1.provider_response": b"?"}, stream=True
    )
    assert (text_of(call), call.answer_kept) == ("Sixty ", True)
    assert read(abandoned(1)).answer is None


def test_what_the_log_does_not_have_any_more_is_missing(read):
    call = read(answers={"1.provider_response": json.dumps(ANSWER).encode()}, lose=True)
    assert (call.chat, call.opened, text_of(call)) == (None, {}, "Sixty percent.")
    assert read(request=None).chat is None


def test_a_call_over_a_limit_was_not_looked_at_unless_somebody_was_asked(read):
    for outcome in ("limited", "over_budget"):
        assert not was_let_in(read(closed(1, outcome=outcome, attempts=())))
        assert was_let_in(read(closed(1, outcome=outcome, attempts=(SKIPPED,))))
    assert was_let_in(read(closed(1, outcome="blocked", attempts=())))
