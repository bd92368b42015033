"""The count of body bytes that a server holds for its clients."""


class InFlightBytes:
    """The bytes of requests that a server holds at the moment, over all its connections, and their limit."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def has_room(self, size: int) -> bool:
        """Whether `size` more bytes would fit now."""
        return self.used + size <= self.limit

    def take(self, size: int) -> bool:
        """Count `size` bytes as held; False, and nothing counted, where that would pass the limit."""
        if self.used + size > self.limit:
            return False
        self.used += size
        return True

    def release(self, size: int) -> None:
        """Give back what `take` counted."""
        self.used -= size
