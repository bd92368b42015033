"""The way to the authority of this gateway: a socket pair that the supervisor has the other end of."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from trunkline.channel.link import Link, LinkBroken
from trunkline.policy.leases.messages import Answer, Ask

# An answer takes a fraction of a millisecond. A machine that is busy may keep it waiting for many, and is no authority
# lost: a supervisor that says nothing for so long hangs.
PATIENCE: Final = 0.25


class LeaseChannel:
    """Carries asks to the supervisor. Its end means that the supervisor has gone; there is no way back."""

    def __init__(self, link: Link[Answer]) -> None:
        self._link = link
        self.patience = PATIENCE

    def send(self, ask: Ask) -> None:
        """Send an ask, without waiting."""
        with contextlib.suppress(LinkBroken):  # it does not read: no answer will come, which is noticed as such
            self._link.send(ask)

    async def run(self, hear: Callable[[Answer], None], lose: Callable[[str], None]) -> None:
        """Hand over answers until the supervisor has gone."""
        reason = "the supervisor has gone"
        try:
            while (answer := await self._link.receive()) is not None:
                hear(answer)
        except LinkBroken as broken:
            reason = str(broken)
        lose(reason)
        await asyncio.get_running_loop().create_future()

    async def close(self, goodbye: Ask) -> None:
        """Send the last ask and close."""
        self.send(goodbye)
        await self._link.close()
