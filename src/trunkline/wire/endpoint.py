"""Where a pool sends its requests, and its limits; the URLs behind it, read once."""

import base64
import re
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

import msgspec

_HOST = re.compile(
    r"(?=.{1,253}\Z)(?:[0-9A-Za-z_-]{1,63}\.)*[0-9A-Za-z_-]{1,63}\.?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+(?:%[0-9A-Za-z._-]+)?"
)
_PATH = re.compile(r"(?:/[!-\"$->@-~]*)?")
_HEADERS = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)*")
_OURS = frozenset({b"host", b"content-length", b"transfer-encoding", b"accept-encoding", b"connection"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's base URL and what its pool may use. Times in seconds, sizes in bytes.

    `proxy` is an `http://[user:password@]host:port` URL; `ca_bundle` a PEM file that replaces the system's store.
    `connect_timeout` bounds the wait for a connection: its turn in the queue (at most `max_waiting` long), the proxy
    and TLS included. `idle_timeout` should be below the provider's own. A request that went out on a connection which
    had been idle is sent once more, on a new one, if that connection ends within `stale_within` and before a single
    byte of an answer; 0 means never. `max_answer` bounds a body, whole or in pieces, `max_head` an answer's heads.
    """

    base_url: str
    max_connections: int = 512
    max_waiting: int = 1024
    keep_warm: int = 0
    connect_timeout: float = 2.0
    proxy: str | None = None
    ca_bundle: str | None = None
    idle_timeout: float = 55.0
    stale_within: float = 1.0
    max_answer: int = 32 * 1024 * 1024
    max_head: int = 32 * 1024

    def __repr__(self) -> str:
        # The proxy's URL may hold a password.
        return f"Endpoint({self.base_url!r}{', by proxy' if self.proxy else ''})"


class Proxy(msgspec.Struct, frozen=True):
    """A forward proxy; `authorization` is a ready header line, or empty."""

    host: str
    port: int
    authorization: bytes

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port})"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint is reached: the origin, whether by TLS, and by which proxy."""

    host: str
    port: int
    tls: bool
    authority: bytes
    """As in the Host header."""
    path: str
    """The base URL's path without a slash at its end; targets are appended to it."""
    proxy: Proxy | None

    def head(self, target: bytes) -> bytes:
        """The first lines of every request to `target`, up to the caller's own headers.

        A plain HTTP proxy gets the absolute form (RFC 9112, 3.2.2) and its own credentials; inside a tunnel there is
        no trace of the proxy. Raises ValueError for a target that would not be one on a request line.
        """
        if not re.fullmatch(rb"/[!-\"$-~]*", target):
            raise ValueError("a request's target must begin with a slash and be free of spaces and control characters")
        target = self.path.encode() + target
        extra = b""
        if self.proxy is not None and not self.tls:
            target = b"http://" + self.authority + target
            extra = self.proxy.authorization
        return b"POST %b HTTP/1.1\r\nhost: %b\r\naccept-encoding: identity\r\n%b" % (target, self.authority, extra)


def check_headers(headers: bytes) -> None:
    """Raise ValueError unless these are whole header lines, none of them one that the pool writes itself."""
    if not _HEADERS.fullmatch(headers):
        raise ValueError("headers must be lines of a name and a value, each with its CRLF")
    for line in headers.split(b"\r\n"):
        name = line.partition(b":")[0].lower()
        if name in _OURS:
            raise ValueError(f"the header {name.decode()} is written by the pool")


def route_of(endpoint: Endpoint) -> Route:
    """Read an endpoint's URLs. Raises ValueError, which says what is wrong and never repeats the proxy's URL."""
    url, host, port = _split(endpoint.base_url, "base_url", ("http", "https"))
    if url.username is not None or url.password is not None or url.query or url.fragment:
        raise ValueError("base_url must have no user, password, query or fragment")
    if not _PATH.fullmatch(url.path):
        raise ValueError("base_url has a path that must be percent-encoded")
    name = f"[{host}]" if ":" in host else host
    authority = name if port == _DEFAULT_PORTS[url.scheme] else f"{name}:{port}"
    return Route(
        host=host,
        port=port,
        tls=url.scheme == "https",
        authority=authority.encode(),
        path=url.path.rstrip("/"),
        proxy=None if endpoint.proxy is None else _proxy(endpoint.proxy),
    )


def _proxy(text: str) -> Proxy:
    url, host, port = _split(text, "proxy", ("http",))
    if url.path not in ("", "/") or url.query or url.fragment:
        raise ValueError("proxy must be scheme, host and port only, with user and password where it asks for them")
    authorization = b""
    if url.username is not None:
        credentials = unquote_to_bytes(url.username) + b":" + unquote_to_bytes(url.password or "")
        authorization = b"proxy-authorization: Basic %b\r\n" % base64.b64encode(credentials)
    return Proxy(host, port, authorization)


def _split(text: str, name: str, schemes: tuple[str, ...]) -> tuple[SplitResult, str, int]:
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        raise ValueError(f"{name} is not a URL") from None
    if url.scheme not in schemes:
        raise ValueError(f"{name} must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if host is None or not _HOST.fullmatch(host):
        raise ValueError(f"{name} has no valid host; write names outside ASCII in their xn-- form")
    if port == 0:
        raise ValueError(f"{name} has port 0")
    return url, host, port or _DEFAULT_PORTS[url.scheme]
