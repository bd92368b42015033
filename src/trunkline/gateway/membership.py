"""A worker among those that share limits: which authority it asks, by which name, and what is told of the two."""

import socket
from collections.abc import Callable
from typing import NamedTuple

from trunkline.channel.link import Link
from trunkline.gateway.lease_channel import LeaseChannel
from trunkline.gateway.leases import AuthorityState, Leases, Membership
from trunkline.model.snapshot import Secrets, Snapshot
from trunkline.policy.leases.messages import Answer
from trunkline.policy.leases.unweighed import Crossing
from trunkline.policy.limits.limiter import Limiter
from trunkline.policy.limits.moment import Moment


class WorkerPlace(NamedTuple):
    """Which worker this is, how often it was replaced, and its end of the way to the supervisor's authority.

    `after` are workers that there are no longer, whose logs it counts.
    """

    number: int
    restarts: int
    sock: socket.socket
    after: tuple[str, ...] = ()


async def joined(
    place: WorkerPlace,
    snapshot: Snapshot,
    secrets: Secrets,
    own: Limiter,
    changed: Callable[[AuthorityState, str], None],
    crossed: Callable[[Crossing, Moment], None],
) -> Leases | None:
    """Return the leases of a worker that shares its limits with others, started; None for one that is alone."""
    limits = snapshot.limits
    if limits.backend == "local" and snapshot.workers == 1:
        place.sock.close()
        return None
    names = tuple(f"{snapshot.node}/{index}" for index in range(snapshot.workers))
    share = limits.on_authority_loss == "share"
    member = Membership(names[place.number], names, place.restarts == 0, share, place.after)
    if limits.backend == "redis":
        place.sock.close()
        if secrets.redis_url is None:
            raise ValueError("the snapshot counts in Redis, and no address came with it")
        # Only here: the library takes ten megabytes of every process that loads it, and a tenth of a second.
        from trunkline.gateway.lease_redis import LeaseRedis  # noqa: PLC0415

        leases = Leases(own, member, LeaseRedis(secrets.redis_url, limits.redis_ca_bundle), changed, crossed)
    else:
        link: Link[Answer] = await Link.open(place.sock, Answer)
        leases = Leases(own, member, LeaseChannel(link), changed, crossed)
    leases.start()
    return leases
