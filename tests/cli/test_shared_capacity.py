"""The incident where many workers share an account: four in one gateway, and two gateways of two over one Redis.

One advisor sends 200 calls in a burst, nine others three each; the account takes 60 a minute.
"""

import asyncio
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from running_gateway import SECRET, Gateway, gateway

from gateway.raw_client import Heard, payload, request, send
from gateway.redis_server import RedisServer
from trunkline.simulator import RateLimit, Script, Simulator

CAPACITY = 60
BURST = 200
OTHERS = [f"advisor-{number}" for number in range(2, 11)]
TURNS = 3
SENTENCE = "One moment, I am being asked too much at once."
SHARED = Script(text="All is well.", rate_limit=RateLimit(calls=CAPACITY))
AUTHORIZED = {"authorization": f"Bearer {SECRET}"}
CONFIGURATION = """\
version: 1
data_dir: ./data
node: {node}
listen: 127.0.0.1:0
log: {{format: json}}
workers: {workers}
limits: {limits}
providers:
  openai: {{dialect: openai, base_url: "{openai}", api_key: "sk-one", models: [gpt-4o-mini]{capacity}}}
  anthropic: {{dialect: anthropic, base_url: "{anthropic}", api_key: "sk-two", models: [claude-haiku-4-5]}}
routes:
  one: {{targets: [{{provider: openai, model: gpt-4o-mini}}]}}
  two: {{targets: [{{provider: openai, model: gpt-4o-mini}}, {{provider: anthropic, model: claude-haiku-4-5}}]}}
  voice:
    targets: [{{provider: openai, model: gpt-4o-mini}}]
    instead_of_error: {{limited: "{sentence}"}}
tenants:
  harbor: {{keys: {{app: {{secret: "{secret}"}}}}}}
"""


def configured(
    directory: Path,
    simulator,
    node: str,
    workers: int,
    limits: str = "{backend: local}",
    capacity: str = f", capacity: {{requests_per_minute: {CAPACITY}}}",
) -> Path:
    directory.mkdir(parents=True)
    text = CONFIGURATION.format(
        node=node,
        workers=workers,
        limits=limits,
        capacity=capacity,
        openai=simulator.openai.url,
        anthropic=simulator.anthropic.url.removesuffix("/v1"),
        sentence=SENTENCE,
        secret=SECRET,
    )
    (directory / "trunkline.yaml").write_text(text)
    return directory


@contextmanager
def four_workers(tmp_path, simulator):
    with gateway(configured(tmp_path / "gw", simulator, "gw", 4)) as started:
        yield [started]


@contextmanager
def two_gateways_of_two(tmp_path, simulator):
    redis = RedisServer(tmp_path / "redis")
    limits = f'{{backend: redis, redis_url: "{redis.url}"}}'
    with ExitStack() as stack:
        stack.callback(redis.kill)
        yield [
            stack.enter_context(gateway(configured(tmp_path / node, simulator, node, 2, limits)))
            for node in ("gw-1", "gw-2")
        ]


machines = pytest.mark.parametrize("machines", [four_workers, two_gateways_of_two])


def one(gateways: list[Gateway], number: int, user: str, route: str):
    """Make a call on a connection of its own, which any worker of its gateway takes."""
    return send(gateways[number % len(gateways)], request(payload({"model": route, "user": user}), AUTHORIZED))


async def burst(gateways: list[Gateway], route: str, refused: asyncio.Event) -> list[Heard]:
    async def ask(number: int) -> Heard:
        heard = await one(gateways, number, "advisor-1", route)
        if heard.status == 429:
            refused.set()
        return heard

    return list(await asyncio.gather(*(ask(number) for number in range(BURST))))


async def turns(gateways: list[Gateway], route: str) -> list[Heard]:
    async def turn(number: int, user: str) -> list[Heard]:
        return [await one(gateways, number + turned, user, route) for turned in range(TURNS)]

    heard = await asyncio.gather(*(turn(number, user) for number, user in enumerate(OTHERS)))
    return [answer for of in heard for answer in of]


async def incident(gateways: list[Gateway], route: str, *, later: bool) -> tuple[list[Heard], list[Heard]]:
    """Return what the one heard, and what the others did, who come with him or once he is refused."""
    refused = asyncio.Event()
    bursting = asyncio.create_task(burst(gateways, route, refused))
    if later:
        await refused.wait()
    others = await turns(gateways, route)
    return await bursting, others


def statuses(answers: list[Heard]) -> Counter:
    return Counter(heard.status for heard in answers)


