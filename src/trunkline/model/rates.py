"""What a provider's answer says of the rate that it still allows the account."""

import msgspec


class Standing(msgspec.Struct, frozen=True, gc=False):
    """One measure: `limit` units when nothing is in use, `remaining` of them now, all again in `reset` seconds."""

    limit: int
    remaining: int
    reset: float | None = None


class ProviderRate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """All that one answer says; None where it says nothing. `tokens` are those of prompts and answers together.

    What remains also counts what others have used of the same account.
    """

    requests: Standing | None = None
    tokens: Standing | None = None
    input_tokens: Standing | None = None
    output_tokens: Standing | None = None
