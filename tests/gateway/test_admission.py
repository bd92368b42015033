"""Tenants' limits and budgets on real calls: who is let in, who is held, who is told what."""

import asyncio
import contextlib
import random
from decimal import Decimal

import pytest
import uvloop

from gateway.raw_client import connected, hear, payload, request
from gateway.running import PATIENCE, SECRET, check, play, running, until
from trunkline.gateway.clock import moment
from trunkline.policy.limits.rules import NOBODY
from trunkline.simulator import ErrorAnswer, Script, Simulator, Stall

GOOD = Script(text="All is well.")
SILENT = Script(text="one two three", fault=Stall())
FIVE_CENTS = "input_per_million: 0, output_per_million: 0, per_request: 0.05"
OTHER_SECRET = SECRET.replace("tl-", "ot-")
TENANT = "regulated: false\n    "


def ann(**headers: str) -> dict[str, str]:
    return {"x-trunkline-user": "ann"} | headers


@contextlib.asynccontextmanager
async def running_call(gateway, model="only-first", user="ann"):
    """A call whose provider says nothing, for as long as the context lasts; then its client leaves."""
    async with connected(gateway) as (_, writer):
        calls = gateway.simulator.openai.call_count
        writer.write(request(payload({"model": model}), ann() | {"x-trunkline-user": user}))
        await until(lambda: gateway.simulator.openai.call_count > calls)
        yield


def limiter_of(gateway):
    return gateway.worker._admission.limiter


def used(gateway, rule_id: str, owner: str) -> int:
    counter = limiter_of(gateway).find(rule_id, owner)
    return 0 if counter is None else counter.used(moment())


def test_who_is_over_a_limit_is_told_which_whose_and_when_to_come_back(tmp_path):
    async def story(gateway, _):
        for left in (2, 1, 0):
            heard = await hear(gateway, headers=ann())
            assert heard.status == 200
            assert heard.headers["x-ratelimit-limit-requests"] == "3"
            assert heard.headers["x-ratelimit-remaining-requests"] == str(left)
            assert heard.headers["x-ratelimit-reset-requests"].startswith("1m")
            assert "x-ratelimit-limit-tokens" not in heard.headers
        refused = await hear(gateway, headers=ann())
        assert refused.status == 429
        assert refused.error["code"] == "rate_limit_exceeded"
        ours = refused.error["trunkline"]
        assert (ours["rule"], ours["owner"], ours["source"]) == (
            "user_limits.requests_per_minute",
            "ann",
            "tenant_limit",
        )
        assert "The user `ann` may have 3 requests per minute" in refused.error["message"]
        assert 55 < ours["retry_after"] < 62
        assert ours["retry_after"] <= int(refused.headers["retry-after"]) < ours["retry_after"] + 1
        assert int(refused.headers["retry-after-ms"]) == pytest.approx(ours["retry_after"] * 1000, abs=1.5)
        assert refused.headers["x-should-retry"] == "false"
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"
        assert (await hear(gateway, headers={"x-trunkline-user": "bob"})).status == 200
        gateway.worker._flush_refusals()
        record = gateway.record("call.refused")
        assert (record["outcome"], record["status"], record["count"]) == ("limited", 429, 1)
        assert (record["rule"], record["owner"]) == ("user_limits.requests_per_minute", "ann")

    play(tmp_path, story, GOOD, tenant=TENANT + "user_limits: {requests_per_minute: 3}")


def test_refusals_of_several_users_in_one_second_are_told_apart(tmp_path):
    async def story(gateway, _):
        for user in ("ann", "ann", "bob", "bob", "bob"):
            await hear(gateway, headers={"x-trunkline-user": user})
        gateway.worker._flush_refusals()
        assert {r["owner"]: r["count"] for r in gateway.records("call.refused")} == {"ann": 1, "bob": 2}

    play(tmp_path, story, GOOD, tenant=TENANT + "user_limits: {requests_per_minute: 1}")


