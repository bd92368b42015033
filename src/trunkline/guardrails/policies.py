"""What is in force for a call: checks with where they look, what a finding leads to, and what a failure leads to.

Policies add up: those for all, of the tenant, of the route and of the request. Nobody can take one away.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final, Literal, final

from trunkline.guardrails.check import AskingCheck, Check, Hold, TextCheck, ToolCheck, routes_of

Action = Literal["block", "replace", "redact", "flag"]
# `judged` stands in no configuration: what a judge is sent of another call (`of_judges`).
Stage = Literal["input", "output", "answer", "tool_arguments", "tool_results", "transcript", "judged"]
OnFailure = Literal["block", "allow"]
When = Literal["sync", "after"]

STRICTNESS: Final[dict[str, int]] = {"flag": 0, "redact": 1, "replace": 2, "block": 3}
STOPPING: Final = frozenset({"block", "replace"})
SENT: Final = frozenset({"input", "tool_results", "transcript"})  # stages of what a provider is sent


@final
class Field:
    """A kind of text in a call: the stages that cover it, and the one that a record names."""

    __slots__ = ("name", "stages")

    def __init__(self, name: Stage, *more: Stage) -> None:
        self.name = name
        self.stages: frozenset[str] = frozenset((name, *more))


# What a client sends: what people and models have said, what the operator's prompt says, what tools have returned.
SAID: Final = Field("input", "transcript", "judged")
PROMPT: Final = Field("input")
TOOL_RESULT: Final = Field("tool_results", "input")
CALLED: Final = Field("input")
# What a model answers.
ANSWER: Final = Field("output", "transcript", "answer")
REFUSAL: Final = Field("output", "transcript")
REASONING: Final = Field("output")
ARGUMENTS: Final = Field("tool_arguments", "output")


@final
class Policy:
    """A check in force. Never changed.

    `sentence` is said in place of the rest of an answer where the action is `replace`, and put in place of a redacted
    span, where one is given; `finish_reason` is what a replaced answer ends with. For checks that ask are `timeout`, in
    seconds, `headers`, whose values are secrets, `routes`, those that they may ask, and `when`: what they say is waited
    for (`sync`), or they are asked `after` an answer has left, about what of it did.
    """

    __slots__ = (
        "action", "asking", "finish_reason", "headers", "name", "on_error", "on_unscannable", "routes", "sentence",
        "stages", "text", "timeout", "tools", "version", "when",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - what a configuration may say of a policy, by name
        self,
        name: str,
        version: str,
        check: Check,
        *,
        stages: Iterable[str] = ("input", "output"),
        action: Action = "block",
        sentence: str = "",
        finish_reason: str = "stop",
        on_error: OnFailure = "block",
        on_unscannable: OnFailure = "block",
        timeout: float = 2.0,
        headers: Mapping[str, str] | None = None,
        when: When = "sync",
    ) -> None:
        self.name, self.version = name, version
        self.text: TextCheck | None = check if hasattr(check, "scanner") else None  # type: ignore[assignment]
        self.tools: ToolCheck | None = check if hasattr(check, "examine") else None  # type: ignore[assignment]
        self.asking: AskingCheck | None = check if hasattr(check, "question") else None  # type: ignore[assignment]
        self.routes = routes_of(check)
        self.stages = frozenset(stages)
        self.action: Action = action
        self.sentence, self.finish_reason = sentence, finish_reason
        self.on_error, self.on_unscannable = on_error, on_unscannable
        self.timeout = timeout
        self.headers: dict[str, str] = dict(headers or {})
        self.when: When = when

    def covers(self, field: Field) -> bool:
        """Whether the policy looks at this kind of text."""
        return not self.stages.isdisjoint(field.stages)

    @property
    def full_name(self) -> str:
        """The name with the version, as records have it."""
        return f"{self.name}@{self.version}"

    @property
    def stopping(self) -> Action:
        """What happens where the policy has to stop a call, whatever its usual action is."""
        return self.action if self.action in STOPPING else "block"


@final
class Policies:
    """All that is in force for the calls of one plan, sorted by what they look at. Never changed.

    `names` are theirs with their versions, `digest` stands for them; `hold` is for checks that look at units of text.
    What looks at which text is told of those of one `when` alone; those that look when all has left are in `after`.
    """

    __slots__ = ("after", "answer", "arguments", "called", "digest", "every", "hold", "input", "names", "output",
                 "prompt", "reasoning", "refusal", "said", "tool_result")  # fmt: skip

    def __init__(self, policies: Iterable[Policy], hold: Hold = "sentence", when: When = "sync") -> None:
        found: dict[str, Policy] = {}
        for policy in policies:
            found.setdefault(policy.name, policy)
        every = tuple(found.values())
        self.hold: Hold = hold
        self.every = every
        self.names = tuple([policy.full_name for policy in every])
        self.digest = hashlib.sha256("\n".join(self.names).encode()).digest()
        others = [policy for policy in every if policy.when != when]
        self.after: Policies | None = Policies(others, hold, "after") if others and when == "sync" else None
        looking = tuple([policy for policy in every if policy.when == when])
        self.said, self.prompt = _covering(looking, SAID), _covering(looking, PROMPT)
        self.tool_result, self.called = _covering(looking, TOOL_RESULT), _covering(looking, CALLED)
        self.answer, self.refusal = _covering(looking, ANSWER), _covering(looking, REFUSAL)
        self.reasoning = _covering(looking, REASONING)
        self.arguments = _covering(looking, ARGUMENTS)
        self.input = bool(self.said or self.prompt or self.tool_result or self.called)
        self.output = bool(self.answer or self.reasoning or self.arguments)


def of_judges(policies: Iterable[Policy]) -> Policies | None:
    """Return what is in force for a call in which a judge is asked about a text, where these are for the text's call.

    They are those that keep something from a provider by editing it; a judge is at a provider too. None of them asks
    anybody, so that judges have no judges, and none looks at the judge's instructions or at its verdict. Those that
    stop calls do so in the call whose text it is: here they would stop the judge.
    """
    kept = [
        Policy(
            policy.name,
            policy.version,
            policy.text,
            stages=("judged",),
            action="redact",
            sentence=policy.sentence,
            on_error=policy.on_error,
        )
        for policy in policies
        if policy.text is not None and policy.action == "redact" and not policy.stages.isdisjoint(SENT)
    ]
    return Policies(kept) if kept else None


def _covering(policies: tuple[Policy, ...], field: Field) -> tuple[Policy, ...]:
    return tuple(policy for policy in policies if policy.covers(field))
