"""How limits and budgets are used, asked of all workers through the supervisor and put together."""

import asyncio
from itertools import count
from math import inf

import msgspec

from trunkline.channel.link import Link, LinkBroken
from trunkline.channel.messages import (
    LimitsAsked,
    LimitsOf,
    LimitsQuestion,
    LimitsShown,
    LimitUse,
    ShowLimits,
    ToControl,
)
from trunkline.control.answers import LimitsInUse, Refused

# A worker looks at half a million counters in this time, between its calls. Seconds.
ANSWER_WITHIN = 5.0
MOST_SHOWN = 2_000


class _Asked:
    """A question that is under way: which workers are to answer, and what they have said."""

    def __init__(self) -> None:
        self.workers: tuple[int, ...] | None = None
        self.said: dict[int, LimitsShown] = {}
        self.changed = asyncio.Event()

    @property
    def answered(self) -> bool:
        return self.workers is not None and all(worker in self.said for worker in self.workers)


class LimitsDesk:
    """Asks workers; whoever reads the channel hands in what comes back."""

    def __init__(self, link: Link[ToControl]) -> None:
        self._link = link
        self._numbers = count(1)
        self._open: dict[int, _Asked] = {}

    async def ask(self, question: LimitsQuestion, within: float = ANSWER_WITHIN) -> LimitsInUse:
        """Return the uses of all workers together, the most used first. Raises Refused."""
        if not 1 <= question.most <= MOST_SHOWN:
            raise Refused(f"so many limits cannot be shown: ask for 1 to {MOST_SHOWN:,}")
        number, asked = next(self._numbers), _Asked()
        self._open[number] = asked
        try:
            # What is most used of all workers together need not be among the most used of each.
            self._link.send(ShowLimits(number, msgspec.structs.replace(question, most=MOST_SHOWN)))
            async with asyncio.timeout(within):
                while not asked.answered:
                    asked.changed.clear()
                    await asked.changed.wait()
        except LinkBroken as broken:
            raise Refused(f"the workers cannot be asked: {broken}") from None
        except TimeoutError:
            pass  # what came is worth more than nothing
        finally:
            del self._open[number]
        if not asked.said:
            raise Refused("no worker has answered; try again when one is ready")
        return together(asked.said, asked.workers or (), question.most)

    def take(self, message: LimitsAsked | LimitsOf) -> None:
        """Take what the supervisor or, by way of it, a worker said."""
        if isinstance(message, LimitsAsked):
            asked = self._open.get(message.number)
            if asked is not None:
                asked.workers = message.workers
                asked.changed.set()
            return
        asked = self._open.get(message.shown.number)
        if asked is not None:
            asked.said[message.worker] = message.shown
            asked.changed.set()


def together(said: dict[int, LimitsShown], asked: tuple[int, ...], most: int) -> LimitsInUse:
    """Return what all workers say as one: an owner's uses of a rule are added up, but for those of all gateways."""
    held = sum(shown.held for shown in said.values())
    of_all = [shown for shown in said.values() if shown.counted_by == "redis"]
    if of_all:
        uses, left_out = list(of_all[0].uses), of_all[0].left_out
        return LimitsInUse(tuple(uses[:most]), left_out + max(0, len(uses) - most), held, counted_by="redis")
    found, left_out = _added_up(said, most)
    silent = tuple(sorted(set(asked) - said.keys()))
    alone = any(shown.counted_by == "this_gateway" for shown in said.values())
    return LimitsInUse(found, left_out, held, silent, "this_gateway" if alone else "workers")


def _added_up(said: dict[int, LimitsShown], most: int) -> tuple[tuple[LimitUse, ...], int]:
    """Return the uses of all workers together, and how many were left out."""
    uses: dict[tuple[str, str, str, str | None], LimitUse] = {}
    for shown in said.values():
        for use in shown.uses:
            place = (use.tenant, use.rule, use.period, use.owner)
            known = uses.get(place)
            uses[place] = use if known is None else _added(known, use)
    in_use = {(use.tenant, use.rule, use.period) for use in uses.values() if use.owner is not None}
    # Nobody uses anything of a rule, one worker says, and another knows who does.
    found = [use for use in uses.values() if use.owner is not None or (use.tenant, use.rule, use.period) not in in_use]
    found.sort(key=lambda use: (-use.used / use.limit, use.tenant, use.rule, use.owner or ""))
    left_out = sum(shown.left_out for shown in said.values()) + max(0, len(found) - most)
    return tuple(found[:most]), left_out


def _added(one: LimitUse, other: LimitUse) -> LimitUse:
    resets = [inf if use.reset is None else use.reset for use in (one, other)]
    reset = None if max(resets) == inf else max(resets)
    return msgspec.structs.replace(one, used=one.used + other.used, reset=reset)