@machines
@pytest.mark.parametrize("later", [True, False], ids=["later", "together"])
def test_a_burst_of_one_leaves_the_others_their_share_whichever_worker_they_meet(tmp_path, machines, later):
    with Simulator.in_thread(openai=SHARED) as simulator, machines(tmp_path, simulator) as gateways:
        mine, others = asyncio.run(incident(gateways, "one", later=later))
        assert statuses(others) == {200: len(OTHERS) * TURNS}
        assert {heard.headers["x-trunkline-attempts"] for heard in others} == {"1"}
        assert statuses(mine) == {200: CAPACITY // 2, 429: BURST - CAPACITY // 2}
        for heard in mine:
            if heard.status == 429:
                assert heard.error["trunkline"]["rule"] == "fair_share"
                assert 50 < heard.error["trunkline"]["retry_after"] <= 66.1
                assert "`advisor-1`" in heard.error["message"]
                assert "30 of 60 requests a minute" in heard.error["message"]
        assert {call.status for call in simulator.openai.calls} == {200}  # it never had to refuse


@machines
def test_with_a_second_provider_the_one_is_served_from_there(tmp_path, machines):
    with Simulator.in_thread(openai=SHARED) as simulator, machines(tmp_path, simulator) as gateways:
        mine, others = asyncio.run(incident(gateways, "two", later=False))
        assert statuses(others) + statuses(mine) == {200: BURST + len(OTHERS) * TURNS}
        served = Counter(heard.headers["x-trunkline-provider"] for heard in mine)
        assert served == {"openai": CAPACITY // 2, "anthropic": BURST - CAPACITY // 2}
        assert {heard.headers["x-trunkline-provider"] for heard in others} == {"openai"}
        assert {call.status for call in simulator.openai.calls} == {200}


@machines
def test_on_a_voice_route_the_one_hears_the_sentence(tmp_path, machines):
    with Simulator.in_thread(openai=SHARED) as simulator, machines(tmp_path, simulator) as gateways:
        mine, others = asyncio.run(incident(gateways, "voice", later=False))
        assert {heard.text for heard in others} == {"All is well."}
        said = [heard for heard in mine if heard.text == SENTENCE]
        assert len(said) == BURST - CAPACITY // 2
        assert {heard.json["trunkline"]["outcome"] for heard in said} == {"limited"}


def test_workers_that_can_ask_nobody_go_on_with_a_part_of_the_capacity_each(tmp_path):
    redis = RedisServer(tmp_path / "redis")
    limits = f'{{backend: redis, redis_url: "{redis.url}"}}'
    with Simulator.in_thread(openai=SHARED) as simulator:
        directory = configured(tmp_path / "gw", simulator, "gw", 2, limits)
        with gateway(directory) as started:
            redis.kill()
            for _ in range(2):
                started.until("limits_authority")
            heard = [asyncio.run(one([started], 0, user, "one")) for user in OTHERS]
            assert statuses(heard) == {200: len(OTHERS)}
            mine = asyncio.run(burst([started], "one", asyncio.Event()))
            # A half of its half, at each of the two.
            assert 0 < statuses(mine)[200] <= 2 * (CAPACITY // 2 // 2)
        assert {call.status for call in simulator.openai.calls} == {200}


def test_what_was_sent_before_a_capacity_was_learned_counts_at_all_workers(tmp_path):
    early = CAPACITY - 10
    slow = Script(text="All is well.", rate_limit=RateLimit(calls=CAPACITY), first_token=1.0)
    with Simulator.in_thread(openai=slow) as simulator:
        with gateway(configured(tmp_path / "gw", simulator, "gw", 4, capacity="")) as started:

            async def many(calls: int) -> list[Heard]:
                asked = (one([started], 0, OTHERS[number % len(OTHERS)], "one") for number in range(calls))
                return list(await asyncio.gather(*asked))

            assert statuses(asyncio.run(many(early))) == {200: early}
            after = statuses(asyncio.run(many(CAPACITY)))
            assert set(after) == {200, 429}
            assert early + after[200] <= CAPACITY
        assert {call.status for call in simulator.openai.calls} == {200}


def test_workers_that_may_not_do_without_the_authority_send_a_provider_with_a_capacity_nothing(tmp_path):
    redis = RedisServer(tmp_path / "redis")
    limits = f'{{backend: redis, redis_url: "{redis.url}", on_authority_loss: refuse}}'
    with Simulator.in_thread(openai=SHARED) as simulator:
        with gateway(configured(tmp_path / "gw", simulator, "gw", 2, limits)) as started:
            redis.kill()
            for _ in range(2):
                started.until("limits_authority")
            heard = [asyncio.run(one([started], 0, user, "one")) for user in OTHERS]
            assert {(answer.status, answer.error["code"]) for answer in heard} == {(429, "provider_unavailable")}
            assert "openai/gpt-4o-mini: limits_authority" in heard[0].error["message"]
            heard = [asyncio.run(one([started], 0, user, "two")) for user in OTHERS]
            assert {answer.headers["x-trunkline-provider"] for answer in heard} == {"anthropic"}
        assert not simulator.openai.calls
