"""The dialect as a whole, and the provider's own SDK on the other side of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import anthropic
import httpx2
import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from anthropic_examples import STREAMS, event, message, start, told
from chat_examples import calls, request, result, sent, target, tool, user
from pydantic import TypeAdapter
from test_voice_histories import HISTORIES, understood

from trunkline.dialects.anthropic import ANTHROPIC
from trunkline.dialects.provider import StreamDecoder
from trunkline.model.chat import FilePart, ImagePart, ImageUrl, Message, TextPart

MODELS = ["claude-haiku-4-5", "claude-opus-4-7", "claude-haiku-5-5", "claude-sonnet-5-5"]
CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}

# The SDK's types are of the API's next version, which takes these for no model; ours does for those that have them.
SAMPLING = ("temperature", "top_p")


def test_the_headers_pin_the_version():
    assert ANTHROPIC.headers("sk-ant-1") == (
        b"content-type: application/json\r\naccept: application/json, text/event-stream\r\n"
        b"anthropic-version: 2023-06-01\r\nx-api-key: sk-ant-1\r\n"
    )
    assert b"x-api-key" not in ANTHROPIC.headers("")


@pytest.mark.parametrize("key", ["a\r\nx: y", "a b", "ü", "\x00"])
def test_a_key_that_no_header_can_hold_is_refused(key):
    with pytest.raises(ValueError, match="key"):
        ANTHROPIC.headers(key)


def test_it_is_found_where_the_configuration_looks():
    assert (ANTHROPIC.name, ANTHROPIC.path, ANTHROPIC.request_id_header) == (
        "anthropic",
        b"/v1/messages",
        b"request-id",
    )
    decoder: StreamDecoder = ANTHROPIC.stream_decoder()
    assert not decoder.ended


@pytest.fixture(scope="module")
def adapters():
    return {True: TypeAdapter(MessageCreateParamsStreaming), False: TypeAdapter(MessageCreateParamsNonStreaming)}


def read(value):
    """Return what the SDK's types made of a value, with its lazy iterators read."""
    if isinstance(value, dict):
        return {key: read(inner) for key, inner in value.items()}
    if isinstance(value, list | Iterator):
        return [read(inner) for inner in value]
    return value


def check_with_sdk(adapters, body):
    """The SDK's types leave out what they do not know: what comes back the same has nothing unknown in it."""
    known = {name: value for name, value in body.items() if name not in SAMPLING}
    assert read(adapters[body.get("stream", False)].validate_python(known)) == known


def test_the_check_itself_finds_what_is_unknown(adapters):
    good = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}
    check_with_sdk(adapters, good)
    with pytest.raises(AssertionError):
        check_with_sdk(adapters, {**good, "frequency_penalty": 1})
    good["messages"][0]["content"][0]["detail"] = "low"
    with pytest.raises(AssertionError):
        check_with_sdk(adapters, good)


@pytest.mark.parametrize("history", HISTORIES)
def test_the_sdk_s_types_accept_every_history(adapters, history):
    for model in MODELS:
        if model == "claude-sonnet-5-5" and history["request"].get("tool_choice") == "required":
            continue
        check_with_sdk(adapters, sent(ANTHROPIC.encode(understood(history), target(model), "drop")))


@pytest.mark.parametrize("model", MODELS)
def test_the_sdk_s_types_accept_every_parameter(adapters, model):
    pdf = {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}
    image = ImagePart(ImageUrl("data:image/png;base64,AAAA"))
    asked = request(
        Message(role="system", content="Be brief."),
        Message(
            role="user", content=[TextPart("Look"), image, ImagePart(ImageUrl("https://a.b/c.png")), FilePart(pdf)]
        ),
        calls("a", "b", text="One moment."),
        result("a", [TextPart("x"), image]),
        result("b", ""),
        user(),
        tools=[tool(parameters=CLOSED, strict=True), tool("other")],
        tool_choice="auto",
        parallel_tool_calls=False,
        temperature=1.5,
        top_p=0.5,
        stop=["END"],
        reasoning_effort="high",
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": CLOSED, "strict": True}},
        stream=True,
    )
    check_with_sdk(adapters, sent(ANTHROPIC.encode(asked, target(model), "drop")))
    for effort in ("none", "low"):
        quiet = request(reasoning_effort=effort, tools=[tool()], tool_choice="none")
        check_with_sdk(adapters, sent(ANTHROPIC.encode(quiet, target(model), "drop")))