@pytest.mark.parametrize(
    ("configured", "rule", "owner"),
    [
        ({"tenant": "limits: {requests_per_minute: 1}"}, "limits.requests_per_minute", "harbor"),
        ({"tenant": "limits: {requests_per_day: 1}"}, "limits.requests_per_day", "harbor"),
        ({"tenant": "limits: {tokens_per_hour: 300}"}, "limits.tokens_per_hour", "harbor"),
        ({"tenant": "team_limits: {requests_per_minute: 1}"}, "team_limits.requests_per_minute", "wealth-desk"),
        ({"tenant": "user_limits: {requests_per_minute: 1}"}, "user_limits.requests_per_minute", NOBODY),
        (
            {"tenant": "route_limits: {voice: {requests_per_hour: 1}}"},
            "route_limits.voice.requests_per_hour",
            "voice",
        ),
        (
            {"keys": f"other: {{secret: {OTHER_SECRET}, limits: {{requests_per_minute: 1}}}}"},
            "keys.other.limits.requests_per_minute",
            "other",
        ),
    ],
)
def test_every_scope_has_its_limit(tmp_path, configured, rule, owner):
    secret = OTHER_SECRET if "keys" in configured else SECRET
    headers = {"authorization": f"Bearer {secret}"}

    async def story(gateway, _):
        assert (await hear(gateway, {"max_tokens": 200}, headers)).status == 200
        refused = await hear(gateway, {"max_tokens": 290}, headers)
        assert (refused.status, refused.error["trunkline"]["rule"]) == (429, rule)
        assert refused.error["trunkline"]["owner"] == owner

    tenant = TENANT + configured["tenant"] if "tenant" in configured else TENANT
    play(tmp_path, story, GOOD, tenant=tenant, keys=configured.get("keys", ""))


def test_a_call_that_needs_more_than_the_limit_is_told_that_waiting_does_not_help(tmp_path):
    async def story(gateway, simulator):
        refused = await hear(gateway, {"max_tokens": 5000})
        assert refused.status == 429
        assert "this call alone needs" in refused.error["message"]
        assert "retry-after" not in refused.headers
        assert refused.headers["x-should-retry"] == "false"
        assert used(gateway, "harbor/limits.requests_per_minute/minute", "harbor") == 0
        assert simulator.openai.call_count == 0

    play(tmp_path, story, GOOD, tenant=TENANT + "limits: {tokens_per_minute: 1000, requests_per_minute: 10}")


def test_tokens_are_settled_to_what_the_provider_counted(tmp_path):
    async def story(gateway, _):
        answer = await gateway.ask("only-first", max_tokens=900)
        counted = answer.usage.total_tokens
        assert used(gateway, "harbor/limits.tokens_per_minute/minute", "harbor") == counted < 100
        heard = await hear(gateway, {"model": "only-first", "max_tokens": 100})
        assert heard.headers["x-ratelimit-limit-tokens"] == "1000"
        assert int(heard.headers["x-ratelimit-remaining-tokens"]) <= 1000 - counted - 100

    play(tmp_path, story, GOOD, tenant=TENANT + "limits: {tokens_per_minute: 1000}")


def test_slots_are_free_again_whichever_way_a_call_ends(tmp_path):
    rule = "harbor/limits.concurrent_requests/"

    async def story(gateway, simulator):
        async with running_call(gateway), running_call(gateway):
            assert used(gateway, rule, "harbor") == 2
            refused = await hear(gateway, {"model": "only-second"})
            assert refused.status == 429
            assert refused.error["trunkline"]["rule"] == "limits.concurrent_requests"
            assert refused.headers["retry-after"] == "1"
        await until(lambda: used(gateway, rule, "harbor") == 0)
        simulator.openai.play(Script(fault=ErrorAnswer(status=500)))
        assert (await hear(gateway, {"model": "only-first"})).status == 502
        simulator.openai.play(Script(fault=ErrorAnswer(status=400)))
        assert (await hear(gateway, {"model": "only-first"})).status == 400
        simulator.openai.play(GOOD)
        assert (await hear(gateway, {"model": "only-first", "stream": True})).whole
        assert used(gateway, rule, "harbor") == 0

    play(tmp_path, story, SILENT, GOOD, tenant=TENANT + "limits: {concurrent_requests: 2}")


