"""The way to Redis: one connection, verified where it is TLS, that tries nothing twice."""

from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

# Seconds that an answer may take, and that connecting may. A Redis of the same site answers within two milliseconds.
PATIENCE: Final = 0.5
CONNECT_WITHIN: Final = 1.0


def redis_client(url: str, ca_bundle: str | None) -> Redis:
    """Return a client with one connection, not yet open. An ask that comes twice is counted twice, so none is.

    `url` is as in the configuration. A certificate has to be valid, for the host of the URL, and of an authority of the
    PEM file `ca_bundle`, or of the system's where there is none.
    """
    options: dict[str, Any] = {"ssl_ca_certs": ca_bundle} if ca_bundle is not None else {}
    return Redis.from_url(
        url,
        single_connection_client=True,
        socket_timeout=PATIENCE,
        socket_connect_timeout=CONNECT_WITHIN,
        retry=Retry(NoBackoff(), 0),
        **options,
    )
