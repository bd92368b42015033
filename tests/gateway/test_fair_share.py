"""The incident: one advisor's burst against the limit of an account that ten share. The other nine do not notice."""

import asyncio
import contextlib
import json
import time

import openai
import pytest

from gateway.raw_client import connected, hear, payload, request
from gateway.running import FIRST_KEY, HELLO, play
from trunkline.policy.limits.moment import Moment
from trunkline.simulator import ErrorAnswer, RateLimit, Script, Stall, TokenCount

CAPACITY = ", capacity: {requests_per_minute: 60}"
SHARED = Script(text="All is well.", rate_limit=RateLimit(calls=60))
SENTENCE = "One moment, I am being asked too much at once."
BURST = 200
OTHERS = [f"advisor-{number}" for number in range(2, 11)]
TURNS = 3  # calls that each of the others makes: a voice turn has several

configured = {
    "only-first": {"openai": SHARED, "first_account": CAPACITY},
    "only-second": {"anthropic": SHARED, "second_account": CAPACITY},
}
routes = pytest.mark.parametrize("route", configured)
ways = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])


async def one(gateway, user, route, **fields):
    return await hear(gateway, {"model": route, "user": user} | fields)


async def burst(gateway, route, refused: asyncio.Event | None = None, **fields):
    """Two hundred calls of the first advisor at once."""

    async def ask():
        heard = await one(gateway, "advisor-1", route, **fields)
        if heard.status == 429 and refused is not None:
            refused.set()
        return heard

    return await asyncio.gather(*(ask() for _ in range(BURST)))


async def turn(gateway, user, route, **fields):
    return [await one(gateway, user, route, **fields) for _ in range(TURNS)]


async def turns(gateway, route, **fields):
    """The others' calls: each advisor's one after the other, all advisors at once."""
    heard = await asyncio.gather(*(turn(gateway, user, route, **fields) for user in OTHERS))
    return [answer for of in heard for answer in of]


def statuses(answers):
    return sorted({(heard.status, [h.status for h in answers].count(heard.status)) for heard in answers})


def check_refusals(gateway, mine, provider, served):
    assert statuses(mine) == [(200, served), (429, BURST - served)]
    for heard in mine:
        if heard.status == 429:
            assert heard.error["code"] == "rate_limit_exceeded"
            assert heard.error["type"] == "rate_limit_error"
            ours = heard.error["trunkline"]
            assert (ours["rule"], ours["source"]) == ("fair_share", "tenant_limit")
            assert 50 < ours["retry_after"] <= 66.1
            assert 50 < int(heard.headers["retry-after"]) <= 67
            assert heard.headers["x-should-retry"] == "false"
            for named in ("`advisor-1`", f"`{provider}`", "30 of 60 requests a minute", "Call again in"):
                assert named in heard.error["message"]
    closed = gateway.records("call.closed")
    assert sum(record["outcome"] == "limited" for record in closed) == BURST - served
    assert {record["status"] for record in closed if record["outcome"] == "limited"} == {429}


def provider_of(simulator, route):
    return simulator.openai if route == "only-first" else simulator.anthropic


@routes
@ways
def test_a_burst_of_one_leaves_the_others_who_come_after_it_their_share(tmp_path, route, stream):
    async def story(gateway, simulator):
        refused = asyncio.Event()
        bursting = asyncio.create_task(burst(gateway, route, refused, stream=stream))
        await refused.wait()
        others = await turns(gateway, route, stream=stream)
        assert statuses(others) == [(200, len(OTHERS) * TURNS)]
        assert {heard.headers["x-trunkline-attempts"] for heard in others} == {"1"}
        check_refusals(gateway, await bursting, route.removeprefix("only-"), 30)
        assert {call.status for call in provider_of(simulator, route).calls} == {200}  # it never had to refuse

    play(tmp_path, story, **configured[route])


@routes
def test_a_burst_of_one_leaves_the_others_who_come_with_it_their_share(tmp_path, route):
    async def story(gateway, simulator):
        mine, others = await asyncio.gather(burst(gateway, route), turns(gateway, route))
        assert statuses(others) == [(200, len(OTHERS) * TURNS)]
        check_refusals(gateway, mine, route.removeprefix("only-"), 30)
        assert {call.status for call in provider_of(simulator, route).calls} == {200}

    play(tmp_path, story, **configured[route])


