"""Settings of a good file that this version takes and does not act upon: no mistakes, but to be known."""

from collections.abc import Iterator

from trunkline.config.schema import Root, Route, Tenant

# Sentences for calls that do not exist yet: nothing is blocked.
NOT_YET = "has no effect in this version"
BY_PRIORITY = "has no effect on a route by priority"
UNSAID = ("blocked",)


def notes_of(root: Root) -> tuple[str, ...]:
    """Return a line for each setting of the file that is taken and has no effect."""
    return (
        *(note for name, route in (root.routes or {}).items() for note in _of_route(name, route)),
        *(note for name, tenant in (root.tenants or {}).items() for note in _of_tenant(name, tenant)),
    )


def _of_route(name: str, route: Route) -> Iterator[str]:
    for code in UNSAID:
        if getattr(route.instead_of_error, code) is not None:
            yield f"routes.{name}.instead_of_error.{code} {NOT_YET}"
    if route.strategy != "weighted":
        if route.sticky is not None:
            yield f"routes.{name}.sticky {BY_PRIORITY}"
        for position, target in enumerate(route.targets):
            if target.weight != 1:
                yield f"routes.{name}.targets[{position}].weight {BY_PRIORITY}"


def _of_tenant(name: str, tenant: Tenant) -> Iterator[str]:
    if tenant.regulated:
        yield f"tenants.{name}.regulated {NOT_YET}"
