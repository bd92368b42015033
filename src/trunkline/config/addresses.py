"""Listening addresses and URLs from text."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from trunkline.config.readers import Mistake

LISTEN = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})", re.ASCII)
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
PRINTABLE = re.compile(r"[\x21-\x7e]+")


def listen(value: str) -> str:
    """Return a `host:port` to listen on, as written; an IPv6 address stands in brackets."""
    fix = "write host:port like 127.0.0.1:8080 or [::1]:8080"
    match = LISTEN.fullmatch(value)
    if not match or int(match["port"]) > 65_535:
        raise Mistake("is no address to listen on", fix)
    host = match["host"]
    if host.startswith("["):
        _address(host[1:-1], fix)
    elif re.fullmatch(r"[0-9.]+", host):
        _address(host, fix)
    return value


def _address(host: str, fix: str) -> None:
    try:
        ip_address(host)
    except ValueError:
        raise Mistake("is no address to listen on", fix) from None


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def split(value: str, fix: str) -> SplitResult:
    """Return the parts of an http or https URL that has a host and a valid port."""
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Mistake("is no URL", fix) from None
    if (
        not PRINTABLE.fullmatch(value)
        or "\\" in value
        or parts.scheme not in {"http", "https"}
        or not host
        or port == 0
    ):
        raise Mistake("is no URL of http or https", fix)
    if ":" not in host and not HOST.fullmatch(host):
        raise Mistake("has no valid host name", fix)
    return parts


def provider_url(value: str) -> str:
    """Return a provider's base URL without a slash at its end.

    Only TLS may leave the machine. Credentials in a URL end up in logs, and a query belongs to a request.
    """
    fix = "write it like https://api.openai.com/v1"
    parts = split(value, fix)
    if parts.username is not None or parts.password is not None:
        raise Mistake("has a user or password in it", "use api_key, or headers")
    if parts.query or parts.fragment or value.endswith(("?", "#")):
        raise Mistake("has a query or a fragment", fix)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise Mistake(
            "is not encrypted",
            "use https, or a proxy on this machine that adds TLS; http goes to 127.0.0.1, ::1 and localhost only",
        )
    return value.rstrip("/")


def proxy_url(value: str) -> str:
    """Return a proxy's URL, with the user and password that it may have."""
    fix = "write it like http://proxy.internal:3128"
    parts = split(value, fix)
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise Mistake("has a path, a query or a fragment", fix)
    return value.rstrip("/")


def redis_url(value: str) -> str:
    """Return the URL of a Redis or Valkey server, with the user and password that it may have.

    It is of TCP, TLS or a Unix socket. Options in a query are not taken: they could hold a password, and each client
    library has its own.
    """
    fix = "write it like rediss://:PASSWORD@redis.internal:6379/0 or unix:///run/redis/redis.sock"
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Mistake("is no URL", fix) from None
    if not PRINTABLE.fullmatch(value) or "\\" in value or parts.scheme not in {"redis", "rediss", "unix"}:
        raise Mistake("is no URL of redis, rediss or unix", fix)
    if parts.query or parts.fragment or value.endswith(("?", "#")):
        raise Mistake("has a query or a fragment", fix)
    if parts.scheme == "unix":
        if host or port is not None or len(parts.path) < 2:
            raise Mistake("is no URL of a Unix socket: its path comes after three slashes", fix)
    elif not host or port == 0 or (":" not in host and not HOST.fullmatch(host)):
        raise Mistake("has no valid host name and port", fix)
    elif not re.fullmatch(r"(/[0-9]{0,5})?", parts.path, re.ASCII):
        raise Mistake("has a path that is no number of a database", fix)
    return value


def without_userinfo(url: str) -> str:
    """Return the URL without user and password."""
    userinfo, at, _ = urlsplit(url).netloc.rpartition("@")
    return url.replace(userinfo + at, "", 1)
