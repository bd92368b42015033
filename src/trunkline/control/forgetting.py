"""Having the workers let go of data keys, asked of all of them through the supervisor."""

import asyncio
from collections.abc import Mapping
from itertools import count
from typing import Protocol

from trunkline.channel.link import Link, LinkBroken
from trunkline.channel.messages import Forget, ForgetAsked, Forgot, ForgotBy, ToControl
from trunkline.control.answers import Refused

# A worker flushes what it has, between its calls. Seconds.
ANSWER_WITHIN = 15.0


class Forgetting(Protocol):
    """Has those who write let go of keys."""

    async def forget(self, persons: tuple[bytes, ...]) -> Mapping[int, int]:
        """Return, by worker, how far its key file goes that may have keys of these persons. Raises Refused."""


class NobodyWrites:
    """Where no gateway runs."""

    async def forget(self, persons: tuple[bytes, ...]) -> Mapping[int, int]:  # noqa: ARG002
        """Return nothing."""
        return {}


class _Asked:
    def __init__(self) -> None:
        self.workers: tuple[int, ...] | None = None
        self.said: dict[int, Forgot] = {}
        self.changed = asyncio.Event()

    @property
    def answered(self) -> bool:
        return self.workers is not None and all(worker in self.said for worker in self.workers)


class ForgettingDesk:
    """Asks workers; whoever reads the channel hands in what comes back."""

    def __init__(self, link: Link[ToControl]) -> None:
        self._link = link
        self._numbers = count(1)
        self._open: dict[int, _Asked] = {}

    async def forget(self, persons: tuple[bytes, ...]) -> Mapping[int, int]:
        """Return how far each worker's key file goes that may have keys of these persons. Raises Refused."""
        number, asked = next(self._numbers), _Asked()
        self._open[number] = asked
        try:
            self._link.send(Forget(number, persons))
            async with asyncio.timeout(ANSWER_WITHIN):
                while not asked.answered:
                    asked.changed.clear()
                    await asked.changed.wait()
        except (LinkBroken, TimeoutError):
            raise Refused("a worker has not let go of its keys, so nothing was destroyed: try again") from None
        finally:
            del self._open[number]
        for worker, forgot in asked.said.items():
            if forgot.failure is not None:
                raise Refused(f"worker {worker} cannot let go of its keys ({forgot.failure}): nothing was destroyed")
        return {worker: forgot.upto for worker, forgot in asked.said.items() if forgot.upto is not None}

    def take(self, message: ForgetAsked | ForgotBy) -> None:
        """Take what the supervisor or, by way of it, a worker said."""
        number = message.number if isinstance(message, ForgetAsked) else message.forgot.number
        asked = self._open.get(number)
        if asked is None:
            return
        if isinstance(message, ForgetAsked):
            asked.workers = message.workers
        else:
            asked.said[message.worker] = message.forgot
        asked.changed.set()
