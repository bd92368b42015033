"""Estimates that learn: what a call will need, from what calls have needed.

Providers count with tokenizers of their own, so characters per token are learned per model, from the prompts that were
counted. How long an answer gets is learned per tenant and route: the 90th percentile of what came, so that one call in
ten needs more than was reserved for it. Both start from a guess and forget slowly.
"""

from typing import Final, final

# The guess weighs as much as so many tokens that were counted.
GUESS_WEIGHT: Final = 2000.0
FORGET_ABOVE: Final = 200_000.0  # tokens; then what was counted before weighs half
LEAST, MOST = 0.2, 5.0  # times the guess; beyond it is no tokenizer but a provider's mistake
# Sub-ranges of answers: eight to each doubling, so that a percentile is at most a tenth too high.
STEPS_PER_DOUBLING: Final = 8
DOUBLINGS: Final = 20
FORGET_AFTER: Final = 2000  # answers; then what came before weighs half
ENOUGH: Final = 20  # answers, before a percentile is believed
PERCENTILE: Final = 0.9
NEWS_PART: Final = 100  # a percentile is looked up again when one answer in a hundred is new


@final
class TokenRatio:
    """How many tokens a provider counts for each token that the guess expects."""

    __slots__ = ("_counted", "_guessed")

    def __init__(self) -> None:
        self._guessed = self._counted = GUESS_WEIGHT

    def learn(self, guessed: int, counted: int) -> None:
        """Take note of a prompt that was guessed and then counted."""
        if guessed <= 0 or counted <= 0:
            return
        # One long prompt in a strange script may not decide alone.
        weight = min(1.0, FORGET_ABOVE / 4 / guessed)
        self._guessed += guessed * weight
        self._counted += min(max(counted, guessed * LEAST), guessed * MOST) * weight
        if self._guessed > FORGET_ABOVE:
            self._guessed /= 2
            self._counted /= 2

    def expect(self, guessed: int) -> int:
        """Return the tokens to expect, at least one."""
        return max(1, -int(-guessed * self._counted // self._guessed))


@final
class AnswerLengths:
    """The answers of one tenant on one route, by length in tokens."""

    __slots__ = ("_count", "_counts", "_expected", "_news")

    def __init__(self) -> None:
        self._counts = [0.0] * (DOUBLINGS * STEPS_PER_DOUBLING)
        self._count = 0.0
        self._expected, self._news = 0, 0

    def learn(self, tokens: int) -> None:
        """Take note of a whole answer."""
        self._counts[_step_of(tokens)] += 1.0
        self._count += 1.0
        self._news += 1
        if self._count > FORGET_AFTER:
            self._counts = [count / 2 for count in self._counts]
            self._count = sum(self._counts)

    def expect(self, guess: int) -> int:
        """Return the tokens that nine answers of ten do not exceed; the guess until enough have come."""
        if self._count < ENOUGH:
            return guess
        if self._news * NEWS_PART > self._count:
            self._expected, self._news = self._percentile(), 0
        return self._expected

    def _percentile(self) -> int:
        left = self._count * PERCENTILE
        for step, count in enumerate(self._counts):
            left -= count
            if left <= 0:
                return _most_of(step)
        return _most_of(len(self._counts) - 1)


@final
class Learning:
    """All that one process has learned; bounded by the models, tenants and routes that the configuration names."""

    __slots__ = ("_lengths", "_ratios")

    def __init__(self) -> None:
        self._ratios: dict[str, TokenRatio] = {}
        self._lengths: dict[tuple[str, str], AnswerLengths] = {}

    def ratio(self, model: str) -> TokenRatio:
        """Return what is known of a model's tokenizer; `model` is `provider/model`."""
        ratio = self._ratios.get(model)
        if ratio is None:
            ratio = self._ratios[model] = TokenRatio()
        return ratio

    def lengths(self, tenant: str, route: str) -> AnswerLengths:
        """Return what is known of the answers that a tenant gets on a route."""
        lengths = self._lengths.get((tenant, route))
        if lengths is None:
            lengths = self._lengths[tenant, route] = AnswerLengths()
        return lengths


def _step_of(tokens: int) -> int:
    doubling = max(1, tokens).bit_length() - 1
    within = ((max(1, tokens) << STEPS_PER_DOUBLING.bit_length() - 1) >> doubling) - STEPS_PER_DOUBLING
    return min(doubling * STEPS_PER_DOUBLING + within, DOUBLINGS * STEPS_PER_DOUBLING - 1)


def _most_of(step: int) -> int:
    """Return the largest number of tokens in a step."""
    doubling, within = divmod(step, STEPS_PER_DOUBLING)
    return max(1, -(-((STEPS_PER_DOUBLING + within + 1) << doubling) // STEPS_PER_DOUBLING) - 1)