def sdk(status, content_type, body, headers=None):
    answer = httpx2.Response(status, headers={"content-type": content_type, **(headers or {})}, content=body)
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _request: answer))
    return anthropic.Anthropic(api_key="sk-ant-test", http_client=http, max_retries=0)


def asked_by_sdk():
    return {"model": "claude-haiku-4-5", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}


def said_by_sdk(found):
    return {
        "text": "".join(block.text for block in found.content if block.type == "text"),
        "reasoning": "".join(block.thinking for block in found.content if block.type == "thinking"),
        "calls": [(block.id, block.name, block.input) for block in found.content if block.type == "tool_use"],
        "model": found.model,
        "stop_reason": found.stop_reason,
        "prompt": found.usage.input_tokens
        + (found.usage.cache_read_input_tokens or 0)
        + (found.usage.cache_creation_input_tokens or 0),
        "completion": found.usage.output_tokens,
    }


def said_by_us(deltas):
    found = told(deltas)
    return {
        "text": found["text"],
        "reasoning": found["reasoning"],
        "calls": [(call_id, name, json.loads(arguments)) for call_id, name, arguments in found["calls"]],
        "model": found["model"][0],
        "stop_reason": found["stop_reason"][0],
        "prompt": found["usage"][0].prompt_tokens,
        "completion": found["usage"][0].completion_tokens,
    }


@pytest.mark.parametrize("data", STREAMS.values(), ids=STREAMS)
def test_the_sdk_reads_the_same_from_a_stream(data):
    with sdk(200, "text/event-stream", data) as client, client.messages.stream(**asked_by_sdk()) as stream:
        theirs = stream.get_final_message()
    assert said_by_us(ANTHROPIC.stream_decoder().feed(data)) == said_by_sdk(theirs)


def test_the_sdk_reads_the_same_from_a_message():
    body = message(
        {"type": "thinking", "thinking": "Hm.", "signature": "x"},
        {"type": "text", "text": "One moment."},
        {"type": "tool_use", "id": "a", "name": "get_holdings", "input": {"household": "Henderson", "n": 1.5}},
        reason="tool_use",
    )
    with sdk(200, "application/json", body) as client:
        theirs = client.messages.create(**asked_by_sdk())
    assert said_by_us(ANTHROPIC.decode_answer(body)) == said_by_sdk(theirs)


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "invalid_request_error", anthropic.BadRequestError),
        (401, "authentication_error", anthropic.AuthenticationError),
        (403, "permission_error", anthropic.PermissionDeniedError),
        (404, "not_found_error", anthropic.NotFoundError),
        (429, "rate_limit_error", anthropic.RateLimitError),
        (500, "api_error", anthropic.InternalServerError),
        (529, "overloaded_error", anthropic.OverloadedError),
    ],
)
def test_the_sdk_sees_the_same_error(status, kind, error):
    body = json.dumps({"type": "error", "error": {"type": kind, "message": "No."}}).encode()
    with sdk(status, "application/json", body) as client, pytest.raises(error) as caught:
        client.messages.create(**asked_by_sdk())
    ours = ANTHROPIC.decode_fault(status, {}, body, 0.0)
    assert (ours.status, ours.message) == (caught.value.status_code, caught.value.api_message)


def test_the_sdk_sees_the_same_error_inside_a_stream():
    data = start() + event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    with sdk(200, "text/event-stream", data) as client, pytest.raises(anthropic.APIStatusError) as caught:
        list(client.messages.create(**asked_by_sdk(), stream=True))
    decoder = ANTHROPIC.stream_decoder()
    decoder.feed(data)
    assert decoder.error.message == caught.value.api_message


ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"""(?:mend|_note|repairs\.append)\(\s*f?"([a-z_]+)""")


def test_every_repair_is_in_the_documentation():
    sources = [*(ROOT / "src/trunkline/dialects").glob("anthropic*.py"), ROOT / "src/trunkline/dialects/histories.py"]
    names = {name for source in sources for name in NAMED.findall(source.read_text())}
    assert len(names) > 20
    page = (ROOT / "docs/dialect-anthropic.md").read_text()
    assert not {name for name in names if name not in page}
