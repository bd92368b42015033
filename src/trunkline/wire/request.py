"""The request as the handler sees it."""

import msgspec


class Request(msgspec.Struct, gc=False):
    """One whole request; the body has been read in full.

    `target` is as on the request line, `path` its decoded path without the query. Names in `headers` are lower-case,
    repeated ones are joined with `, `; trailers are not among them. `received` is `time.monotonic_ns()` when the head
    was complete. `peer` is `address:port`.
    """

    method: bytes
    target: bytes
    path: str
    headers: dict[bytes, bytes]
    body: bytes
    received: int
    peer: str
    http10: bool = False
    keep_alive: bool = True

    def __repr__(self) -> str:
        # Headers and body hold keys and what people said.
        return f"Request({self.method.decode()} {self.path!r}, {len(self.body)} bytes, from {self.peer})"
