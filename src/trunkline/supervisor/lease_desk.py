"""Where the workers of this gateway ask for units of limits that hold for all of them together."""

import asyncio
import secrets
import socket
import time

from trunkline.channel.link import Link, LinkBroken
from trunkline.policy.leases.authority import Authority
from trunkline.policy.leases.messages import MICROSECONDS, Ask


def microseconds() -> int:
    """Return this microsecond of the monotonic clock."""
    return time.monotonic_ns() * MICROSECONDS // 1_000_000_000


class LeaseDesk:
    """Serves the authority to the workers, each over a connection of its own, which is part of no other."""

    def __init__(self) -> None:
        self._authority = Authority(secrets.token_hex(8), microseconds())

    async def seat(self) -> "Seat":
        """Return a place for one process."""
        ours, theirs = socket.socketpair()
        return Seat(self._authority, await Link.open(ours, Ask), theirs)


class Seat:
    """One process's connection to the authority; `descriptor` is its end, to be inherited."""

    def __init__(self, authority: Authority, link: Link[Ask], theirs: socket.socket) -> None:
        self._authority, self._link, self._theirs = authority, link, theirs
        self._serving: asyncio.Task[str | None] | None = None

    @property
    def descriptor(self) -> int:
        """The number of the process's end."""
        return self._theirs.fileno()

    def taken(self) -> asyncio.Task[str | None]:
        """Serve the process, which has been started; the task ends with why it had to be given up, if so."""
        self._theirs.close()
        self._serving = asyncio.get_running_loop().create_task(self._serve())
        return self._serving

    async def close(self) -> None:
        """End the connection: what the process holds is free once its leases are over."""
        self._theirs.close()
        await self._link.close(0)
        if self._serving is not None:
            await asyncio.wait([self._serving])

    async def _serve(self) -> str | None:
        name = None
        try:
            while (ask := await self._link.receive()) is not None:
                name = ask.member
                self._link.send(self._authority.hear(ask, microseconds()))
        except LinkBroken as broken:
            return f"what it says of limits: {broken}"
        finally:
            if name is not None:
                self._authority.closed(name)
        return None
