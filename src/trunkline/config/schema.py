# ruff: noqa: RUF009  `option` declares a key; what it returns is the field's own
"""The sections of the file: every key, how it is read, its default, and what it says. `reference.py`
makes the tables of docs/configuration.md of it.

Names and defaults are those of the snapshot where it has them.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from trunkline.config import kinds, units
from trunkline.config.readers import (
    Named,
    amount,
    choice,
    decimal,
    flag,
    json_value,
    listing,
    one_or_many,
    optional,
    whole,
)
from trunkline.config.section import EMPTY, Section, SectionReader, Some, Switchable, option
from trunkline.model import snapshot as model
from trunkline.model.operators import ROLES

SERVER, TIMEOUTS, BREAKER = model.Server(), model.Timeouts(), model.Breaker()
# Each is a process of some 40 MB with a log of its own; a gateway that needs more of them needs another machine.
MOST_WORKERS = 64
LOG, AUDIT, ROUTE = model.Log(), model.Audit(), model.Route("", ())
GUARDRAIL = model.Guardrail("", "", "", ())
TENANT, LIMITS = model.Tenant(""), model.LOCAL
# What a 64-bit counter holds a million times over; money is exact to the billionth of a USD.
MOST_COUNTED, MOST_USD, DECIMALS = 10**12, 10**9, 9
COUNT = whole(1, MOST_COUNTED)


@dataclass(frozen=True, kw_only=True)
class Tls(Section):
    """TLS on the data plane: PEM files."""

    cert: str = option(kinds.PATH, stand_in="", says="file with the certificate chain, PEM")
    key: str = option(kinds.PATH, stand_in="", says="file with its private key, PEM")


@dataclass(frozen=True, kw_only=True)
class Operator(Section):
    """Somebody who may ask the admin API."""

    token: str = option(kinds.SECRET, stand_in="", says="what it must show; 128 bits of entropy at least")
    role: Any = option(
        choice(*ROLES),
        stand_in="examiner",
        says="what it [may](operations.md#roles): `examiner`, `supervisor`, `operator` or `admin`",
    )


@dataclass(frozen=True, kw_only=True)
class Console(Section):
    """The admin API's own listener."""

    listen: str = option(kinds.LISTEN, "127.0.0.1:8081", says="its address")
    admin_token: str = option(
        kinds.SECRET, stand_in="", says="the token of the operator `admin`, who may do everything"
    )
    operators: dict[str, Operator] | None = option(
        Named(kinds.NAME, SectionReader(Operator), "operators", most=1_000),
        None,
        says="others who may ask, by the name that records have of them",
    )


@dataclass(frozen=True, kw_only=True)
class Log(Section):
    """The operational log."""

    format: Any = option(choice("text", "json"), LOG.format, says="`text` or `json`")
    level: Any = option(choice("info", "warning", "error"), LOG.level, says="`info`, `warning` or `error`")


@dataclass(frozen=True, kw_only=True)
class Capacity(Section):
    """What a provider allows the account."""

    requests_per_minute: int | None = option(COUNT, None, says="requests that it takes in any minute")
    tokens_per_minute: int | None = option(COUNT, None, says="tokens likewise")


@dataclass(frozen=True, kw_only=True)
class Provider(Section):
    """An account at a provider."""

    dialect: Any = option(choice("openai", "anthropic"), says="the API that it speaks: `openai` or `anthropic`")
    base_url: str | None = option(
        kinds.PROVIDER_URL,
        None,
        says="https, or http on this machine (where a proxy may add TLS); no user, query or fragment, and no path that"
        " the dialect appends: `/chat/completions`, or `/v1` and `/v1/messages`",
    )
    api_key: tuple[str, ...] | None = option(
        optional(one_or_many(kinds.PROVIDER_KEY, "keys", 100)),
        says="a key, a list of keys, or `null` where none is needed",
    )
    region: str | None = option(kinds.NAME, None, says="where it processes data; tenants may insist on regions")
    data_retention: float | None = option(
        kinds.RETENTION, None, says="how long it keeps data: `zero` or a duration; unstated is longer than any limit"
    )
    keep_warm: int = option(whole(0, 1_000), 0, says="idle connections held open, by each worker")
    models: tuple[str, ...] = option(listing(kinds.MODEL, "models"), (), says="what `provider/model` may name")
    proxy: str | None = option(
        kinds.PROXY_URL, None, says="URL of an HTTP proxy on the way, with its user and password"
    )
    ca_bundle: str | None = option(
        kinds.PATH, None, says="PEM file with the authorities to trust instead of the system's"
    )
    headers: dict[str, str] | None = option(
        Named(kinds.HEADER, kinds.HEADER_VALUE, "header values", most=64),
        None,
        says="more headers for every request; not those of the connection, the body or the dialect",
    )
    capacity: Capacity | None = option(
        Some(Capacity, "capacity"), None, says="what the provider allows the account, shared fairly between tenants"
    )


