"""Checks that ask a service: what it says counts, and where it says nothing the policy decides."""

import asyncio
import contextlib
import dataclasses
import json
import socket

import msgspec
import openai
import pytest

from gateway.running import HELLO, play, until
from gateway.test_guardrails import said
from trunkline.channel.messages import LoadFailed
from trunkline.gateway.asking import hidden
from trunkline.gateway.judging import AskingCall
from trunkline.guardrails.check import Question
from trunkline.guardrails.policies import ANSWER, Policies, Policy
from trunkline.guardrails.watched import Watched
from trunkline.model.chat import ChatRequest
from trunkline.model.identity import Identity
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
        self.headers: list[dict[bytes, bytes]] = []
        self.url = ""

    async def handle(self, request, responder):
        question = json.loads(request.body)
        self.asked.append(question)
        self.headers.append(dict(request.headers))
        status, body = await self.answer(question)
        responder.send(status, JSON, body)

    @contextlib.asynccontextmanager
    async def running(self):
        listener = socket.create_server(("127.0.0.1", 0))
        server = Server(self.handle, ServerLimits(), on_refused=_nothing, on_fault=_nothing)
        await server.serve(listener, None)
        try:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/check"
            yield self.url
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
def test_a_service_can_be_asked_when_an_answer_has_left(tmp_path, stream):
    async def story(gateway, service):
        assert (await said(gateway, "voice", stream))[0] == TEXT
        await until(lambda: not gateway.worker._exchange._afterwards._tasks)
        record = gateway.record("call.judged")
        (finding,) = record["findings"]
        assert (finding["rule"], finding["action"], TEXT[finding["start"] : finding["end"]]) == ("bad", "flag", "bad")
        assert record["policies"][0]["questions"] == len(service.asked) == 3
        assert "judge_calls" not in record

    asking(tmp_path, bad_ones, story, when="after", action="flag")


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


OLD, NEW = "old-9f3c5a7be1d24860", "new-c7f2a9d83b6e4f10"


def known_by(key):
    return f'{{Authorization: "Bearer {key}", x-desk: "desk-{key}"}}'


def keys_of(service):
    return [(headers.get(b"authorization"), headers.get(b"x-desk")) for headers in service.headers]


def as_sent(key):
    return f"Bearer {key}".encode(), f"desk-{key}".encode()


@both_forms
def test_a_service_is_told_what_it_knows_the_gateway_by_and_nobody_else_is(tmp_path, capfd, stream):
    async def story(gateway, service):
        assert (await said(gateway, "voice", stream))[0] == TEXT.replace("bad", "[BAD]")
        assert set(keys_of(service)) == {as_sent(OLD)}
        assert {headers[b"content-type"] for headers in service.headers} == {b"application/json"}
        provider = gateway.simulator.openai.calls[0].headers
        assert "x-desk" not in provider
        closed = gateway.record("call.closed")
        assert OLD.encode() not in b"".join(gateway.parts(closed).values())
        assert OLD not in json.dumps(closed) + json.dumps(gateway.record("call.opened"))
        assert OLD.encode() not in (tmp_path / "snapshot-2.json").read_bytes()

    asking(tmp_path, bad_ones, story, headers=known_by(OLD))
    assert OLD not in capfd.readouterr().err
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and OLD.encode() in path.read_bytes()]


