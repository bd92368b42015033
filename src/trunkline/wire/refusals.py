"""The errors that the wire itself finds, and their answer: the error envelope, and then the connection closes."""

import math

import msgspec

from trunkline.errors import CallError, Overloaded, RequestTimeout, RequestTooLarge, envelope

OVERLOADED_RETRY_AFTER = 1.0


class HeadersTooLarge(RequestTooLarge):
    """The request line and headers are above `server.max_headers` (RFC 6585, 5)."""

    status = 431


def headers_too_large(limit: int) -> HeadersTooLarge:
    """The head is above `limit` bytes."""
    return HeadersTooLarge(f"the request line and headers are larger than {limit} bytes", rule="server.max_headers")


def body_too_large(limit: int) -> RequestTooLarge:
    """The body is above `limit` bytes, or says that it will be."""
    return RequestTooLarge(f"the body is larger than {limit} bytes", rule="server.max_body")


def too_slow(seconds: float) -> RequestTimeout:
    """The request did not come, or did not come on, within `seconds`."""
    return RequestTimeout(f"the request did not arrive within {seconds:g} s", rule="server.header_timeout")


def too_many_bytes() -> Overloaded:
    """The process holds as much of other requests as it may."""
    message = "the gateway holds as many request bytes as it may; try again"
    return Overloaded(message, rule="server.max_in_flight_bytes", retry_after=OVERLOADED_RETRY_AFTER)


def too_many_connections() -> Overloaded:
    """The process has as many connections as it may."""
    message = "the gateway has as many connections as it may; try again"
    return Overloaded(message, rule="server.max_connections", retry_after=OVERLOADED_RETRY_AFTER)


def error_answer(error: CallError) -> tuple[int, bytes, bytes]:
    """Status, header lines and body for an error that no call id belongs to."""
    headers = b"content-type: application/json\r\n"
    if error.retry_after is not None:
        headers += b"retry-after: %d\r\n" % math.ceil(error.retry_after)
    return error.status, headers, msgspec.json.encode(envelope(error, None))
