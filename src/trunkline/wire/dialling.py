"""Reaching a name that has several addresses: they are tried side by side, so that a dead one costs little (RFC 8305).

The event loop's own `create_connection` tries one after the other: a dead first address would take the whole time that
there is for connecting.
"""

import asyncio
import itertools
import socket
from collections.abc import Sequence
from typing import Any

# Between the beginnings of two attempts, unless the first has failed by then; what RFC 8305 recommends. Seconds.
ATTEMPT_DELAY = 0.25
MOST_ADDRESSES = 16  # of one name; no resolver's answer makes us try without end

AddressInfo = tuple[int, int, int, str, Any]  # as `socket.getaddrinfo` has it


async def dial(host: str, port: int) -> socket.socket:
    """Return a socket that is connected to one of the host's addresses; raises OSError where there is none.

    It takes as long as it takes: the caller bounds it, and cancelling leaves nothing open.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if len(found) == 1:
        return await _connect(found[0])
    return await race(interleaved(found)[:MOST_ADDRESSES])


def interleaved(found: Sequence[AddressInfo]) -> list[AddressInfo]:
    """Return addresses in the resolver's order, but with the families taking turns (RFC 8305, 4)."""
    families = dict.fromkeys(info[0] for info in found)
    rows = itertools.zip_longest(*([info for info in found if info[0] == family] for family in families))
    return [info for row in rows for info in row if info is not None]


async def race(addresses: Sequence[AddressInfo]) -> socket.socket:
    """Return the socket of the first address that is connected (RFC 8305, 5); raises OSError if all have failed."""
    waiting = iter(addresses)
    running: set[asyncio.Task[socket.socket]] = set()
    failures: list[OSError] = []
    following = next(waiting, None)
    try:
        while following is not None or running:
            if following is not None:
                running.add(asyncio.create_task(_connect(following)))
                following = next(waiting, None)
            pause = ATTEMPT_DELAY if following is not None else None
            done, running = await asyncio.wait(running, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if not isinstance(error, OSError):
                    running |= done - {task}  # another one may be through at the same moment
                    return task.result()
                failures.append(error)
        raise _together(failures)
    finally:
        _abandon(running)


async def _connect(info: AddressInfo) -> socket.socket:
    family, kind, protocol, _, address = info
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(0)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


def _abandon(running: set[asyncio.Task[socket.socket]]) -> None:
    for task in running:
        task.cancel()
        task.add_done_callback(_close)


def _close(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


def _together(failures: list[OSError]) -> OSError:
    """Return the one error that all attempts met, or one that says that they met several."""
    if len({error.errno for error in failures}) == 1:
        return failures[0]
    return OSError("no address could be reached")
