"""TLS for the server: a context whose certificate can be replaced while connections are open."""

import ssl


class UnusableCertificate(Exception):
    """The certificate and key cannot be used together; the message says which files, and why."""


def server_context(cert: str, key: str) -> ssl.SSLContext:
    """A context for a server: TLS 1.2 or later, HTTP/1.1. `cert` is the path of a PEM chain, `key` of its key.

    Raises UnusableCertificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load(context, cert, key)
    return context


def reload(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Use these files for the connections from now on; open ones keep what they have.

    Raises UnusableCertificate, and then `context` is unchanged.
    """
    # OpenSSL would keep a new certificate whose key does not fit, so another context tries the pair first.
    _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), cert, key)
    _load(context, cert, key)


def _load(context: ssl.SSLContext, cert: str, key: str) -> None:
    try:
        # The password callback keeps OpenSSL from asking on the terminal for an encrypted key.
        context.load_cert_chain(cert, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise UnusableCertificate(f"cannot use certificate {cert} with key {key}: {error}") from None
