"""What no section can see alone: names that must exist elsewhere, files that must be there, times that must fit."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from trunkline.config.document import Mapping, Scalar, Sequence
from trunkline.config.kinds import NODE
from trunkline.config.places import Place, Problems, nearest
from trunkline.config.schema import Provider, Root, Route, Target, Tenant
from trunkline.config.section import Section
from trunkline.config.sources import Sources, Unreadable

# Each of them decides where a call goes, what it costs, whose it is or in what form it is answered.
FIXED_PARAMETERS = frozenset({"model", "messages", "stream", "stream_options", "metadata", "user", "safety_identifier"})
# The connection and the body are ours to describe.
OWN_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Every request of a dialect has them with values of its own; a second one of the name would be anybody's guess.
DIALECT_HEADERS = {"openai": frozenset({"accept"}), "anthropic": frozenset({"accept", "anthropic-version"})}
# What the file of the key that signs the logs begins with.
PRIVATE_KEY = "PRIVATE+KEY+"
KEY_HEADERS = frozenset({"authorization", "x-api-key"})
# A base URL that ends so has what the dialect appends to it; the longest comes first.
APPENDED = {"openai": ("/chat/completions",), "anthropic": ("/v1/messages", "/v1")}


def check(root: Root, sources: Sources, problems: Problems) -> None:
    """Report everything that is wrong between sections."""
    _check_top(root, sources, problems)
    for provider in root.providers.values():
        _check_provider(provider, sources, problems)
    for route in (root.routes or {}).values():
        _check_route(route, root, problems)
    for tenant in (root.tenants or {}).values():
        _check_tenant(tenant, root, problems)


def names_of(root: Root, section: str) -> tuple[str, ...]:
    """Return the names that a section of the file has, those of unusable entries too."""
    node = root.place.below(section).node
    return node.names if isinstance(node, Mapping) and node is not root.place.node else ()


def words_of(place: Place, name: str, kept: tuple[str, ...]) -> Iterator[tuple[Place, str]]:
    """Yield each word of a list with its place; the words that were refused already are not among those `kept`."""
    below = place.below(name)
    for index, node in enumerate(below.node.items if isinstance(below.node, Sequence) else ()):
        if isinstance(node, Scalar) and node.text in kept:
            yield Place(f"{below.path}[{index}]", node), node.text


def check_name(root: Root, name: str, place: Place, problems: Problems) -> None:
    """Report a name in a key's `routes` that is neither a route nor a `provider/model` of a provider's `models`."""
    routes = names_of(root, "routes")
    provider_name, slash, model = name.partition("/")
    if not slash:
        if name not in routes:
            problems.add(place, f"there is no route `{place.written or name}`", nearest(name, routes))
    elif provider_name not in names_of(root, "providers"):
        fix = nearest(provider_name, names_of(root, "providers"))
        problems.add(place, f"`{place.written or name}` names no provider of this file", fix)
    elif (provider := root.providers.get(provider_name)) and model not in provider.models:
        fix = f"add the model to providers.{provider_name}.models"
        problems.add(place, f"`{place.written or name}` is not among the models of its provider", fix)


def _check_top(root: Root, sources: Sources, problems: Problems) -> None:
    providers = root.place.below("providers")
    if isinstance(providers.node, Mapping) and not providers.node.entries and providers is not root.place:
        problems.add(providers, "there is no provider", "add one")
    if root.node is None and not NODE.fullmatch(sources.host_name):
        problems.add(root.place, "this machine's host name cannot name its logs", "add `node: gw-1`")
    if root.console and root.console.listen == root.listen and not root.listen.endswith(":0"):
        problems.add(root.console.place.below("listen"), "is the data plane's address too", "choose another port")
    if root.server.max_body > root.server.max_in_flight_bytes // root.workers:
        place = root.server.place.below("max_body")
        most = "max_in_flight_bytes" if root.workers == 1 else "a worker's share of max_in_flight_bytes"
        problems.add(place, f"is above {most}, so that no such body could ever come in", "lower it, or raise the other")
    if root.tls:
        _check_file(root.tls.place.below("cert"), root.tls.cert, "CERTIFICATE-----", sources, problems)
        _check_file(root.tls.place.below("key"), root.tls.key, "PRIVATE KEY-----", sources, problems)
    if root.audit.key_file:
        place = root.audit.place.below("key_file")
        _check_file(
            place, root.audit.key_file, PRIVATE_KEY, sources, problems, "a key that `trunkline audit keys` makes"
        )
    if root.limits.redis_ca_bundle is not None:
        place = root.limits.place.below("redis_ca_bundle")
        _check_file(place, root.limits.redis_ca_bundle, "CERTIFICATE-----", sources, problems)


def _check_file(
    place: Place, path: str, marker: str, sources: Sources, problems: Problems, kind: str = "a PEM file"
) -> None:
    if not path:
        return
    try:
        content = sources.read_file(path)
    except FileNotFoundError:
        problems.add(place, f"there is no file `{place.written}`", "create it, or name another")
    except Unreadable as unreadable:
        problems.add(place, f"the file `{place.written}` {unreadable}", f"name {kind}")
    except (OSError, ValueError):
        problems.add(place, f"the file `{place.written}` cannot be read as text", f"name {kind}, and let us read it")
    else:
        if marker not in content:
            problems.add(place, f"the file `{place.written}` has no `{marker}` in it", f"name {kind}")


def _check_provider(provider: Provider, sources: Sources, problems: Problems) -> None:
    if provider.ca_bundle is not None:
        place = provider.place.below("ca_bundle")
        _check_file(place, provider.ca_bundle, "CERTIFICATE-----", sources, problems)
    _check_base_url(provider, problems)
    _check_headers(provider, problems)


def _check_base_url(provider: Provider, problems: Problems) -> None:
    for end in APPENDED.get(provider.dialect, ()):
        if provider.base_url is not None and provider.base_url.endswith(end):
            message = f"ends in `{end}`, which the dialect appends itself"
            problems.add(provider.place.below("base_url"), message, f"drop `{end}`")
            return


def _check_headers(provider: Provider, problems: Problems) -> None:
    own = OWN_HEADERS | DIALECT_HEADERS.get(provider.dialect, frozenset())
    for name, place in headers_of(provider, provider.headers, own, problems):
        if name in KEY_HEADERS and provider.api_key is not None:
            problems.add(place, "this header carries the api_key already", "remove it, or write `api_key: null`")


def headers_of(
    section: Section, headers: Iterable[str] | None, own: AbstractSet[str], problems: Problems
) -> Iterator[tuple[str, Place]]:
    """Yield in lower case the names of a section's `headers` that it may have; report those in `own`, and any twice."""
    seen: set[str] = set()
    for name in headers or ():
        place, lower = section.place.below("headers").below(name), name.lower()
        if lower in own:
            problems.add(place, "this header is the gateway's own", "remove it")
        elif lower in seen:
            problems.add(place, "this header is there twice", "remove one of the two")
        else:
            yield lower, place
        seen.add(lower)


