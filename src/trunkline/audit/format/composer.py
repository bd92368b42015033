"""Putting a record and its bodies together, in the order in which they are written: bodies first, then the record."""

from collections.abc import Sequence
from typing import final

from trunkline.audit.format.bodies import Bodies, encode_body
from trunkline.audit.format.codecs import Codec
from trunkline.audit.format.frames import RECORD, encode_frame
from trunkline.audit.format.records import ENVELOPE_ROOM, SPILL_ABOVE, SPILLED_PART, Envelope, call_of, spilled_members
from trunkline.audit.format.references import BodyRef, decode_reference, encode_reference
from trunkline.audit.format.sealing import NOBODY, Owner, SealingKeys


@final
class Draft:
    """A record that lacks only its time and index, and the frames that go before it. Never changed.

    `members` is what its JSON object holds beside the envelope, `whole` the same before anything was spilled, `size`
    the most bytes that frames and record can take.
    """

    __slots__ = ("call", "frames", "kind", "members", "record_id", "size", "whole")

    def __init__(
        self, kind: str, record_id: str, call: str | None, frames: bytes, members: bytes, whole: bytes
    ) -> None:
        self.kind, self.record_id, self.call = kind, record_id, call
        self.frames, self.members, self.whole = frames, members, whole
        self.size = len(frames) + len(members) + ENVELOPE_ROOM


class Composer:
    """Composes the records of one log; without keys nothing is encrypted."""

    def __init__(self, origin: str, codec: Codec, keys: SealingKeys | None = None) -> None:
        self._codec, self._keys = codec, keys
        self._wrap = Envelope(origin).wrap

    def draft(
        self,
        kind: str,
        record_id: str,
        payload: bytes,
        bodies: Bodies | None,
        kept: Sequence[BodyRef] | None,
        owner: Owner = NOBODY,
    ) -> Draft:
        """Return the draft of a record with this payload, bodies of its own, and bodies that were kept before it.

        What is spilled of a record is the tenant's, no person's: it has no more of what was said than other records,
        and what a call cost is still to be known when a person's key has been destroyed.

        Raises ValueError if a payload that has to begin with its call does not.
        """
        call = call_of(kind, record_id, payload)
        frames = reference = b""
        if bodies:
            key = self._keys.key_for(owner) if self._keys is not None else None
            frames, reference = encode_body(call or record_id, bodies, self._codec, key)
        if kept:
            earlier = map(encode_reference, kept)
            reference = b",".join((*earlier, reference) if reference else earlier)
        whole = members = _members(reference, payload)
        if len(members) > SPILL_ABOVE:
            key = self._keys.key_for(Owner(owner.tenant)) if self._keys is not None else None
            frame, spilled = encode_body(call or record_id, {SPILLED_PART: members}, self._codec, key)
            frames += frame
            members = spilled_members(call, spilled)
        return Draft(kind, record_id, call, frames, members, whole)

    def body(self, call: str, bodies: Bodies, segment: int, owner: Owner = NOBODY) -> tuple[bytes, BodyRef]:
        """Return a body frame for a call, and how a record may name it once it is in this segment."""
        key = self._keys.key_for(owner) if self._keys is not None else None
        frame, reference = encode_body(call, bodies, self._codec, key)
        return frame, decode_reference(reference, segment)

    def record(self, draft: Draft, now_ns: int, index: int) -> bytes:
        """Return the record's bytes."""
        return self._wrap(draft.kind, draft.record_id, now_ns, index, draft.members)

    def whole_record(self, draft: Draft, record: bytes, now_ns: int, index: int) -> bytes:
        """Return the record as it would be had nothing been spilled."""
        if draft.whole is draft.members:
            return record
        return self._wrap(draft.kind, draft.record_id, now_ns, index, draft.whole)


def record_frame(record: bytes) -> bytes:
    """Return the frame of a record."""
    return encode_frame(RECORD, 0, record)


def _members(references: bytes, payload: bytes) -> bytes:
    if not references:
        return payload[1:]
    return b'"bodies":[%b]%b%b' % (references, b"" if payload == b"{}" else b",", payload[1:])
