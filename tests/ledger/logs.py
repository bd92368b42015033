"""Real logs with real records of calls, and what an index has of them."""

from pathlib import Path
from typing import Any

import msgspec

from trunkline.audit.files.data_dir import DataDir, open_data_dir
from trunkline.audit.files.vault.log_vault import log_vault
from trunkline.audit.files.writer import LogSettings, LogWriter
from trunkline.ledger.follow import Follower
from trunkline.ledger.index import Index
from trunkline.ledger.schema import FACTS, TABLES, quoted
from trunkline.model.delta import Usage
from trunkline.model.records import (
    Attempt,
    CallAbandoned,
    CallClosed,
    CallOpened,
    CallRefused,
    Cost,
    CostLine,
    Estimate,
    Timings,
)
from trunkline.model.vault import NO_VAULT, Vault

# Small, so that a few calls fill several segments.
SETTINGS = LogSettings(segment_bytes=32 * 1024, min_free_bytes=0)
COST = Cost(
    "0.000017",
    estimated=False,
    price_version="p1",
    price_source="override",
    lines=(CostLine("input", 20, "0.25", "0.000005"), CostLine("output", 20, "0.6", "0.000012")),
)
_encode = msgspec.json.Encoder().encode


def call_id(number: int) -> str:
    return f"01a214f8-68c2-7ee4-baa0-{number:012d}"


def opened(number: int, **fields: Any) -> CallOpened:
    said: dict[str, Any] = {
        "call": call_id(number),
        "tenant": "harbor",
        "key_id": "voice-agent",
        "team": "wealth-desk",
        "user": f"advisor-{number % 3}",
        "session": f"session-{number % 5}",
        "purpose": "production",
        "endpoint": "/v1/chat/completions",
        "route": "voice",
        "model_asked": "voice",
        "stream": False,
        "prompt_fingerprint": "f" * 64,
        "estimate": Estimate(10, 20, "0.001", "p1", "override"),
        "snapshot": "s" * 64,
        "build": "0.1.0",
    }
    return CallOpened(**(said | fields))


def closed(number: int, **fields: Any) -> CallClosed:
    said: dict[str, Any] = {
        "call": call_id(number),
        "outcome": "answered",
        "status": 200,
        "finish_reason": "stop",
        "attempts": (
            Attempt(provider="first", model="m-1", dialect="openai", outcome="skipped", reason="resting"),
            Attempt(provider="second", model="m-2", dialect="openai", outcome="answered", started_ms=1.5, total_ms=9.0),
        ),
        "provider": "second",
        "model": "m-2",
        "usage": Usage(input=20, output=20),
        "cost": COST,
        "timings": Timings(total_ms=9.25, overhead_ms=0.75, first_token_ms=4.5),
    }
    return CallClosed(**(said | fields))


def abandoned(number: int) -> CallAbandoned:
    cost = Cost("0.001", estimated=True, price_version="p1", price_source="override")
    return CallAbandoned(call=call_id(number), tenant="harbor", outcome="abandoned", cost=cost)


def refused(number: int, **fields: Any) -> CallRefused:
    said: dict[str, Any] = {
        "outcome": "denied",
        "status": 403,
        "code": "route_not_allowed",
        "source": "client",
        "count": 3,
        "tenant": "harbor",
        "key_id": "voice-agent",
        "first_call": call_id(number),
        "message": "no",
        "snapshot": "s" * 64,
    }
    return CallRefused(**(said | fields))


class Machine:
    """A data directory whose logs a test writes, and its index."""

    def __init__(self, directory: Path, vault: Vault = NO_VAULT) -> None:
        self.data_dir: DataDir = open_data_dir(directory / "data")
        self.path = self.data_dir.path
        self.vault = vault
        self._writers: dict[str, LogWriter] = {}
        self._records = 0

    def log(self, name: str = "worker-0") -> LogWriter:
        if name not in self._writers:
            self._writers[name], _ = LogWriter.open(
                self.data_dir.log_directory("gw", name),
                self.data_dir.origin("gw", name),
                SETTINGS,
                on_event=lambda _name, /, **_facts: None,
                vault=log_vault(self.path, "gw", name, self.vault),
            )
        return self._writers[name]

    def write(self, record: Any, name: str = "worker-0", bodies: dict[str, bytes] | None = None) -> None:
        self._records += 1
        kind = {
            CallOpened: "call.opened",
            CallClosed: "call.closed",
            CallAbandoned: "call.abandoned",
            CallRefused: "call.refused",
        }[type(record)]
        record_id = record.call if kind == "call.opened" else f"record-{self._records}"
        self.log(name).append(kind, record_id, _encode(record), bodies)

    def write_raw(self, kind: str, record_id: str, payload: bytes, name: str = "worker-0") -> None:
        self.log(name).append(kind, record_id, payload)

    def flush(self) -> None:
        for writer in self._writers.values():
            writer.flush()

    def stop(self) -> None:
        """Seal every log."""
        for writer in self._writers.values():
            writer.close_sync()
        self._writers = {}


def open_index(path: Path) -> Index:
    index = Index(path)
    index.open()
    return index


def follow(index: Index, path: Path, most: int = 10_000) -> int:
    """Read all that there is."""

    def damaged(error: Exception) -> None:
        raise error

    follower = Follower(index, path, damaged)
    try:
        done = 0
        while step := follower.step(most):
            done += step
        return done
    finally:
        follower.close()


def tables(index: Index) -> dict[str, list[tuple]]:
    """All that an index holds, in an order that does not depend on when it came; a log by its name."""
    found = {}
    for table, columns in TABLES.items():
        if table in ("meta", "logs"):
            continue
        names = ", ".join(f"t.{quoted(name)}" for name in columns if name != "log")
        where = f"JOIN {FACTS}.logs l ON l.log = t.log" if "log" in columns else ""
        directory = "l.directory, " if where else ""
        rows = index.ask(f"SELECT {directory}{names} FROM {FACTS}.{table} t {where}")
        found[table] = sorted(rows, key=repr)
    found["logs"] = sorted(index.ask(f'SELECT directory, segment, "offset" FROM {FACTS}.logs'))
    return found


def asked(index: Index, sql: str) -> list[tuple]:
    return index.ask(sql)
