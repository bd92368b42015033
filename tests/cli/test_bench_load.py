"""The load generator and the fake provider, as the processes that they are."""

import subprocess
import sys

import msgspec
import openai
import pytest

from trunkline.cli.bench.loading import generate
from trunkline.cli.bench.places import here
from trunkline.cli.bench.plan import LoadPlan
from trunkline.cli.bench.transcript import MODEL, text
from trunkline.cli.bench.upstream import provider
from trunkline.simulator import Cut, ErrorAnswer, Script, Simulator

CORE = here().load
DELTAS = 7


def plan(port, **more):
    facts = {"host": "127.0.0.1", "key": "sk-any", "model": MODEL, "callers": 3, "deltas": DELTAS, "spread": 0.01}
    return LoadPlan(port=port, **(facts | more))


@pytest.fixture(scope="module")
def port():
    with provider(CORE, DELTAS, rate=500.0) as number:
        yield number


@pytest.mark.parametrize("stream", [False, True])
def test_exactly_as_many_calls_are_made_as_asked_for(port, stream):
    result = generate(plan(port, calls=20, stream=stream), CORE)
    assert (result.answered, result.amiss, result.sample) == (20, 0, None)
    assert 0 < result.took.p50 <= result.took.p99 <= result.took.most
    assert (result.first.p50 is not None) == stream
    assert (result.gaps.p50 is not None) == stream


def test_calls_are_made_for_the_time_asked_for(port):
    result = generate(plan(port, seconds=0.2), CORE)
    assert result.amiss == 0
    assert result.answered > 3
    assert result.seconds >= 0.19  # the loop counts in milliseconds


def test_the_openai_sdk_hears_the_fake_provider(port):
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "How is it going?"}]}
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="sk-any", max_retries=0) as client:
        answer = client.chat.completions.create(**asked)
        assert answer.choices[0].message.content == text(DELTAS).decode()
        chunks = list(client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **asked))
        with pytest.raises(openai.NotFoundError):
            client.models.list()
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model=MODEL, messages="none")
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text(DELTAS).decode()
    assert chunks[-1].usage.completion_tokens == DELTAS


def test_the_provider_ends_when_whoever_started_it_is_gone():
    command = [sys.executable, "-m", "trunkline.cli.bench.provider"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert int(process.stdout.readline()) > 0
        process.stdin.close()
        assert process.wait(30) == 0


def test_a_provider_that_cuts_streams_loses_each_of_them():
    with Simulator.in_thread(openai=Script(text=text(DELTAS).decode(), fault=Cut(after_tokens=2))) as simulator:
        result = generate(plan(simulator.openai.port, calls=6, stream=True), CORE)
    # A reset may overtake the answer's head: then the call has failed, for there was no stream to lose.
    assert result.answered == 0
    assert result.lost + result.failed.get("connection closed", 0) == 6


def test_a_provider_that_refuses_is_counted_by_status_and_quoted():
    with Simulator.in_thread(openai=Script(fault=ErrorAnswer(status=500, message="Broken."))) as simulator:
        result = generate(plan(simulator.openai.port, calls=6), CORE)
    assert (result.answered, result.lost, result.failed) == (0, 0, {"status 500": 6})
    assert "Broken." in result.sample


def test_a_provider_that_says_something_else_has_not_answered():
    with Simulator.in_thread(openai=Script(text="Something else.")) as simulator:
        result = generate(plan(simulator.openai.port, calls=4), CORE)
        streamed = generate(plan(simulator.openai.port, calls=4, stream=True), CORE)
    assert (result.answered, result.failed) == (0, {"another text": 4})
    assert (streamed.answered, streamed.lost) == (0, 4)


def test_a_provider_that_is_down_fails_every_caller_and_ends_the_run():
    with Simulator.in_thread() as simulator:
        down = simulator.openai.port
    result = generate(plan(down, seconds=30.0), CORE)
    assert result.answered == 0
    assert result.failed == {"cannot connect: Connection refused": 3}


def test_the_key_is_not_among_the_arguments_of_the_process():
    secret = msgspec.structs.replace(plan(1), key="tl-secret")
    assert b"tl-secret" in msgspec.json.encode(secret)
    assert "tl-secret" not in repr(secret)
