"""Which messages have been cleared already: a conversation sends all that was said again with each turn."""

from collections import OrderedDict
from typing import Final, final

MOST: Final = 65_536  # messages that are remembered, the last ones used; a digest is 16 bytes, an entry some 150


@final
class Cleared:
    """Digests of messages in which nothing was found, each together with the policies that looked."""

    __slots__ = ("_digests", "_most")

    def __init__(self, most: int = MOST) -> None:
        self._digests: OrderedDict[bytes, None] = OrderedDict()
        self._most = most

    def __len__(self) -> int:
        return len(self._digests)

    def knows(self, digest: bytes) -> bool:
        """Whether this message was cleared; it counts as used just now."""
        if digest not in self._digests:
            return False
        self._digests.move_to_end(digest)
        return True

    def add(self, digest: bytes) -> None:
        """Remember a message; the one that was not used for longest may have to go."""
        self._digests[digest] = None
        if len(self._digests) > self._most:
            self._digests.popitem(last=False)
