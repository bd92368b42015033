"""One text under the policies that cover it: what is cleared comes out, edited; the rest is held.

What comes out depends on the text alone, not on how it was cut: a finding takes effect when every policy has got past
its beginning, in the order in which findings begin.
"""

from collections.abc import Sequence
from typing import Final, final

from trunkline.guardrails.check import Found, Hold, Scanner
from trunkline.guardrails.policies import STOPPING, STRICTNESS, Action, Field, Policy
from trunkline.guardrails.scanners import LONGEST_WHOLE, TooLong
from trunkline.guardrails.units import UnitCutter

FAILED: Final = "check_failed"  # the rule of a finding that says that a check could not be made
UNSCANNABLE: Final = "unscannable"  # and of one that says that there is something no check can read
MOST_QUESTIONS: Final = 2000  # about one text: nobody waits for more
_NEVER: Final = 1 << 62


@final
class Fired:
    """A finding under a policy, and where; what the record keeps. `action` is what came of it.

    `where` is the field, as a path in the request or the answer: `messages[2].content`, `choices[0].message.content`.
    """

    __slots__ = ("action", "found", "policy", "stage", "where")

    def __init__(self, policy: Policy, found: Found, stage: str, where: str, action: str) -> None:
        self.policy, self.found, self.stage, self.where, self.action = policy, found, stage, where, action

    def __repr__(self) -> str:
        return f"Fired({self.policy.name!r}, {self.found!r}, {self.stage!r}, {self.where!r}, {self.action!r})"


@final
class Ask:
    """A question about a piece of text, to be answered before the text can go on."""

    __slots__ = ("_watch", "policy", "stage", "start", "text", "where")

    def __init__(self, watch: "Watch", text: str, start: int, stage: str, where: str) -> None:
        self._watch, self.text, self.start, self.stage, self.where = watch, text, start, stage, where
        self.policy = watch.policy

    def answered(self, found: Sequence[Found]) -> None:
        """Take what the answer says of the text."""
        self._watch.answered(self, found)

    def failed(self, reason: str) -> None:
        """Take note that there is no answer."""
        self._watch.unanswered(self, reason)


@final
class _Text:
    """What is known of one text: where it stands, whether all of it has come, what was found and is to be asked.

    Its own object, so that who watches it need not know who has them watch: nothing of a call may make a cycle.
    """

    __slots__ = ("asks", "ended", "found", "stage", "where")

    def __init__(self, stage: str, where: str) -> None:
        self.stage, self.where = stage, where
        self.ended = False
        self.found: list[Fired] = []  # whose turn has not come
        self.asks: list[Ask] = []

    def take(self, policy: Policy, found: Found, action: str) -> None:
        """Keep a finding until its turn has come."""
        self.found.append(Fired(policy, found, self.stage, self.where, action))