@dataclass(frozen=True, kw_only=True)
class Params(Section):
    """Changes to a request's parameters for one target."""

    default: dict[str, Any] | None = option(
        Named(kinds.PARAMETER, json_value, "values"), None, says="set where the client does not"
    )
    set: dict[str, Any] | None = option(Named(kinds.PARAMETER, json_value, "values"), None, says="set always")
    drop: tuple[str, ...] = option(listing(kinds.PARAMETER, "parameters"), (), says="taken away")


@dataclass(frozen=True, kw_only=True)
class Target(Section):
    """A model at a provider, as used on one route."""

    provider: str = option(kinds.NAME, stand_in="", says="a provider of this file")
    model: str = option(kinds.MODEL, stand_in="", says="the provider's name of the model")
    weight: int = option(whole(1, 1_000_000), 1, says="share of the calls; for `weighted` only")
    first_token: float | None = option(kinds.TIMEOUT, None, says="instead of the route's timeout of that name")
    max_output_tokens: int | None = option(
        whole(1, 10_000_000), None, says="sent where the provider requires a limit and the client names none"
    )
    params: Params = option(SectionReader(Params), EMPTY, says="changes to the request's parameters")


@dataclass(frozen=True, kw_only=True)
class Retry(Section):
    """How often one target is asked."""

    attempts_per_target: int = option(
        whole(1, 10), ROUTE.attempts_per_target, says="how often a target is asked before the next one"
    )


@dataclass(frozen=True, kw_only=True)
class Timeouts(Section):
    """How long a call may take, by part."""

    connect: float = option(kinds.TIMEOUT, TIMEOUTS.connect, says="to open a connection")
    first_token: float = option(kinds.TIMEOUT, TIMEOUTS.first_token, says="to the first piece of a stream")
    gap: float = option(kinds.TIMEOUT, TIMEOUTS.gap, says="between two pieces of a stream")
    total: float = option(kinds.TIMEOUT, TIMEOUTS.total, says="the whole call, failover included")


@dataclass(frozen=True, kw_only=True)
class Breaker(Section):
    """When a target is left out for a while."""

    failures: int = option(whole(1, 1_000), BREAKER.failures, says="so many")
    within: float = option(kinds.TIMEOUT, BREAKER.within, says="in this time")
    open_for: float = option(kinds.TIMEOUT, BREAKER.open_for, says="leave it out this long; then one call decides")


@dataclass(frozen=True, kw_only=True)
class InsteadOfError(Section):
    """What a caller hears where an error would be silence."""

    blocked: str | None = option(kinds.SENTENCE, None, says="a guardrail stopped the call")
    limited: str | None = option(kinds.SENTENCE, None, says="a limit is reached")
    over_budget: str | None = option(kinds.SENTENCE, None, says="a budget is used up")
    unavailable: str | None = option(kinds.SENTENCE, None, says="no provider answered")


