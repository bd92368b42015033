"""Every endpoint that carries what a model says has guardrails clear it: JSON and stream, every field.

The endpoints are those of the gateway's own table. One that is new is to be put into one of the two lists below, and
where it carries answers, all that is asked of the others is asked of it. That this can fail is shown with endpoints
made here, which go past the engine.
"""

import ast
import contextlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import uvloop

from gateway.raw_client import get, request, send
from gateway.running import HELLO, PATIENCE, SOMEWHERE, asyncio, check, running
from trunkline.gateway import endpoints
from trunkline.gateway.endpoints import Endpoint
from trunkline.gateway.in_force import InForce
from trunkline.model.delta import Delta
from trunkline.simulator import Cut, ErrorAnswer, InBandError, Script, Simulator, ToolCall

WORDS = "Vermilion Harbinger Syndicate"  # several tokens, so that a piece of it that leaves too early is seen
LEAK = re.compile("vermil|harbing|syndic", re.IGNORECASE)
ESCAPED = json.dumps({"to": WORDS}).replace("V", "\\u0056").replace("H", "\\u0048")
TEXT = f"We sell funds. The {WORDS} sells them too. Ask me."
GOOD = "All is well."
INSTEAD = "Shall I call your advisor?"
TOOL = {"type": "function", "function": {"name": "send", "parameters": {"type": "object"}}}
SAYS = f'instead_of_error: {{blocked: "{INSTEAD}", unavailable: "{INSTEAD}"}}'
FAILING = Script(fault=ErrorAnswer(status=500))
FORMS = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
ACTIONS = pytest.mark.parametrize("action", ["block", "replace", "redact"])


@dataclass(frozen=True)
class Kind:
    """A way in which the words can be in an answer.

    `first` and `second` are the scripts of the providers, or `said` the first one's message, where no script says such
    a thing. `fields` are those of a delta that carry the words, `where` is the place of a finding. `comes`: in which
    forms they reach the client where no policy is in force. `instead`: whether the route's sentence is said.
    """

    first: Script = FAILING
    second: Script = FAILING
    said: dict | None = None
    model: str = "only-first"
    choices: int = 1
    route: str = ""
    target: str = ""
    fields: tuple[str, ...] = ("text",)
    where: str = "choices[0].message.content"
    comes: tuple[bool, ...] = (False, True)
    instead: str = "never"

    @property
    def calls_tool(self) -> bool:
        return "tool" in self.fields


def of_second(kind: Kind) -> Kind:
    """The same from the other provider."""
    return replace(kind, first=FAILING, second=kind.first, model="only-second")


def in_tool(arguments) -> Kind:
    calls = (ToolCall("send", arguments),)
    return Kind(Script(tool_calls=calls), fields=("tool",), where="choices[0].message.tool_calls[0]")


