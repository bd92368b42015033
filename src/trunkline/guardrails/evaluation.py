"""How good a check is: what it finds of labelled cases, with the bounds that so many cases allow."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from trunkline.guardrails.check import Found, TextCheck

NOTHING: Final = "none"  # the label of a case in which nothing is to be found
Z: Final = 1.96  # of a bound that holds in 95 of 100 (two-sided)
_decode: Final = msgspec.json.Decoder


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text, and the rule that is to be found in it, or `none`; `kind` says what a text is that has nothing.

    `family` is the way of saying it, and `style` how it was written down; neither counts.
    """

    label: str
    text: str
    kind: str = ""
    family: str = ""
    style: str = ""


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a pack asks for: at least this recall of each rule, and at most this part of the clean cases found.

    `recall_of` has the rules of which another recall is asked. With `any_rule` a case is found where any rule is found
    in it: rules that lie close together are then one finding under one of their names.
    """

    recall: float = 0.95
    false_positives: float = 0.02
    recall_of: dict[str, float] = {}
    any_rule: bool = False


class RuleScore(msgspec.Struct, frozen=True):
    """What became of the cases of one rule; `wrong` counts the other cases in which it was found."""

    rule: str
    cases: int
    found: int
    wrong: int

    @property
    def recall(self) -> float:
        """The part of its cases in which it was found."""
        return self.found / self.cases if self.cases else 0.0

    @property
    def recall_at_least(self) -> float:
        """The lower bound of that."""
        return lower_bound(self.found, self.cases)

    @property
    def precision(self) -> float:
        """The part of the cases in which it was found that are its own."""
        named = self.found + self.wrong
        return self.found / named if named else 0.0


class KindScore(msgspec.Struct, frozen=True):
    """In how many cases of a kind that have nothing something was found."""

    kind: str
    cases: int
    found: int


class Score(msgspec.Struct, frozen=True):
    """What a check found of a pack. `misses` and `mistakes` are the cases that it got wrong."""

    rules: tuple[RuleScore, ...]
    clean: int
    clean_found: int
    misses: tuple[Case, ...]
    mistakes: tuple[Case, ...]
    kinds: tuple[KindScore, ...] = ()

    @property
    def false_positives(self) -> float:
        """The part of the cases without anything in which something was found."""
        return self.clean_found / self.clean if self.clean else 0.0

    def failures(self, asked: Thresholds) -> list[str]:
        """Return what is below the thresholds, a line for each."""
        lines = [
            f"recall of {one.rule} is {one.recall:.3f}, below {asked.recall_of.get(one.rule, asked.recall)}"
            for one in self.rules
            if one.recall < asked.recall_of.get(one.rule, asked.recall)
        ]
        if self.false_positives > asked.false_positives:
            lines.append(f"false positives are {self.false_positives:.3f}, above {asked.false_positives}")
        return lines


def read_cases(data: bytes) -> list[Case]:
    """Return the cases of a file, one JSON object a line. Raises msgspec.MsgspecError with what is wrong."""
    return _decode(Case).decode_lines(data)


def lower_bound(hits: int, of: int) -> float:
    """Return the lower end of the Wilson score interval of a part (E. B. Wilson, 1927)."""
    if hits == 0:
        return 0.0  # what rounding would leave a trace of
    part, square = hits / of, Z * Z
    spread = Z * math.sqrt(part * (1 - part) / of + square / (4 * of * of))
    return max(0.0, (part + square / (2 * of) - spread) / (1 + square / of))


def find_all(check: TextCheck, text: str) -> Sequence[Found]:
    """Return what a check finds in a whole text."""
    return check.scanner("sentence").feed(text, True)


def evaluate(check: TextCheck, cases: Iterable[Case], *, any_rule: bool = False) -> Score:
    """Return how the check does on these cases; `any_rule` as in `Thresholds`."""
    every = [(case, {found.rule for found in find_all(check, case.text)}) for case in cases]
    labels = sorted({case.label for case, _ in every} - {NOTHING})
    rules = [
        RuleScore(
            label,
            sum(case.label == label for case, _ in every),
            sum(case.label == label and _is_found(case, found, any_rule=any_rule) for case, found in every),
            sum(case.label != label and label in found for case, found in every),
        )
        for label in labels
    ]
    clean = [(case, found) for case, found in every if case.label == NOTHING]
    return Score(
        tuple(rules),
        len(clean),
        sum(bool(found) for _, found in clean),
        tuple(case for case, found in every if case.label != NOTHING and not _is_found(case, found, any_rule=any_rule)),
        tuple(case for case, found in clean if found),
        tuple(
            KindScore(
                kind,
                sum(case.kind == kind for case, _ in clean),
                sum(case.kind == kind and bool(found) for case, found in clean),
            )
            for kind in sorted({case.kind for case, _ in clean} - {""})
        ),
    )


def _is_found(case: Case, found: set[str], *, any_rule: bool) -> bool:
    return bool(found) if any_rule else case.label in found
