"""The demo's calls. Each checks what it shows, so that a demo that lies fails."""

import json
from typing import Any

from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from trunkline.cli.demo.advisors import ANN, BO
from trunkline.cli.demo.caller import Caller, Ended
from trunkline.cli.demo.narration import Narrator
from trunkline.cli.demo.peak import Peak
from trunkline.cli.demo.promises import DemoFailed, expect
from trunkline.cli.demo.stage import Stage

MORNING = "morning"
REVIEW = "review"
QUESTION = "What is the current allocation for the Henderson household?"
PERFORMANCE = "And how have they performed this year?"
TOOL: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_allocation",
        "description": "The current allocation of a household's accounts, in percent.",
        "parameters": {
            "type": "object",
            "properties": {"household": {"type": "string"}},
            "required": ["household"],
        },
    },
}
ALLOCATION = json.dumps({"equities": 61, "fixed_income": 32, "cash": 7})
HEARD_WORDS = 5
INTERRUPTION = "Thanks. What did they pay in fees?"


class Scenes:
    """The calls: a plain one, a stream, one with a tool, and many at once while a provider fails."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        self._stage, self._narrator = stage, narrator
        self._caller = Caller(stage.url, stage.key)

    def play(self) -> str:
        """Play all scenes in order; returns the id of the call whose story is worth reading."""
        with self._caller:
            telling = self.call()
            self.stream()
            self.tool_call()
            if self._stage.simulator is not None:
                telling = self.failover()
        return telling

    def call(self) -> str:
        """One JSON call; returns its id."""
        narrator = self._narrator
        narrator.scene("A call", "The openai SDK, pointed at the gateway. The model it names is a route.")
        narrator.says(ANN.first_name, QUESTION)
        ended = self._caller.ask(ANN, MORNING, [{"role": "user", "content": QUESTION}])
        narrator.says("assistant", ended.message.content or "")
        self._account(ended)
        expect(ended.message.content, "the call is answered")
        return ended.call

    def stream(self) -> None:
        """One streamed call; what is known only at its end is in its last chunk."""
        narrator = self._narrator
        narrator.scene("A stream", "Each word leaves as it comes. Outcome and cost are in the last chunk.")
        narrator.says(ANN.first_name, PERFORMANCE)
        narrator.begins_to_say("assistant")
        words: list[str] = []

        def hears(piece: str) -> None:
            words.append(piece)
            narrator.piece(piece)

        ended = self._caller.stream(ANN, MORNING, PERFORMANCE, hears)
        narrator.ends_to_say()
        self._account(ended)
        expect(len(words) > 1, "the answer comes in pieces")

    def tool_call(self) -> None:
        """A tool call and the answer that uses its result."""
        narrator = self._narrator
        narrator.scene("A tool call", "The model asks for a tool. Its result goes back through the gateway.")
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": QUESTION}]
        narrator.says(BO.first_name, QUESTION)
        first = self._caller.ask(BO, REVIEW, messages, tools=[TOOL])
        calls = first.message.tool_calls or []
        if not calls or calls[0].type != "function":
            raise DemoFailed("This did not happen: the model calls a function.")
        called: dict[str, Any] = calls[0].function.model_dump(include={"name", "arguments"})
        narrator.says("assistant", f"{called['name']}({called['arguments']})")
        narrator.ending(first.usage, first.trunkline)
        narrator.says("tool", ALLOCATION)
        messages += [
            {"role": "assistant", "tool_calls": [{"id": calls[0].id, "type": "function", "function": called}]},  # type: ignore[typeddict-item]
            {"role": "tool", "tool_call_id": calls[0].id, "content": ALLOCATION},
        ]
        second = self._caller.ask(BO, REVIEW, messages, tools=[TOOL])
        narrator.says("assistant", second.message.content or "")
        narrator.ending(second.usage, second.trunkline)
        expect(second.message.content, "the tool's result is answered")
        self._interrupt(messages, second.message.content)

    def _interrupt(self, messages: list[ChatCompletionMessageParam], answer: str) -> None:
        """The next call, whose history has what was spoken of the answer before it was interrupted."""
        narrator = self._narrator
        narrator.tells("\nBo interrupts. His application's next call says how far the answer had been spoken.\n")
        narrator.says(BO.first_name, INTERRUPTION)
        heard = " ".join(answer.split()[:HEARD_WORDS])
        messages += [{"role": "assistant", "content": heard}, {"role": "user", "content": INTERRUPTION}]
        third = self._caller.ask(BO, REVIEW, messages)
        narrator.says("assistant", third.message.content or "")
        narrator.ending(third.usage, third.trunkline)

    def failover(self) -> str:
        """Calls of three advisors while the first provider says 429; returns the id of the one that met it."""
        if self._stage.simulator is None:
            raise DemoFailed("a failover is only staged with simulated providers")
        self._narrator.scene("A failover at peak", "All three advisors are on the phone.")
        return Peak(self._caller, self._stage.simulator, self._narrator).play()

    def _account(self, ended: Ended) -> None:
        self._narrator.headers(ended.headers)
        self._narrator.ending(ended.usage, ended.trunkline)