def test_a_call_that_is_held_is_served_when_another_ends(tmp_path):
    async def story(gateway, simulator):
        async with running_call(gateway):
            waiting = asyncio.create_task(hear(gateway, {"model": "only-second"}))
            await until(lambda: gateway.worker._admission.held)
            assert simulator.anthropic.call_count == 0
        heard = await waiting
        assert heard.status == 200
        closed = next(r for r in gateway.records("call.closed") if r["outcome"] == "answered")
        assert 0 < closed["timings"]["queue_ms"] <= closed["timings"]["total_ms"]
        assert closed["timings"]["overhead_ms"] <= closed["timings"]["total_ms"] - closed["timings"]["queue_ms"] + 0.01

    play(tmp_path, story, SILENT, GOOD, tenant=TENANT + "limits: {concurrent_requests: 1}\n    wait_up_to: 10s")


def test_a_call_is_held_no_longer_than_its_tenant_says(tmp_path):
    async def story(gateway, simulator):
        async with running_call(gateway):
            refused = await hear(gateway, {"model": "only-second"})
            assert (refused.status, refused.error["code"]) == (429, "rate_limit_exceeded")
            assert simulator.anthropic.call_count == 0

    play(tmp_path, story, SILENT, GOOD, tenant=TENANT + "limits: {concurrent_requests: 1}\n    wait_up_to: 30ms")


def test_nobody_is_held_who_would_not_fit_in_time(tmp_path):
    async def story(gateway, _):
        await hear(gateway)
        refused = await hear(gateway)
        assert refused.status == 429
        assert not gateway.worker._admission.held
        assert refused.error["trunkline"]["retry_after"] > 50

    play(tmp_path, story, GOOD, tenant=TENANT + "limits: {requests_per_minute: 1}\n    wait_up_to: 10s")


def test_those_held_are_served_first_come_first_served(tmp_path):
    async def story(gateway, _):
        tasks = []
        async with running_call(gateway):
            for number in range(3):
                fields = {"model": "only-second", "metadata": {"session": str(number)}}
                tasks.append(asyncio.create_task(hear(gateway, fields)))
                await until(lambda number=number: gateway.worker._admission.held == number + 1)
        assert [(await task).status for task in tasks] == [200, 200, 200]
        sessions = [r["session"] for r in gateway.records("call.opened") if r["route"] == "only-second"]
        assert sessions == ["0", "1", "2"]

    play(tmp_path, story, SILENT, GOOD, tenant=TENANT + "limits: {concurrent_requests: 1}\n    wait_up_to: 10s")


def test_who_fits_does_not_wait_for_who_does_not(tmp_path):
    async def story(gateway, _):
        async with running_call(gateway, user="ann"):
            waiting = asyncio.create_task(hear(gateway, {"model": "only-second"}, ann()))
            await until(lambda: gateway.worker._admission.held)
            assert (await hear(gateway, {"model": "only-second"}, {"x-trunkline-user": "bob"})).status == 200
            assert gateway.worker._admission.held
        assert (await waiting).status == 200

    play(tmp_path, story, SILENT, GOOD, tenant=TENANT + "user_limits: {concurrent_requests: 1}\n    wait_up_to: 10s")


def test_a_client_that_leaves_while_it_is_held_takes_nothing_and_is_counted(tmp_path):
    async def story(gateway, simulator):
        async with running_call(gateway):
            async with connected(gateway) as (_, writer):
                writer.write(request(payload({"model": "only-second"})))
                await until(lambda: gateway.worker._admission.held)
            await until(lambda: not gateway.worker._admission.held)
            assert used(gateway, "harbor/limits.concurrent_requests/", "harbor") == 1
            gateway.worker._flush_refusals()
            record = gateway.record("call.refused")
            assert (record["outcome"], record["status"]) == ("cancelled_before", 499)
        assert simulator.anthropic.call_count == 0

    play(tmp_path, story, SILENT, GOOD, tenant=TENANT + "limits: {concurrent_requests: 1}\n    wait_up_to: 10s")