@dataclass(frozen=True, kw_only=True)
class Guardrail(Section):
    """A policy. Whatever key is none of these is a setting of its check: `settings` has them."""

    OPEN = "settings"
    settings: dict[str, Any] = field(default_factory=dict)
    check: str = option(kinds.NAME, stand_in="", says="the check: one of docs/guardrails.md, or of a plugin")
    on: tuple[str, ...] | None = option(
        listing(choice("input", "output", "answer", "tool_arguments", "tool_results", "transcript"), "stages", least=1),
        None,
        says="where it looks: `input`, `output`, `answer`, `tool_arguments`, `tool_results`, `transcript`",
    )
    action: Any = option(
        choice("block", "replace", "redact", "flag"),
        GUARDRAIL.action,
        says="what a finding leads to: `block`, `replace`, `redact`, or `flag`: record it only",
    )
    sentence: str | None = option(
        kinds.SENTENCE, None, name="with", says="what is said instead (`replace`), or put in place of it (`redact`)"
    )
    finish_reason: Any = option(
        choice("stop", "content_filter"), GUARDRAIL.finish_reason, says="what a replaced answer ends with"
    )
    on_error: Any = option(
        choice("block", "allow"),
        GUARDRAIL.on_error,
        says="where the check cannot be made; `allow` is recorded as a bypass",
    )
    on_unscannable: Any = option(
        choice("block", "allow"),
        GUARDRAIL.on_unscannable,
        says="images, audio and files, which no check reads; likewise",
    )
    timeout: float = option(units.duration("1ms", "60s"), GUARDRAIL.timeout, says="of a check that asks somebody")
    headers: dict[str, str] | None = option(
        Named(kinds.HEADER, kinds.HEADER_VALUE, "header values", most=16),
        None,
        says="headers for the service that a check asks, such as `authorization`; their values are secrets",
    )
    everywhere: bool = option(flag, default=False, says="`true`: in force for every call of every tenant")
    when: Any = option(
        choice("sync", "after"),
        GUARDRAIL.when,
        says="of a check that asks somebody: the answer waits for it (`sync`), or it is asked `after` that has left",
    )


@dataclass(frozen=True, kw_only=True)
class Route(Section):
    """What a client names as `model`, and where such calls go."""

    LATER = ("prompt", "require_prompt", "client_system", "keepalive")
    strategy: Any = option(
        choice("priority", "weighted", later=("least_latency", "cheapest")),
        ROUTE.strategy,
        says="`priority`: in order; `weighted`: by chance in proportion to the weights",
    )
    targets: tuple[Target, ...] = option(
        listing(SectionReader(Target), "targets", least=1, most=100), stand_in=(), says="where calls go, at least one"
    )
    retry: Retry = option(SectionReader(Retry), EMPTY, says="trying again")
    timeouts: Timeouts = option(
        SectionReader(Timeouts), EMPTY, says="a default longer than a written `total` counts as long as that"
    )
    breaker: Breaker = option(SectionReader(Breaker), EMPTY, says="leaving out a target that fails")
    sticky: Any = option(
        choice("session", "user"),
        None,
        says="`session` or `user`: the same one stays with its target; for `weighted` only",
    )
    pass_through: Any = option(
        choice("allow", "drop", "refuse"),
        ROUTE.pass_through,
        says="what the gateway does not know: `allow`, `drop` or `refuse`",
    )
    instead_of_error: InsteadOfError = option(
        SectionReader(InsteadOfError), EMPTY, says="a sentence to answer with where an error would be silence"
    )
    guardrails: tuple[str, ...] = option(
        listing(kinds.POLICY, "policies"), (), says="policies in force for its calls, beside the others'"
    )
    hold: Any = option(
        choice("sentence", "clause"),
        ROUTE.hold,
        says="the unit of text that a check looks at, and so holds back, which looks at units",
    )


@dataclass(frozen=True, kw_only=True)
class Allow(Section):
    """What a tenant has approved; a key that is absent allows all."""

    providers: tuple[str, ...] | None = option(listing(kinds.NAME, "providers"), None, says="only these")
    regions: tuple[str, ...] | None = option(listing(kinds.NAME, "regions"), None, says="only providers in these")
    data_retention: float | None = option(kinds.RETENTION, None, says="only providers that keep data at most so long")


@dataclass(frozen=True, kw_only=True)
class Limits(Section):
    """How much may be used: in no interval of that length, wherever it begins, is there ever more."""

    requests_per_minute: int | None = option(COUNT, None, says="calls let in")
    requests_per_hour: int | None = option(COUNT, None, says="likewise")
    requests_per_day: int | None = option(COUNT, None, says="likewise, in 24 hours")
    tokens_per_minute: int | None = option(COUNT, None, says="tokens of prompt and answer")
    tokens_per_hour: int | None = option(COUNT, None, says="likewise")
    tokens_per_day: int | None = option(COUNT, None, says="likewise, in 24 hours")
    concurrent_requests: int | None = option(COUNT, None, says="calls at the same time")