def _check_route(route: Route, root: Root, problems: Problems) -> None:
    for name in ("connect", "first_token", "gap"):
        _check_within(route.timeouts.place, name, getattr(route.timeouts, name), route, problems)
    for target in route.targets:
        if target.provider and target.provider not in names_of(root, "providers"):
            place = target.place.below("provider")
            fix = nearest(target.provider, names_of(root, "providers"))
            problems.add(place, f"there is no provider `{place.written}`", fix)
        if target.first_token is not None:
            _check_within(target.place, "first_token", target.first_token, route, problems)
        _check_params(target, problems)


def _check_within(place: Place, name: str, value: float, route: Route, problems: Problems) -> None:
    below = place.below(name)
    if below is not place and value > route.timeouts.total and not problems.has(below.path):
        problems.add(below, "is longer than the route's timeouts.total", "shorten it, or raise the total")


def _check_params(target: Target, problems: Problems) -> None:
    place = target.params.place
    for section in ("default", "set"):
        for name in FIXED_PARAMETERS & (getattr(target.params, section) or {}).keys():
            problems.add(place.below(section).below(name), f"`{name}` is the request's own", "remove it")
    for item, word in words_of(place, "drop", target.params.drop):
        if word in FIXED_PARAMETERS:
            problems.add(item, f"`{word}` is the request's own", "remove it")


def _check_tenant(tenant: Tenant, root: Root, problems: Problems) -> None:
    known = names_of(root, "providers")
    for place, name in words_of(tenant.allow.place, "providers", tenant.allow.providers or ()):
        if name not in known:
            problems.add(place, f"there is no provider `{place.written}`", nearest(name, known))
    for key in (tenant.keys or {}).values():
        for place, name in words_of(key.place, "routes", key.routes or ()):
            check_name(root, name, place, problems)