@routes
def test_the_same_where_the_capacity_is_learned_from_the_provider_s_answers(tmp_path, route):
    async def story(gateway, simulator):
        assert (await one(gateway, "advisor-2", route)).status == 200  # from which it is known
        mine, others = await asyncio.gather(burst(gateway, route), turns(gateway, route))
        assert statuses(others) == [(200, len(OTHERS) * TURNS)]
        check_refusals(gateway, mine, route.removeprefix("only-"), 30)
        assert {call.status for call in provider_of(simulator, route).calls} == {200}

    play(tmp_path, story, SHARED, SHARED)


def test_nobody_waits_for_the_one_whose_calls_hang(tmp_path):
    def slow(call):
        return Script(fault=Stall()) if call.body["messages"][-1]["content"] == "hang" else SHARED

    async def story(gateway, simulator):
        hanging = [{"role": "user", "content": "hang"}]
        async with contextlib.AsyncExitStack() as connections:
            for _ in range(40):
                _, writer = await connections.enter_async_context(connected(gateway))
                writer.write(request(payload({"model": "only-first", "user": "advisor-1", "messages": hanging})))
            await simulator.openai.wait_for_calls(30)
            others = await turns(gateway, "only-first")
            assert statuses(others) == [(200, len(OTHERS) * TURNS)]
            assert sum(call.ended_at is None for call in simulator.openai.calls) == 30
        assert len(await simulator.openai.wait_until_left(30)) == 30

    play(tmp_path, story, slow, first_account=CAPACITY)


def test_who_is_over_the_share_is_served_by_the_next_provider(tmp_path):
    async def story(gateway, simulator):
        mine, others = await asyncio.gather(burst(gateway, "voice"), turns(gateway, "voice"))
        assert statuses(mine) == [(200, BURST)]
        by = [heard.headers["x-trunkline-provider"] for heard in mine]
        assert (by.count("first"), by.count("second")) == (30, 170)
        assert {heard.headers["x-trunkline-provider"] for heard in others} == {"first"}
        assert {heard.headers["x-trunkline-attempts"] for heard in [*mine, *others]} == {"1"}
        skipped = [
            attempt
            for record in gateway.records("call.closed")
            for attempt in record["attempts"]
            if attempt["outcome"] == "skipped"
        ]
        assert len(skipped) == 170
        assert {(attempt["provider"], attempt["reason"]) for attempt in skipped} == {("first", "over_share")}
        assert {call.status for call in simulator.openai.calls} == {200}

    play(tmp_path, story, SHARED, Script(text="All is well."), first_account=CAPACITY)


@ways
def test_on_a_voice_route_the_sentence_is_said_instead(tmp_path, stream):
    async def story(gateway, simulator):
        mine, others = await asyncio.gather(burst(gateway, "only-first", stream=stream), turns(gateway, "only-first"))
        assert {heard.text for heard in others} == {"All is well."}
        assert statuses(mine) == [(200, BURST)]
        said = [heard for heard in mine if heard.text == SENTENCE]
        assert len(said) == 170
        for heard in said:
            last = json.loads(heard.events[-2]) if stream else heard.json
            assert last["trunkline"]["outcome"] == "limited"
        limited = [record for record in gateway.records("call.closed") if record["outcome"] == "limited"]
        assert len(limited) == 170
        assert {(record["status"], record["error"]["code"]) for record in limited} == {(200, "rate_limit_exceeded")}

    play(
        tmp_path,
        story,
        SHARED,
        first_account=CAPACITY,
        route=f'instead_of_error: {{limited: "{SENTENCE}", unavailable: "Nobody is there."}}',
    )


def test_what_others_use_of_the_account_is_foreseen_and_the_provider_not_asked_in_vain(tmp_path):
    async def story(gateway, simulator):
        async with openai.AsyncOpenAI(base_url=simulator.openai.url, api_key="sk-others") as outside:
            await outside.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
        assert (await hear(gateway)).headers["x-trunkline-provider"] == "first"  # its answer says that none is left
        heard = await hear(gateway)
        assert (heard.status, heard.headers["x-trunkline-provider"]) == (200, "second")
        skipped, _ = gateway.records("call.closed")[1]["attempts"]
        assert (skipped["outcome"], skipped["reason"]) == ("skipped", "predicted_limit")
        assert simulator.openai.call_count == 2
        alone = await hear(gateway, {"model": "only-first"})
        assert (alone.status, alone.error["code"]) == (429, "provider_unavailable")
        assert 0 < alone.error["trunkline"]["retry_after"] <= 61.6
        assert simulator.openai.call_count == 2

    play(tmp_path, story, Script(text="Well.", rate_limit=RateLimit(calls=2)), Script(text="All is well."))


