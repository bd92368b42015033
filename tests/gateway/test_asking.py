"""Checks that ask a service: what it says counts, and where it says nothing the policy decides."""

import asyncio
import contextlib
import json
import socket

import openai
import pytest

from gateway.running import HELLO, play, until
from gateway.test_guardrails import said
from trunkline.simulator import Script
from trunkline.wire.limits import ServerLimits
from trunkline.wire.server import Server

JSON = b"content-type: application/json\r\n"
TEXT = "One is fine. Two is bad. Three is fine."
both_forms = pytest.mark.parametrize("stream", [False, True])


def _nothing(*_):
    """A connection that is cut when a story ends is no news."""


class Service:
    """A guardrail service on a port of its own: `answer` makes its answer of what it is asked."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    async def handle(self, request, responder):
        question = json.loads(request.body)
        self.asked.append(question)
        status, body = await self.answer(question)
        responder.send(status, JSON, body)

    @contextlib.asynccontextmanager
    async def running(self):
        listener = socket.create_server(("127.0.0.1", 0))
        server = Server(self.handle, ServerLimits(), on_refused=_nothing, on_fault=_nothing)
        await server.serve(listener, None)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/check"
        finally:
            server.drain()
            await server.closed(0.0)


async def bad_ones(question):
    start = question["text"].find("bad")
    found = [{"rule": "bad", "start": start, "end": start + 3}] if start >= 0 else []
    return 200, json.dumps({"findings": found}).encode()


def policy(url, **more):
    rest = "".join(f", {name}: {value}" for name, value in ({"action": "redact", "on": "[output]"} | more).items())
    return {"tenant": "guardrails: [p]", "more": f"guardrails:\n  p: {{check: webhook, url: {url}{rest}}}\n"}


def asking(tmp_path, answer, story, text=TEXT, **more):
    service = Service(answer)

    async def whole(gateway, simulator):
        async with service.running() as url:
            await gateway.load(gateway.compile(**policy(url, **more)))
            await story(gateway, service)

    play(tmp_path, whole, Script(text=text), Script(text=text))


@both_forms
def test_what_a_service_finds_is_done_to_the_answer(tmp_path, stream):
    async def story(gateway, service):
        assert (await said(gateway, "voice", stream))[0] == TEXT.replace("bad", "[BAD]")
        asked = {asked["text"] for asked in service.asked}  # side by side, and so in any order
        assert asked == {"One is fine. ", "Two is bad. ", "Three is fine."}
        assert len(service.asked) == 3
        (about,) = {(asked["tenant"], asked["route"], asked["stage"]) for asked in service.asked}
        assert about == ("harbor", "voice", "output")
        assert service.asked[0]["call"] == gateway.record("call.closed")["call"]

    asking(tmp_path, bad_ones, story)


@both_forms
def test_a_request_is_not_sent_before_the_service_has_answered(tmp_path, stream):
    async def story(gateway, service):
        with pytest.raises(openai.BadRequestError):
            await gateway.client().chat.completions.create(
                model="voice", messages=[*HELLO, {"role": "user", "content": "So bad."}], stream=stream
            )
        assert gateway.simulator.openai.call_count == 0

    asking(tmp_path, bad_ones, story, action="block", on="[input]")


def test_questions_are_asked_side_by_side(tmp_path):
    """Each waits until all three are there: one after the other none would ever be answered."""
    gathered = asyncio.Barrier(3)

    async def together(question):
        await gathered.wait()
        return await bad_ones(question)

    async def story(gateway, service):
        assert (await said(gateway, "voice", False))[0] == TEXT.replace("bad", "[BAD]")

    asking(tmp_path, together, story)


async def never(question):
    await asyncio.Event().wait()


async def rubbish(question):
    return 200, b'{"fine": true}'


async def error(question):
    return 500, b"{}"


FAILURES = [(never, "timeout"), (rubbish, "bad_answer"), (error, "bad_answer: status 500")]


@both_forms
@pytest.mark.parametrize(("answer", "why"), FAILURES)
def test_without_an_answer_nothing_leaves(tmp_path, answer, why, stream):
    async def story(gateway, service):
        text, finish, ours = await said(gateway, "voice", stream)
        assert (text, finish, ours["outcome"]) == ("", "content_filter", "blocked")
        finding = gateway.record("call.closed")["findings"][0]
        assert (finding["rule"], finding["action"]) == ("check_failed", "block")
        assert finding["why"].startswith(why)

    asking(tmp_path, answer, story, timeout="50ms")


@both_forms
@pytest.mark.parametrize(("answer", "why"), FAILURES)
def test_without_an_answer_it_may_pass_and_that_is_on_record(tmp_path, answer, why, stream):
    async def story(gateway, service):
        assert (await said(gateway, "voice", stream))[0] == TEXT
        findings = gateway.record("call.closed")["findings"]
        assert {(finding["rule"], finding["action"]) for finding in findings} == {("check_failed", "bypass")}
        assert len(findings) == 3

    asking(tmp_path, answer, story, timeout="50ms", on_error="allow")


def test_a_service_that_is_not_there_is_no_answer(tmp_path):
    async def story(gateway, simulator):
        await gateway.load(gateway.compile(**policy("http://127.0.0.1:9/check")))
        text, finish, _ = await said(gateway, "voice", True)
        assert (text, finish) == ("", "content_filter")
        assert gateway.record("call.closed")["findings"][0]["why"].startswith("connect_failed")

    play(tmp_path, story, Script(text=TEXT))


def test_a_drained_worker_keeps_no_connection_to_a_service(tmp_path):
    kept = []

    async def story(gateway, service):
        await said(gateway, "voice", False)
        kept.extend(gateway.worker._exchange._asking._pools.values())
        assert [pool.connections > 0 for pool in kept] == [True]

    asking(tmp_path, bad_ones, story)
    assert [pool.connections for pool in kept] == [0]


def test_a_client_that_leaves_ends_the_question(tmp_path):
    left = asyncio.Event()

    async def told(question):
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    async def story(gateway, service):
        calling = asyncio.create_task(gateway.ask("voice"))
        await until(lambda: bool(service.asked))
        calling.cancel()
        await left.wait()

    asking(tmp_path, told, story, timeout="30s")
