"""What an answer begins and ends with, whichever form it has, before it is OpenAI's JSON."""

import msgspec

from trunkline.model.delta import Usage


class AnswerHead(msgspec.Struct, frozen=True):
    """What every chunk of an answer repeats: `id` is ``chatcmpl-<call id>``, `created` a Unix second."""

    id: str
    created: int
    model: str


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """What is known only at the end of a call. Times are milliseconds, `cost` is USD in plain decimal digits.

    `estimated`: usage and cost are, because the provider did not say what it used.
    """

    outcome: str
    guardrail: str | None = None
    attempts: int
    hold_ms: float = 0.0
    overhead_ms: float
    usage: Usage | None = None
    cost: str | None = None
    estimated: bool = False