@dataclass(frozen=True, kw_only=True)
class Budget(Section):
    """What calls may cost."""

    amount: str = option(
        amount(MOST_USD, DECIMALS), stand_in="1", says=f"USD, at most {DECIMALS} decimals, such as `500` or `0.25`"
    )
    per: Any = option(
        choice("day", "week", "month", "total"),
        stand_in="total",
        says="`day`, `week` (from Monday) or `month` in the tenant's time zone, or `total`: for good",
    )
    on_exceeded: Any = option(
        choice("block", "warn"), "block", says="`block`: refuse calls; `warn`: serve and record it"
    )


@dataclass(frozen=True, kw_only=True)
class TagBudget(Budget):
    """What calls with the same tag may cost."""

    tag: str | None = option(
        kinds.TAG, None, says="the tag whose values have this budget each; without it every pair of name and value"
    )


LIMITS_READER = Some(Limits, "limit")
BUDGET_READER = SectionReader(Budget)


@dataclass(frozen=True, kw_only=True)
class Key(Section):
    """A virtual key of a tenant's."""

    secret: tuple[str, ...] = option(
        one_or_many(kinds.SECRET, "secrets", 2),
        stand_in=(),
        says="the secret; or two of them, while one replaces the other",
    )
    routes: tuple[str, ...] | None = option(
        listing(kinds.ROUTE_OR_MODEL, "routes", least=1),
        None,
        says="routes and `provider/model` names that it may use; without it every route",
    )
    team: str | None = option(kinds.NAME, None, says="the team of its calls, where the directory has none for the user")
    expires: int | None = option(
        kinds.EXPIRY, None, says="`2027-06-30`: good to the end of that day in UTC; or a time with its zone"
    )
    limits: Limits | None = option(LIMITS_READER, None, says="limits of this key, beside the tenant's")
    budget: Budget | None = option(BUDGET_READER, None, says="what the calls of this key may cost")


@dataclass(frozen=True, kw_only=True)
class Tenant(Section):
    """A customer of the gateway's operator."""

    regulated: bool = option(flag, default=False, says="rules for regulated firms apply; no effect yet")
    time_zone: str = option(
        kinds.TIME_ZONE,
        "UTC",
        says="where its days begin, for its directory, budgets and imported costs (IANA database)",
    )
    require: tuple[Any, ...] = option(listing(choice("user"), "fields"), (), says="`[user]`: a call must name its user")
    allow: Allow = option(SectionReader(Allow), EMPTY, says="what it has approved, failover included")
    directory: str | None = option(kinds.PATH, None, says="CSV file of its users and their teams")
    limits: Limits | None = option(LIMITS_READER, None, says="limits of all its calls together")
    user_limits: Limits | None = option(LIMITS_READER, None, says="of each user's; calls without a user share one")
    team_limits: Limits | None = option(LIMITS_READER, None, says="of each team's")
    route_limits: dict[str, Limits] | None = option(
        Named(kinds.ROUTE, LIMITS_READER, "limits"), None, says="of its calls on a route, by the route's name"
    )
    wait_up_to: float = option(
        kinds.WAIT, TENANT.wait_up_to, says="how long a call that is over a limit is held before it is refused"
    )
    budget: Budget | None = option(BUDGET_READER, None, says="what all its calls may cost together")
    user_budget: Budget | None = option(BUDGET_READER, None, says="what each user's may cost")
    team_budget: Budget | None = option(BUDGET_READER, None, says="what each team's may cost")
    tag_budget: TagBudget | None = option(
        SectionReader(TagBudget), None, says="what those with the same tag and value may cost"
    )
    weight: int = option(whole(1, 1_000), TENANT.weight, says="its part when tenants share the capacity of a provider")
    enforce: Any = option(
        choice("limits", "observe"), TENANT.enforce, says="`observe`: count and record, refuse nothing"
    )
    guardrails: tuple[str, ...] = option(
        listing(kinds.POLICY, "policies"), (), says="policies in force for all of its calls"
    )
    retention: float | None = option(
        kinds.KEPT, None, says="how long its records are kept, at least, instead of `audit.retention`"
    )
    erase_before_retention: bool = option(
        flag,
        default=TENANT.erase_before_retention,
        says="whether a person may be [erased](vault.md) before their records have been kept for so long",
    )
    keys: dict[str, Key] | None = option(
        Named(kinds.NAME, SectionReader(Key), "keys"),
        None,
        says="its keys, by an id that no other key of any tenant has",
    )


