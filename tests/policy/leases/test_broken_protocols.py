"""What the promise is tested with finds a protocol that does not keep it: each of these is wrong in one place."""

import msgspec
import pytest
from cluster import Fault, Sound
from test_promise import holds

EMPTIED = Fault(at=45.0, kind="empty", member=0, seconds=0.2)
# Members that stop for a while as the flood begins, with units in their hands.
STOPPED = [Fault(at=1.0, kind="stall", member=member, seconds=2.5) for member in range(2)]
HICCUPS = [Fault(at=2.0 + at, kind="stall", member=at % 4, seconds=1.6) for at in range(120)]
LONG = 10.0  # seconds by which a lease is spent too long
FAST = 0.05  # seconds between calls of a member


def keeps_its_promise(faults, protocol: Sound) -> None:
    for seed in range(3):
        holds(seed, faults, closes=True, protocol=protocol, until=130, every=FAST)


class SpendsAfterTheEnd(Sound):
    """A member spends units whose lease is over: at the authority they count from the lease's end at the latest."""

    def answered(self, node, answer):
        asked = node.line._asked.get(answer.serial)
        if asked is not None:
            asked.at += LONG


class ForgetsItsUse(Sound):
    """A member that reports to a new authority says nothing of what it has used."""

    def asked(self, ask):
        if ask.report is None:
            return ask
        return msgspec.structs.replace(ask, report=msgspec.structs.replace(ask.report, counted=()))


class GivesBackTwice(Sound):
    """What was not used is taken back twice."""

    def asked(self, ask):
        return msgspec.structs.replace(ask, corrections=ask.corrections * 2)


BROKEN = [
    (SpendsAfterTheEnd, STOPPED),
    (ForgetsItsUse, [EMPTIED]),
    (GivesBackTwice, HICCUPS),
]


@pytest.mark.parametrize(("broken", "faults"), BROKEN)
def test_a_broken_protocol_is_found(broken, faults):
    with pytest.raises(AssertionError, match=r"requests|tokens"):
        keeps_its_promise(faults, broken())


@pytest.mark.parametrize("faults", [STOPPED, [EMPTIED], HICCUPS])
def test_the_protocol_as_it_is_keeps_its_promise_in_each_of_these(faults):
    keeps_its_promise(faults, Sound())
