"""Remembers what was made of recent requests: load sends the same one again and again, and reading it costs most."""

from typing import Any

import msgspec

from trunkline.simulator.answer import Answer, Asked
from trunkline.simulator.script import Script
from trunkline.wire.request import Request

_REMEMBERED = 256
_LARGEST = 64 * 1024


class Entry(msgspec.Struct):
    """A request's JSON (None where it is none), and what has been made of it so far."""

    parsed: Any
    asked: Asked | None = None
    script: Script | None = None
    answer: Answer | None = None


class Recall:
    """The last few hundred requests, by their bytes and the API version that they name."""

    def __init__(self) -> None:
        self._entries: dict[tuple[bytes, bytes | None], Entry] = {}

    def of(self, request: Request) -> Entry:
        """Return the entry of a request, a new one where it has not been seen lately."""
        key = (request.body, request.headers.get(b"anthropic-version"))
        entry = self._entries.get(key)
        if entry is None:
            entry = Entry(_parsed(request.body))
            if len(self._entries) >= _REMEMBERED:
                self._entries.clear()
            if len(request.body) <= _LARGEST:
                self._entries[key] = entry
        return entry


def _parsed(body: bytes) -> Any:
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
