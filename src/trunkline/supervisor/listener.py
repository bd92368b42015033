"""The listening sockets of the data plane."""

import errno
import socket

# Connections that may wait while a worker is restarted.
BACKLOG = 4096


class CannotListen(Exception):
    """The address can't be listened on; the message says why and what to do."""


def listen(address: str, count: int) -> list[socket.socket]:
    """Return `count` sockets that listen on `host:port` together; IPv6 hosts are in brackets.

    The kernel spreads connections over them. With port 0 all get the port that the first one got. Raises CannotListen.
    """
    host, _, port = address.rpartition(":")
    sockets: list[socket.socket] = []
    try:
        family, _, _, _, target = socket.getaddrinfo(
            host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        _refuse_if_taken(family, target, address)
        for _ in range(count):
            sockets.append(_listener(family, target))
            target = sockets[0].getsockname()
    except (OSError, ValueError) as error:
        for sock in sockets:
            sock.close()
        raise CannotListen(_why(error, address)) from error
    return sockets


def name_of(sock: socket.socket) -> str:
    """Return the address of a socket as `host:port`."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _refuse_if_taken(family: int, target: tuple[object, ...], address: str) -> None:
    """With SO_REUSEPORT a second gateway of the same user would silently share the port: look without it first."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(target)
            probe.listen(1)
        except OSError as error:
            raise CannotListen(_why(error, address)) from error


def _listener(family: int, target: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(target)
        sock.listen(BACKLOG)
        sock.settimeout(0)
    except OSError:
        sock.close()
        raise
    return sock


def _why(error: Exception, address: str) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"{address} is in use by another process; stop it, or change `listen`"
    if isinstance(error, OSError) and error.errno == errno.EACCES:
        return f"{address} may not be listened on by this user; choose a port above 1023, or give the right to"
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return f"cannot listen on {address}: {reason}; change `listen`"
