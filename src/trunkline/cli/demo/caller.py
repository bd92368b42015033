"""The application: calls made with the real openai SDK, pointed at the gateway."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import openai
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from trunkline.cli.demo.advisors import Advisor
from trunkline.cli.demo.promises import expect

ROUTE = "advisor-voice"
CHAT = "advisor-chat"
SYSTEM = "You are the voice assistant of a wealth manager's advisors. Keep answers short."
SECONDS = 30.0


@dataclass(frozen=True)
class Ended:
    """A call that is over: the headers of its answer, and what its body says of usage, of how it went and its end."""

    advisor: Advisor
    headers: Any
    usage: Any
    trunkline: dict[str, Any]
    message: Any = None
    finish: str | None = None

    @property
    def call(self) -> str:
        """The call's id."""
        return str(self.headers["x-trunkline-call"])

    @property
    def provider(self) -> str:
        """Who answered."""
        return str(self.headers["x-trunkline-provider"])


class Caller:
    """Calls for advisors; several may run side by side."""

    def __init__(self, url: str, key: str) -> None:
        self._client = openai.OpenAI(base_url=url, api_key=key, max_retries=0, timeout=SECONDS)

    def ask(
        self,
        advisor: Advisor,
        occasion: str,
        messages: Sequence[ChatCompletionMessageParam],
        route: str = ROUTE,
        **options: Any,
    ) -> Ended:
        """Make a call and return when it is answered."""
        raw = self._client.chat.completions.with_raw_response.create(
            model=route, messages=_with_system(messages), extra_headers=advisor.headers(occasion), **options
        )
        answer: ChatCompletion = raw.parse()
        about = getattr(answer, "trunkline", {})
        choice = answer.choices[0]
        return Ended(advisor, raw.headers, answer.usage, about, choice.message, choice.finish_reason)

    def stream(
        self, advisor: Advisor, occasion: str, question: str, hears: Callable[[str], None], route: str = ROUTE
    ) -> Ended:
        """Make a streamed call; `hears` gets each piece as it comes."""
        raw = self._client.chat.completions.with_raw_response.create(
            model=route,
            stream=True,
            stream_options={"include_usage": True},
            messages=_with_system([{"role": "user", "content": question}]),
            extra_headers=advisor.headers(occasion),
        )
        last: Any = None
        finish: str | None = None
        for chunk in raw.parse():
            last = chunk
            if chunk.choices:
                finish = chunk.choices[0].finish_reason or finish
                if chunk.choices[0].delta.content:
                    hears(chunk.choices[0].delta.content)
        expect(last is not None, "a stream has chunks")
        return Ended(advisor, raw.headers, last.usage, last.trunkline, finish=finish)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


def _with_system(messages: Sequence[ChatCompletionMessageParam]) -> list[ChatCompletionMessageParam]:
    return [{"role": "system", "content": SYSTEM}, *messages]