@pytest.mark.parametrize("stream", [False, True])
def test_on_a_voice_route_the_caller_hears_a_sentence(tmp_path, stream):
    async def story(gateway, simulator):
        await hear(gateway, {"stream": stream})
        heard = await hear(gateway, {"stream": stream})
        assert (heard.status, heard.text) == (200, "One moment.")
        opened, closed = gateway.records("call.opened")[-1], gateway.records("call.closed")[-1]
        assert opened["call"] == closed["call"]
        assert (closed["outcome"], closed["error"]["code"]) == ("limited", "rate_limit_exceeded")
        assert simulator.openai.call_count == 1
        assert used(gateway, "harbor/limits.requests_per_minute/minute", "harbor") == 1

    play(
        tmp_path,
        story,
        GOOD,
        tenant=TENANT + "limits: {requests_per_minute: 1}",
        route="instead_of_error: {limited: One moment.}",
    )


def test_observe_counts_and_records_and_refuses_nothing(tmp_path):
    async def story(gateway, _):
        for _ in range(3):
            assert (await hear(gateway)).status == 200
        over = [r.get("over_limits", []) for r in gateway.records("call.opened")]
        assert over == [[], ["limits.requests_per_minute"], ["limits.requests_per_minute"]]

    play(tmp_path, story, GOOD, tenant=TENANT + "limits: {requests_per_minute: 1}\n    enforce: observe")


def test_fifty_calls_at_once_spend_exactly_what_the_budget_has(tmp_path):
    async def story(gateway, simulator):
        heard = await asyncio.gather(*(hear(gateway, {"model": "only-first"}) for _ in range(50)))
        statuses = [answer.status for answer in heard]
        assert (statuses.count(200), statuses.count(402)) == (20, 30)
        early = next(answer for answer in heard if answer.status == 402)
        assert "reserved by calls that still run" in early.error["message"]
        assert early.headers["retry-after"] == "1"
        refused = await hear(gateway, {"model": "only-first"})
        assert refused.error["code"] == "budget_exceeded"
        assert int(refused.headers["retry-after"]) > 1
        assert refused.error["trunkline"]["rule"] == "budget"
        assert refused.headers["x-should-retry"] == "false"
        assert "may spend 1 USD per day (`budget`)" in refused.error["message"]
        assert "It begins anew at 20" in refused.error["message"]
        assert simulator.openai.call_count == 20
        crossed = gateway.records("budget.crossed")
        assert [(r["percent"], r["spent"]) for r in crossed] == [(50, "0.5"), (80, "0.8"), (100, "1")]
        assert all((r["budget"], r["owner"], r["amount"]) == ("budget", "harbor", "1") for r in crossed)
        assert "percent=100" in gateway.operations()

    play(tmp_path, story, GOOD, tenant=TENANT + "budget: {amount: 1.00, per: day}", price=FIVE_CENTS)


def test_with_estimates_at_half_the_cost_the_overshoot_is_the_error_of_the_calls_in_flight(tmp_path):
    """Every call is estimated at 0.0256 USD (its answer at the guess of 256 tokens) and costs twice as much."""

    async def story(gateway, _):
        heard = await asyncio.gather(*(hear(gateway, {"model": "only-first"}) for _ in range(60)))
        served = sum(answer.status == 200 for answer in heard)
        estimates = [Decimal(r["estimate"]["cost"]) for r in gateway.records("call.opened")]
        costs = [Decimal(r["cost"]["amount"]) for r in gateway.records("call.closed")]
        assert all(cost > estimate for cost, estimate in zip(costs, estimates, strict=True))
        assert sum(estimates) <= 1 < sum(costs)
        errors = sum(cost - estimate for cost, estimate in zip(costs, estimates, strict=True))
        assert sum(costs) <= 1 + errors
        assert served == len(costs)
        assert (await hear(gateway, {"model": "only-first"})).status == 402

    price = "input_per_million: 0, output_per_million: 100"
    long = Script(text="word " * 512)
    play(tmp_path, story, long, tenant=TENANT + "budget: {amount: 1.00, per: total}", price=price)


def test_a_budget_that_warns_refuses_nothing(tmp_path):
    async def story(gateway, _):
        for _ in range(3):
            assert (await hear(gateway, {"model": "only-first"}, ann())).status == 200
        assert [r["percent"] for r in gateway.records("budget.crossed")] == [50, 80, 100]
        assert gateway.records("call.opened")[-1]["over_limits"] == ["user_budget"]

    budget = "user_budget: {amount: 0.1, per: month, on_exceeded: warn}"
    play(tmp_path, story, GOOD, tenant=TENANT + budget, price=FIVE_CENTS)


