"""Calls put straight into an index: when, whose and at what cost is then the test's to say."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ledger.logs import call_id
from trunkline.ledger.index import Index
from trunkline.ledger.schema import FACTS, quoted

CALL: dict[str, Any] = {
    "at": "2026-06-15T12:00:00Z",
    "tenant": "harbor",
    "team": "desk",
    "user_id": "ann",
    "subject": "client-1",
    "key_id": "voice-agent",
    "session": "s-1",
    "purpose": "production",
    "endpoint": "/v1/chat/completions",
    "route": "voice",
    "provider": "openai",
    "model": "gpt-4o-mini",
    "prompt_fingerprint": "f" * 64,
    "stream": True,
    "outcome": "answered",
    "status": 200,
    "attempts": 1,
    "prompt_tokens": 100,
    "cached_tokens": 40,
    "completion_tokens": 10,
    "reasoning_tokens": 0,
    "cost": "0.001",
    "estimated": False,
    "tags": {},
    "snapshot": "s" * 64,
    "price_version": "p1",
    "paid": [],
}


class Book:
    """An index that a test fills."""

    def __init__(self, directory: Path) -> None:
        self.index = Index(directory)
        self.index.open()
        self._calls = 0

    def add(self, **fields: Any) -> None:
        """Add a call; what is not said is as in `CALL`. `paid` are (class, tokens, unit price, amount)."""
        self._calls += 1
        row = CALL | fields
        row["paid"] = [
            {"token_class": name, "tokens": tokens, "unit_price": price, "amount": amount}
            for name, tokens, price, amount in row["paid"]
        ]
        tags = row.pop("tags")
        columns = ", ".join(map(quoted, ["id", *row, "tags"]))
        marks = ", ".join("?" for _ in row)
        self.index.ask(
            f"INSERT INTO {FACTS}.calls ({columns}) VALUES (?::UUID, {marks}, map(?::VARCHAR[], ?::VARCHAR[]))",
            [call_id(self._calls), *row.values(), list(tags), list(tags.values())],
        )

    def close(self) -> None:
        self.index.close()


def second(text: str) -> float:
    """A moment in UTC as a Unix second."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
