"""One worker's side of a flood: `python lease_flood.py NAME NAMES FRESH FILE SECONDS fd:N|URL`.

Tries calls under a limit of 600 requests a minute, 25 a second, and writes each admission to FILE: the monotonic
second, and at once, as a log would have it. What FILE has already is restored first. States of the authority go to
standard output.
"""

import asyncio
import os
import socket
import sys
import time
from pathlib import Path

from trunkline.channel.link import Link
from trunkline.gateway.clock import moment
from trunkline.gateway.lease_channel import LeaseChannel
from trunkline.gateway.lease_redis import LeaseRedis
from trunkline.gateway.leases import AuthorityState, Leases, Membership
from trunkline.policy.leases.messages import Answer
from trunkline.policy.limits.limiter import Limiter, Refusal, Reservation
from trunkline.policy.limits.rules import Claim, Needs, Quota, Rule
from trunkline.policy.limits.window import Window

LIMIT = 600
EVERY = 0.04
CLAIM = Claim(Rule("t", "limits.requests", "tenant", Quota("requests", LIMIT, "minute"), lambda: Window(60)), "t")


async def flood(name: str, names: str, fresh: str, file: str, seconds: str, where: str) -> None:
    carrier = LeaseRedis(where)
    if where.startswith("fd:"):
        carrier = LeaseChannel(await Link.open(socket.socket(fileno=int(where[3:])), Answer))

    def changed(state: AuthorityState, reason: str) -> None:
        print(f"{time.monotonic():.3f} {state.phase} {reason}", flush=True)

    own = Limiter()
    now = moment()
    for line in Path(file).read_text().split():  # noqa: ASYNC240 - before anything else runs
        own.restore(CLAIM.rule, "t", [(float(line) + 60 - now.monotonic, 1)], now)
    membership = Membership(name, tuple(names.split(",")), fresh == "fresh", share=True)
    leases = Leases(own, membership, carrier, changed, lambda *_: None)
    log = os.open(file, os.O_WRONLY | os.O_APPEND)
    leases.start()
    until, running = float(seconds), set()
    while time.monotonic() < until:
        call = asyncio.ensure_future(one(leases, log))
        running.add(call)
        call.add_done_callback(running.discard)
        await asyncio.sleep(EVERY)
    await asyncio.gather(*running)
    await leases.close()


async def one(leases: Leases, log: int) -> None:
    found = leases.reserve([CLAIM], Needs(1, 0), moment())
    if not isinstance(found, Reservation | Refusal):
        found = await found
    if isinstance(found, Reservation):
        os.write(log, b"%.6f\n" % time.monotonic())
        await asyncio.sleep(0.2)
        leases.settle(found, Needs(1, 0), moment())


if __name__ == "__main__":
    asyncio.run(flood(*sys.argv[1:]))
