"""What of an answer has left, put together for the policies that look at it afterwards.

Pieces are kept as they leave; when all have, they are looked at as an answer that has come whole, in the way in which
one is that is held back. Nothing waits for that, and nothing comes of it but findings.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal, final

from trunkline.guardrails.check import Found
from trunkline.guardrails.hold_back import MOST_CHOICES, PIECE_SIZE, HoldBack
from trunkline.guardrails.policies import Policies, Policy
from trunkline.guardrails.scanners import LONGEST_WHOLE
from trunkline.guardrails.watched import FAILED, Fired
from trunkline.model.delta import Delta, ToolDelta

Verdict = Literal["clear", "found", "not_made"]
EVERYWHERE: Final = "choices"  # the place of a finding that is of no text but of all of them


@final
class Released:
    """Keeps what has left, for the policies of `Policies.after`; `size` is how many characters that are.

    There is an end to what is kept: of an answer that is longer than any text may be that is held, or that has more
    choices than any can have, nothing is, and `left_out` says why.
    """

    __slots__ = ("_audio", "_choices", "_reasoning", "_refusals", "_texts", "_tools", "left_out", "policies", "size")

    def __init__(self, policies: Policies) -> None:
        self.policies = policies
        self._choices: set[int] = set()
        # By choice; tool calls by choice and index, with the piece that named them first.
        self._texts: dict[int, list[str]] = {}
        self._refusals: dict[int, list[str]] = {}
        self._reasoning: dict[int, list[str]] = {}
        self._tools: dict[tuple[int, int], tuple[ToolDelta, list[str]]] = {}
        self._audio: set[int] = set()
        self.size = 0
        self.left_out = ""

    def take(self, deltas: Iterable[Delta]) -> None:
        """Keep what leaves."""
        if not self.left_out:
            for delta in deltas:
                if delta.good:
                    self._take(delta)

    def _take(self, delta: Delta) -> None:
        choice = delta.choice
        self._choices.add(choice)
        if delta.text:
            self._keep(self._texts, choice, delta.text)
        if delta.refusal:
            self._keep(self._refusals, choice, delta.refusal)
        if delta.reasoning:
            self._keep(self._reasoning, choice, delta.reasoning)
        if delta.tool is not None:
            self._keep_tool(choice, delta.tool)
        if delta.audio is not None:
            self._audio.add(choice)
        if self.size > LONGEST_WHOLE:
            self._leave_out("too_long")
        elif len(self._choices) > MOST_CHOICES:
            self._leave_out("too_many_choices")

    def _keep(self, kept: dict[int, list[str]], choice: int, text: str) -> None:
        kept.setdefault(choice, []).append(text)
        self.size += len(text)

    def _keep_tool(self, choice: int, piece: ToolDelta) -> None:
        place = (choice, piece.index)
        known = self._tools.get(place)
        if known is None:
            known = self._tools[place] = (piece, [])
            self.size += PIECE_SIZE
        known[1].append(piece.arguments)
        self.size += len(piece.arguments)

    def _leave_out(self, reason: str) -> None:
        """Keep none of it; what kinds of text there are stays known."""
        self.left_out = reason
        for kept in (self._texts, self._refusals, self._reasoning):
            for choice in kept:
                kept[choice] = []
        self._tools = {place: (piece, []) for place, (piece, _) in self._tools.items()}

    def due(self) -> tuple[Policy, ...]:
        """Return the policies that have something to look at."""
        policies, looking = self.policies, dict[Policy, None]()
        if self._texts or self._audio:
            looking |= dict.fromkeys(policies.answer)
        if self._refusals:
            looking |= dict.fromkeys(policies.refusal)
        if self._reasoning:
            looking |= dict.fromkeys(policies.reasoning)
        if self._tools:
            looking |= dict.fromkeys(policies.arguments)
        return tuple(policy for policy in policies.every if policy in looking)

    def looked_through(self) -> HoldBack:
        """Return the answer with its questions in `asks`; `give`, once they are answered, brings out what is found."""
        held = HoldBack(self.policies, max(len(self._choices), 1))
        for _ in held.take(self._whole()):
            pass  # checks that ask do nothing here that takes long
        for _ in held.end():
            pass
        return held

    def _whole(self) -> list[Delta]:
        deltas = [Delta(choice=choice, reasoning="".join(text)) for choice, text in self._reasoning.items()]
        deltas += [Delta(choice=choice, text="".join(text)) for choice, text in self._texts.items()]
        deltas += [Delta(choice=choice, refusal="".join(text)) for choice, text in self._refusals.items()]
        for (choice, index), (piece, arguments) in self._tools.items():
            deltas.append(Delta(choice=choice, tool=ToolDelta(index, piece.id, piece.name, "".join(arguments))))
        deltas += [Delta(choice=choice, audio={}) for choice in sorted(self._audio)]
        return deltas

    def not_made(self, reason: str) -> list[Fired]:
        """Return what is to be recorded where nobody is asked."""
        found = Found(FAILED, 0, max(self.size, 1), 1.0, reason)
        return [Fired(policy, found, "output", EVERYWHERE, "bypass") for policy in self.due()]


def verdict_of(policy: Policy, fired: Sequence[Fired]) -> Verdict:
    """Return what a policy says of an answer: that something was found, or else that some of it is not judged."""
    actions = {one.action for one in fired if one.policy is policy}
    if actions - {"bypass"}:
        return "found"
    return "not_made" if actions else "clear"
