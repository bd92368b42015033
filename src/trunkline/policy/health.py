"""Whether a target may be asked: its circuit breaker as a table, and the rests that a provider asks for.

The breaker counts failures that say something about the target: no connection, an answer of the 500 class, no first
token in time, a broken or empty answer. A 429 is not a failure but a rest; a client that leaves says nothing.
"""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from trunkline.model.snapshot import Breaker

Phase = Literal["closed", "open", "half_open"]
Event = Literal["succeeded", "failed", "cooled", "probed", "dropped"]

UNAUTHORIZED_REST = 60.0  # seconds until a target whose key was refused is asked once more
DEFAULT_REST: Final = 5.0  # seconds, where a 429 does not say how long
LONGEST_REST: Final = 3600.0  # a provider's clock or our parsing may be wrong


class BreakerState(NamedTuple):
    """`failures` are the seconds of the recent ones; `until` is when an open breaker lets a probe through."""

    phase: Phase = "closed"
    failures: tuple[float, ...] = ()
    until: float = 0.0
    probing: bool = False


CLOSED: Final = BreakerState()


def _count(state: BreakerState, now: float, settings: Breaker) -> BreakerState:
    recent = [at for at in state.failures if at > now - settings.within]
    recent.append(now)
    if len(recent) >= settings.failures:
        return BreakerState("open", until=now + settings.open_for)
    return BreakerState("closed", tuple(recent))


def _stay(state: BreakerState, _now: float, _settings: Breaker) -> BreakerState:
    return state


def _close(_state: BreakerState, _now: float, _settings: Breaker) -> BreakerState:
    return CLOSED


def _open(_state: BreakerState, now: float, settings: Breaker) -> BreakerState:
    return BreakerState("open", until=now + settings.open_for)


def _half_open(_state: BreakerState, _now: float, _settings: Breaker) -> BreakerState:
    return BreakerState("half_open")


def _probe(_state: BreakerState, _now: float, _settings: Breaker) -> BreakerState:
    return BreakerState("half_open", probing=True)


# What comes in the wrong phase is late news of a call that began in an earlier one: it changes nothing.
TRANSITIONS: Final[dict[tuple[Phase, Event], Callable[[BreakerState, float, Breaker], BreakerState]]] = {
    ("closed", "succeeded"): _stay,
    ("closed", "failed"): _count,
    ("closed", "cooled"): _stay,
    ("closed", "probed"): _stay,
    ("closed", "dropped"): _stay,
    ("open", "succeeded"): _stay,
    ("open", "failed"): _stay,
    ("open", "cooled"): _half_open,
    ("open", "probed"): _stay,
    ("open", "dropped"): _stay,
    ("half_open", "succeeded"): _close,
    ("half_open", "failed"): _open,
    ("half_open", "cooled"): _stay,
    ("half_open", "probed"): _probe,
    ("half_open", "dropped"): _half_open,
}


def advance(state: BreakerState, event: Event, now: float, settings: Breaker) -> BreakerState:
    """Return the state after an event at monotonic second `now`."""
    return TRANSITIONS[state.phase, event](state, now, settings)


class TargetHealth:
    """What is known of one target: its breaker, and until when it rests and why."""

    __slots__ = ("breaker", "rest_reason", "resting_until")

    def __init__(self) -> None:
        self.breaker = CLOSED
        self.resting_until = 0.0
        self.rest_reason = ""

    def __repr__(self) -> str:
        return f"TargetHealth({self.breaker.phase}, resting_until={self.resting_until:.1f})"

    def refuses(self, now: float, settings: Breaker) -> tuple[str, float] | None:
        """Return why the target may not be asked now and the seconds until it may, or None if it may."""
        if now < self.resting_until:
            return self.rest_reason, self.resting_until - now
        if self.breaker is CLOSED:
            return None
        if self.breaker.phase == "open":
            if now < self.breaker.until:
                return "breaker_open", self.breaker.until - now
            self.breaker = advance(self.breaker, "cooled", now, settings)
        if self.breaker.phase == "half_open" and self.breaker.probing:
            return "breaker_probing", settings.open_for
        return None

    def asked(self, now: float, settings: Breaker) -> None:
        """Note that a call goes to this target; in the half-open phase it is the probe."""
        if self.breaker is not CLOSED:
            self.breaker = advance(self.breaker, "probed", now, settings)

    def heard(self, event: Event, now: float, settings: Breaker) -> bool:
        """Take how a call went; return whether the breaker's phase changed."""
        if self.breaker is CLOSED and event != "failed":
            return False
        before = self.breaker.phase
        self.breaker = advance(self.breaker, event, now, settings)
        return self.breaker.phase != before

    def told_open(self, seconds: float, now: float) -> None:
        """Take from elsewhere that the target fails: the breaker is open for this long, or longer if it is already."""
        if self.breaker.phase != "open" or self.breaker.until < now + seconds:
            self.breaker = BreakerState("open", until=now + seconds)

    def told_closed(self) -> None:
        """Take from elsewhere that a probe succeeded; failures of late are still counted."""
        if self.breaker.phase != "closed":
            self.breaker = CLOSED

    def rest(self, seconds: float | None, now: float, reason: str) -> float:
        """Leave the target alone for this long, never less than already promised; return the seconds."""
        wait = min(DEFAULT_REST if seconds is None else max(seconds, 0.0), LONGEST_REST)
        if now + wait <= self.resting_until:
            return self.resting_until - now
        self.resting_until, self.rest_reason = now + wait, reason
        return wait  # not the difference of the two times, which may be a little more, and 51 ms is told for 50