def test_each_value_of_a_tag_has_its_budget(tmp_path):
    async def story(gateway, _):
        async def status(project: str) -> int:
            return (await hear(gateway, {"model": "only-first", "metadata": {"project": project}})).status

        assert [await status(project) for project in ("a", "a", "b", "a")] == [200, 402, 200, 402]

    budget = "tag_budget: {amount: 0.05, per: day, tag: project}"
    play(tmp_path, story, GOOD, tenant=TENANT + budget, price=FIVE_CENTS)


LIMITS_OF_ALL_LENGTHS = TENANT + (
    "limits: {requests_per_minute: 3, requests_per_day: 100, tokens_per_hour: 100000}\n"
    "    budget: {amount: 1.00, per: month}"
)
RULES = {
    "requests": "harbor/limits.requests_per_minute/minute",
    "day": "harbor/limits.requests_per_day/day",
    "tokens": "harbor/limits.tokens_per_hour/hour",
    "money": "harbor/budget/month",
}


@pytest.mark.parametrize("states", [0, 1, 2], ids=["no states", "states between", "states at the end"])
def test_a_restart_forgives_nothing(tmp_path, states):
    options = {"tenant": LIMITS_OF_ALL_LENGTHS, "price": FIVE_CENTS}

    def counted(gateway):
        return {name: used(gateway, rule, "harbor") for name, rule in RULES.items()}

    async def main() -> None:
        async with asyncio.timeout(PATIENCE), Simulator(GOOD, None) as simulator:
            async with running(simulator, tmp_path, **options) as gateway:
                await hear(gateway, {"model": "only-first"})
                if states == 1:
                    gateway.worker._counts._states.write(moment())
                await hear(gateway, {"model": "only-first"})
                if states == 2:
                    gateway.worker._counts._states.write(moment())
                before = counted(gateway)
                assert before["money"] == 100_000_000
                assert (before["requests"], before["day"]) == (2, 2)
            async with running(simulator, tmp_path, **options) as gateway:
                assert counted(gateway) == before
                assert (await hear(gateway, {"model": "only-first"})).status == 200
                assert (await hear(gateway, {"model": "only-first"})).status == 429
                check(gateway)

    uvloop.run(main())


def test_a_call_that_its_worker_did_not_end_is_counted_as_estimated(tmp_path):
    options = {"tenant": LIMITS_OF_ALL_LENGTHS, "price": FIVE_CENTS}

    async def main() -> None:
        async with asyncio.timeout(PATIENCE), Simulator(SILENT, None) as simulator:
            async with running(simulator, tmp_path, **options) as gateway, running_call(gateway):
                gateway.log.flush()
                data = {p: p.read_bytes() for p in gateway.log_directory.iterdir() if p.is_file()}
            for path in gateway.log_directory.iterdir():  # as if the process had been killed
                path.unlink()
            for path, content in data.items():
                path.write_bytes(content)
            async with running(simulator, tmp_path, **options) as gateway:
                assert used(gateway, RULES["money"], "harbor") == 50_000_000
                assert used(gateway, RULES["requests"], "harbor") == 1
                assert used(gateway, RULES["tokens"], "harbor") > 256

    uvloop.run(main())


def test_estimates_learn_from_what_was_counted(tmp_path):
    async def story(gateway, _):
        for _ in range(21):
            await gateway.ask("only-first")
        first, *_, last = [r["estimate"] for r in gateway.records("call.opened")]
        answer = gateway.records("call.closed")[0]["usage"]
        assert first["completion_tokens"] == 256
        assert last["completion_tokens"] == answer["output"]

    play(tmp_path, story, GOOD)