@dataclass(frozen=True, kw_only=True)
class LimitsSection(Section):
    """Who counts for all workers."""

    backend: Any = option(
        choice("local", "redis"),
        LIMITS.backend,
        says="who counts for several workers: `local`, the supervisor of this machine; `redis`, for many machines",
    )
    redis_url: str | None = option(
        kinds.REDIS_URL, None, says="URL of Redis or Valkey with its password: `redis://`, `rediss://` or `unix://`"
    )
    redis_ca_bundle: str | None = option(
        kinds.PATH, None, says="PEM file with the authorities to trust for `rediss://` instead of the system's"
    )
    on_authority_loss: Any = option(
        choice("share", "refuse"),
        LIMITS.on_authority_loss,
        says="what a worker does when it cannot ask who counts: go on with its share, or refuse",
    )


@dataclass(frozen=True, kw_only=True)
class CopyPlace(Section):
    """A second place for the checkpoint that covers all logs."""

    directory: str = option(
        kinds.PATH,
        stand_in="",
        says="directory that is there already, and not on the gateway's disk: a mount of a machine that its operator"
        " does not own, or of storage that lets nothing be written again",
    )


@dataclass(frozen=True, kw_only=True)
class Vault(Section):
    """What the keys that encrypt bodies are wrapped with; `vault: off` encrypts nothing."""

    key: bytes | None = option(
        kinds.VAULT_KEY, None, says="the key-encryption key: 32 random bytes in base64, from the environment or a file"
    )
    key_file: str | None = option(kinds.PATH, None, says="file with the key-encryption key, instead of `key`")
    previous_keys: tuple[Any, ...] = option(
        listing(kinds.VAULT_KEY, "keys", most=20), (), says="keys from before, until `trunkline audit keys rotate`"
    )
    service: str | None = option(kinds.NAME, None, says="a plugin that wraps keys, instead of a key of ours")
    settings: dict[str, Any] | None = option(
        Named(kinds.PARAMETER, json_value, "settings"), None, says="what the plugin is told"
    )


@dataclass(frozen=True, kw_only=True)
class Audit(Section):
    """How durable a record is before the answer leaves, and what it is signed with."""

    LATER = ("archive",)
    durability: Any = option(
        choice("before_response"), AUDIT.durability, says="no byte of an answer leaves before its record is on disk"
    )
    key_file: str | None = option(
        kinds.PATH, None, says="file with the private key that signs the logs; see [the audit log](audit.md#the-key)"
    )
    retention: float = option(
        kinds.KEPT,
        model.RETENTION,
        says="how long records of calls are kept, at least; see [holds and retention](retention.md#retention)",
    )
    copies: tuple[CopyPlace, ...] = option(
        listing(SectionReader(CopyPlace), "places", most=10),
        (),
        says="where the checkpoint that covers all logs is [copied to](audit.md#copies-in-another-place) each minute",
    )
    vault: Vault | None = option(
        Switchable(Vault),
        EMPTY,
        says="how what was asked and answered is encrypted, or `off`; see [the vault](vault.md)",
    )