def test_a_user_over_the_share_at_a_provider_is_told_so_even_where_the_next_one_fails(tmp_path):
    async def story(gateway, simulator):
        answers = [await hear(gateway, {"user": "ada"}) for _ in range(3)]
        assert [heard.status for heard in answers] == [200, 429, 429]
        assert {heard.error["code"] for heard in answers[1:]} == {"rate_limit_exceeded"}
        assert 0 < int(answers[2].headers["retry-after"]) <= 10  # when the other one is back

    resting = Script(fault=ErrorAnswer(status=429, retry_after=10))
    play(tmp_path, story, Script(text="Well."), resting, first_account=", capacity: {requests_per_minute: 2}")


class Used:
    """What counts against an account now, as the gateway has it."""

    def __init__(self, gateway):
        self._pool, self._now = gateway.upstream("first").account._pool, lambda: Moment(time.monotonic(), 0.0)

    @property
    def requests(self):
        return self._pool.requests.sent.used(self._now())

    @property
    def tokens(self):
        return self._pool.tokens.sent.used(self._now())


BOTH = ", capacity: {requests_per_minute: 600, tokens_per_minute: 100000}"


@ways
def test_tokens_are_settled_to_what_the_provider_counted(tmp_path, stream):
    async def story(gateway, simulator):
        await hear(gateway, {"model": "only-first", "stream": stream})
        used = Used(gateway)
        assert (used.requests, used.tokens) == (1, 1029)

    counted = Script(text="Well.", usage=TokenCount(input=1000, output=29, cached=400, reasoning=9))
    play(tmp_path, story, counted, first_account=BOTH)


def test_a_request_that_was_refused_has_used_no_tokens_and_one_that_never_left_nothing(tmp_path):
    async def story(gateway, simulator):
        used = Used(gateway)
        assert (await hear(gateway, {"model": "only-first"})).status == 502
        assert (used.requests, used.tokens) == (1, 0)
        await simulator.openai.stop_listening()
        assert (await hear(gateway, {"model": "only-first"})).status == 502
        assert (used.requests, used.tokens) == (1, 0)

    play(tmp_path, story, Script(fault=ErrorAnswer(status=500)), first_account=BOTH)


def test_a_call_whose_client_left_counts_as_it_was_expected(tmp_path):
    async def story(gateway, simulator):
        async with connected(gateway) as (_, writer):
            writer.write(request(payload({"model": "only-first"})))
            await simulator.openai.wait_for_calls(1)
        await simulator.openai.wait_until_left()
        used = Used(gateway)
        assert used.requests == 1
        assert used.tokens > 256

    play(tmp_path, story, Script(fault=Stall()), first_account=BOTH)


def test_another_attempt_at_the_same_target_takes_another_place(tmp_path):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"model": "only-first"})
        assert (heard.status, heard.headers["x-trunkline-attempts"]) == (502, "3")
        assert Used(gateway).requests == 3

    options = {"route": "retry: {attempts_per_target: 3}", "first_account": BOTH, "first_key": f"[{FIRST_KEY}]"}
    play(tmp_path, story, Script(fault=ErrorAnswer(status=500)), **options)


def test_a_reload_forgives_nothing(tmp_path):
    async def story(gateway, simulator):
        assert (await hear(gateway, {"model": "only-first", "user": "ada"})).status == 200
        await gateway.load(gateway.compile(first_account=", keep_warm: 1, capacity: {requests_per_minute: 2}"))
        assert (await hear(gateway, {"model": "only-first", "user": "ada"})).status == 429

    play(tmp_path, story, Script(text="Well."), first_account=", capacity: {requests_per_minute: 2}")


def test_tenants_share_by_weight(tmp_path):
    other = "birch-7kQ2vX9mZr4TbN8sWfY3hLcJ6pDgE1uA0xRi"
    more = f"  birch: {{weight: 3, keys: {{app: {{secret: {other}}}}}}}"

    async def story(gateway, simulator):
        birch = {"authorization": f"Bearer {other}"}
        assert (await hear(gateway, {"model": "only-first", "user": "x"}, birch)).status == 200
        many = [await one(gateway, f"u{number}", "only-first") for number in range(60)]
        assert [heard.status for heard in many] == [200] * 47 + [429] * 13  # the last fifth is for the other tenant
        rest = [await hear(gateway, {"model": "only-first", "user": "x"}, birch) for _ in range(12)]
        assert [heard.status for heard in rest] == [200] * 12

    play(tmp_path, story, SHARED, first_account=CAPACITY, more=more)
