"""Who a key belongs to and what it may use."""

from collections.abc import Iterable

from trunkline.errors import InvalidApiKey, ModelNotFound, RouteNotAllowed
from trunkline.model.snapshot import Key, Route, Snapshot, Target

NAMES_IN_A_MESSAGE = 20  # a long list of routes would drown what the message says


class KeyRing:
    """The keys in force, found by the SHA-256 of a secret; a secret itself is never kept or compared."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._by_digest = {digest: key for key in keys for digest in key.digests}

    def find(self, digest: str, now: float) -> Key:
        """Return the key whose secret has this hexadecimal digest at Unix second `now`, or raise InvalidApiKey."""
        key = self._by_digest.get(digest)
        if key is None or (key.expires is not None and now >= key.expires):
            raise InvalidApiKey("The API key is unknown, expired or revoked. Ask the operator of this gateway for one.")
        return key


def usable_models(snapshot: Snapshot, key: Key) -> tuple[str, ...]:
    """Return what this key may put into `model`, in the order of the configuration."""
    if key.routes is None:
        return tuple(snapshot.routes)
    direct = tuple(name for name in key.routes if name not in snapshot.routes and direct_target(snapshot, name))
    return tuple(name for name in snapshot.routes if name in key.routes) + direct


def direct_target(snapshot: Snapshot, model: str) -> Target | None:
    """Return the target that `provider/model` names, if that provider lists that model."""
    provider_name, _, model_name = model.partition("/")
    provider = snapshot.providers.get(provider_name)
    if provider is None or model_name not in provider.models:
        return None
    return Target(provider=provider_name, model=model_name)


def resolve_route(snapshot: Snapshot, key: Key, model: str) -> Route:
    """Return the route that `model` names for this key.

    A `provider/model` becomes a route of its own with one target, where the key names it. Raises RouteNotAllowed for
    what exists but is not this key's, and ModelNotFound for what does not exist.
    """
    route = snapshot.routes.get(model)
    if route is None:
        target = direct_target(snapshot, model)
        if target is None:
            raise ModelNotFound(_unknown(snapshot, key, model), param="model")
        route = Route(name=model, targets=(target,))
        if key.routes is None:
            raise RouteNotAllowed(_forbidden(model), param="model")
    if key.routes is not None and model not in key.routes:
        raise RouteNotAllowed(_forbidden(model), param="model")
    return route


def _forbidden(model: str) -> str:
    return f"This API key may not use the model `{model}`. Ask the operator of this gateway to allow it."


def _unknown(snapshot: Snapshot, key: Key, model: str) -> str:
    names = usable_models(snapshot, key)
    shown = ", ".join(f"`{name}`" for name in names[:NAMES_IN_A_MESSAGE]) or "none"
    more = f" and {len(names) - NAMES_IN_A_MESSAGE} more" if len(names) > NAMES_IN_A_MESSAGE else ""
    return f"There is no model `{model[:100]}`. This API key may use: {shown}{more}."
