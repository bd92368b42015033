"""What is in force: the whole effective configuration, immutable, named by the SHA-256 of its canonical form.

Durations are seconds. No secret is in it: client keys are there as SHA-256 digests, and what a provider must be told
(keys, extra header values, passwords of a proxy and of Redis) travels apart as `Secrets`. Every call record names its
snapshot.
"""

from decimal import Decimal
from typing import Any, Literal

import msgspec

from trunkline.model.chat import PassThrough


class Params(msgspec.Struct, frozen=True, omit_defaults=True):
    """Changes to a request's parameters for one target: set if missing, set always, take away."""

    default: dict[str, Any] = {}
    set: dict[str, Any] = {}
    drop: tuple[str, ...] = ()


class Target(msgspec.Struct, frozen=True, omit_defaults=True):
    """A model at a provider, with what is particular to using it on this route."""

    provider: str
    model: str
    weight: int = 1
    first_token: float | None = None
    max_output_tokens: int | None = None
    params: Params = Params()

    @property
    def name(self) -> str:
        """`provider/model`, the name by which prices, records and health know it."""
        return f"{self.provider}/{self.model}"


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds. `first_token` and `gap` apply to streams; `total` to the whole call, failover included."""

    connect: float = 1.0
    first_token: float = 10.0
    gap: float = 10.0
    total: float = 60.0


class Breaker(msgspec.Struct, frozen=True):
    """Open after `failures` within `within` seconds; after `open_for` seconds one probe decides."""

    failures: int = 5
    within: float = 30.0
    open_for: float = 15.0


class Guardrail(msgspec.Struct, frozen=True, omit_defaults=True):
    """A policy: a check with its settings, the stages where it looks, and what a finding leads to.

    `version` stands for all of that and for the check's own rules and data. `sentence` is said in place of an answer
    (`replace`), or put in place of what is redacted. `timeout`, `headers` and `when` are for checks that ask somebody:
    of the headers that are sent to who is asked these are the names alone, and what is said is waited for (`sync`), or
    asked for `after` the answer has left. With `everywhere` the policy is in force for every call.
    """

    name: str
    version: str
    check: str
    on: tuple[str, ...]
    settings: dict[str, Any] = {}
    action: Literal["block", "replace", "redact", "flag"] = "block"
    sentence: str = ""
    finish_reason: Literal["stop", "content_filter"] = "stop"
    on_error: Literal["block", "allow"] = "block"
    on_unscannable: Literal["block", "allow"] = "block"
    timeout: float = 2.0
    headers: tuple[str, ...] = ()
    everywhere: bool = False
    when: Literal["sync", "after"] = "sync"


class Route(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a client names as `model`, and where such calls go.

    `hold` is how much text a guardrail looks at that looks at units of it.
    """

    name: str
    targets: tuple[Target, ...]
    strategy: Literal["priority", "weighted"] = "priority"
    attempts_per_target: int = 1
    timeouts: Timeouts = Timeouts()
    breaker: Breaker = Breaker()
    sticky: Literal["session", "user"] | None = None
    pass_through: PassThrough = "drop"
    instead_of_error: dict[str, str] = {}
    guardrails: tuple[str, ...] = ()
    hold: Literal["sentence", "clause"] = "sentence"