@final
class Watch:
    """One policy on one text."""

    __slots__ = ("_asked", "_cutter", "_held", "_hold", "_length", "_questions", "_scanner", "_text", "open_at",
                 "policy")  # fmt: skip

    def __init__(self, text: _Text, policy: Policy, hold: Hold) -> None:
        self._text, self.policy, self._hold = text, policy, hold
        self._scanner: Scanner | None = None  # made with the first piece, since a plugin may throw there too
        self._cutter: UnitCutter | None = None
        if policy.asking is not None and policy.asking.hold != "whole":
            self._cutter = UnitCutter(clauses=policy.asking.hold == "clause")
        self._held: list[str] = []  # the text so far, where a question is about all of it
        self._length = 0
        self._asked: list[Ask] = []  # without an answer yet
        self._questions = 0
        self.open_at = 0

    def feed(self, text: str, last: bool) -> None:
        """Have the check look at the next piece."""
        if self.open_at >= _NEVER:
            return
        try:
            self._feed(text, last)
        except Exception as error:  # noqa: BLE001 - a check that throws is a case to be decided, not a fault to pass on
            reason = "too_long" if isinstance(error, TooLong) else f"error: {type(error).__name__}"
            self._fail(self.open_at, reason)

    def _feed(self, text: str, last: bool) -> None:
        self._length += len(text)
        scanner = self._scanner
        if self.policy.text is not None:
            if scanner is None:
                scanner = self._scanner = self.policy.text.scanner(self._hold)
            for found in scanner.feed(text, last):
                self._take(found)
            self.open_at = scanner.open_at
            if last:
                self.open_at = _NEVER
            return
        if self.policy.asking is None:
            self.open_at = _NEVER  # looks at whole tool calls only
            return
        if self._cutter is not None:
            for unit in self._cutter.feed(text, last):
                self._ask(unit.text, unit.start)
        else:
            if self._length > LONGEST_WHOLE:
                raise TooLong
            self._held.append(text)
            if last and self._length:
                self._ask("".join(self._held), 0)
        self._move(ended=last)

    def _take(self, found: Found) -> None:
        if not (self.open_at <= found.start < found.end <= self._length):
            raise ValueError("a finding must begin where the text is open, and be of some characters")
        self._text.take(self.policy, found, self.policy.action)

    def _ask(self, text: str, start: int) -> None:
        self._questions += 1
        if self._questions > MOST_QUESTIONS:
            raise TooLong
        ask = Ask(self, text, start, self._text.stage, self._text.where)
        self._asked.append(ask)
        self._text.asks.append(ask)

    def _move(self, *, ended: bool) -> None:
        if self._asked:
            self.open_at = max(self.open_at, min([ask.start for ask in self._asked]))
        elif ended:
            self.open_at = _NEVER
        else:
            self.open_at = max(self.open_at, self._cutter.open_at if self._cutter is not None else 0)

    def answered(self, ask: Ask, found: Sequence[Found]) -> None:
        """Take the findings of an answer; offsets are of the text that was asked about."""
        if ask not in self._asked:
            return
        for one in found:
            start = min(max(one.start, 0), max(len(ask.text) - 1, 0))
            end = max(min(one.end, len(ask.text)), start + 1)
            moved = Found(one.rule, ask.start + start, ask.start + end, one.score, one.why)
            self._text.take(self.policy, moved, self.policy.action)
        self._asked.remove(ask)
        self._move(ended=self._text.ended)

    def unanswered(self, ask: Ask, reason: str) -> None:
        """Decide on a piece of text about which there is no answer; the next one is asked about all the same."""
        if ask not in self._asked:
            return
        self._decide(ask.start, ask.start + max(len(ask.text), 1), reason)
        self._asked.remove(ask)
        self._move(ended=self._text.ended)

    def _fail(self, start: int, reason: str) -> None:
        """The check is of no use from here on."""
        self._decide(start, start + 1, reason)
        self.open_at = _NEVER

    def _decide(self, start: int, end: int, reason: str) -> None:
        policy = self.policy
        action = policy.stopping if policy.on_error == "block" else "bypass"
        self._text.take(policy, Found(FAILED, start, end, 1.0, reason), action)


