"""The way to the authority of many machines: a script in a Redis, or a Valkey, that all of them reach."""

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from trunkline.gateway.redis_client import CONNECT_WITHIN, PATIENCE, redis_client
from trunkline.policy.leases.messages import Answer, Ask

# Seconds before connecting again, doubled each time. At most a part of what an emptied Redis waits for those who were
# there before (`messages.RETURN`).
FIRST_WAIT, MOST_WAIT = 0.1, 1.0
# Asks that may wait; a worker with so many has nobody who answers.
MOST_WAITING: Final = 10_000
BATCH: Final = 100
# Everything is in one slot of a cluster: a call takes of several counters at once, or of none.
PREFIX: Final = "{trunkline}"


class LeaseRedis:
    """Carries asks to a Redis, several at a time; connects again by itself.

    `url` and `ca_bundle` are as in the configuration.
    """

    def __init__(self, url: str, ca_bundle: str | None = None) -> None:
        self.patience = PATIENCE
        self._url, self._ca_bundle = url, ca_bundle
        self._script = Path(__file__).with_name("lease_authority.lua").read_text()
        self._decode = msgspec.msgpack.Decoder(Answer).decode
        self._asks: deque[Ask] = deque()
        self._there = asyncio.Event()
        self._client: Redis | None = None

    def send(self, ask: Ask) -> None:
        """Send an ask, without waiting; drop it where there is no connection."""
        if self._client is not None and len(self._asks) < MOST_WAITING:
            self._asks.append(ask)
            self._there.set()

    async def run(self, hear: Callable[[Answer], None], lose: Callable[[str], None]) -> None:
        """Hand over answers, and say when no more will come and why, until cancelled."""
        wait = FIRST_WAIT
        while True:
            client = redis_client(self._url, self._ca_bundle)
            reason = "Redis is not to be reached"
            try:
                async with asyncio.timeout(CONNECT_WITHIN):
                    script = str(await client.script_load(self._script))
                self._client, wait = client, FIRST_WAIT
                await self._carry(client, script, hear)
            except (RedisError, OSError, msgspec.MsgspecError, TimeoutError) as error:
                # Messages of the library name hosts, never the password.
                reason = str(error) or reason
            finally:
                self._client = None
                self._asks.clear()
                with contextlib.suppress(RedisError, OSError):
                    await client.aclose()
            lose(reason)
            await asyncio.sleep(wait)
            wait = min(wait * 2, MOST_WAIT)

    async def close(self, goodbye: Ask) -> None:
        """Send the last ask, on a connection of its own: the one that there was went with `run`.

        Within `CONNECT_WITHIN`, or not at all: leases end by themselves, and only this worker's share stays withheld.
        """
        client = redis_client(self._url, self._ca_bundle)
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                await client.eval(self._script, 1, PREFIX, *_arguments(goodbye))
        except (RedisError, OSError, TimeoutError):
            return
        finally:
            with contextlib.suppress(RedisError, OSError):
                await client.aclose()

    async def _carry(self, client: Redis, script: str, hear: Callable[[Answer], None]) -> None:
        while True:
            await self._there.wait()
            self._there.clear()
            while self._asks:
                async with client.pipeline(transaction=False) as pipeline:
                    for _ in range(min(BATCH, len(self._asks))):
                        pipeline.evalsha(script, 1, PREFIX, *_arguments(self._asks.popleft()))
                    for packed in await pipeline.execute(raise_on_error=False):
                        if isinstance(packed, Exception):
                            raise packed
                        hear(self._decode(packed))


def _arguments(ask: Ask) -> tuple[bytes, str]:
    """Return an ask, and the name of a new epoch should there be none."""
    return msgspec.msgpack.encode(ask), secrets.token_hex(8)