SPOKEN = Kind(Script(text=TEXT))
REFUSED = Kind(Script(refusal=TEXT), fields=("refusal",), where="choices[0].message.refusal")
THOUGHT = Kind(Script(text=GOOD, reasoning=TEXT), fields=("reasoning",), where="choices[0].message.reasoning_content")
ARGUMENT = in_tool({"to": [WORDS]})
REJECTED = Kind(Script(fault=ErrorAnswer(status=400, message=TEXT)), where="")
FAILED = Kind(Script(text=GOOD, fault=InBandError(after_tokens=1, message=TEXT)), where="", comes=())
KINDS = {
    "text": SPOKEN,
    "text of the second provider": of_second(SPOKEN),
    "a second choice": Kind(
        Script(text=GOOD, alternatives=(TEXT,)), choices=2, where="choices[1].message.content"
    ),
    "a refusal": REFUSED,
    "a refusal of the second provider": of_second(replace(REFUSED, where=SPOKEN.where)),
    "reasoning": THOUGHT,
    "reasoning of the second provider": of_second(THOUGHT),
    "arguments of a tool": ARGUMENT,
    "arguments of a tool of the second provider": of_second(ARGUMENT),
    "a key in arguments of a tool": in_tool({WORDS: 1}),
    "escapes in arguments of a tool": in_tool(ESCAPED),
    "text before a tool call": Kind(Script(text=TEXT, tool_calls=(ToolCall("send", {}),)), fields=("text", "tool")),
    "log probabilities that nobody asked for": Kind(
        Script(text=TEXT), target=", params: {set: {logprobs: true, top_logprobs: 2}}", fields=("text", "logprobs")
    ),
    "annotations": Kind(
        said={"content": GOOD, "annotations": [{"type": "url_citation", "url_citation": {"title": WORDS}}]},
        fields=("annotations",),
        where="",
    ),
    "audio": Kind(
        said={"content": GOOD, "audio": {"id": "audio_1", "data": "UklGRg==", "transcript": WORDS}},
        fields=("audio",),
        where="choices[0].message.audio",
    ),
    "fields that nobody knows": Kind(
        said={"content": GOOD, "thoughts": WORDS, "parts": [{"text": WORDS}]}, fields=(), where="", comes=()
    ),
    "an answer after a failover": Kind(FAILING, Script(text=TEXT), model="voice"),
    "an answer after a failover the other way": Kind(Script(text=TEXT), FAILING, model="reversed"),
    "an answer in whose place the route says a sentence": replace(SPOKEN, route=SAYS, instead="stopped"),
    "an answer that breaks off, and the route says a sentence": Kind(
        Script(text=TEXT, fault=Cut(after_tokens=7)), route=SAYS, where="", comes=(True,), instead="always"
    ),
    "an error": REJECTED,
    "an error of the second provider's": of_second(REJECTED),
    "an error that names a field": replace(
        REJECTED, first=Script(fault=ErrorAnswer(status=400, param=f"messages[0].{WORDS}"))
    ),
    "a failure": replace(REJECTED, first=Script(fault=ErrorAnswer(status=500, message=TEXT)), comes=()),
    "a failure in an answer": FAILED,
    "a failure in an answer of the second provider's": of_second(FAILED),
}  # fmt: skip
EVERY_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)

# The fields of a delta: all that any provider's answer is made of, behind its dialect.
WITH_WORDS = {"text", "refusal", "reasoning", "tool", "logprobs", "annotations", "audio"}
WITHOUT_WORDS = {
    "choice", "finish", "good", "model", "provider_id", "service_tier", "stop_reason", "system_fingerprint",
    "uncounted", "usage",
}  # fmt: skip


def chat(kind: Kind, *, stream: bool) -> bytes:
    """The body that asks for an answer of this kind."""
    fields = {"model": kind.model, "messages": HELLO, "stream": stream, "n": kind.choices}
    return json.dumps(fields | ({"tools": [TOOL]} if kind.calls_tool else {})).encode()


# How each endpoint that carries answers is asked for one; the others say nothing that a model has said.
CARRYING = {"POST /v1/chat/completions": chat}
CARRYING_NONE = {"GET /v1/models", "any /healthz", "any /readyz"}


class Unclassified(AssertionError):
    """An endpoint that is in neither list, or in one without being served."""


def carrying(table, known=CARRYING, others=frozenset(CARRYING_NONE)):
    """Return the endpoints that carry answers, each with how it is asked. Raises Unclassified."""
    served = [endpoint.name for endpoint in table]
    if sorted(served) != sorted([*known, *others]):
        raise Unclassified(f"the lists do not have what is served: {served}")
    return [(endpoint, known[endpoint.name]) for endpoint in table if endpoint.name in known]


# What a client has heard


def said_in(heard) -> dict[str, str]:
    """All that an answer says, field by field: of a stream, each field's pieces joined; of escapes, what they mean."""
    said: dict[str, str] = {"headers": repr(heard.headers), "body": heard.body.decode()}
    if heard.headers["content-type"].startswith("text/event-stream"):
        bodies = [json.loads(event) for event in heard.events if event != "[DONE]"]
    else:
        bodies = [heard.json]
    for body in bodies:
        _join(body, "", said)
    for path, text in list(said.items()):
        with contextlib.suppress(ValueError):
            _join(json.loads(text), f"{path} as JSON", said)
    return said


