"""A loopback port that stays ours while nobody listens on it."""

import socket

_BACKLOG = 4096


class Port:
    """Holds a port by a socket that is bound and does not listen: connecting is refused, and nobody else gets it."""

    def __init__(self, number: int = 0) -> None:
        if number:
            # Shared binding would hide that the port is somebody else's; a plain one tells.
            _bound(number, shared=False).close()
        self._holder = _bound(number)
        self.number: int = self._holder.getsockname()[1]

    def listening(self) -> socket.socket:
        """Return a new socket that listens on the port; whoever gets it closes it."""
        sock = _bound(self.number)
        sock.listen(_BACKLOG)
        return sock

    def release(self) -> None:
        """Give the port back."""
        self._holder.close()


def _bound(number: int, *, shared: bool = True) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.settimeout(0)
        sock.bind(("127.0.0.1", number))
    except OSError:
        sock.close()
        raise
    return sock
