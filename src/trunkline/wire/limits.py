"""What a server grants its clients: sizes, times, numbers."""

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