def test_another_value_counts_from_the_next_call_on(tmp_path):
    """Of a call that is under way all questions are asked with the value that it began with."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def held(question):
        if question["text"].startswith("One"):
            begun.set()
            await go_on.wait()
        return await bad_ones(question)

    async def story(gateway, service):
        url = service.url
        await gateway.load(gateway.compile(**policy(url, headers=known_by(OLD), action="redact", on="[output]")))
        before = gateway.worker._endpoints.in_force.guardrails["p"]
        script = gateway.simulator.openai
        calling = asyncio.create_task(said(gateway, "voice", False))
        await begun.wait()
        await gateway.load(gateway.compile(**policy(url, headers=known_by(NEW), action="redact", on="[output]")))
        after = gateway.worker._endpoints.in_force.guardrails["p"]
        go_on.set()
        assert (await calling)[0] == TEXT.replace("bad", "[BAD]")
        assert keys_of(service) == [as_sent(OLD)] * 3
        await said(gateway, "voice", False)
        assert keys_of(service)[3:] == [as_sent(NEW)] * 3
        assert (before.version, before is after) == (after.version, False)
        assert script.call_count == 2

    asking(tmp_path, held, story)


def test_what_is_as_it_was_is_not_made_again(tmp_path):
    async def story(gateway, service):
        configured = policy(service.url, headers=known_by(OLD))
        await gateway.load(gateway.compile(**configured))
        before = gateway.worker._endpoints.in_force.guardrails["p"]
        await gateway.load(gateway.compile(**configured))
        assert gateway.worker._endpoints.in_force.guardrails["p"] is before

    asking(tmp_path, bad_ones, story)


def test_without_the_values_of_its_headers_a_policy_is_not_put_in_force(tmp_path):
    async def story(gateway, service):
        compiled = gateway.compile(**policy(service.url, headers=known_by(OLD)))
        lost = dataclasses.replace(compiled, secrets=msgspec.structs.replace(compiled.secrets, guardrails={}))
        told = await gateway.load(lost)
        assert isinstance(told, LoadFailed)
        assert "headers of the guardrail `p` are not there" in told.reason
        assert OLD not in told.reason

    asking(tmp_path, bad_ones, story)


ECHOES = [
    ({}, {"findings": [{"rule": f"seen {OLD}", "why": f"sent Bearer {OLD} and desk-{OLD}, at length: " + "x" * 300}]}),
    ({"format": "generic"}, {"action": "x" * 150 + f"Bearer {OLD}"}),
    ({}, {"findings": [{"rule": OLD + "y" * 100}]}),
]


@pytest.mark.parametrize(("more", "answer"), ECHOES)
def test_what_a_service_says_of_what_it_was_told_is_left_out(tmp_path, more, answer):
    async def echoes(question):
        return 200, json.dumps(answer).encode()

    async def story(gateway, service):
        await said(gateway, "voice", False)
        (finding, *_) = gateway.record("call.closed")["findings"]
        assert OLD[:12] not in json.dumps(finding)
        assert "(hidden)" in json.dumps(finding)
        assert (len(finding["rule"]) <= 64, len(finding.get("why", "")) <= 220) == (True, True)

    asking(tmp_path, echoes, story, headers=known_by(OLD), **more)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("fine", "fine"), ("Bearer sk-12345678", "(hidden)"), ("it is sk-12345678!", "it is (hidden)!"), ("on", "on"),
        ("sk-1234567", "sk-1234567"),
    ],
)  # fmt: skip
def test_what_is_hidden_is_a_secret_and_what_follows_its_scheme(text, left):
    assert hidden(text, {"authorization": "Bearer sk-12345678", "x-on": "on"}) == left


def test_headers_leave_this_machine_over_tls_only(tmp_path):
    """A plugin's check may name any address; the one of `webhook` is refused at the start."""

    class Elsewhere:
        version, hold = "1", "whole"

        def question(self, text, stage, context):
            return Question(b"{}", url="http://guard.example.com/", headers={"X-Desk": "its own"})

        def read(self, status, body, text):
            raise AssertionError("nobody is asked")

    async def story(gateway, simulator):
        in_force = gateway.worker._endpoints.in_force
        watched = Watched([Policy("p", "1", Elsewhere(), headers={"x-desk": OLD})], "whole", ANSWER, "text")
        watched.feed("Hello", True)
        key = in_force.snapshot.keys["voice-agent"]
        identity = Identity("harbor", "voice-agent")
        call = AskingCall("c1", key, in_force.plan(key, "voice", 0.0), identity, in_force, Policies([]))
        chat = ChatRequest(model="voice", messages=[])
        await gateway.worker._exchange._asking.ask_all(call, chat, watched.asks)
        watched.give_out()
        (finding,) = watched.fired
        assert finding.found.why == "bad_answer: its headers are secrets, which leave this machine over TLS only"

    play(tmp_path, story, Script(text="Yes."), Script(text="Yes."))
