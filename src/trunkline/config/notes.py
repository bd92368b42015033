"""Settings of a good file that this version takes and does not act upon: no mistakes, but to be known."""

from collections.abc import Iterator

from trunkline.config.schema import Root, Route, Tenant

NOT_YET = "has no effect in this version"
BY_PRIORITY = "has no effect on a route by priority"


def notes_of(root: Root, cores: int | None) -> tuple[str, ...]:
    """Return a line for each setting of the file that is taken and has no effect, on a machine with so many cores."""
    return (
        *_of_workers(root.workers, cores),
        *(note for name, route in (root.routes or {}).items() for note in _of_route(name, route)),
        *(note for name, tenant in (root.tenants or {}).items() for note in _of_tenant(name, tenant)),
    )


def _of_workers(workers: int, cores: int | None) -> Iterator[str]:
    if cores is not None and workers > cores:
        there = "is 1 core" if cores == 1 else f"are {cores} cores"
        yield f"workers is {workers}, and there {there}: more carry no more"


def _of_route(name: str, route: Route) -> Iterator[str]:
    if route.strategy != "weighted":
        if route.sticky is not None:
            yield f"routes.{name}.sticky {BY_PRIORITY}"
        for position, target in enumerate(route.targets):
            if target.weight != 1:
                yield f"routes.{name}.targets[{position}].weight {BY_PRIORITY}"


def _of_tenant(name: str, tenant: Tenant) -> Iterator[str]:
    if tenant.regulated:
        yield f"tenants.{name}.regulated {NOT_YET}"
