"""Where a call goes: the targets of a route in the order to try them, and who may not be asked and why."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trunkline.model.snapshot import Provider, Route, Target, Tenant


class Choice(NamedTuple):
    """A target of a route; `skip` says why it must not be asked for this tenant at all."""

    target: Target
    skip: str | None = None


def approved(tenant: Tenant, provider: Provider) -> str | None:
    """Return why this tenant has not approved this provider, or None if it has."""
    allow = tenant.allow
    if allow.providers is not None and provider.name not in allow.providers:
        return "not_approved:provider"
    if allow.regions is not None and provider.region not in allow.regions:
        return "not_approved:region"
    if allow.data_retention is not None and (
        provider.data_retention is None or provider.data_retention > allow.data_retention
    ):
        return "not_approved:data_retention"
    return None


def choices(route: Route, tenant: Tenant, providers: Mapping[str, Provider]) -> tuple[Choice, ...]:
    """Return the route's targets as this tenant may use them, in the order of the configuration."""
    return tuple(Choice(target, approved(tenant, providers[target.provider])) for target in route.targets)


def order_by_weight(weights: Sequence[int], draw: int) -> list[int]:
    """Return the positions of the weights, drawn one after the other, decided by `draw` (64 random or hashed bits).

    The same draw gives the same order, so a session whose draw is a hash of its name stays with its target. When a
    target is out, its share falls to the others by their weights.
    """
    left = list(range(len(weights)))
    ordered = []
    while left:
        draw, point = divmod(draw, sum(weights[position] for position in left))
        for position in left:
            point -= weights[position]
            if point < 0:
                ordered.append(position)
                left.remove(position)
                break
    return ordered
