"""How a call is answered on the wire: the header lines of answers and the whole of an error."""

import math
import re
from typing import Final

import msgspec

from trunkline.errors import CallError, envelope
from trunkline.gateway.call import Call
from trunkline.model.records import Attempt

DROPPED_LIMIT: Final = 1000  # characters of x-trunkline-dropped: the record has them all
PATIENCE: Final = 1.0  # seconds that an SDK may wait and try again; longer is dead air on a voice line
_NOT_IN_A_HEADER: Final = re.compile(r"[^ -~]")
_encode: Final = msgspec.json.Encoder().encode
JSON_LINE: Final = "content-type: application/json\r\n"
STREAM_LINES = "content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"


def answer_headers(call: Call, attempt: Attempt | None, first_line: str) -> bytes:
    """Return the header lines of an answer: what kind it is, which call, after how many attempts.

    `attempt` is the one that answered, if one did.
    """
    lines = (
        f"{first_line}x-request-id: {call.id}\r\nx-trunkline-call: {call.id}\r\nx-trunkline-attempts: {call.asked}\r\n"
    )
    if call.limit_lines:
        lines += call.limit_lines
    if attempt is not None:
        lines += f"x-trunkline-provider: {attempt.provider}\r\nx-trunkline-model: {attempt.model}\r\n"
        if call.client_dropped or attempt.dropped:
            lines += f"x-trunkline-dropped: {_dropped(call.client_dropped + attempt.dropped)}\r\n"
    return lines.encode("latin-1", "replace")


def _dropped(names: tuple[str, ...]) -> str:
    return _NOT_IN_A_HEADER.sub("?", ", ".join(dict.fromkeys(names)))[:DROPPED_LIMIT]


def overhead_line(overhead_ms: float) -> bytes:
    """Return the header line that says how long the gateway itself took so far."""
    return b"x-trunkline-overhead-ms: %.3f\r\n" % overhead_ms


def error_answer(error: CallError, call: Call) -> tuple[int, bytes, bytes]:
    """Return status, header lines and body of a call's error."""
    first = (
        f"{JSON_LINE}x-request-id: {call.id}\r\nx-trunkline-call: {call.id}\r\nx-trunkline-attempts: {call.asked}\r\n"
    )
    return error.status, *error_lines(error, call.id, first + call.limit_lines)


def error_lines(error: CallError, call_id: str | None, first_lines: str) -> tuple[bytes, bytes]:
    """Return header lines and body of an error, with when and whether to try again."""
    lines = first_lines
    wait = error.retry_after
    if wait is not None:
        lines += f"retry-after: {math.ceil(wait)}\r\nretry-after-ms: {math.ceil(wait * 1000)}\r\n"
    advice = _should_retry(error)
    if advice is not None:
        lines += f"x-should-retry: {str(advice).lower()}\r\n"
    return lines.encode("latin-1"), _encode(envelope(error, call_id))


def _should_retry(error: CallError) -> bool | None:
    if error.status in (402, 502, 504):
        return False
    if error.status == 429 and (error.retry_after is None or error.retry_after > PATIENCE):
        return False
    return True if error.code == "draining" else None
