"""What both directions share: heads of answers, chunk framing."""

from email.utils import formatdate
from http import HTTPStatus
from typing import Final

CRLF = b"\r\n"
LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
# RFC 9110, 6.4.1: these answers never have a body, whatever the handler gives.
_BODYLESS: Final = frozenset({204, 304})


def has_body(method: bytes, status: int) -> bool:
    """Whether an answer with this status to this method carries a body (RFC 9110, 6.4.1)."""
    return method != b"HEAD" and status not in _BODYLESS


def chunk(data: bytes) -> bytes:
    """One chunk of the chunked transfer coding (RFC 9112, 7.1); `data` must not be empty, that would be the end."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class AnswerHeads:
    """Status line and `date` of an answer, ready made; `refresh` once a second keeps the date true."""

    __slots__ = ("_date", "_heads")

    def __init__(self, now: float) -> None:
        self._heads: dict[int, bytes] = {}
        self._date = b""
        self.refresh(now)

    def refresh(self, now: float) -> None:
        """Take `now`, seconds since the epoch, as the date of the answers from here on."""
        self._date = formatdate(now, usegmt=True).encode()
        self._heads.clear()

    def of(self, status: int) -> bytes:
        """The first lines of an answer with this status, each with its line end."""
        head = self._heads.get(status)
        if head is None:
            reason = _REASONS.get(status, b"")
            head = self._heads[status] = b"HTTP/1.1 %d %b\r\ndate: %b\r\n" % (status, reason, self._date)
        return head
