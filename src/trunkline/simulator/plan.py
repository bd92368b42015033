"""How one response will go, decided before its first byte: pure data, so that faults are plain changes to it."""

import enum
import math
from http import HTTPStatus

import msgspec

from trunkline.simulator import faults
from trunkline.simulator.faults import Fault

_JSON = b"content-type: application/json\r\n"
_PAGE = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>Please sign in</h1></body></html>"
# A TLS alert: what a client meets that speaks plain HTTP to the wrong port, and no text in any encoding.
_GARBAGE = b"\x15\x03\x01\x00\x02\x02\x16\xff\xfe\x00\x80\xc3\x28garbage\r\n\r\n"
_BROKEN_FRAME = b'data: {"id": "broken", "choices": [{"index": 0, "del\n\n'
_BROKEN_SIZE = b"zz\r\nno chunk size\r\n"


class Ending(enum.Enum):
    """How a response ends."""

    FINISHED = enum.auto()
    RESET = enum.auto()
    CLOSED = enum.auto()
    STALLED = enum.auto()


class Plan(msgspec.Struct, kw_only=True):
    """One response. `body` is a whole answer with its length; without it the answer is streamed.

    A stream is `opening`, then each of `pieces` in a write of its own, then `closing`. `silent` sends no head. `raw`
    goes out past HTTP before a `CLOSED` ending, one byte every `drip` seconds if set. Times are seconds from the
    request: `head_after` until the head, `first_after` until the first piece; `interval` lies between pieces.
    """

    status: int = 200
    headers: bytes
    body: bytes | None = None
    opening: bytes = b""
    pieces: list[bytes] = msgspec.field(default_factory=list)
    closing: bytes = b""
    ending: Ending = Ending.FINISHED
    silent: bool = False
    raw: bytes = b""
    drip: float = 0.0
    head_after: float = 0.0
    first_after: float = 0.0
    interval: float = 0.0
    ping: bytes = b""
    ping_every: float = math.inf


def apply(plan: Plan, fault: Fault, *, mark: bytes = b"", error_frame: bytes = b"", error_body: bytes = b"") -> Plan:
    """Change a plan to what the fault makes of it.

    `mark` is the end mark of a stream, the last part of its `closing`; `error_frame` and `error_body` are what an
    in-band error looks like in a stream and in a whole answer.
    """
    match fault:
        case faults.Stall(after_tokens=after):
            return _break_off(plan, after, Ending.STALLED)
        case faults.Cut(after_tokens=after):
            return _break_off(plan, after, Ending.RESET)
        case faults.CleanEnd(after_tokens=after, how=how):
            return _end_early(plan, after, Ending.FINISHED if how == "terminated" else Ending.CLOSED, mark)
        case faults.MalformedChunk(after_tokens=after, of=of):
            return _malform(plan, after, of)
        case faults.EmptyStream():
            return _empty(plan)
        case faults.WrongContentType():
            return _instead(plan, b"content-type: text/html; charset=utf-8\r\n", _PAGE)
        case faults.Redirect(location=location, status=status):
            moved = _instead(plan, b"location: %b\r\n" % location.encode(), b"")
            moved.status = status
            return moved
        case faults.SlowHead(gap=gap):
            return _trickle(plan, gap)
        case faults.InBandError(after_tokens=after):
            if plan.body is not None:
                return _instead(plan, _JSON, error_body)
            return _stop_at(plan, after, Ending.FINISHED, closing=error_frame)
        case faults.Garbage(after_tokens=after):
            return _garble(plan, after)
    return plan


def _halved(plan: Plan) -> Plan:
    """A whole answer as a stream of its first half."""
    body = plan.body or b""
    plan.pieces, plan.body = [body[: len(body) // 2]], None
    plan.first_after = plan.head_after
    return plan


def _stop_at(plan: Plan, after: int, ending: Ending, closing: bytes = b"", raw: bytes = b"") -> Plan:
    if plan.body is not None:
        plan = _halved(plan)
    else:
        plan.pieces = plan.pieces[:after]
    plan.closing, plan.ending, plan.raw = closing, ending, raw
    return plan


def _break_off(plan: Plan, after: int | None, ending: Ending) -> Plan:
    if after is None:
        plan.silent, plan.body, plan.pieces, plan.opening, plan.closing = True, None, [], b"", b""
        plan.ending = ending
        return plan
    return _stop_at(plan, after, ending)


def _end_early(plan: Plan, after: int | None, ending: Ending, mark: bytes) -> Plan:
    if after is None and plan.body is None:
        plan.closing, plan.ending = plan.closing.removesuffix(mark), ending
        return plan
    return _stop_at(plan, after or 0, ending)


def _malform(plan: Plan, after: int, of: str) -> Plan:
    if of == "framing":
        return _stop_at(plan, after, Ending.CLOSED, raw=_BROKEN_SIZE)
    if plan.body is not None:
        plan.body = plan.body[:1] + b"!" + plan.body[1:]
        return plan
    # The stream goes on after the broken frame: a client must not skip what it cannot read.
    plan.pieces = [*plan.pieces[:after], _BROKEN_FRAME, *plan.pieces[after:]]
    return plan


def _empty(plan: Plan) -> Plan:
    if plan.body is not None:
        plan.body = b""
    plan.opening, plan.pieces, plan.closing = b"", [], b""
    return plan


def _instead(plan: Plan, headers: bytes, body: bytes) -> Plan:
    return Plan(headers=headers, body=body, head_after=plan.head_after)


def _trickle(plan: Plan, gap: float) -> Plan:
    body = plan.body if plan.body is not None else b"".join((plan.opening, *plan.pieces, plan.closing))
    head = b"HTTP/1.1 %d %b\r\n%bcontent-length: %d\r\nconnection: close\r\n\r\n" % (
        plan.status, HTTPStatus(plan.status).phrase.encode(), plan.headers, len(body),
    )  # fmt: skip
    return Plan(headers=b"", silent=True, raw=head + body, drip=gap, ending=Ending.CLOSED, head_after=plan.head_after)


def _garble(plan: Plan, after: int | None) -> Plan:
    if after is None:
        return Plan(headers=b"", silent=True, raw=_GARBAGE, ending=Ending.CLOSED, head_after=plan.head_after)
    plan = _stop_at(plan, after, Ending.FINISHED)
    plan.pieces = [*plan.pieces, _GARBAGE]
    return plan
