"""The demo's calls, made with the real openai SDK. Each checks what it shows, so that a demo that lies fails."""

import json
from typing import Any

import openai
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam, ChatCompletionToolParam

from trunkline.cli.demo.narration import Narrator
from trunkline.cli.demo.stage import VOICE_PACE, Stage
from trunkline.simulator import ErrorAnswer, Script

ROUTE = "advisor-voice"
SYSTEM = "You are the voice assistant of a wealth manager's advisors. Keep answers short."
QUESTION = "What is the current allocation for the Henderson household?"
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
ALLOCATION = {"equities": 60, "fixed_income": 30, "cash": 10}


class DemoFailed(Exception):
    """Something that the demo promised did not happen."""


def expect(condition: object, promise: str) -> None:
    """Raise DemoFailed unless the promise was kept."""
    if not condition:
        raise DemoFailed(f"This did not happen: {promise}.")


class Scenes:
    """The walk: a call, a stream, a tool call, a failover."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        self._stage, self._narrator = stage, narrator
        self._client = openai.OpenAI(base_url=stage.url, api_key=stage.key, max_retries=0, timeout=30.0)

    def play(self) -> None:
        """Play all scenes in order."""
        with self._client:
            self.call()
            self.stream()
            self.tool_call()
            if self._stage.simulator is not None:
                self.failover()

    def call(self) -> None:
        """One JSON call."""
        narrator = self._narrator
        narrator.scene(1, "A call", "The openai SDK, pointed at the gateway; the model is a route.")
        narrator.says("advisor", QUESTION)
        answer = self._ask("advisor-117", [{"role": "user", "content": QUESTION}])
        narrator.says("assistant", answer.choices[0].message.content or "")
        expect(answer.choices[0].message.content, "the call is answered")

    def stream(self) -> None:
        """One streamed call; what is known only at its end is in its last chunk."""
        narrator = self._narrator
        narrator.scene(2, "A stream", "Each word leaves as it comes; outcome and cost are in the last chunk.")
        narrator.says("advisor", "How has it changed since last quarter?")
        raw = self._client.chat.completions.with_raw_response.create(
            model=ROUTE,
            stream=True,
            stream_options={"include_usage": True},
            extra_headers=_who("advisor-117"),
            messages=[
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": "How has it changed since last quarter?"},
            ],
        )
        narrator.piece("  assistant  ")
        last: Any = None
        words = 0
        for chunk in raw.parse():
            last = chunk
            if chunk.choices and chunk.choices[0].delta.content:
                words += 1
                narrator.piece(chunk.choices[0].delta.content)
        narrator.piece("\n")
        narrator.headers(raw.headers)
        narrator.ending(last.usage, last.trunkline)
        expect(words > 1, "the answer comes in pieces")

    def tool_call(self) -> None:
        """A tool call and the answer that uses its result."""
        narrator = self._narrator
        narrator.scene(3, "A tool call", "The model asks for a tool; its result goes back through the gateway.")
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": QUESTION}]
        narrator.says("advisor", QUESTION)
        first = self._ask("advisor-204", messages, tools=[TOOL])
        calls = first.choices[0].message.tool_calls or []
        expect(calls and calls[0].type == "function", "the model calls a tool")
        call = calls[0]
        if call.type != "function":
            raise DemoFailed("the model called something that is no function")
        narrator.says("assistant", f"{call.function.name}({call.function.arguments})")
        narrator.says("tool", json.dumps(ALLOCATION))
        messages += [
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {"name": call.function.name, "arguments": call.function.arguments},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": call.id, "content": json.dumps(ALLOCATION)},
        ]
        second = self._ask("advisor-204", messages, tools=[TOOL])
        narrator.says("assistant", second.choices[0].message.content or "")
        expect(second.choices[0].message.content, "the tool's result is answered")

    def failover(self) -> None:
        """The first provider says 429; the caller hears the second one."""
        narrator, simulator = self._narrator, self._stage.simulator
        if simulator is None:
            raise DemoFailed("a failover is only staged with simulated providers")
        narrator.scene(
            4,
            "A failover",
            "OpenAI now answers 429 with Retry-After: 7. The call goes on to Anthropic, in its own format; the caller "
            "sees an answer.",
        )
        simulator.openai.play(Script(fault=ErrorAnswer(status=429, retry_after=7)))
        narrator.says("advisor", QUESTION)
        answer = self._ask("advisor-331", [{"role": "user", "content": QUESTION}])
        narrator.says("assistant", answer.choices[0].message.content or "")
        simulator.openai.play(VOICE_PACE)
        about: dict[str, Any] = getattr(answer, "trunkline", {})
        expect(about.get("attempts") == 2, "the second provider answers")

    def _ask(self, user: str, messages: list[ChatCompletionMessageParam], **options: Any) -> ChatCompletion:
        raw = self._client.chat.completions.with_raw_response.create(
            model=ROUTE,
            messages=[{"role": "system", "content": SYSTEM}, *messages],
            extra_headers=_who(user),
            **options,
        )
        answer: ChatCompletion = raw.parse()
        self._narrator.headers(raw.headers)
        self._narrator.ending(answer.usage, getattr(answer, "trunkline", {}))
        return answer


def _who(user: str) -> dict[str, str]:
    return {"x-trunkline-user": user, "x-trunkline-subject": "henderson", "x-trunkline-session": f"session-{user}"}
