"""TLS towards providers: always verified, name included."""

import ssl


def client_context(ca_bundle: str | None = None) -> ssl.SSLContext:
    """A context that trusts the system's certificate store, or only the PEM file `ca_bundle` where one is given.

    TLS 1.2 or later, HTTP/1.1. Raises ValueError for a bundle that cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca_bundle)
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot use the certificates in {ca_bundle}: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
