# ruff: noqa: RUF009  `option` declares a key; what it returns is the field's own
"""The sections of the file: every key, how it is read, and its default. `docs/configuration.md` lists them.

Names and defaults are those of the snapshot where it has them.
"""

from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from trunkline.config import kinds, units
from trunkline.config.readers import (
    Named,
    choice,
    decimal,
    flag,
    json_value,
    listing,
    one_or_many,
    optional,
    whole,
)
from trunkline.config.section import EMPTY, Section, SectionReader, option
from trunkline.model import snapshot as model

SERVER, TIMEOUTS, BREAKER = model.Server(), model.Timeouts(), model.Breaker()
LOG, AUDIT, ROUTE = model.Log(), model.Audit(), model.Route("", ())


@dataclass(frozen=True, kw_only=True)
class Tls(Section):
    """TLS on the data plane: PEM files."""

    cert: str = option(kinds.PATH, stand_in="")
    key: str = option(kinds.PATH, stand_in="")


@dataclass(frozen=True, kw_only=True)
class Console(Section):
    """The admin API's own listener."""

    listen: str = option(kinds.LISTEN, "127.0.0.1:8081")
    admin_token: str = option(kinds.SECRET, stand_in="")


@dataclass(frozen=True, kw_only=True)
class Log(Section):
    """The operational log."""

    format: Any = option(choice("text", "json"), LOG.format)
    level: Any = option(choice("info", "warning", "error"), LOG.level)


@dataclass(frozen=True, kw_only=True)
class Provider(Section):
    """An account at a provider."""

    LATER = ("capacity",)
    dialect: Any = option(choice("openai", "anthropic"))
    base_url: str | None = option(kinds.PROVIDER_URL, None)
    api_key: tuple[str, ...] | None = option(optional(one_or_many(kinds.PROVIDER_KEY, "keys", 100)))
    region: str | None = option(kinds.NAME, None)
    data_retention: float | None = option(kinds.RETENTION, None)
    keep_warm: int = option(whole(0, 1_000), 0)
    models: tuple[str, ...] = option(listing(kinds.MODEL, "models"), ())
    proxy: str | None = option(kinds.PROXY_URL, None)
    ca_bundle: str | None = option(kinds.PATH, None)
    headers: dict[str, str] | None = option(Named(kinds.HEADER, kinds.HEADER_VALUE, "header values", most=64), None)


@dataclass(frozen=True, kw_only=True)
class Params(Section):
    """Changes to a request's parameters for one target."""

    default: dict[str, Any] | None = option(Named(kinds.PARAMETER, json_value, "values"), None)
    set: dict[str, Any] | None = option(Named(kinds.PARAMETER, json_value, "values"), None)
    drop: tuple[str, ...] = option(listing(kinds.PARAMETER, "parameters"), ())


@dataclass(frozen=True, kw_only=True)
class Target(Section):
    """A model at a provider, as used on one route."""

    provider: str = option(kinds.NAME, stand_in="")
    model: str = option(kinds.MODEL, stand_in="")
    weight: int = option(whole(1, 1_000_000), 1)
    first_token: float | None = option(kinds.TIMEOUT, None)
    max_output_tokens: int | None = option(whole(1, 10_000_000), None)
    params: Params = option(SectionReader(Params), EMPTY)


@dataclass(frozen=True, kw_only=True)
class Retry(Section):
    """How often one target is asked."""

    attempts_per_target: int = option(whole(1, 10), ROUTE.attempts_per_target)


@dataclass(frozen=True, kw_only=True)
class Timeouts(Section):
    """How long a call may take, by part."""

    connect: float = option(kinds.TIMEOUT, TIMEOUTS.connect)
    first_token: float = option(kinds.TIMEOUT, TIMEOUTS.first_token)
    gap: float = option(kinds.TIMEOUT, TIMEOUTS.gap)
    total: float = option(kinds.TIMEOUT, TIMEOUTS.total)


@dataclass(frozen=True, kw_only=True)
class Breaker(Section):
    """When a target is left out for a while."""

    failures: int = option(whole(1, 1_000), BREAKER.failures)
    within: float = option(kinds.TIMEOUT, BREAKER.within)
    open_for: float = option(kinds.TIMEOUT, BREAKER.open_for)


@dataclass(frozen=True, kw_only=True)
class InsteadOfError(Section):
    """What a caller hears where an error would be silence."""

    blocked: str | None = option(kinds.SENTENCE, None)
    limited: str | None = option(kinds.SENTENCE, None)
    over_budget: str | None = option(kinds.SENTENCE, None)
    unavailable: str | None = option(kinds.SENTENCE, None)


@dataclass(frozen=True, kw_only=True)
class Route(Section):
    """What a client names as `model`, and where such calls go."""

    LATER = ("guardrails", "hold", "prompt", "require_prompt", "client_system", "keepalive")
    strategy: Any = option(choice("priority", "weighted", later=("least_latency", "cheapest")), ROUTE.strategy)
    targets: tuple[Target, ...] = option(listing(SectionReader(Target), "targets", least=1, most=100), stand_in=())
    retry: Retry = option(SectionReader(Retry), EMPTY)
    timeouts: Timeouts = option(SectionReader(Timeouts), EMPTY)
    breaker: Breaker = option(SectionReader(Breaker), EMPTY)
    sticky: Any = option(choice("session", "user"), None)
    pass_through: Any = option(choice("allow", "drop", "refuse"), ROUTE.pass_through)
    instead_of_error: InsteadOfError = option(SectionReader(InsteadOfError), EMPTY)