@dataclass(frozen=True, kw_only=True)
class PriceOverride(Section):
    """The price of one model in USD, instead of the one in the price list.

    A class that is left out costs what the class that contains it costs: cached input and audio as input, reasoning
    and audio as output.
    """

    first: date | None = option(kinds.DAY, None, name="from", says="the first day of this price, in UTC")
    last: date | None = option(kinds.DAY, None, name="to", says="its last day, in UTC")

    input_per_million: Decimal = option(
        decimal(1_000_000), stand_in=Decimal(0), says="USD per million tokens of input; so for the other classes"
    )
    output_per_million: Decimal = option(decimal(1_000_000), stand_in=Decimal(0), says="of output")
    cached_input_per_million: Decimal | None = option(
        decimal(1_000_000), None, says="read from the cache; else as input"
    )
    cache_write_per_million: Decimal | None = option(
        decimal(1_000_000), None, says="written to the cache; else as input"
    )
    cache_write_1h_per_million: Decimal | None = option(
        decimal(1_000_000), None, says="written to the cache for an hour; else as `cache_write`"
    )
    audio_input_per_million: Decimal | None = option(decimal(1_000_000), None, says="of audio; else as input")
    cached_audio_input_per_million: Decimal | None = option(
        decimal(1_000_000), None, says="of audio from the cache; else as cached input"
    )
    reasoning_per_million: Decimal | None = option(decimal(1_000_000), None, says="of reasoning; else as output")
    audio_output_per_million: Decimal | None = option(decimal(1_000_000), None, says="of audio; else as output")
    per_request: Decimal = option(decimal(1_000_000), Decimal(0), says="USD per call")


@dataclass(frozen=True, kw_only=True)
class Server(Section):
    """Limits of the data plane's wire."""

    max_body: int = option(units.size("1KB", "1GB"), SERVER.max_body, says="of a request")
    max_headers: int = option(units.size("1KB", "1MB"), SERVER.max_headers, says="of a request")
    header_timeout: float = option(
        kinds.TIMEOUT, SERVER.header_timeout, says="for a request's head, and for a TLS handshake"
    )
    idle_timeout: float = option(kinds.TIMEOUT, SERVER.idle_timeout, says="of a connection between requests")
    max_connections: int = option(
        whole(1, 1_000_000), SERVER.max_connections, says="of all workers, TLS handshakes included; more are refused"
    )
    max_in_flight_bytes: int = option(
        units.size("1MB", "1000GB"), SERVER.max_in_flight_bytes, says="of all workers: requests and answers in memory"
    )
    drain: float = option(units.duration("0s", "1h"), SERVER.drain, says="for calls in flight at shutdown")


@dataclass(frozen=True, kw_only=True)
class Root(Section):
    """The whole file."""

    LATER = ("prompts", "alerts", "telemetry", "slo", "cors")
    version: int = option(whole(1, 1), stand_in=1, says="the version of this format: `1`")
    data_dir: str = option(kinds.PATH, "./trunkline-data", says="where logs and state are")
    node: str | None = option(kinds.NAME, None, says="names this machine's logs")
    listen: str = option(
        kinds.LISTEN, "127.0.0.1:8080", says="the data plane's address; an IPv6 address stands in brackets"
    )
    tls: Tls | None = option(SectionReader(Tls), None, says="TLS on the data plane")
    console: Console | None = option(
        SectionReader(Console), None, says="the admin API's listener; without it there is none"
    )
    workers: int = option(whole(1, MOST_WORKERS), 1, says="processes that carry calls, at most one for each core")
    log: Log = option(SectionReader(Log), EMPTY, says="the operational log")
    providers: dict[str, Provider] = option(
        Named(kinds.NAME, SectionReader(Provider), "providers"),
        stand_in=MappingProxyType({}),
        says="accounts at providers, by name",
    )
    routes: dict[str, Route] | None = option(
        Named(kinds.ROUTE, SectionReader(Route), "routes"), None, says="what a client may name as `model`"
    )
    guardrails: dict[str, Guardrail] | None = option(
        Named(kinds.NAME, SectionReader(Guardrail), "policies", most=1_000),
        None,
        says="policies on what comes in and goes out, by name",
    )
    tenants: dict[str, Tenant] | None = option(
        Named(kinds.NAME, SectionReader(Tenant), "tenants"), None, says="who may call"
    )
    limits: LimitsSection = option(
        SectionReader(LimitsSection), EMPTY, says="who counts what the tenants' limits allow"
    )
    audit: Audit = option(SectionReader(Audit), EMPTY, says="the record log")
    prices: dict[str, tuple[PriceOverride, ...]] | None = option(
        Named(kinds.PROVIDER_AND_MODEL, one_or_many(SectionReader(PriceOverride), "prices", 100), "prices"),
        None,
        says="prices of your own, by `provider/model`: one, or a list of them with their days",
    )
    server: Server = option(SectionReader(Server), EMPTY, says="limits of the data plane")