def test_a_reload_keeps_what_is_counted_and_takes_new_limits(tmp_path):
    async def story(gateway, _):
        assert (await hear(gateway)).status == 200
        assert (await hear(gateway)).status == 200
        await gateway.load(gateway.compile(tenant=TENANT + "limits: {requests_per_minute: 2}"))
        assert (await hear(gateway)).status == 429
        await gateway.load(gateway.compile(tenant=TENANT + "limits: {requests_per_minute: 4}"))
        assert (await hear(gateway)).headers["x-ratelimit-remaining-requests"] == "1"
        await gateway.load(gateway.compile(tenant=TENANT))
        assert "x-ratelimit-remaining-requests" not in (await hear(gateway)).headers
        assert len(limiter_of(gateway)) == 0

    play(tmp_path, story, GOOD, tenant=TENANT + "limits: {requests_per_minute: 3}")


def test_who_cannot_read_what_was_counted_says_so_and_serves(tmp_path):
    options = {"tenant": LIMITS_OF_ALL_LENGTHS, "price": FIVE_CENTS}

    async def main() -> None:
        async with asyncio.timeout(PATIENCE), Simulator(GOOD, None) as simulator:
            for _ in range(2):
                async with running(simulator, tmp_path, **options) as gateway:
                    await hear(gateway, {"model": "only-first"})
            first, *_ = sorted(path for path in gateway.log_directory.iterdir() if path.stat().st_size)
            damaged = bytearray(first.read_bytes())
            damaged[damaged.index(b"call.opened")] ^= 0xFF
            first.write_bytes(damaged)
            async with running(simulator, tmp_path, **options) as gateway:
                assert "counts_lost" in gateway.operations()
                assert (await hear(gateway, {"model": "only-first"})).status == 200

    uvloop.run(main())


def test_counts_of_names_too_long_for_a_record_survive_a_restart(tmp_path):
    options = {"tenant": TENANT + "user_budget: {amount: 0.05, per: day}", "price": FIVE_CENTS}

    async def main() -> None:
        async with asyncio.timeout(PATIENCE), Simulator(GOOD, None) as simulator:
            async with running(simulator, tmp_path, **options) as gateway:
                await hear(gateway, {"model": "only-first"}, ann())
                many = {"model": "only-first"} | {f"unknown_{number}": "v" * 800 for number in range(90)}
                assert (await hear(gateway, many, {"x-trunkline-user": "bob"})).status == 200
                limiter = limiter_of(gateway)
                rule = next(claim for claim in gateway.worker._endpoints.in_force.rules["harbor"].rules)
                for number in range(49):
                    limiter.counter(rule, f"{number}{'n' * 2000}", moment()).settle(0, 0, 0, moment())
                gateway.worker._counts._states.write(moment())
            async with running(simulator, tmp_path, **options) as gateway:
                assert "counts_lost" not in gateway.operations()
                for user in ("ann", "bob"):
                    assert used(gateway, "harbor/user_budget/day", user) == 50_000_000

    uvloop.run(main())


def test_a_crowd_that_is_held_is_served_one_after_the_other(tmp_path):
    async def story(gateway, simulator):
        tasks = []
        async with running_call(gateway):
            for number in range(50):
                tasks.append(asyncio.create_task(hear(gateway, {"model": "only-second"})))
                await until(lambda number=number: gateway.worker._admission.held == number + 1)
            assert simulator.anthropic.call_count == 0
        assert {(await task).status for task in tasks} == {200}

    play(tmp_path, story, SILENT, GOOD, tenant=TENANT + "limits: {concurrent_requests: 1}\n    wait_up_to: 10s")


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happened_before_a_restart_is_counted_by_it_as_before(tmp_path, seed):
    """Calls of all kinds and states, in any order; refused calls that heard a sentence used nothing."""
    chance = random.Random(seed)
    options = {
        "tenant": TENANT + "limits: {requests_per_minute: 1000, requests_per_hour: 12, tokens_per_day: 900}\n"
        "    user_limits: {requests_per_hour: 7}\n    user_budget: {amount: 0.40, per: day}",
        "price": FIVE_CENTS,
        "route": "instead_of_error: {limited: One moment., over_budget: Not today.}",
    }

    async def main() -> None:
        async with asyncio.timeout(PATIENCE), Simulator(GOOD, GOOD) as simulator:
            for _ in range(3):
                async with running(simulator, tmp_path, **options) as gateway:
                    await calls_by_chance(gateway, simulator, chance)
                    before = in_use(gateway)
                    told = len(gateway.records("budget.crossed"))
                async with running(simulator, tmp_path, **options) as gateway:
                    assert in_use(gateway) == before
                    await hear(gateway, {"model": "only-second"}, {"x-trunkline-user": "nobody-else"})
                    assert len(gateway.records("budget.crossed")) == told

    uvloop.run(main())