@dataclass(frozen=True, kw_only=True)
class Allow(Section):
    """What a tenant has approved; a key that is absent allows all."""

    providers: tuple[str, ...] | None = option(listing(kinds.NAME, "providers"), None)
    regions: tuple[str, ...] | None = option(listing(kinds.NAME, "regions"), None)
    data_retention: float | None = option(kinds.RETENTION, None)


@dataclass(frozen=True, kw_only=True)
class Key(Section):
    """A virtual key of a tenant's."""

    LATER = ("limits", "budget")
    secret: tuple[str, ...] = option(one_or_many(kinds.SECRET, "secrets", 2), stand_in=())
    routes: tuple[str, ...] | None = option(listing(kinds.ROUTE_OR_MODEL, "routes", least=1), None)
    team: str | None = option(kinds.NAME, None)
    expires: int | None = option(kinds.EXPIRY, None)


@dataclass(frozen=True, kw_only=True)
class Tenant(Section):
    """A customer of the gateway's operator."""

    LATER = (
        "limits",
        "user_limits",
        "team_limits",
        "route_limits",
        "wait_up_to",
        "budget",
        "user_budget",
        "team_budget",
        "tag_budget",
        "weight",
        "enforce",
        "guardrails",
    )
    regulated: bool = option(flag, default=False)
    time_zone: str = option(kinds.TIME_ZONE, "UTC")
    require: tuple[Any, ...] = option(listing(choice("user"), "fields"), ())
    allow: Allow = option(SectionReader(Allow), EMPTY)
    directory: str | None = option(kinds.PATH, None)
    keys: dict[str, Key] | None = option(Named(kinds.NAME, SectionReader(Key), "keys"), None)


@dataclass(frozen=True, kw_only=True)
class Audit(Section):
    """How durable a record is before the answer leaves."""

    LATER = ("retention", "key_file", "copies", "archive")
    durability: Any = option(choice("before_response"), AUDIT.durability)


@dataclass(frozen=True, kw_only=True)
class PriceOverride(Section):
    """The price of one model in USD, instead of the one in the price list.

    A class that is left out costs what the class that contains it costs: cached input and audio as input, reasoning
    and audio as output.
    """

    input_per_million: Decimal = option(decimal(1_000_000), stand_in=Decimal(0))
    output_per_million: Decimal = option(decimal(1_000_000), stand_in=Decimal(0))
    cached_input_per_million: Decimal | None = option(decimal(1_000_000), None)
    cache_write_per_million: Decimal | None = option(decimal(1_000_000), None)
    cache_write_1h_per_million: Decimal | None = option(decimal(1_000_000), None)
    audio_input_per_million: Decimal | None = option(decimal(1_000_000), None)
    cached_audio_input_per_million: Decimal | None = option(decimal(1_000_000), None)
    reasoning_per_million: Decimal | None = option(decimal(1_000_000), None)
    audio_output_per_million: Decimal | None = option(decimal(1_000_000), None)
    per_request: Decimal = option(decimal(1_000_000), Decimal(0))


@dataclass(frozen=True, kw_only=True)
class Server(Section):
    """Limits of the data plane's wire."""

    max_body: int = option(units.size("1KB", "1GB"), SERVER.max_body)
    max_headers: int = option(units.size("1KB", "1MB"), SERVER.max_headers)
    header_timeout: float = option(kinds.TIMEOUT, SERVER.header_timeout)
    idle_timeout: float = option(kinds.TIMEOUT, SERVER.idle_timeout)
    max_connections: int = option(whole(1, 1_000_000), SERVER.max_connections)
    max_in_flight_bytes: int = option(units.size("1MB", "1000GB"), SERVER.max_in_flight_bytes)
    drain: float = option(units.duration("0s", "1h"), SERVER.drain)


@dataclass(frozen=True, kw_only=True)
class Root(Section):
    """The whole file."""

    LATER = ("guardrails", "limits", "prompts", "alerts", "telemetry", "slo", "cors")
    version: int = option(whole(1, 1), stand_in=1)
    data_dir: str = option(kinds.PATH, "./trunkline-data")
    node: str | None = option(kinds.NAME, None)
    listen: str = option(kinds.LISTEN, "127.0.0.1:8080")
    tls: Tls | None = option(SectionReader(Tls), None)
    console: Console | None = option(SectionReader(Console), None)
    workers: int = option(kinds.WORKERS, 1)
    log: Log = option(SectionReader(Log), EMPTY)
    providers: dict[str, Provider] = option(
        Named(kinds.NAME, SectionReader(Provider), "providers"), stand_in=MappingProxyType({})
    )
    routes: dict[str, Route] | None = option(Named(kinds.ROUTE, SectionReader(Route), "routes"), None)
    tenants: dict[str, Tenant] | None = option(Named(kinds.NAME, SectionReader(Tenant), "tenants"), None)
    audit: Audit = option(SectionReader(Audit), EMPTY)
    prices: dict[str, PriceOverride] | None = option(
        Named(kinds.PROVIDER_AND_MODEL, SectionReader(PriceOverride), "prices"), None
    )
    server: Server = option(SectionReader(Server), EMPTY)
