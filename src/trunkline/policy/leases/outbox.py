"""What a member has to put right at the authority: units given back, and use beyond what was granted."""

from collections.abc import Sequence
from typing import Final, final

from trunkline.policy.leases.messages import SLOTS, Correction

# Corrections in one ask; more wait for the next.
IN_ONE_ASK: Final = 500
# Kept while the authority is lost, which may be for a day. What is beyond is given up: units that are not given back
# only stay used, and what was used beyond grants is in the report to a new authority all the same.
MOST: Final = 20_000

Key = tuple[str, str, int, int, bool]


@final
class Outbox:
    """Corrections that wait to be sent, one for each counter and mark. `urgent`: others may wait for slots."""

    __slots__ = ("_units", "urgent")

    def __init__(self) -> None:
        self._units: dict[Key, int] = {}
        self.urgent = False

    @property
    def empty(self) -> bool:
        """Whether there is nothing to say."""
        return not self._units

    def add(self, correction: Correction) -> None:
        """Take note of a correction."""
        rule, owner, span, mark, units = (
            correction.rule,
            correction.owner,
            correction.span,
            correction.mark,
            correction.units,
        )
        key = (rule, owner, span, mark, units > 0)
        known = self._units.get(key)
        if known is not None:
            self._units[key] = known + units
        elif len(self._units) < MOST:
            self._units[key] = units
        self.urgent = self.urgent or span == SLOTS

    def take(self) -> tuple[Correction, ...]:
        """Return as many corrections as one ask may have; they wait no longer."""
        keys = list(self._units)[:IN_ONE_ASK]
        self.urgent = False
        return tuple([Correction(key[0], key[1], key[2], key[3], self._units.pop(key)) for key in keys])

    def say_again(self, corrections: Sequence[Correction]) -> None:
        """Keep of what was perhaps not heard the use beyond grants: counted twice is better than never."""
        for correction in corrections:
            if correction.units > 0:
                self.add(correction)

    def report_begins(self, *, anew: bool) -> None:
        """Drop what a report contains: slots always, and all of it where the authority is a new one."""
        self.urgent = False
        self._units = {} if anew else {key: units for key, units in self._units.items() if key[2] != SLOTS}
