"""An account at a provider, as the targets that use it ask for their share of it.

A configured capacity is the account's: all its models share one pool. What is learned from answers is of one model, for
that is how OpenAI and Anthropic limit (where models share a limit, the answers of each say so): each has a pool of its
own. Where a capacity is configured, what the provider says only tells whether there is room.
"""

from typing import Final, final

from trunkline.model.rates import ProviderRate, Standing
from trunkline.policy.fairness.pool import Pool, Refused, Taken, Terms
from trunkline.policy.fairness.told import Told
from trunkline.policy.limits.moment import Moment

LISTEN_EVERY: Final = 0.1  # seconds: what an answer says is carried on until then, unless little is left


@final
class Ticket:
    """One call's place: what it has taken, to be settled or given back once, and what it had asked in all by then."""

    __slots__ = ("_answer", "_input", "_output", "_prompt", "_requests", "_share", "_taken", "_tokens")

    def __init__(self, share: "Share", taken: Taken | None, prompt: int, answer: int, now: Moment) -> None:
        at = now.monotonic
        self._share, self._taken = share, taken
        self._requests = share.requests.spend(1, at)
        self._tokens = share.tokens.spend(prompt + answer, at)
        self._input = share.input_tokens.spend(prompt, at)
        self._output = share.output_tokens.spend(answer, at)
        self._prompt, self._answer = prompt, answer

    def settle(self, used: int, now: Moment) -> None:
        """Take the tokens that the call has used in the end."""
        if self._taken is not None:
            self._taken.settle(used, now)

    def give_back(self, now: Moment) -> None:
        """Take note that the call has never left."""
        taken, share, self._taken = self._taken, self._share, None
        if taken is not None:
            taken.give_back(now)
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


def _hear(told: Told, standing: Standing | None, spent_then: int, now: float) -> None:
    if standing is not None:
        told.hear(standing.limit, standing.remaining, standing.reset, spent_then, now)


@final
class Share:
    """One model of an account: what the provider says of it, and the pool that its calls take from."""

    __slots__ = ("_account", "_listened", "_own", "input_tokens", "output_tokens", "requests", "tokens")

    def __init__(self, account: Pool) -> None:
        self._account, self._own = account, Pool()
        self.requests, self.tokens, self.input_tokens, self.output_tokens = Told(), Told(), Told(), Told()
        self._listened = -LISTEN_EVERY

    def ask(self, terms: Terms, user: str | None, prompt: int, answer: int, now: Moment) -> Ticket | Refused:
        """Take a place for one call with so many tokens, or return why it may not go there now.

        Who asks counts as active either way. A ticket has to be settled, or given back where the call never leaves.
        """
        at = now.monotonic
        requests, tokens, pool = terms.requests, terms.tokens, self._account
        if not requests and not tokens:
            requests, tokens, pool = self.requests.limit(at), self.tokens.limit(at), self._own
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

    __slots__ = ("_models", "_pool")

    def __init__(self) -> None:
        self._pool = Pool()
        self._models: dict[str, Share] = {}

    def of(self, model: str) -> Share:
        """Return the share of a model; there are as many as the configuration names."""
        share = self._models.get(model)
        if share is None:
            share = self._models[model] = Share(self._pool)
        return share
