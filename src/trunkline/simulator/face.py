"""What a provider's face must be able to say; `openai` and `anthropic` have one each."""

from typing import Any, Protocol

from trunkline.simulator.answer import Answer, Asked, Frames, Rejection, Stamp
from trunkline.simulator.faults import ErrorAnswer, InBandError
from trunkline.simulator.rate import Standing
from trunkline.wire.request import Request


class Face(Protocol):
    """A provider's wire format: reads requests, writes answers, knows its own rules and errors."""

    name: str
    base_path: str
    answers_at: str
    content_type_of_streams: bytes
    ping: bytes

    def admit(self, request: Request) -> None:
        """Raise `Rejection` where the key is missing or wrong."""

    def understand(self, request: Request, body: Any) -> Asked:
        """Check the request as the provider does and read it; raise `Rejection` where it would refuse."""

    def stamp(self, answer: Answer, request_id: str, created: int) -> Stamp:
        """Give the answer its ids."""

    def request_id(self) -> str:
        """Return a fresh request id."""

    def body(self, answer: Answer, asked: Asked, stamp: Stamp) -> bytes:
        """Return the whole answer as JSON."""

    def frames(self, answer: Answer, asked: Asked, stamp: Stamp) -> Frames:
        """Return the answer as a stream."""

    def listing(self, path: str) -> bytes | None:
        """Return what `GET` on a path of models answers, None where there is nothing."""

    def rejection_of(self, fault: ErrorAnswer) -> Rejection:
        """Return a scripted error in the provider's words."""

    def rate_limited(self, calls: int, window: float, wait: float) -> Rejection:
        """Return the error of a call that is one too many."""

    def unknown_path(self, method: str, path: str) -> Rejection:
        """Return the error of a path or method that does not exist."""

    def error_body(self, rejection: Rejection, request_id: str) -> bytes:
        """Return the JSON of an error."""

    def error_headers(self, status: int) -> bytes:
        """Return the header lines that only errors have."""

    def error_frame(self, fault: InBandError) -> bytes:
        """Return an error in the middle of a stream."""

    def headers(self, request_id: str, now: float, standing: Standing | None) -> bytes:
        """Return the header lines that every answer has; without a standing the account has room for all."""
