"""Settings of a good file that this version takes and does not act upon: no mistakes, but to be known."""

from collections.abc import Iterator

from trunkline.config.schema import Root, Route, Tenant

# Sentences for calls that do not exist yet: nothing is blocked, limited or over a budget.
UNSAID = ("blocked", "limited", "over_budget")


def notes_of(root: Root) -> tuple[str, ...]:
    """Return a line for each setting of the file that is taken and has no effect in this version."""
    paths = [
        *(path for name, route in (root.routes or {}).items() for path in _of_route(name, route)),
        *(path for name, tenant in (root.tenants or {}).items() for path in _of_tenant(name, tenant)),
    ]
    return tuple(f"{path} has no effect in this version" for path in paths)


def _of_route(name: str, route: Route) -> Iterator[str]:
    for code in UNSAID:
        if getattr(route.instead_of_error, code) is not None:
            yield f"routes.{name}.instead_of_error.{code}"


def _of_tenant(name: str, tenant: Tenant) -> Iterator[str]:
    if tenant.regulated:
        yield f"tenants.{name}.regulated"
    if tenant.time_zone != "UTC":
        yield f"tenants.{name}.time_zone"
