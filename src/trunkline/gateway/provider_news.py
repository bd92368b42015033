"""What calls find out about providers, on its way to whom it concerns: the operator and the other workers."""

from collections.abc import Callable, Mapping
from typing import Final

from trunkline.channel.messages import BreakerTurned, CapacityHeard, Heard, KeyRefused, TargetRests, UserAsked
from trunkline.gateway.attempt import RefusedKey
from trunkline.gateway.in_force import PlannedTarget
from trunkline.gateway.upstreams import Upstream
from trunkline.operations import OperationalLog
from trunkline.policy.fairness.account import Share
from trunkline.policy.health import UNAUTHORIZED_REST, TargetHealth
from trunkline.policy.limits.moment import Moment

# Many calls in flight hear the same at once: what ends less than this later than told already is no news. Seconds.
STEP: Final = 0.05
MOST_TOLD: Final = 10_000


class ProviderNews:
    """Says what was found out: a line for the operator, and by `tell`, which must not raise, to the other workers.

    `digest` names the snapshot of the call that found it out: to a worker that has another one it may be no longer
    true. Times are monotonic seconds.
    """

    def __init__(self, operations: OperationalLog, tell: Callable[[Heard], None]) -> None:
        self._operations, self._tell = operations, tell
        self._told: dict[tuple[str, str], float] = {}  # what holds until when, as others know it

    def breaker_turned(self, planned: PlannedTarget, now: float, digest: str) -> None:
        """A target's breaker has changed its phase."""
        target, breaker = planned.target.name, planned.health.breaker
        self._operations.event("warning", "breaker", target=target, phase=breaker.phase)
        self._tell(Heard(digest, BreakerTurned(target, breaker.until - now if breaker.phase == "open" else 0.0)))

    def rests(self, planned: PlannedTarget, seconds: float, now: float, digest: str) -> None:
        """A provider has asked for a rest of so many seconds."""
        self._operations.event("warning", "target_rests", target=planned.target.name, seconds=round(seconds, 1))
        self._tell_rest(planned, seconds, now, digest)

    def is_out(self, planned: PlannedTarget, reason: str, now: float, digest: str) -> None:
        """A provider has refused the last of an account's keys."""
        self._operations.event("error", "target_out", target=planned.target.name, reason=reason)
        self._tell_rest(planned, UNAUTHORIZED_REST, now, digest)

    def key_is_out(self, planned: PlannedTarget, key: RefusedKey | None, reason: str, now: float, digest: str) -> None:
        """A provider has refused one of an account's keys, and another one is left."""
        self._operations.event("error", "key_out", target=planned.target.name, reason=reason)
        if key is not None and self._is_new((key.name, key.model or ""), now + UNAUTHORIZED_REST):
            self._tell(Heard(digest, KeyRefused(planned.target.provider, key.name, key.model)))

    def is_wrong(self, planned: PlannedTarget, reason: str) -> None:
        """A provider does not know what it was asked for: that is for the operator alone."""
        self._operations.event("error", "target_wrong", target=planned.target.name, reason=reason)

    def user_asked(self, planned: PlannedTarget, user: str | None, digest: str) -> None:
        """A user has asked for a place at a target: that counts in the shares of all workers."""
        provider, terms = planned.target.provider, planned.terms
        self._tell(Heard(digest, UserAsked(provider, planned.target.model, terms.tenant, terms.weight, user or "")))

    def capacity_heard(self, planned: PlannedTarget, requests: int, tokens: int, digest: str) -> None:
        """A provider has said what it allows, for the first time or otherwise than before."""
        target = planned.target
        self._tell(Heard(digest, CapacityHeard(target.provider, target.model, requests, tokens)))

    def _tell_rest(self, planned: PlannedTarget, seconds: float, now: float, digest: str) -> None:
        target, reason = planned.target.name, planned.health.rest_reason
        if self._is_new((target, reason), now + seconds):
            self._tell(Heard(digest, TargetRests(target, seconds, reason)))

    def _is_new(self, what: tuple[str, str], until: float) -> bool:
        told = self._told.get(what)
        if told is not None and until < told + STEP:
            return False
        if len(self._told) >= MOST_TOLD:
            self._told.clear()  # to tell it once more does no harm
        self._told[what] = until
        return True


def take(
    news: TargetRests | KeyRefused | BreakerTurned,
    health_of: Callable[[str], TargetHealth],
    upstreams: Mapping[str, Upstream],
    now: float,
) -> None:
    """Believe what another worker, with the same snapshot in force, has found out of a target's health."""
    if isinstance(news, TargetRests):
        health_of(news.target).rest(news.seconds, now, news.reason)
    elif isinstance(news, KeyRefused):
        upstream = upstreams.get(news.provider)
        if upstream is not None:
            upstream.refuse_named(news.key, news.model, now)
    elif news.seconds > 0.0:
        health_of(news.target).told_open(news.seconds, now)
    else:
        health_of(news.target).told_closed()


def take_of_share(news: UserAsked | CapacityHeard, upstreams: Mapping[str, Upstream], now: Moment) -> Share | None:
    """Take note of who shares a provider's capacity, or of what it is, as another worker has found out.

    Returns the share of which a capacity was heard.
    """
    upstream = upstreams.get(news.provider)
    if upstream is None:
        return None
    share = upstream.account.of(news.model)
    if isinstance(news, UserAsked):
        share.note(news.tenant, news.weight, news.user, now)
        return None
    share.hear_limits(news.requests, news.tokens, now.monotonic)
    return share
