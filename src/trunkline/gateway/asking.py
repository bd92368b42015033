"""Asking for checks that cannot decide alone: a service of the operator's, or a model through the gateway's own routes.

Nothing here raises what goes wrong: a question without an answer is decided by its policy's `on_error`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from trunkline.gateway.judging import AskingCall
from trunkline.guardrails.check import BadAnswer, Found, Question
from trunkline.guardrails.watched import Ask
from trunkline.model.chat import ChatRequest
from trunkline.wire.client import Endpoint, Pool, WireError

AT_ONCE: Final = 8  # questions of one call
LONGEST_ANSWER: Final = 256 * 1024  # bytes
LONGEST_RULE: Final = 64  # characters of what an answer calls a finding
LONGEST_WHY: Final = 200  # and of why it is one, or of why the answer is none
MOST_CONNECTIONS: Final = 256  # to one service
LOCAL: Final = frozenset({"127.0.0.1", "::1", "localhost"})
HIDDEN: Final = "(hidden)"
SHORTEST_SECRET: Final = 8  # characters; what is shorter is a word of every text
_POOLS: Final = 64  # services that are remembered; a configuration has a few

# Carries a judge's call in the name of another, and returns status and body of its answer.
Judge = Callable[[AskingCall, Question], Awaitable[tuple[int, bytes]]]


class Asking:
    """Asks; one per worker."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._pools: dict[str, Pool] = {}

    async def ask_all(self, call: AskingCall, chat: ChatRequest, asks: Sequence[Ask]) -> None:
        """Have each of these of a call answered, or told that it has failed, several side by side."""
        context, waiting = context_of(call, chat), iter(asks)
        await asyncio.gather(*[self._ask_each(call, waiting, context) for _ in asks[:AT_ONCE]])

    async def _ask_each(self, call: AskingCall, waiting: Iterator[Ask], context: Mapping[str, Any]) -> None:
        """Ask one after the other of those that wait, of which others take too."""
        for ask in waiting:
            await self._ask(call, ask, context)

    async def _ask(self, call: AskingCall, ask: Ask, context: Mapping[str, Any]) -> None:
        asking = ask.policy.asking
        if asking is None:
            raise ValueError("only a check that asks makes a question")
        try:
            async with asyncio.timeout(ask.policy.timeout):
                question = asking.question(ask.text, ask.stage, context)
                status, body = await self._answer(call, ask, question)
            found = asking.read(status, body, ask.text)
            ask.answered([_bounded(one, ask.policy.headers) for one in found])
        except TimeoutError:
            ask.failed("timeout")
        except WireError as error:
            ask.failed(error.reason)
        except BadAnswer as error:
            ask.failed(f"bad_answer: {hidden(str(error), ask.policy.headers)[:LONGEST_WHY]}")
        except Exception as error:  # noqa: BLE001 - a check that throws is decided by its policy, whatever it throws
            ask.failed(f"error: {type(error).__name__}")

    async def _answer(self, call: AskingCall, ask: Ask, question: Question) -> tuple[int, bytes]:
        if not question.route:
            return await self._post(question, ask.policy.headers, ask.policy.timeout)
        if question.route not in ask.policy.routes:
            raise BadAnswer("nobody was asked: the route is none of the check's")
        return await self._judge(call, question)

    async def _post(
        self,
        question: Question,
        secrets: Mapping[str, str],
        timeout: float,  # noqa: ASYNC109 - of the connection
    ) -> tuple[int, bytes]:
        url = urlsplit(question.url)
        if secrets and url.scheme != "https" and url.hostname not in LOCAL:
            raise BadAnswer("its headers are secrets, which leave this machine over TLS only")
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        # A check may have headers of its own; those of the configuration come instead.
        ours = {"content-type": "application/json"} | {name.lower(): value for name, value in question.headers.items()}
        lines = ours | {name.lower(): value for name, value in secrets.items()}
        headers = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode("latin-1")
        pool = self._pool(f"{url.scheme}://{url.netloc}")
        answer = await pool.ask(target.encode(), headers, question.body, connect_timeout=timeout)
        try:
            return answer.status, await answer.read()
        except BaseException:
            answer.abort()
            raise

    def _pool(self, origin: str) -> Pool:
        pool = self._pools.get(origin)
        if pool is None:
            if len(self._pools) >= _POOLS:
                self._pools.pop(next(iter(self._pools))).retire()
            endpoint = Endpoint(base_url=origin, max_connections=MOST_CONNECTIONS, max_answer=LONGEST_ANSWER)
            pool = self._pools[origin] = Pool(endpoint)
        return pool

    async def close(self) -> None:
        """Close what is open."""
        for pool in self._pools.values():
            await pool.close()


def _bounded(found: Found, secrets: Mapping[str, str]) -> Found:
    """Return a finding as a record may keep it: what an answer says may be long, and what was sent to who said it."""
    rule, why = hidden(found.rule, secrets)[:LONGEST_RULE], hidden(found.why, secrets)[:LONGEST_WHY]
    return Found(rule, found.start, found.end, found.score, why)


def hidden(text: str, secrets: Mapping[str, str]) -> str:
    """Return a text without the values of these headers, and without what in them follows a word such as `Bearer`."""
    for value in secrets.values():
        for secret in (value, value.rpartition(" ")[2]):
            if len(secret) >= SHORTEST_SECRET:
                text = text.replace(secret, HIDDEN)
    return text


def context_of(call: AskingCall, chat: ChatRequest) -> Mapping[str, Any]:
    """Return what a service may know of a call."""
    identity = call.identity
    return {
        "call": call.id,
        "tenant": identity.tenant,
        "route": call.route,
        "user": identity.user,
        "session": identity.session,
        "messages": msgspec.to_builtins(chat.messages),
    }
