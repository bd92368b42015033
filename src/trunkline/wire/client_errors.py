"""What can go wrong on the way to a provider and back, told apart by what it means for the next attempt."""


class WireError(Exception):
    """A request got no whole answer. `reason` is one line for records: a fixed word, then what was seen.

    It never holds a key, a header, or anything from a body.
    """

    word = "wire_error"

    def __init__(self, detail: str = "") -> None:
        self.reason = f"{self.word}: {detail}" if detail else self.word
        super().__init__(self.reason)


class ConnectFailed(WireError):
    """No connection could be opened: name, address, proxy, TLS, or not in time. Nothing was sent."""

    word = "connect_failed"


class PoolExhausted(WireError):
    """Every connection was in use for as long as the caller would wait. Nothing was sent."""

    word = "pool_exhausted"


class PoolClosed(WireError):
    """The pool was closed before the request was sent."""

    word = "pool_closed"


class ConnectionBroken(WireError):
    """The connection ended before the answer did. The provider may have done the work."""

    word = "connection_broken"


class AnswerMalformed(WireError):
    """What came is not an HTTP/1.x response, or leaves open where it ends."""

    word = "answer_malformed"


class AnswerTooLarge(WireError):
    """The body is larger than `Endpoint.max_answer`."""

    word = "answer_too_large"
