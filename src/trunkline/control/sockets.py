"""The sockets of the admin API, open from the start: who connects early waits rather than being turned away."""

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

SOCKET_NAME = "control.sock"
BACKLOG = 64


@dataclass(frozen=True)
class AdminSockets:
    """Listening sockets: for this machine's commands and, where a console is configured, on its port."""

    local: socket.socket
    console: socket.socket | None


def admin_sockets(data_dir: Path, console: str | None) -> AdminSockets:
    """Open the sockets. Raises OSError, with a message that says which."""
    listener = None
    if console is not None:
        try:
            listener = console_socket(console)
        except OSError as error:
            raise OSError(
                f"cannot listen on {console} for the console: {error.strerror}; change console.listen"
            ) from error
    return AdminSockets(local_socket(data_dir), listener)


def local_socket(data_dir: Path) -> socket.socket:
    """Return the listening socket of a data directory, whose lock we hold: a socket that is there is a dead one's."""
    directory = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Through the descriptor, for a socket's path may have only 107 bytes.
        path = f"/proc/self/fd/{directory}/{SOCKET_NAME}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(SOCKET_NAME, dir_fd=directory)
        os.fchmod(sock.fileno(), 0o600)  # what `bind` gives its file (Linux)
        sock.bind(path)
        sock.listen(BACKLOG)
        sock.settimeout(0)
    except OSError:
        sock.close()
        raise
    finally:
        os.close(directory)
    return sock


def console_socket(address: str) -> socket.socket:
    """Return the listening socket of `host:port`. Raises OSError."""
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=BACKLOG)