def _join(value, path: str, said: dict[str, str]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            said["keys"] = said.get("keys", "") + f" {key}"
            _join(inner, f"{path}.{key}", said)
    elif isinstance(value, list):
        if value and all(type(one) is int and 0 <= one < 256 for one in value):
            said[path] = said.get(path, "") + bytes(value).decode(errors="replace")
            return
        for one in value:
            place = one.get("index", "*") if isinstance(one, dict) else "*"
            _join(one, f"{path}[{place}]", said)
    elif isinstance(value, str):
        said[path] = said.get(path, "") + value


def leaks(heard) -> list[str]:
    """Where an answer has any of the words."""
    return sorted(path for path, text in said_in(heard).items() if LEAK.search(text))


# A gateway, and what stands behind it


def policies(action: str) -> dict[str, str]:
    """Options of a gateway with the policy in force."""
    rules = "rules: [{name: rival, expression: 'vermilion harbinger syndicate'}]"
    sentence = f', with: "{INSTEAD}"' if action == "replace" else ""
    more = f"guardrails:\n  p: {{check: patterns, action: {action}{sentence}, {rules}}}"
    return {"more": more, "tenant": "guardrails: [p]"}


@contextlib.asynccontextmanager
async def saying(message: dict):
    """A provider with OpenAI's dialect that says this message to everybody; yields its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        body = await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
        streamed = json.loads(body).get("stream")
        name = "delta" if streamed else "message"
        whole = {"id": "c1", "model": "gpt-4o-mini", "usage": {"prompt_tokens": 3, "completion_tokens": 3}} | {
            "choices": [{"index": 0, name: message, "finish_reason": "stop", "extra": message}], "extra": message
        }  # fmt: skip
        data = json.dumps(whole).encode()
        data = b"data: %b\n\ndata: [DONE]\n\n" % data if streamed else data
        kind = b"text/event-stream" if streamed else b"application/json"
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (kind, len(data)) + data)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


def play(directory, kind: Kind, story, **options) -> None:
    """Run a story against a gateway behind which this kind of answer is given."""

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(asyncio.timeout(PATIENCE))
            simulator = await stack.enter_async_context(Simulator(kind.first, kind.second))
            url = SOMEWHERE if kind.said is None else await stack.enter_async_context(saying(kind.said))
            settings = {"openai": url, "first": kind.target, "second": "", "route": kind.route} | options
            gateway = await stack.enter_async_context(running(simulator, directory, **settings))
            await story(gateway)
            check(gateway)

    uvloop.run(main())


async def ask(gateway, endpoint: Endpoint, body: bytes):
    """Ask an endpoint, and return what is heard and the closed record of the call."""
    heard = await send(gateway, request(body, target=endpoint.name))
    closed = gateway.records("call.closed")
    return heard, closed[-1] if closed else {}


# The table


def test_every_endpoint_is_known_to_carry_answers_or_not(tmp_path):
    async def story(gateway):
        assert carrying(gateway.worker._endpoints.table)

    play(tmp_path, SPOKEN, story)


def test_a_new_endpoint_has_to_be_classified(tmp_path):
    async def story(gateway):
        table = gateway.worker._endpoints.table
        with pytest.raises(Unclassified, match="POST /v1/responses"):
            carrying((*table, Endpoint(b"POST", "/v1/responses", gateway.worker._exchange.carry)))
        with pytest.raises(Unclassified):
            carrying(table[1:])

    play(tmp_path, SPOKEN, story)


def test_nothing_is_served_past_the_table(tmp_path):
    source = ast.parse(Path(endpoints.__file__).with_name("endpoints.py").read_text())
    named = {
        node.value
        for node in ast.walk(source)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"/\w[\w/]*", node.value)
    }

    async def story(gateway):
        served = gateway.worker._endpoints
        assert named == {endpoint.path for endpoint in served.table}
        served.table = ()
        for path in named:
            for method in ("GET", "POST"):
                heard = await send(gateway, request(b"{}", target=f"{method} {path}"))
                assert (heard.status, heard.error["code"]) == (404, "endpoint_not_supported")

    play(tmp_path, SPOKEN, story)


def test_what_carries_no_answer_asks_no_provider(tmp_path):
    async def story(gateway):
        for endpoint in gateway.worker._endpoints.table:
            if endpoint.name in CARRYING_NONE:
                assert (await get(gateway, endpoint.path)).status == 200
        assert gateway.simulator.openai.call_count == gateway.simulator.anthropic.call_count == 0

    play(tmp_path, SPOKEN, story)


def test_every_field_of_an_answer_has_a_kind():
    assert {name for name in dir(Delta) if not name.startswith("_")} == WITH_WORDS | WITHOUT_WORDS
    assert {name for kind in KINDS.values() for name in kind.fields} == WITH_WORDS


# Every kind of answer, through every endpoint that carries any


@FORMS
@ACTIONS
@EVERY_KIND
def test_what_a_policy_stops_comes_through_no_endpoint(tmp_path, kind, action, stream):
    async def story(gateway):
        for endpoint, body_of in carrying(gateway.worker._endpoints.table):
            heard, closed = await ask(gateway, endpoint, body_of(kind, stream=stream))
            assert leaks(heard) == []
            assert heard.whole
            assert heard.status == closed["status"]
            places = [finding["where"] for finding in closed.get("findings", ())]
            assert (kind.where in places) == bool(kind.where), places
            assert [one["outcome"] for one in closed["attempts"]].count("skipped") < len(closed["attempts"])
            if kind.instead == "always" or (kind.instead == "stopped" and action != "redact"):
                assert INSTEAD in "".join(said_in(heard).values())

    play(tmp_path, kind, story, **policies(action))


def test_the_words_of_a_provider_that_rejects_a_call_stay_in_the_record(tmp_path):
    kind = Kind(Script(fault=ErrorAnswer(status=400, message=TEXT, param="messages[0].content")))

    async def story(gateway):
        heard, closed = await ask(gateway, gateway.worker._endpoints.table[0], chat(kind, stream=False))
        assert (heard.status, heard.error["code"], heard.error["param"]) == (400, "context_length_exceeded", "messages")
        assert WORDS.encode() in gateway.parts(closed)["1.provider_response"]

    play(tmp_path, kind, story, **policies("redact"))


# That it can fail


@FORMS
@EVERY_KIND
def test_an_endpoint_that_goes_past_the_engine_is_found(tmp_path, kind, stream):
    """Its calls are carried as all are, but by a snapshot that has lost its policies."""

    async def story(gateway):
        served, worker = gateway.worker._endpoints, gateway.worker
        bare = gateway.compile(openai=gateway.upstream("first").provider.base_url, first=kind.target, route=kind.route)

        async def past_the_engine(request, responder, in_force):
            without = InForce(bare.snapshot, in_force.digest, in_force._upstreams, worker._health_of, in_force.rosters)
            await worker._exchange.carry(request, responder, without)

        served.table = (Endpoint(b"POST", "/v1/past", past_the_engine), *served.table[1:])
        known = {"POST /v1/past": chat}
        for endpoint, body_of in carrying(served.table, known):
            heard, _ = await ask(gateway, endpoint, body_of(kind, stream=stream))
            assert bool(leaks(heard)) == (stream in kind.comes)

    play(tmp_path, kind, story, **policies("block"))


@FORMS
def test_an_endpoint_that_asks_a_provider_itself_is_found(tmp_path, stream):
    async def story(gateway):
        async def relay(request, responder, in_force):
            async with httpx.AsyncClient() as client:
                body = json.loads(request.body) | {"model": "gpt-4o-mini"}
                url = f"{gateway.simulator.openai.url}/chat/completions"
                answer = await client.post(url, json=body, headers={"authorization": "Bearer any"})
            responder.send(200, f"content-type: {answer.headers['content-type']}\r\n".encode(), answer.content)

        served = gateway.worker._endpoints
        served.table = (Endpoint(b"POST", "/v1/relay", relay), *served.table[1:])
        for endpoint, body_of in carrying(served.table, {"POST /v1/relay": chat}):
            heard, closed = await ask(gateway, endpoint, body_of(SPOKEN, stream=stream))
            assert leaks(heard)
            assert closed == {}

    play(tmp_path, SPOKEN, story, **policies("block"))