def in_use(gateway) -> dict[tuple[str, str], int]:
    limiter = limiter_of(gateway)
    found = {place: limiter.find(*place).used(moment()) for place in limiter.places()}
    return {place: units for place, units in found.items() if units}


async def calls_by_chance(gateway, simulator, chance: random.Random) -> None:
    """Make some calls, and write states of what they use between them."""
    for _ in range(chance.randrange(2, 12)):
        if chance.random() < 0.3:
            gateway.worker._counts._states._next = 0.0
            gateway.worker._counts._states.write(moment())
        simulator.openai.play(chance.choice((GOOD, GOOD, Script(fault=ErrorAnswer(status=500)))))
        fields = {"model": "only-first", "max_tokens": chance.choice((10, 100))}
        await hear(gateway, fields, {"x-trunkline-user": chance.choice(("ann", "bob"))})


@pytest.mark.parametrize("seed", range(6))
def test_logs_that_nobody_goes_on_with_are_counted_once_whoever_goes_on_with_which(tmp_path, seed):
    """Between two lives of the worker its log becomes that of a worker there is no longer, or takes its turn again."""
    chance = random.Random(seed)
    options = {
        "tenant": TENANT + "limits: {requests_per_minute: 1000, requests_per_hour: 1000, tokens_per_day: 100000}\n"
        "    user_limits: {requests_per_hour: 100}\n    budget: {amount: 9, per: total}\n"
        "    user_budget: {amount: 9, per: day}",
        "price": FIVE_CENTS,
    }
    logs = tmp_path / "data" / "log" / "gw-test"
    others = [logs / "worker-7", logs / "worker-12", logs.with_name("gw-before") / "worker-0"]

    def leave_log() -> None:
        """Put the worker's log in the place of another one, and that one, if there is one, in its own."""
        other = chance.choice(others)
        other.parent.mkdir(exist_ok=True)
        aside = logs / "aside"
        (logs / "worker-0").rename(aside)
        if other.exists():
            other.rename(logs / "worker-0")
        aside.rename(other)

    async def main() -> None:
        async with asyncio.timeout(PATIENCE), Simulator(GOOD, GOOD) as simulator:
            for _ in range(7):
                async with running(simulator, tmp_path, **options) as gateway:
                    await calls_by_chance(gateway, simulator, chance)
                    before = in_use(gateway)
                leave_log()
                async with running(simulator, tmp_path, **options) as gateway:
                    assert in_use(gateway) == before
                    told = len(gateway.records("budget.crossed"))
                    await hear(gateway, {"model": "only-second"}, {"x-trunkline-user": "nobody-else"})
                    assert len(gateway.records("budget.crossed")) == told

    uvloop.run(main())


class WithoutBodies:
    """A log that takes no body of its own, for a reason that nobody has thought of."""

    def __init__(self, log) -> None:
        self._log = log

    def __getattr__(self, name: str):
        return getattr(self._log, name)

    def append_body(self, *_):
        raise OSError("no more")


def test_a_fault_before_a_call_is_opened_leaves_nothing_reserved(tmp_path):
    async def story(gateway, _):
        gateway.worker._journal.adopt(WithoutBodies(gateway.log))
        heard = await hear(gateway, {"messages": [{"role": "user", "content": "x" * 300_000}]})
        assert heard.status == 500
        assert used(gateway, "harbor/limits.concurrent_requests/", "harbor") == 0
        gateway.worker._journal.adopt(gateway.log)
        assert (await hear(gateway)).status == 200

    tenant = TENANT + "limits: {concurrent_requests: 1}"

    async def main() -> None:
        async with (
            asyncio.timeout(PATIENCE),
            Simulator(GOOD, None) as simulator,
            running(simulator, tmp_path, tenant=tenant) as gateway,
        ):
            await story(gateway, simulator)

    uvloop.run(main())