@final
class Watched:
    """One text, fed in pieces.

    `fired` are the findings that have taken effect, in order, `stop` the one that ended it.
    """

    __slots__ = ("_at", "_edited_to", "_end", "_parts", "_sorted", "_text", "_watches", "edited", "fired", "stop")

    def __init__(self, policies: Sequence[Policy], hold: Hold, field: Field, where: str) -> None:
        self._text = _Text(field.name, where)
        self.fired: list[Fired] = []
        self.stop: Fired | None = None
        self.edited = False
        self._watches = [Watch(self._text, policy, hold) for policy in policies]
        self._sorted = 0  # how many of them are in order: the first ones
        self._parts: list[str] = []  # of what is held, from `_at` to `_end`
        self._at = self._end = 0
        self._edited_to = 0  # where the last redaction ends

    @property
    def where(self) -> str:
        """The field, as a path in the request or the answer."""
        return self._text.where

    @property
    def ended(self) -> bool:
        """Whether all of the text has come."""
        return self._text.ended

    @property
    def asks(self) -> list[Ask]:
        """Questions that have to be answered before more can come out."""
        return self._text.asks

    def feed(self, text: str, last: bool) -> None:
        """Take the next piece of the text, the `last` one or not."""
        if self._text.ended or self.stop is not None:
            return
        if text:
            self._parts.append(text)
            self._end += len(text)
        self._text.ended = last
        for watch in self._watches:
            watch.feed(text, last)

    def take(self, policy: Policy, found: Found, action: str) -> None:
        """Keep a finding of somebody else's until its turn has come."""
        self._text.take(policy, found, action)

    @property
    def holding(self) -> bool:
        """Whether there is text that has not come out."""
        return bool(self._parts) and self.stop is None

    @property
    def stopping(self) -> bool:
        """Whether something has been found by now that will stop it, whatever is answered to questions about it."""
        return self.stop is not None or any(fired.action in STOPPING for fired in self._text.found)

    def give_out(self) -> str:
        """Return what is cleared by now and has not been returned before."""
        if self.stop is not None:
            return ""
        clear = self._end
        for watch in self._watches:
            clear = min(clear, watch.open_at)
        if self._text.found:
            # What fails at the end of a text, or on an empty one, begins where nothing follows.
            reached = _NEVER if self._text.ended and all(watch.open_at >= _NEVER for watch in self._watches) else clear
            ready = self._take_ready(reached)
            if ready:
                return self._edit(ready, clear)
        if clear <= self._at:
            return ""
        held = self._parts[0] if len(self._parts) == 1 else "".join(self._parts)
        said = held[: clear - self._at] if clear < self._end else held
        self._keep(held, clear)
        return said

    def _take_ready(self, reached: int) -> list[Fired]:
        """Return the findings whose turn has come, in order."""
        found = self._text.found
        if self._sorted < len(found):
            found.sort(key=_turn)
        ready = 0
        while ready < len(found) and found[ready].found.start < reached:
            ready += 1
        self._text.found, self._sorted = found[ready:], len(found) - ready
        return found[:ready]

    def _edit(self, ready: list[Fired], clear: int) -> str:
        """Let findings take effect, and return what comes out of the text up to `clear`."""
        held, begin, at = "".join(self._parts), self._at, self._at
        out: list[str] = []
        for fired in ready:
            self.fired.append(fired)
            action, found = fired.action, fired.found
            if action in ("flag", "bypass"):
                continue
            if found.start > at:
                out.append(held[at - begin : found.start - begin])
                at = found.start
            if action != "redact":
                self.stop = fired
                self._parts = []
                self._text.asks.clear()
                return "".join(out)
            if found.start >= self._edited_to or not self.edited:
                out.append(fired.policy.sentence or f"[{found.rule.replace('_', ' ').upper()}]")
            at = max(at, found.end)
            self._edited_to, self.edited = max(self._edited_to, found.end), True
        if clear > at:
            out.append(held[at - begin : clear - begin])
            at = clear
        self._keep(held, at)
        return "".join(out)

    def _keep(self, held: str, at: int) -> None:
        """Keep what is held from `at` on; `held` is all that was."""
        rest = held[at - self._at :] if at < self._end else ""
        self._parts, self._at = [rest] if rest else [], at


def _turn(fired: Fired) -> tuple[int, bool, int, int, str, str]:
    """Order findings by where they begin; what stops nothing first, then the strictest."""
    action, found = fired.action, fired.found
    quiet = action in ("flag", "bypass")
    return found.start, not quiet, -STRICTNESS.get(action, 0), -found.end, fired.policy.name, found.rule


__all__ = ["FAILED", "UNSCANNABLE", "Action", "Ask", "Fired", "Watch", "Watched"]
