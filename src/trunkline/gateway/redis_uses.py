"""How the limits of all gateways are used, read from the Redis in which they count together.

What `lease_authority.lua` writes is read without it, in many small steps, so that no gateway waits for a look.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from trunkline.channel.messages import LimitsQuestion
from trunkline.gateway.clock import moment
from trunkline.gateway.lease_redis import PREFIX
from trunkline.gateway.limits_shown import is_asked, owner_asked
from trunkline.gateway.redis_client import redis_client
from trunkline.policy.budgets.account import Account
from trunkline.policy.leases.held import span_of
from trunkline.policy.leases.messages import ACCOUNT, MICROSECONDS, SILENT, SLOTS
from trunkline.policy.limits.limiter import Limiter
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import Rule
from trunkline.policy.limits.tenant_rules import TenantRules
from trunkline.policy.limits.window import PARTS

# Seconds for all of it: a Redis tells of a hundred thousand counters in that time.
READ_WITHIN: Final = 3.0
BATCH: Final = 500


class Place(NamedTuple):
    """A counter: its rule, and its owner."""

    rule: Rule
    owner: str


async def counted_in_redis(
    url: str, ca_bundle: str | None, rules: Iterable[TenantRules], asked: LimitsQuestion
) -> Limiter | None:
    """Return the counters that are asked for as Redis has them; None where it does not say in time.

    Of a window each part counts until its end at least, and a part longer at most.
    """
    client = redis_client(url, ca_bundle)
    try:
        async with asyncio.timeout(READ_WITHIN):
            return await _read(client, list(_wanted(rules, asked)))
    except (RedisError, OSError, TimeoutError, msgspec.MsgspecError):
        return None
    finally:
        with contextlib.suppress(RedisError, OSError):
            await client.aclose()


def _wanted(rules: Iterable[TenantRules], asked: LimitsQuestion) -> Iterator[tuple[Rule, str | None]]:
    """Yield the rules that are asked for, with their owner where there is only one."""
    for tenant in rules:
        known = {claim.rule.id: claim.owner for claim in tenant.known()}
        for rule in tenant.rules:
            if is_asked(rule, asked):
                yield rule, known.get(rule.id, owner_asked(rule, asked))


async def _read(client: Redis, wanted: list[tuple[Rule, str | None]]) -> Limiter:
    found = Limiter()
    epoch = await client.hget(f"{PREFIX}:state", "epoch")
    if epoch is None:  # nobody has counted there yet
        return found
    prefix = PREFIX.encode() + b":" + _raw(epoch) + b":"
    seconds, fraction = await client.time()
    at = int(seconds) * MICROSECONDS + int(fraction)
    rules, owners = {rule.id: rule for rule, _ in wanted}, {rule.id: owner for rule, owner in wanted}
    places = [Place(rule, owner) for rule, owner in wanted if owner is not None]
    open_ended = {rule.id for rule, owner in wanted if owner is None}
    if any(span_of(rules[rule_id]) != SLOTS for rule_id in open_ended):
        async for key in client.scan_iter(match=prefix + b"[wa]:*", count=1000):
            place = _place(key[len(prefix) :], rules)
            if place is not None and place.rule.id in open_ended:
                places.append(place)
    counted = [place for place in places if span_of(place.rule) != SLOTS]
    for start in range(0, len(counted), BATCH):
        some = counted[start : start + BATCH]
        pipeline = client.pipeline(transaction=False)
        for place in some:
            pipeline.hgetall(_key(prefix, place))
        now = moment()
        for place, stored in zip(some, await _executed(pipeline), strict=True):
            _restore(found, place, {int(field): int(units) for field, units in stored.items()}, at, now)
    await _read_slots(client, prefix, rules, owners, found, at)
    return found


async def _read_slots(
    client: Redis, prefix: bytes, rules: dict[str, Rule], owners: dict[str, str | None], found: Limiter, at: int
) -> None:
    """Count the slots of all members that are heard."""
    if not any(span_of(rule) == SLOTS for rule in rules.values()):
        return
    members = await client.hgetall(f"{PREFIX}:members")
    pipeline = client.pipeline(transaction=False)
    for name, packed in members.items():
        word = msgspec.msgpack.decode(_raw(packed))[1]
        if at - word <= SILENT * MICROSECONDS:
            pipeline.hgetall(prefix + b"s:" + _raw(name))
    now = moment()
    for stored in await _executed(pipeline):
        for name, units in stored.items():
            place = _named(name, rules)
            if place is not None and owners[place.rule.id] in (None, place.owner):
                found.counter(place.rule, place.owner, now, known=True).take(int(units), now)


def _raw(value: bytes | str) -> bytes:
    """Return what Redis says as the bytes that it is, whichever way the library is asked to hand it over."""
    return value if isinstance(value, bytes) else value.encode()


async def _executed(pipeline: Pipeline) -> list[dict[bytes, bytes]]:
    return list(await pipeline.execute())


def _restore(found: Limiter, place: Place, stored: dict[int, int], at: int, now: Moment) -> None:
    """Count what a window's sub-buckets, or the current period of an account, have."""
    span = span_of(place.rule)
    counter = found.counter(place.rule, place.owner, now, known=True)
    if span == ACCOUNT:
        if isinstance(counter, Account):
            counter.restore(counter.ends(now) - now.wall, stored.get(counter.take(0, now), 0), now)
        return
    width = span * MICROSECONDS // PARTS
    for bucket, units in stored.items():
        counter.restore(((bucket + 1) * width + span * MICROSECONDS - at) / MICROSECONDS, units, now)


def _key(prefix: bytes, place: Place) -> bytes:
    rule = place.rule.id.encode()
    name = b"%d:%b%b" % (len(rule), rule, place.owner.encode())
    span = span_of(place.rule)
    return prefix + (b"a:" if span == ACCOUNT else b"w:%d:" % span) + name


def _place(key: bytes, rules: dict[str, Rule]) -> Place | None:
    """Return what a key counts, None for what nobody wants to know."""
    kind, _, rest = key.partition(b":")
    if kind == b"w":
        rest = rest.partition(b":")[2]
    return _named(rest, rules)


def _named(name: bytes, rules: dict[str, Rule]) -> Place | None:
    length, _, rest = name.partition(b":")
    rule = rules.get(rest[: int(length)].decode())
    return Place(rule, rest[int(length) :].decode()) if rule is not None else None
