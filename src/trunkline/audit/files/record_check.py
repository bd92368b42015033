"""Checking the records of one log one after the other: indices, times, calls, and the bodies that they name."""

import hashlib
from collections.abc import Iterable
from typing import Final, final

from trunkline.audit.files.findings import GAP_SECONDS, NANOSECONDS, Moments
from trunkline.audit.format.bodies import CODEC_NAMES, decode_body
from trunkline.audit.format.codecs import BadBody
from trunkline.audit.format.frames import Frame
from trunkline.audit.format.heads import BadRecord, RecordHead, decode_head
from trunkline.audit.format.records import ENDED, OPENED, STARTED
from trunkline.audit.format.references import BodyRef

_sha256: Final = hashlib.sha256


class Wrong(Exception):
    """A record or a body is not what it has to be; the message says why."""


@final
class RecordCheck:
    """Takes frames in the order of the log. `index` is the next record's, `open_calls` were not ended yet.

    The records before `first` have expired, when the calls `open_calls` had been opened among them.
    """

    def __init__(self, origin: str, first: int = 0, open_calls: Iterable[str] = ()) -> None:
        self.index = self._first = first
        self.began: int | None = None
        self.last: int | None = None
        self.open_calls: set[str] = set(open_calls)
        self._origin = origin
        self._moments = Moments()
        self._segment = 0
        self._here: dict[bytes, tuple[str, int]] = {}
        self._named: set[bytes] = set()
        self._before: dict[int, dict[bytes, tuple[str, int]]] = {}

    def begin_segment(self, first_index: int) -> None:
        """Go on in another segment; of the bodies before it only those can still be named that nobody has."""
        left = {digest: what for digest, what in self._here.items() if digest not in self._named}
        if left:
            self._before[self._segment] = left
        self._segment, self._here, self._named = first_index, {}, set()

    def record(self, payload: bytes) -> tuple[RecordHead, float]:
        """Take a record; return its head and the seconds of a gap in time before it, 0 if there is none.

        Raises Wrong.
        """
        try:
            head = decode_head(payload)
            at = self._moments.read(head.at)
        except (BadRecord, ValueError) as error:
            raise Wrong(str(error)) from None
        if head.index != self.index or head.log != self._origin:
            raise Wrong(f"it says that it is record {head.index} of {head.log}")
        gap = 0.0
        if self.last is not None and head.type != STARTED and abs(at - self.last) > GAP_SECONDS * NANOSECONDS:
            gap = (at - self.last) / NANOSECONDS
        self._follow(head)
        for reference in head.bodies:
            self._name(reference)
        if head.spilled is not None:
            self._name(head.spilled)
        if self.began is None:
            self.began = at
        self.index, self.last = self.index + 1, at
        return head, gap

    def body(self, frame: Frame) -> None:
        """Take a body; raises Wrong."""
        try:
            body = decode_body(frame)
        except BadBody as error:
            raise Wrong(str(error)) from None
        if _sha256(body.stored).digest() != body.digest:
            raise Wrong("a body is not what its digest says")
        self._here[body.digest] = (CODEC_NAMES.get(body.codec, ""), len(body.stored))

    def _follow(self, head: RecordHead) -> None:
        if head.type == OPENED:
            if head.id in self.open_calls:
                raise Wrong(f"the call {head.id} was opened before")
            self.open_calls.add(head.id)
        elif head.type in ENDED:
            if head.call is None or head.call not in self.open_calls:
                raise Wrong(f"it ends the call {head.call}, which is not open")
            self.open_calls.remove(head.call)

    def _name(self, reference: BodyRef) -> None:
        try:
            digest = reference.key
        except ValueError:
            raise Wrong("it names a body by what is no digest") from None
        if reference.segment is not None and reference.segment < self._first:
            return  # it has expired with its segment
        if reference.segment in (None, self._segment):
            found = self._here.get(digest)
            self._named.add(digest)
        else:
            found = self._before.get(reference.segment or 0, {}).pop(digest, None)
        if found != (reference.codec, reference.size):
            raise Wrong(f"the body {reference.digest} that it names is missing")
