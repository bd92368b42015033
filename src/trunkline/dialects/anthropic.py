"""Anthropic's Messages API as a provider.

The version is pinned to 2023-06-01: the next one, 2026-10-21, has no sampling parameters for any model.
"""

import re

from trunkline.dialects.anthropic_answer import AnthropicStream, decode_answer
from trunkline.dialects.anthropic_faults import decode_fault
from trunkline.dialects.anthropic_request import encode
from trunkline.dialects.provider import Encoded, ProviderFault, StreamDecoder
from trunkline.dialects.rates import anthropic_rate
from trunkline.model.chat import ChatRequest, PassThrough
from trunkline.model.delta import Delta
from trunkline.model.rates import ProviderRate
from trunkline.model.snapshot import Target

VERSION = "2023-06-01"

_KEY = re.compile(r"[\x21-\x7e]*")


class _Anthropic:
    """The dialect; it has no state."""

    name = "anthropic"
    path = b"/v1/messages"
    request_id_header = b"request-id"

    def headers(self, api_key: str) -> bytes:
        """Return the header lines; without a key (a server of one's own) none is sent."""
        if not _KEY.fullmatch(api_key):
            raise ValueError("the key has characters that no header can hold")
        key = f"x-api-key: {api_key}\r\n" if api_key else ""
        return (
            "content-type: application/json\r\naccept: application/json, text/event-stream\r\n"
            f"anthropic-version: {VERSION}\r\n{key}"
        ).encode()

    def encode(self, request: ChatRequest, target: Target, pass_through: PassThrough) -> Encoded:
        """Return the body of `POST /v1/messages`; raises CannotTake."""
        return encode(request, target, pass_through)

    def decode_answer(self, body: bytes) -> list[Delta]:
        """Return the deltas of a message; raises BrokenAnswer."""
        return decode_answer(body)

    def stream_decoder(self) -> StreamDecoder:
        """Return a decoder of message events."""
        return AnthropicStream()

    def decode_fault(self, status: int, headers: dict[bytes, bytes], body: bytes, now: float) -> ProviderFault:
        """Return what an error says."""
        return decode_fault(status, headers, body, now)

    def decode_rate(self, headers: dict[bytes, bytes], now: float) -> ProviderRate | None:
        """Return what `anthropic-ratelimit-*` say."""
        return anthropic_rate(headers, now)


ANTHROPIC = _Anthropic()
