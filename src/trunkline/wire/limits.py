"""What a server grants its clients: sizes, times, numbers; and the count of body bytes that it holds for them."""

import msgspec

PIPELINED_REQUEST = 4096


class ServerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a server; sizes in bytes, times in seconds. See `server:` in the configuration.

    `header_timeout` bounds a request from its first byte to its last: a head must be complete within it, a body must
    be complete or grow by `MIN_PROGRESS` in each such span. `max_in_flight_bytes` bounds request bodies and what was
    read ahead over all connections. `max_pipelined` bounds what one connection reads ahead while it is being answered:
    so many requests of `PIPELINED_REQUEST` bytes, or the same bytes in requests of another size.
    """

    max_body: int = 10_000_000
    max_headers: int = 32_768
    header_timeout: float = 10.0
    idle_timeout: float = 600.0
    max_connections: int = 20_000
    max_in_flight_bytes: int = 512_000_000
    max_pipelined: int = 16


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
