"""Checkpoints: the size and root of a log, signed (https://c2sp.org/tlog-checkpoint).

One key signs for all logs of a deployment, each under the log's own origin as the key's name, which is what tools
expect. So whoever has the deployment's public key, whose name is what these origins begin with, has them all.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from typing import Final, NamedTuple

from trunkline.audit.format.merkle import HASH_BYTES
from trunkline.audit.format.notes import BadKey, BadNote, PublicKey, SigningKey, open_note

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class Checkpoint(NamedTuple):
    """What a log was when it had `size` records: its root, 32 bytes, commits to each of them in its place."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> str:
    """Return the checkpoint as a signed note; raises ValueError if the origin cannot be a key's name."""
    return key.sign(checkpoint.text, checkpoint.origin)


def open_checkpoint(note: str, key: PublicKey) -> Checkpoint:
    """Return what a signed note of a log says; `key` is the deployment's, or named by the log's origin.

    Raises BadNote if it is not signed with it, or by somebody else's log.
    """
    origin = note.partition("\n")[0]
    if origin != key.name and not origin.startswith(f"{key.name}/"):
        raise BadNote(f"it is of {origin[:200]!r}, which is no log of {key.name}")
    try:
        text = open_note(note, key.named(origin))
    except BadKey:
        raise BadNote("its first line cannot be the origin of a log") from None
    return parse_checkpoint(text)


def parse_checkpoint(text: str) -> Checkpoint:
    """Return what the text of a checkpoint says; raises BadNote.

    Lines behind the third are extensions, which nobody here writes and no log can vouch for: not taken.
    """
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0]:
        raise BadNote("a checkpoint is three lines: origin, size, root")
    origin, size, root = lines[:3]
    if not _SIZE.fullmatch(size):
        raise BadNote("the second line of a checkpoint is the number of records")
    try:
        hashed = b64decode(root, validate=True)
    except (BadBase64, ValueError):
        hashed = b""
    if len(hashed) != HASH_BYTES or b64encode(hashed).decode() != root:
        raise BadNote("the third line of a checkpoint is its root, in base64")
    return Checkpoint(origin, int(size), hashed)
