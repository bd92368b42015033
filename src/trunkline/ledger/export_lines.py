"""An export as lines of JSON: a line for each call, its records byte for byte as the log has them. Pure."""

import base64
from typing import Any

import msgspec

from trunkline.ledger.export_entries import Entry

_encode = msgspec.json.Encoder().encode


class Lines:
    """A line for each entry; docs/evidence.md says what is in it."""

    @staticmethod
    def head() -> bytes:
        """Return what comes before the first entry."""
        return b""

    @staticmethod
    def entry(entry: Entry) -> bytes:
        """Return an entry's line. Its records are no part of what is encoded: they stand in it as they are."""
        records = entry.records()
        pieces = [b'"call":%b' % _encode(entry.call)]
        pieces += [b"%b:%b" % (_encode(name), record.exact) for name, record in records.items()]
        members: dict[str, Any] = {"leaves": {name: record.leaf for name, record in records.items()}}
        names = {written: name for record in records.values() for written, name in record.names.items()}
        if names:
            members["names"] = names
        spilled = {name: record for name, record in records.items() if record.whole != record.exact}
        if spilled:
            members["whole"] = {name: msgspec.Raw(record.whole) for name, record in spilled.items()}
        if entry.bodies:
            members["bodies"] = {name: _text_or_bytes(data) for name, data in entry.bodies.items()}
        if entry.timings:
            members["timings"] = entry.timings
        if entry.lost is not None:
            members["lost"] = entry.lost
        pieces.append(_encode(members)[1:-1])
        return b"{" + b",".join(pieces) + b"}\n"

    @staticmethod
    def foot() -> bytes:
        """Return what comes after the last entry."""
        return b""


def _text_or_bytes(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
