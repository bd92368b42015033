"""`trunkline limits show` where two gateways count in one Redis."""

import json
from contextlib import ExitStack
from pathlib import Path

import openai
from running_gateway import PATIENCE, SECRET, Gateway, gateway, write_configuration

from gateway.redis_server import RedisServer
from trunkline.simulator import Script, Simulator

CALLS = 3
EACH = "acme: {user_limits: {requests_per_hour: 30}, limits: {requests_per_day: 1000}, "


def started(directory: Path, node: str, provider: int, url: str, stack: ExitStack) -> Gateway:
    directory.mkdir()
    path = write_configuration(directory, provider=provider, more=f'limits: {{backend: redis, redis_url: "{url}"}}\n')
    path.write_text(path.read_text().replace("node: gw-1", f"node: {node}").replace("acme: {", EACH))
    return stack.enter_context(gateway(directory))


def ask(running: Gateway, user: str) -> None:
    with openai.OpenAI(
        base_url=f"http://127.0.0.1:{running.port}/v1", api_key=SECRET, max_retries=0, timeout=PATIENCE
    ) as client:
        client.chat.completions.create(model="fast", messages=[{"role": "user", "content": "Hello?"}], user=user)


def shown(running: Gateway) -> tuple[dict[tuple[str, str], int], str]:
    asked = running.command("limits", "show", "--format", "json")
    assert asked.returncode == 0
    return {(use["rule"], use["owner"]): int(use["used"]) for use in json.loads(asked.stdout)}, asked.stderr


def test_each_gateway_shows_what_all_use_and_says_whose_numbers_these_are(tmp_path):
    redis = RedisServer(tmp_path / "redis")
    with ExitStack() as stack:
        stack.callback(redis.kill)
        simulator = stack.enter_context(Simulator.in_thread(openai=Script(text="All is well.")))
        gateways = [
            started(tmp_path / node, node, simulator.openai.port, redis.url, stack) for node in ("gw-1", "gw-2")
        ]
        for running in gateways:
            for _ in range(CALLS):
                ask(running, "ann")
        ask(gateways[1], "bob")
        for running in gateways:
            uses, said = shown(running)
            assert uses["user_limits.requests_per_hour", "ann"] >= 2 * CALLS
            assert uses["user_limits.requests_per_hour", "bob"] >= 1
            assert uses["limits.requests_per_day", "acme"] >= 2 * CALLS + 1
            assert said.startswith("trunkline: of all gateways, as Redis counts them")
        redis.kill()
        uses, said = shown(gateways[0])
        assert uses["user_limits.requests_per_hour", "ann"] == CALLS
        assert ("user_limits.requests_per_hour", "bob") not in uses
        assert said == "trunkline: of this gateway alone: Redis does not say in time what the others use\n"
