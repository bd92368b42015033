"""An account at a provider, as the targets that use it ask for their share of it.

A configured capacity is the account's: all its models share one pool. What is learned from answers is of one model, for
that is how OpenAI and Anthropic limit (where models share a limit, the answers of each say so): each has a pool of its
own. Where a capacity is configured, what the provider says only tells whether there is room.
"""

from typing import Final, Protocol, final

from trunkline.model.rates import ProviderRate, Standing
from trunkline.policy.fairness.division import Division, DivisionRules
from trunkline.policy.fairness.party import WINDOW
from trunkline.policy.fairness.pool import Pool, Refused, Taken, Terms
from trunkline.policy.fairness.told import STALE, Told
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import Claim, Measure
from trunkline.policy.limits.window import Window

LISTEN_EVERY: Final = 0.1  # seconds: what an answer says is carried on until then, unless little is left


class Grant(Protocol):
    """What a call was granted where a capacity is divided over many workers; to be ended once."""

    def settle(self, used: int, now: Moment) -> None:
        """Take the tokens that were used in the end."""

    def give_back(self, now: Moment) -> None:
        """Take note that the call has never left."""


@final
class Ticket:
    """One call's place: what it has taken, to be settled or given back once, and what it had asked in all by then."""

    __slots__ = ("_answer", "_grant", "_input", "_output", "_prompt", "_requests", "_share", "_taken", "_tokens")

    def __init__(
        self, share: "Share", taken: Taken | None, prompt: int, answer: int, now: Moment, grant: Grant | None = None
    ) -> None:
        at = now.monotonic
        self._share, self._taken, self._grant = share, taken, grant
        self._requests = share.requests.spend(1, at)
        self._tokens = share.tokens.spend(prompt + answer, at)
        self._input = share.input_tokens.spend(prompt, at)
        self._output = share.output_tokens.spend(answer, at)
        self._prompt, self._answer = prompt, answer

    def settle(self, used: int | None, now: Moment) -> None:
        """Take the tokens that the call has used in the end; None where nobody knows, and it is what was expected."""
        tokens = self._prompt + self._answer if used is None else used
        if self._taken is not None:
            self._taken.settle(tokens, now)
        if self._grant is not None:
            self._grant.settle(tokens, now)

    def give_back(self, now: Moment) -> None:
        """Take note that the call has never left."""
        taken, share, self._taken = self._taken, self._share, None
        if taken is not None:
            taken.give_back(now)
        if self._grant is not None:
            self._grant.give_back(now)
        share.requests.give_back(1)
        share.tokens.give_back(self._prompt + self._answer)
        share.input_tokens.give_back(self._prompt)
        share.output_tokens.give_back(self._answer)

    def hear(self, rate: ProviderRate, now: Moment) -> None:
        """Take what the call's answer says of the account."""
        share, at = self._share, now.monotonic
        known = share.requests.limit(at) > 0 or share.tokens.limit(at) > 0
        _hear(share.requests, rate.requests, self._requests, at)
        _hear(share.tokens, rate.tokens, self._tokens, at)
        _hear(share.input_tokens, rate.input_tokens, self._input, at)
        _hear(share.output_tokens, rate.output_tokens, self._output, at)
        if not known:
            share.begin(now)


@final
class Unclaimed:
    """What was sent while no capacity was known, so that nobody was asked for a place: requests and tokens."""

    __slots__ = ("requests", "tokens")

    def __init__(self) -> None:
        self.requests, self.tokens = Window(WINDOW), Window(WINDOW)

    def send(self, tokens: int, now: Moment) -> "Sent":
        """Count a call with so many tokens; the grant that is returned ends it."""
        mark = self.requests.take(1, now)
        self.tokens.take(tokens, now)
        return Sent(self, mark, tokens)


