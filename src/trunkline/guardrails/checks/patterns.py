"""The check `patterns`: an operator's own expressions and lists of words."""

from typing import Annotated, Final

import msgspec

from trunkline.guardrails.check import BadSettings, CheckKind
from trunkline.guardrails.expressions import BadExpression, Expression, any_of, expression, words
from trunkline.guardrails.patterns import CAP, PatternCheck, Rule

MOST_RULES: Final = 200
MOST_WORDS: Final = 2000
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class RuleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule: what it is called in findings, and an expression, or words and phrases, that it finds.

    `cap` is how many characters a match may have, where nothing in the expression bounds it.
    """

    name: Name
    expression: str | None = None
    words: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MOST_WORDS)] | None = None
    cap: Annotated[int, msgspec.Meta(ge=1, le=4096)] = CAP
    why: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules of a policy."""

    rules: Annotated[list[RuleSettings], msgspec.Meta(min_length=1, max_length=MOST_RULES)]


def make(settings: Settings) -> PatternCheck:
    """Return the check with these rules. Raises BadSettings."""
    rules: list[Rule] = []
    for place, said in enumerate(settings.rules):
        try:
            rules.append(Rule(said.name, _expression(said), said.why, cap=said.cap))
        except BadExpression as error:
            raise BadSettings("rules", f"rule {place + 1}, `{said.name}`: {error}") from None
    try:
        return PatternCheck(rules)
    except BadExpression as error:
        raise BadSettings("rules", f"all rules together: {error}") from None


def _expression(said: RuleSettings) -> Expression:
    if said.expression is not None and said.words is None:
        return expression(said.expression)
    if said.words is None or said.expression is not None:
        raise BadExpression("it must have an `expression` or `words`, and not both")
    return any_of([words(word) for word in dict.fromkeys(said.words)])


KIND: Final = CheckKind(Settings, make)
