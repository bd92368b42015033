"""What is asked of control and what it answers. Light: a command that asks a running gateway needs nothing else."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from trunkline.channel.messages import LimitUse
from trunkline.ledger.limit_answers import SimulationQuestion
from trunkline.model.snapshot import Guardrail, Snapshot


class Erase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose content is to be erased: a tenant's subject or user. With `dry_run` nothing is."""

    tenant: str
    subject: str | None = None
    user: str | None = None
    dry_run: bool = False


class Erasure(msgspec.Struct, frozen=True):
    """What was destroyed, or with `dry_run` would be: data keys, of these months (such as 202611), and names."""

    tenant: str
    kind: str
    keys: int
    names: int
    months: tuple[int, ...]
    dry_run: bool


class Rotated(msgspec.Struct, frozen=True):
    """The ids of the key-encryption keys that the vault was wrapped with, and of the one that it is now."""

    before: tuple[str, ...]
    after: str


class Refused(Exception):
    """What was asked for is not done; the message says why and what to do, `problems` what is to be mended first."""

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What someone asks for. `routes` None means every route; `expires` is the Unix second from which it is refused."""

    tenant: str
    id: str | None = None
    routes: tuple[str, ...] | None = None
    team: str | None = None
    expires: int | None = None


class Apply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Put the file in force; `config` None means the one that the gateway runs on, the only one that it may name."""

    config: str | None = None


class KeyView(msgspec.Struct, frozen=True):
    """A key as it is listed: never its secret nor the digest of it. Times are RFC 3339 or, where unknown, None."""

    id: str
    tenant: str
    team: str | None
    routes: tuple[str, ...] | None
    expires: int | None
    source: str
    status: str
    created_at: str | None = None
    created_by: str | None = None
    revoked_at: str | None = None
    revoked_by: str | None = None


class MadeKey(msgspec.Struct, frozen=True):
    """A new key; the only place where its secret ever stands."""

    key: KeyView
    secret: str

    def __repr__(self) -> str:
        """Say whose it is, not what."""
        return f"MadeKey({self.key.id!r})"


class NewUsers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tenant's whole directory, as the text of a CSV file; `file` is its name, for what is wrong with it."""

    tenant: str
    file: str
    text: str


class ImportedUsers(msgspec.Struct, frozen=True):
    """How many users a tenant has now, and how many of them are new, gone or changed."""

    tenant: str
    users: int
    added: int
    removed: int
    changed: int


class NewCosts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Costs of a tenant that no provider of models charges, as the text of a CSV file; `file` is its name."""

    tenant: str
    file: str
    text: str


class ImportedCosts(msgspec.Struct, frozen=True):
    """How many rows were added, and what they come to in USD."""

    tenant: str
    rows: int
    amount: str


class UserQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rows of the directories to show; None asks for all, `on` for those of a day such as 2026-06-30."""

    tenant: str | None = None
    user: str | None = None
    team: str | None = None
    on: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=250_000)] = 1_000


class UserView(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """A row of a directory; `source` says whether a file or a command has brought it."""

    tenant: str
    user: str
    name: str | None
    team: str
    cost_center: str | None
    first: str | None
    last: str | None
    source: str


class UserList(msgspec.Struct, frozen=True):
    """Rows of the directories, and how many there are of the kind that was asked for."""

    users: tuple[UserView, ...]
    total: int


class Simulate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Play past calls against the limits of the file, in force or not; `config` as for `Apply`."""

    asked: SimulationQuestion
    config: str | None = None


class AskGuardrails(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Say which guardrails the file has, in force or not; `config` as for `Apply`."""

    config: str | None = None


class RouteGuardrails(msgspec.Struct, frozen=True):
    """The policies of a route, and how much text of a call for it a policy looks at that looks at units."""

    guardrails: tuple[str, ...]
    hold: Literal["sentence", "clause"]


class ProposedGuardrails(msgspec.Struct, frozen=True):
    """The policies of the file by name, and by tenant and route the names of those that are for its calls."""

    guardrails: dict[str, Guardrail]
    tenants: dict[str, tuple[str, ...]]
    routes: dict[str, RouteGuardrails]

    @classmethod
    def of(cls, snapshot: Snapshot) -> "ProposedGuardrails":
        """Return those of a snapshot."""
        tenants = {name: tenant.guardrails for name, tenant in snapshot.tenants.items()}
        routes = {name: RouteGuardrails(route.guardrails, route.hold) for name, route in snapshot.routes.items()}
        return cls(snapshot.guardrails, tenants, routes)


class LimitsInUse(msgspec.Struct, frozen=True):
    """How limits and budgets are used, the most used first, and how many uses were left out.

    `held` is how many calls wait until they fit, `silent` are workers that did not answer in time. `counted_by` says
    whose uses these are: of the `workers` of this gateway, which is alone; of all gateways, as `redis` has them; or of
    `this_gateway` alone, for Redis did not say.
    """

    uses: tuple[LimitUse, ...]
    left_out: int
    held: int
    silent: tuple[int, ...] = ()
    counted_by: Literal["workers", "redis", "this_gateway"] = "workers"


class Applied(msgspec.Struct, frozen=True):
    """What applying the file changed, as lines for a human; `digest` is what is in force now."""

    digest: str
    lines: tuple[str, ...]
