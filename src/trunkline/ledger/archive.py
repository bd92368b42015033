"""Getting records and bodies of a call back from the logs, by where the index says that they stand."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from trunkline.audit.files.batches import body_of, record_at
from trunkline.audit.files.data_dir import LOGS
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.frames import BadFrame
from trunkline.audit.format.heads import BadRecord, decode_head
from trunkline.audit.format.references import BodyRef
from trunkline.audit.format.sealing import OpeningKeys, Unopened
from trunkline.ledger.answers import Unanswerable
from trunkline.ledger.follow import whole_record
from trunkline.ledger.people import People

TIMING = "_timing"


class Piece(NamedTuple):
    """What one frame has of a part, and of the timing beside it, where it has one."""

    data: bytes
    timing: bytes | None


class Stored:
    """A record that stands in a log; `bodies` are parts by name, those of several frames joined.

    `exact` is the record as it is, `whole` with what was spilled of it. `members` are that with names where it has
    pseudonyms, and `names` which those are. What reads bodies raises
    KeyMissing or BodyErased, too, where they are encrypted and there is no key for them, or no more.
    """

    def __init__(
        self, directory: Path, segment: int, offset: int, exact: bytes, keys: OpeningKeys, people: People | None
    ) -> None:
        self._directory, self._segment, self._offset, self._keys = directory, segment, offset, keys
        self.exact, self.whole = exact, whole_record(directory, exact, segment, keys)
        self.names = people.names_in(self.whole) if people is not None else {}
        named = people.in_record(self.whole) if people is not None else self.whole
        self.members: dict[str, Any] = msgspec.json.decode(named)
        self._bodies = decode_head(self.whole).bodies

    @property
    def references(self) -> tuple[BodyRef, ...]:
        """How the record names its bodies."""
        return self._bodies

    @property
    def leaf(self) -> str:
        """The hash by which the log's tree has the record (RFC 6962): SHA-256 of a zero byte and its bytes."""
        return hashlib.sha256(b"\0" + self.exact).hexdigest()

    def bodies(self) -> dict[str, bytes]:
        """Return what was asked or answered, without timings; raises CorruptLog if something is missing."""
        parts: dict[str, bytes] = {}
        for frame in self.frames():
            for name, data in frame.items():
                if not name.endswith(TIMING):
                    parts[name] = parts.get(name, b"") + data
        return parts

    def frames(self) -> Iterator[dict[str, bytes]]:
        """Yield the parts of each body, timings too; raises CorruptLog if something is missing."""
        return map(self._body, self._bodies)

    def has(self, part: str) -> bool:
        """Whether the record names a body with this part."""
        return any(part in reference.parts for reference in self._bodies)

    def pieces(self, part: str) -> Iterator[Piece]:
        """Yield a part of the record's bodies, frame by frame; raises CorruptLog if something is missing."""
        for reference in self._bodies:
            if part in reference.parts:
                found = self._body(reference)
                yield Piece(found[part], found.get(part + TIMING))

    def _body(self, reference: BodyRef) -> dict[str, bytes]:
        return body_of(self._directory, reference, self._segment, self._offset, self._keys)


class Archive:
    """The logs of a data directory, with the keys to what is encrypted in them, and the names of who is in them."""

    def __init__(self, data_dir: Path, keys: OpeningKeys, people: People | None = None) -> None:
        self._root, self._keys, self._people = data_dir / LOGS, keys, people

    def stored(self, log: str, segment: int, offset: int) -> Stored | None:
        """Return the record whose frame begins there, None where the log does not have it any more.

        `log` is its directory below the logs'. Raises Unanswerable where what was spilled of it cannot be decrypted.
        """
        directory = self._root / log
        try:
            return Stored(directory, segment, offset, record_at(directory, segment, offset), self._keys, self._people)
        except (CorruptLog, BadFrame, BadRecord, msgspec.MsgspecError):
            return None
        except Unopened as error:
            raise Unanswerable(f"a record of {log} cannot be read: {error}") from None