@final
class Sent:
    """A call that was sent without a place, as a ticket ends it."""

    __slots__ = ("_mark", "_tokens", "_unclaimed")

    def __init__(self, unclaimed: Unclaimed, mark: int, tokens: int) -> None:
        self._unclaimed, self._mark, self._tokens = unclaimed, mark, tokens

    def settle(self, used: int, now: Moment) -> None:
        """Take the tokens that were used in the end."""
        self._unclaimed.tokens.settle(self._mark, self._tokens, used, now)

    def give_back(self, now: Moment) -> None:
        """Take note that the call has never left."""
        self._unclaimed.requests.release(self._mark, 1, now)
        self._unclaimed.tokens.release(self._mark, self._tokens, now)


def _hear(told: Told, standing: Standing | None, spent_then: int, now: float) -> None:
    if standing is not None:
        told.hear(standing.limit, standing.remaining, standing.reset, spent_then, now)


@final
class Share:
    """One model of an account: what the provider says of it, and the pool that its calls take from."""

    __slots__ = ("_account", "_heard", "_heard_at", "_listened", "_of_account", "_of_own", "_own", "_unclaimed",
                 "input_tokens", "output_tokens", "requests", "tokens")  # fmt: skip

    def __init__(self, account: Pool, of_account: DivisionRules, of_own: DivisionRules) -> None:
        self._account, self._own = account, Pool()
        self._of_account, self._of_own = of_account, of_own
        self._heard, self._heard_at = (0, 0), -STALE  # requests and tokens a minute, as another worker was told
        self.requests, self.tokens, self.input_tokens, self.output_tokens = Told(), Told(), Told(), Told()
        self._listened = -LISTEN_EVERY
        self._unclaimed = Unclaimed()

    def ask(
        self, terms: Terms, user: str | None, prompt: int, answer: int, now: Moment, parts: int = 1
    ) -> Ticket | Refused:
        """Take a place for one call with so many tokens, or return why it may not go there now.

        Who asks counts as active either way. A ticket has to be settled, or given back where the call never leaves.
        A worker that cannot ask the others uses one of so many parts of the capacity.
        """
        at = now.monotonic
        requests, tokens, pool = self._capacity(terms, at)
        if parts > 1:
            requests, tokens = _part(requests, parts), _part(tokens, parts)
        refused = self._predicted(prompt, answer, at)
        asking = pool.asking(terms, user, now) if requests or tokens else None
        if asking is not None and requests:
            refused = _graver(refused, pool.requests.refusal(1, requests, self.requests, asking, now))
        if asking is not None and tokens:
            refused = _graver(refused, pool.tokens.refusal(prompt + answer, tokens, self.tokens, asking, now))
        if refused is not None:
            return refused
        taken = Taken(pool, asking, prompt + answer, now) if asking is not None else None
        return Ticket(self, taken, prompt, answer, now)

    def divide(
        self, terms: Terms, user: str | None, prompt: int, answer: int, now: Moment
    ) -> Division | Ticket | Refused:
        """Return what to ask where all workers share the capacity; a ticket or a refusal where there is nothing to ask.

        Who asks counts as active either way.
        """
        at = now.monotonic
        requests, tokens, pool = self._capacity(terms, at)
        refused = self._predicted(prompt, answer, at)
        if not requests and not tokens:
            if refused is not None:
                return refused
            return Ticket(self, None, prompt, answer, now, self._unclaimed.send(prompt + answer, now))
        asking = pool.asking(terms, user, now)
        if refused is not None:
            return refused
        little_left = max(self.requests.wait(1, at, reserve=True), self.tokens.wait(prompt + answer, at, reserve=True))
        rules = self._of_account if pool is self._account else self._of_own
        return Division(pool, rules, asking, (requests, tokens), prompt + answer, little_left)

    def granted(self, division: Division, prompt: int, answer: int, grant: Grant, now: Moment) -> Ticket:
        """Return the ticket of a call that was granted its place among all workers."""
        return Ticket(self, Taken(division.pool, division.asking, prompt + answer, now), prompt, answer, now, grant)

    def claim_unclaimed(self, now: Moment) -> list[tuple[Claim, int]]:
        """Return what this worker has sent before there was a capacity, as units to charge the counters of all with.

        They are returned once. What was sent in the last window counts from now: longer than it has to, by a window at
        most.
        """
        unclaimed, self._unclaimed = self._unclaimed, Unclaimed()
        requests, tokens, _ = self._capacity(Terms(""), now.monotonic)
        found: list[tuple[Claim, int]] = []
        measures: list[tuple[Measure, int, Window]] = [
            ("requests", requests, unclaimed.requests),
            ("tokens", tokens, unclaimed.tokens),
        ]
        for measure, capacity, window in measures:
            units = window.used(now)
            if capacity > 0 and units > 0:
                found.append((self._of_own.of_all(measure, capacity, ahead=False), units))
        return found

    def is_news(self, terms: Terms, user: str | None, now: Moment) -> bool:
        """Whether the other workers may not know that this user has asked within this minute."""
        requests, tokens, pool = self._capacity(terms, now.monotonic)
        return bool(requests or tokens) and not pool.knows(terms.tenant, user, now)

    def note(self, tenant: str, weight: int, user: str, now: Moment) -> None:
        """Note that a user of a tenant has asked at another worker."""
        self._account.note(tenant, weight, user, now)
        self._own.note(tenant, weight, user, now)

    def learned(self, now: float) -> tuple[int, int]:
        """Return the requests and tokens a minute that the provider has said it allows, 0 for what it has not."""
        return self.requests.limit(now), self.tokens.limit(now)

    def hear_limits(self, requests: int, tokens: int, now: float) -> None:
        """Take note of what the provider has said to another worker."""
        self._heard, self._heard_at = (requests, tokens), now

    def _capacity(self, terms: Terms, now: float) -> tuple[int, int, Pool]:
        """Return the requests and tokens a minute that are to be shared, and who shares them."""
        if terms.requests or terms.tokens:
            return terms.requests, terms.tokens, self._account
        requests, tokens = self.learned(now)
        if not requests and not tokens and now - self._heard_at < STALE:
            requests, tokens = self._heard
        return requests, tokens, self._own

    def begin(self, now: Moment) -> None:
        """Count what the provider says is in use as sent just now: before it was heard of, nothing was counted."""
        self._own.requests.sent.take(self.requests.used(now.monotonic), now)
        self._own.tokens.sent.take(self.tokens.used(now.monotonic), now)

    def listens(self, now: float) -> bool:
        """Return whether the next answer's head is to be read: ten times a second, or always where little is left."""
        if now - self._listened < LISTEN_EVERY and not (self.requests.low(now) or self.tokens.low(now)):
            return False
        self._listened = now
        return True

    def _predicted(self, prompt: int, answer: int, now: float) -> Refused | None:
        """Return the refusal that the provider would answer with, by what it has said, or None."""
        for told, units, measure in (
            (self.requests, 1, "requests"),
            (self.tokens, prompt + answer, "tokens"),
            (self.input_tokens, prompt, "input tokens"),
            (self.output_tokens, answer, "output tokens"),
        ):
            wait = told.wait(units, now)
            if wait > 0.0:
                limit = told.limit(now)
                return Refused(over_share=False, wait=wait, limit=limit, capacity=limit, measure=measure)
        return None


def _part(capacity: int, parts: int) -> int:
    """Return one worker's part of a capacity, at least one unit; 0 for none that is known."""
    return max(1, capacity // parts) if capacity else 0


def _graver(one: Refused | None, other: Refused | None) -> Refused | None:
    """Return the refusal that says more: over the share before no room, then the longer wait."""
    if one is None or other is None:
        return one or other
    first, second = (one, other) if (one.over_share, one.wait) >= (other.over_share, other.wait) else (other, one)
    first.wait = max(first.wait, second.wait)
    return first


@final
class Account:
    """All that is known of one provider's account, by model."""

    __slots__ = ("_models", "_name", "_pool", "_rules")

    def __init__(self, name: str) -> None:
        self._name, self._pool, self._rules = name, Pool(), DivisionRules(name)
        self._models: dict[str, Share] = {}

    def of(self, model: str) -> Share:
        """Return the share of a model; there are as many as the configuration names."""
        share = self._models.get(model)
        if share is None:
            share = self._models[model] = Share(self._pool, self._rules, DivisionRules(f"{self._name}/{model}"))
        return share