class Capacity(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a provider allows the account; None is unknown."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


class Provider(msgspec.Struct, frozen=True, omit_defaults=True):
    """An account at a provider. `data_retention` is seconds (0 for none, None if not stated)."""

    name: str
    dialect: Literal["openai", "anthropic"]
    base_url: str
    region: str | None = None
    data_retention: float | None = None
    keep_warm: int = 0
    models: tuple[str, ...] = ()
    proxy: str | None = None
    ca_bundle: str | None = None
    headers: tuple[str, ...] = ()
    capacity: Capacity | None = None


class Allow(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a tenant has approved; None allows all. A provider that does not state its retention fails a limit on it."""

    providers: tuple[str, ...] | None = None
    regions: tuple[str, ...] | None = None
    data_retention: float | None = None


class Directory(msgspec.Struct, frozen=True):
    """A tenant's users, which lie beside the snapshot under the SHA-256 of their canonical bytes (`model.directory`).

    By name only: a hundred thousand people would make every snapshot, and so every change of a key, megabytes.
    """

    digest: str
    users: int
    source: Literal["file", "log"]


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much may be used at once or within the time that a name says; None is no limit."""

    requests_per_minute: int | None = None
    requests_per_hour: int | None = None
    requests_per_day: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_hour: int | None = None
    tokens_per_day: int | None = None
    concurrent_requests: int | None = None


class Budget(msgspec.Struct, frozen=True, omit_defaults=True):
    """What calls may cost in a period of the tenant's time zone: `amount` USD, a decimal with at most nine decimals.

    `tag` is for budgets of tags alone: each value of that tag has one; without it each pair of a name and a value.
    """

    amount: str
    per: Literal["day", "week", "month", "total"]
    on_exceeded: Literal["block", "warn"] = "block"
    tag: str | None = None

    @property
    def nano_usd(self) -> int:
        """The amount in billionths of a USD, the unit in which money is counted."""
        return int(Decimal(self.amount).scaleb(9))


class Tenant(msgspec.Struct, frozen=True, omit_defaults=True):
    """A customer of the gateway's operator.

    `limits` and `budget` hold for all of its calls together, the others for each user, team, route or tag. `wait_up_to`
    is how long a call over a limit is held before it is refused; `weight` is the tenant's part in the sharing of a
    provider's capacity; with `enforce` observe everything is counted and nothing refused. `retention` is for how many
    seconds its records are kept, None for as long as any; before they have been, a person may be erased only with
    `erase_before_retention`.
    """

    name: str
    regulated: bool = False
    time_zone: str = "UTC"
    require: tuple[Literal["user"], ...] = ()
    allow: Allow = Allow()
    directory: Directory | None = None
    limits: Limits | None = None
    user_limits: Limits | None = None
    team_limits: Limits | None = None
    route_limits: dict[str, Limits] = {}
    wait_up_to: float = 0.0
    budget: Budget | None = None
    user_budget: Budget | None = None
    team_budget: Budget | None = None
    tag_budget: Budget | None = None
    weight: int = 1
    enforce: Literal["limits", "observe"] = "limits"
    guardrails: tuple[str, ...] = ()
    retention: float | None = None
    erase_before_retention: bool = True


class Key(msgspec.Struct, frozen=True, omit_defaults=True):
    """A virtual key. `digests` are SHA-256 of its one or two secrets, hexadecimal.

    `routes` are the routes and `provider/model` names that it may use; None means every route and no
    `provider/model`. `expires` is the Unix second from which it is refused.
    """

    id: str
    tenant: str
    digests: tuple[str, ...]
    routes: tuple[str, ...] | None = None
    team: str | None = None
    expires: int | None = None
    source: Literal["file", "log"] = "file"
    limits: Limits | None = None
    budget: Budget | None = None


class Rates(msgspec.Struct, frozen=True, omit_defaults=True):
    """USD per million tokens by token class, in force from `from_prompt_tokens` on (a tier of the provider's)."""

    from_prompt_tokens: int
    input: Decimal
    output: Decimal
    cached_input: Decimal
    cache_write: Decimal
    cache_write_1h: Decimal
    audio_input: Decimal
    cached_audio_input: Decimal
    reasoning: Decimal
    audio_output: Decimal


class Price(msgspec.Struct, frozen=True, omit_defaults=True):
    """The price of one model: tiers by prompt size, ascending from 0. `version` names the data it came from.

    Within the time of one of the `dated`, that one counts instead; they are in order, and no two have a time in common.
    """

    version: str
    source: str
    tiers: tuple[Rates, ...]
    per_request: Decimal = Decimal(0)
    dated: tuple["DatedPrice", ...] = ()


class DatedPrice(msgspec.Struct, frozen=True, omit_defaults=True):
    """A price from one Unix second on until before another; None is open."""

    price: Price
    start: int | None = None
    end: int | None = None


class Server(msgspec.Struct, frozen=True):
    """Limits of the data plane's wire: bytes and seconds."""

    max_body: int = 10_000_000
    max_headers: int = 32_000
    header_timeout: float = 10.0
    idle_timeout: float = 600.0
    max_connections: int = 20_000
    max_in_flight_bytes: int = 512_000_000
    drain: float = 30.0


class Tls(msgspec.Struct, frozen=True):
    """Paths of the certificate chain and its key, PEM."""

    cert: str
    key: str


class Log(msgspec.Struct, frozen=True):
    """The operational log's form and least level."""

    format: Literal["text", "json"] = "text"
    level: Literal["info", "warning", "error"] = "info"


RETENTION = 7 * 365 * 86_400.0  # seconds


class Audit(msgspec.Struct, frozen=True):
    """How durable a record is before the answer leaves; the file of the key that signs, unset where it is ours.

    `retention` is for how many seconds records of calls are kept, unset where it is `RETENTION`. `copies` are the
    directories that the checkpoint which covers all logs is copied to, unset where there are none. `vault` is unset
    where bodies are encrypted.
    """

    durability: Literal["before_response"] = "before_response"
    key_file: str | msgspec.UnsetType = msgspec.UNSET
    retention: float | msgspec.UnsetType = msgspec.UNSET
    copies: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    vault: Literal["off"] | msgspec.UnsetType = msgspec.UNSET


class LimitsSection(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who counts for many workers, and what a worker does while it cannot be asked.

    `redis_url` is without user and password, which are among the secrets.
    """

    backend: Literal["local", "redis"] = "local"
    redis_url: str | None = None
    redis_ca_bundle: str | None = None
    on_authority_loss: Literal["share", "refuse"] = "share"


# An object with a name: a default is left out of a snapshot's bytes where it is this very one.
LOCAL = LimitsSection()


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The effective configuration. `prices` are by `provider/model`, everything else by its own name."""

    version: int
    node: str
    listen: str
    workers: int
    providers: dict[str, Provider]
    routes: dict[str, Route]
    tenants: dict[str, Tenant]
    keys: dict[str, Key]
    prices: dict[str, Price]
    server: Server
    tls: Tls | None
    log: Log
    audit: Audit
    limits: LimitsSection = LOCAL
    guardrails: dict[str, Guardrail] = {}

    def retention_of(self, tenant: str | None) -> float:
        """Return for how many seconds records are kept: of a tenant, or, with None, of nobody's."""
        known = self.tenants.get(tenant) if tenant is not None else None
        if known is not None and known.retention is not None:
            return known.retention
        return self.audit.retention if self.audit.retention is not msgspec.UNSET else RETENTION


class ProviderSecrets(msgspec.Struct, frozen=True):
    """What only the provider may be told; kept in memory, never written."""

    api_keys: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    proxy: str | None = None

    def __repr__(self) -> str:
        """Say that there is something, not what."""
        return "ProviderSecrets(...)"


class Secrets(msgspec.Struct, frozen=True, omit_defaults=True):
    """What travels beside a snapshot, in memory alone: by provider, and where Redis is, with its password.

    `guardrails` are by policy the headers that are sent to who is asked.
    """

    providers: dict[str, ProviderSecrets] = {}
    redis_url: str | None = None
    guardrails: dict[str, dict[str, str]] = {}

    def __repr__(self) -> str:
        """Say that there is something, not what."""
        return "Secrets(...)"
