"""Limits and budgets: names that must exist elsewhere, and settings that only make sense together."""

from trunkline.config.checks import names_of
from trunkline.config.document import Mapping
from trunkline.config.places import Place, Problems, nearest
from trunkline.config.schema import LimitsSection, Root, Tenant


def check_limits(root: Root, problems: Problems) -> None:
    """Report what is wrong with limits beyond their own sections."""
    routes = names_of(root, "routes")
    for tenant in (root.tenants or {}).values():
        _check_route_limits(tenant, routes, problems)
    check_backend(root.limits, problems)


def check_backend(limits: LimitsSection, problems: Problems) -> None:
    """Report a Redis without an address, and what has no use without a Redis."""
    backend = limits.place.below("backend")
    if problems.has(backend.path):
        return
    if limits.backend == "redis" and limits.redis_url is None:
        url = Place(limits.place.join("redis_url"), limits.place.node)
        if not problems.has(url.path):
            problems.add(backend, "needs `redis_url`", 'add `redis_url: "${REDIS_URL}"`')
    if limits.backend == "local" and limits.redis_url is not None:
        problems.add(limits.place.below("redis_url"), "has no use with `backend: local`", "remove it")
    if limits.redis_ca_bundle is not None and not (limits.redis_url or "").startswith("rediss://"):
        place = limits.place.below("redis_ca_bundle")
        problems.add(place, "has no use without a `redis_url` of `rediss://`", "remove it, or go to Redis over TLS")


def _check_route_limits(tenant: Tenant, routes: tuple[str, ...], problems: Problems) -> None:
    place = tenant.place.below("route_limits")
    for name, _ in place.node.entries if place is not tenant.place and isinstance(place.node, Mapping) else ():
        here = Place(place.join(name.text), name)
        if name.text not in routes and not problems.has(here.path):
            problems.add(here, f"there is no route `{name.text}`", nearest(name.text, routes))
