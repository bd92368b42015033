"""Past calls from the logs, as guardrails see a call: the request as it is understood, and what a provider answered."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.sealing import BodyErased
from trunkline.dialects.openai_client import decode_request
from trunkline.dialects.openai_provider import OPENAI
from trunkline.dialects.provider import BrokenAnswer, ProviderDialect
from trunkline.dialects.registry import PROVIDER_DIALECTS
from trunkline.errors import CallError
from trunkline.ledger.answers import Unanswerable
from trunkline.ledger.archive import Archive, Stored
from trunkline.ledger.place_answers import CallPlace
from trunkline.model.chat import ChatRequest
from trunkline.model.delta import Delta

REQUEST: Final = "request"
RELEASED: Final = "response"
# Such a call was answered before any policy looked at it, if nobody was asked.
NOT_LET_IN: Final = frozenset({"limited", "over_budget"})
_OK: Final = 200


class Unreadable(Exception):
    """What was kept of a call is nothing that can be understood today."""


class Erased(Unreadable):
    """What was kept of a call has been erased."""


class PastCall(NamedTuple):
    """A call as it is kept.

    `chat` is None where the request was not kept; `answer` where the answer was not (`answer_kept` is False), or where
    no provider gave one. `opened` and `ended` are the records' members, empty where the log does not have them.
    """

    chat: ChatRequest | None
    answer: list[Delta] | None
    answer_kept: bool
    opened: Mapping[str, Any]
    ended: Mapping[str, Any]


def read_call(archive: Archive, place: CallPlace) -> PastCall:
    """Return what is kept of a call.

    Raises Unreadable, Erased, KeyMissing where the vault cannot be opened, and OSError where the logs may not be read.
    """
    try:
        opened = archive.stored(place.directory, *place.opened)
        ended = archive.stored(place.directory, *place.ended)
    except Unanswerable as error:
        raise Unreadable(str(error)) from None
    request = _bodies(opened).get(REQUEST)
    answers = _bodies(ended) if ended is not None else None
    chat = _chat(request) if request is not None else None
    members = ended.members if ended is not None else {}
    answer, kept = _answer(members, answers, stream=place.stream) if answers is not None else (None, False)
    return PastCall(chat, answer, kept, opened.members if opened is not None else {}, members)


def was_let_in(call: PastCall) -> bool:
    """Whether policies looked at the call: one over a limit is answered before they do."""
    return call.ended.get("outcome") not in NOT_LET_IN or bool(call.ended.get("attempts"))


def _bodies(record: Stored | None) -> dict[str, bytes]:
    try:
        return record.bodies() if record is not None else {}
    except CorruptLog:
        return {}
    except BodyErased as error:
        raise Erased(str(error)) from None


def _chat(request: bytes) -> ChatRequest:
    try:
        return decode_request(request)
    except CallError as error:
        raise Unreadable(str(error)) from None


def _answer(ended: Mapping[str, Any], bodies: Mapping[str, bytes], *, stream: bool) -> tuple[list[Delta] | None, bool]:
    """Return what the provider said that was asked last, and whether it was kept as far as there was anything."""
    attempts = [one for one in ended.get("attempts", ()) if one["outcome"] != "skipped"]
    if ended["type"] == "call.abandoned":
        # Its record has no attempts. What went to the client is in our own words, OpenAI's.
        released = bodies.get(RELEASED)
        return (_decoded(OPENAI, released, stream=stream, strict=False) or None) if released else None, True
    if not attempts or attempts[-1].get("status") != _OK:
        return None, True
    last, said = attempts[-1], bodies.get(f"{len(attempts)}.provider_response")
    answered = last["outcome"] == "answered"
    if said is None:
        return None, not answered
    dialect = PROVIDER_DIALECTS.get(last["dialect"])
    if dialect is None:
        raise Unreadable(f"there is no dialect `{last['dialect']}`")
    return _decoded(dialect, said, stream=stream, strict=answered), True


def _decoded(dialect: ProviderDialect, said: bytes, *, stream: bool, strict: bool) -> list[Delta]:
    """Return an answer, as far as it goes; where it is known to have been one, it has to be whole."""
    try:
        return dialect.stream_decoder().feed(said) if stream else dialect.decode_answer(said)
    except BrokenAnswer as error:
        if strict:
            raise Unreadable(error.reason) from None
    deltas: list[Delta] = []
    if stream:
        decoder = dialect.stream_decoder()
        try:
            for line in said.splitlines(keepends=True):
                deltas += decoder.feed(line)
        except BrokenAnswer:
            pass  # here it broke off for the client too
    return deltas
