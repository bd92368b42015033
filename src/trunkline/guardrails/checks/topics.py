"""The check `topics`: what is said about topics that are denied, or about none of those that are allowed.

Topics are described by examples. A sentence is of the topic whose examples it is most like, so examples of what is
allowed keep apart what has the same words. What is too short to tell passes.
"""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, final

import msgspec

from trunkline.guardrails.check import NOTHING, BadSettings, CheckKind, Found, Hold, Scanner
from trunkline.guardrails.scanners import UnitScanner
from trunkline.guardrails.similarity import WINDOW, Topics, words_of

MOST_TOPICS: Final = 50
MOST_EXAMPLES: Final = 200  # of a topic
OFF_TOPIC: Final = "off_topic"
_LEAST_SAID: Final = 2.0  # weight of the words of a sentence that can be off topic
_OFF: Final = 0.4  # what is like an allowed topic by less than this part of `similarity` is off topic
Example = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class Topic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A topic: what it is called in findings, and sentences about it."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    examples: Annotated[list[Example], msgspec.Meta(min_length=1, max_length=MOST_EXAMPLES)]


Several = Annotated[list[Topic], msgspec.Meta(max_length=MOST_TOPICS)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`deny` and `allow` are topics, `others` says what becomes of a sentence that is like none of them.

    `similarity` is how much of a sentence has to be about a denied topic.
    """

    deny: Several = []
    allow: Several = []
    others: Literal["allow", "deny"] = "allow"
    similarity: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.34


@final
class TopicCheck:
    """Finds sentences about what is denied."""

    __slots__ = ("_denied", "_only_allowed", "_similarity", "_topics", "version")

    def __init__(self, settings: Settings) -> None:
        _hold_to_sense(settings)
        self._topics = Topics({topic.name: topic.examples for topic in [*settings.deny, *settings.allow]})
        self._denied = len(settings.deny)
        self._only_allowed = settings.others == "deny"
        self._similarity = settings.similarity
        self.version = "1"

    def scanner(self, hold: Hold) -> Scanner:  # noqa: ARG002 - a topic takes a sentence
        """Return a scanner for one text."""
        return UnitScanner(self._look)

    def _look(self, unit: str, before: str) -> Sequence[Found]:  # noqa: ARG002 - each sentence by itself
        words = words_of(unit)
        for scores in self._topics.scores(words, WINDOW):
            name = self._denied_by(scores, self._similarity)
            if name:
                return (_found(name, unit),)
        if not self._only_allowed or sum([word.weight for word in words]) < _LEAST_SAID:
            return NOTHING
        (scores,) = self._topics.scores(words, len(words))
        if max(scores[self._denied :]) >= _OFF * self._similarity:
            return NOTHING
        name = self._denied_by(scores, _OFF * self._similarity)  # it passes no more; this says best why
        return (_found(name, unit) if name else Found(OFF_TOPIC, 0, len(unit), 1.0, "it is like nothing allowed"),)

    def _denied_by(self, scores: Sequence[float], least: float) -> str:
        """Return the denied topic that is nearest, if it is near enough and nearer than all that are allowed."""
        nearest = max(range(len(scores)), key=scores.__getitem__)
        allowed = max(scores[self._denied :], default=0.0)
        if nearest < self._denied and scores[nearest] >= least and scores[nearest] > allowed:
            return self._topics.names[nearest]
        return ""


def _found(name: str, unit: str) -> Found:
    return Found(name, 0, len(unit), 1.0, f"it is like the examples of `{name}`")


def _hold_to_sense(settings: Settings) -> None:
    """Raise BadSettings for what would find nothing, or for topics that nobody could tell apart."""
    names = [topic.name for topic in [*settings.deny, *settings.allow]]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise BadSettings("allow", f"there are two topics `{twice[0]}`")
    if OFF_TOPIC in names:
        raise BadSettings("deny", f"`{OFF_TOPIC}` is what is found of what is like no topic; name the topic otherwise")
    if settings.others == "deny" and not settings.allow:
        raise BadSettings("others", "`deny` needs topics that are allowed")
    if settings.others == "allow" and not settings.deny:
        raise BadSettings("deny", "it would find nothing: name topics that are denied, or say `others: deny`")
    for topic in [*settings.deny, *settings.allow]:
        empty = [example for example in topic.examples if not words_of(example)]
        if empty:
            key = "deny" if topic in settings.deny else "allow"
            raise BadSettings(key, f"an example of `{topic.name}` has no word that says something: {empty[0]!r}")


KIND: Final = CheckKind(Settings, TopicCheck, stages=("transcript",))
