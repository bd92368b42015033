"""What policies would have done to past calls, added up by policy and rule; as large for a million calls as for ten."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from trunkline.guardrails.excerpts import Hiding, excerpt, marker_of
from trunkline.guardrails.hindsight import Hindsight
from trunkline.guardrails.policies import STRICTNESS
from trunkline.guardrails.watched import UNSCANNABLE, Fired
from trunkline.ledger.place_answers import CallPlace

MOST_ROWS: Final = 1_000  # a plugin's check may have any number of rules
TRIES: Final = 20  # for each example that is wanted: how many findings are read until one has other words
ANSWER: Final = "choices["  # how the place of a finding in an answer begins
Change = Literal["new", "no_more", "as_before"]
# Which examples are shown rather than others.
_FIRST: Final[tuple[Change, ...]] = ("new", "no_more", "as_before")
_WORDS: Final = {
    "block": "blocked",
    "replace": "replaced",
    "redact": "redacted",
    "flag": "flagged",
    "bypass": "bypassed",
}


class Example(msgspec.Struct, frozen=True):
    """A finding: in which call, when, where, and the words around it as far as they may be seen.

    `change` says whether the call's record has one of this policy and rule: `new` where it has none, `no_more` where
    only the record has one. `start` and `end` are characters of the text at `where`.
    """

    call: str
    at: str
    where: str
    start: int
    end: int
    change: Change
    excerpt: str
    why: str = ""


class Row(msgspec.Struct, frozen=True):
    """What a rule of a policy would have found, and what would have come of it.

    `calls` are those with such a finding; `new` of them have none in their record, and `no_more` others have one only
    there. `action` is one, or several where a check could not always be made.
    """

    policy: str
    rule: str
    action: str
    calls: int
    findings: int
    on_input: int
    on_output: int
    new: int
    no_more: int
    examples: tuple[Example, ...]


class Recorded(msgspec.Struct, frozen=True):
    """A finding as the record of a call has it."""

    policy: str
    rule: str
    action: str
    where: str
    start: int
    end: int


class Past(msgspec.Struct, frozen=True):
    """A call looked at again: how, and what its record says was found then.

    `recorded` is None where that is not known. `whole` says whether all findings are in the record.
    """

    place: CallPlace
    seen: Hindsight
    recorded: tuple[Recorded, ...] | None
    whole: bool = True


class _Sum:
    def __init__(self) -> None:
        self.actions: dict[str, None] = {}
        self.calls = self.findings = self.on_input = self.on_output = self.new = self.no_more = 0
        self.examples: dict[Change, list[Example]] = {change: [] for change in _FIRST}
        self.tries: dict[Change, int] = dict.fromkeys(_FIRST, 0)

    def wants(self, change: Change, most: int) -> bool:
        """Whether another finding is to be read for an example; not all of a million that have the same words."""
        return len(self.examples[change]) < most and self.tries[change] < most * TRIES

    def take(self, example: Example) -> None:
        """Keep an example unless there is one like it: what is said in every turn is sent with every turn."""
        examples = self.examples[example.change]
        self.tries[example.change] += 1
        if not example.excerpt or all(other.excerpt != example.excerpt for other in examples):
            examples.append(example)


class Tally:
    """Adds up; `hiding` says what no example may show, `secret` names the policies whose findings none may show."""

    def __init__(self, most_examples: int, hiding: Sequence[Hiding], secret: Mapping[str, str]) -> None:
        self._most_examples, self._hiding, self._secret = most_examples, hiding, secret
        self._sums: dict[tuple[str, str], _Sum] = {}
        self.effects = dict.fromkeys(_WORDS.values(), 0)  # calls, by the strictest that would have come of one
        self.left_out = 0  # findings of rules beyond the most

    def take(self, past: Past) -> None:
        """Add a call."""
        fired: dict[tuple[str, str], list[Fired]] = {}
        for one in past.seen.fired:
            fired.setdefault((one.policy.name, one.found.rule), []).append(one)
        before: dict[tuple[str, str], list[Recorded]] = {}
        for found in past.recorded or ():
            before.setdefault((found.policy, found.rule), []).append(found)
        if past.seen.effect:
            self.effects[_WORDS[past.seen.effect]] += 1
        for key, findings in fired.items():
            known = past.recorded is None or not past.whole or key in before
            self._add(key, findings, past, "as_before" if known else "new")
        for key, recorded in before.items():
            if key not in fired:
                self._miss(key, recorded[0], past)

    def rows(self) -> tuple[Row, ...]:
        """Return the rows, those with the most calls first."""
        rows = [
            Row(
                policy, rule, ", ".join(sorted(one.actions, key=_strictness, reverse=True)) or "-", one.calls,
                one.findings, one.on_input, one.on_output, one.new, one.no_more, self._examples(one),
            )
            for (policy, rule), one in self._sums.items()
        ]  # fmt: skip
        return tuple(sorted(rows, key=lambda row: (-row.calls, -row.no_more, row.policy, row.rule)))

    def _examples(self, one: _Sum) -> tuple[Example, ...]:
        return tuple([example for change in _FIRST for example in one.examples[change]][: self._most_examples])

    def _add(self, key: tuple[str, str], findings: Sequence[Fired], past: Past, change: Change) -> None:
        one = self._sum(key)
        if one is None:
            self.left_out += len(findings)
            return
        one.calls += 1
        one.new += change == "new"
        one.findings += len(findings)
        answers = sum(fired.where.startswith(ANSWER) for fired in findings)
        one.on_output += answers
        one.on_input += len(findings) - answers
        for fired in findings:
            one.actions[fired.action] = None
        for fired in findings:
            if not one.wants(change, self._most_examples):
                break
            found = fired.found
            place = (fired.where, found.start, found.end)
            words = self._words(past, key, fired.action, *place)
            one.take(Example(past.place.call, past.place.at, *place, change, words, found.why))

    def _miss(self, key: tuple[str, str], found: Recorded, past: Past) -> None:
        one = self._sum(key)
        if one is None:
            self.left_out += 1
            return
        one.no_more += 1
        if one.wants("no_more", self._most_examples):
            place = (found.where, found.start, found.end)
            words = self._words(past, key, found.action, *place)
            one.take(Example(past.place.call, past.place.at, *place, "no_more", words))

    def _words(self, past: Past, key: tuple[str, str], action: str, where: str, start: int, end: int) -> str:
        policy, rule = key
        if rule == UNSCANNABLE:
            return ""
        hidden = policy in self._secret or action == "redact"
        marker = (self._secret.get(policy) or marker_of(rule)) if hidden else ""
        return excerpt(past.seen.text_at(where), start, end, self._hiding, marker)

    def _sum(self, key: tuple[str, str]) -> _Sum | None:
        if key not in self._sums and len(self._sums) >= MOST_ROWS:
            return None
        return self._sums.setdefault(key, _Sum())


def recorded_findings(ended: Mapping[str, Any], compared: Iterable[str] | None) -> tuple[Recorded, ...]:
    """Return what the record of a call's end has, of these policies or of all. Raises msgspec.ValidationError."""
    names = None if compared is None else frozenset(compared)
    found = msgspec.convert(ended.get("findings", ()), tuple[Recorded, ...])
    return tuple(one for one in found if names is None or one.policy in names)


def _strictness(action: str) -> int:
    return STRICTNESS.get(action, -1)
