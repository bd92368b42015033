"""The messages. Commands are imperative (`do`), reports are in the past tense (`event`). Times are seconds."""

from typing import Literal

import msgspec

from trunkline.model.snapshot import Secrets
from trunkline.model.vault import Vault

# Worker -> supervisor -> the other workers


class TargetRests(msgspec.Struct, frozen=True, tag_field="of", tag="rest"):
    """A provider asked for a rest of a target, or refused its key: it is left alone for so long, for this reason."""

    target: str
    seconds: float
    reason: str


class BreakerTurned(msgspec.Struct, frozen=True, tag_field="of", tag="breaker"):
    """A target's breaker opened for so many seconds, or closed (0)."""

    target: str
    seconds: float


class KeyRefused(msgspec.Struct, frozen=True, tag_field="of", tag="key"):
    """A provider refused one of an account's keys, named by its SHA-256, for a model, or for all of them (None)."""

    provider: str
    key: str
    model: str | None


class UserAsked(msgspec.Struct, frozen=True, tag_field="of", tag="user"):
    """A user of a tenant has asked for a place at a target, for the first time in a minute; empty for none named."""

    provider: str
    model: str
    tenant: str
    weight: int
    user: str


class CapacityHeard(msgspec.Struct, frozen=True, tag_field="of", tag="capacity"):
    """A provider has said how many requests and tokens of a model it takes in a minute, 0 where it has not."""

    provider: str
    model: str
    requests: int
    tokens: int


News = TargetRests | BreakerTurned | KeyRefused | UserAsked | CapacityHeard

# Supervisor -> worker


class Load(msgspec.Struct, frozen=True, tag_field="do", tag="load"):
    """Put the snapshot in this file in force, if it has this digest; answered by `loaded` or `load_failed`."""

    snapshot: str
    digest: str
    secrets: Secrets


class Drain(msgspec.Struct, frozen=True, tag_field="do", tag="drain"):
    """Take no new calls, finish the ones in flight within so many seconds, and end."""

    deadline: float


class Hear(msgspec.Struct, frozen=True, tag_field="do", tag="hear"):
    """Take what another worker has learnt under the snapshot of this digest; answered by nothing."""

    digest: str
    news: News


class LimitsQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which limits and budgets to show: of a tenant, a scope, these owners, a rule or those that begin like it.

    `most` is how many, those first of which most is used.
    """

    tenant: str | None = None
    user: str | None = None
    team: str | None = None
    key: str | None = None
    route: str | None = None
    rule: str | None = None
    scope: str | None = None
    most: int = 200


class ShowLimits(msgspec.Struct, frozen=True, tag_field="do", tag="show_limits"):
    """Say how the limits are used; answered by `limits_shown` with the same number. Control asks all workers so."""

    number: int
    asked: LimitsQuestion


class OpenVault(msgspec.Struct, frozen=True, tag_field="do", tag="open_vault"):
    """Seal with the keys of this vault from here on. The first order that a worker gets: it opens its log with it.

    Control says so to the supervisor, which keeps it in memory, and tells each worker and each later control.
    """

    vault: Vault


class Forget(msgspec.Struct, frozen=True, tag_field="do", tag="forget"):
    """Let go of the data keys of these persons; answered by `forgot` with the same number. Control asks all so."""

    number: int
    persons: tuple[bytes, ...]


ToWorker = Load | Drain | Hear | ShowLimits | OpenVault | Forget

# Worker -> supervisor


class Loaded(msgspec.Struct, frozen=True, tag_field="event", tag="loaded"):
    """The snapshot is in force: every call from here on uses it."""

    digest: str


class LoadFailed(msgspec.Struct, frozen=True, tag_field="event", tag="load_failed"):
    """The snapshot cannot be used; the one before it stays in force."""

    digest: str
    reason: str


class Ready(msgspec.Struct, frozen=True, tag_field="event", tag="ready"):
    """The worker takes calls."""


class NotReady(msgspec.Struct, frozen=True, tag_field="event", tag="not_ready"):
    """The worker takes no calls, for this reason."""

    reason: str


class Drained(msgspec.Struct, frozen=True, tag_field="event", tag="drained"):
    """Nothing is in flight any more; the worker ends now."""


class Report(msgspec.Struct, frozen=True, tag_field="event", tag="report"):
    """What a worker measures of itself, every few seconds.

    `breakers` has the phase of each target's breaker, `resting` the targets that rest. `flushes` counts flushes of its
    log by duration, with the bounds of `audit.files.flush_times` and one more for what is longer. `limits_authority` is
    how the worker stands to whom it counts its limits with.
    """

    breakers: dict[str, str]
    resting: tuple[str, ...]
    flushes: tuple[int, ...]
    flush_seconds: float
    in_flight: int
    log_waiting_bytes: int
    limits_authority: str = "in_touch"


class Heard(msgspec.Struct, frozen=True, tag_field="event", tag="heard"):
    """The worker has learnt something of a provider that those with the same snapshot should know; nobody waits."""

    digest: str
    news: News


class LimitUse(msgspec.Struct, frozen=True, array_like=True):
    """What one owner uses of one rule: requests, tokens, calls, or nano-USD; `reset` is in seconds, None for never.

    `owner` None stands for each owner of a rule of which nobody uses anything.
    """

    tenant: str
    rule: str
    scope: str
    owner: str | None
    measure: str
    period: str
    enforced: bool
    limit: int
    used: int
    reset: float | None


class LimitsShown(msgspec.Struct, frozen=True, tag_field="event", tag="limits_shown"):
    """How a worker's limits are used; `left_out` are uses beyond the most, or that no message has room for.

    `held` is how many calls wait until they fit. `counted_by` says whose uses these are: the `worker`'s, where its
    gateway counts alone; where gateways count together, those of all as `redis` has them, or the worker's part of
    `this_gateway`.
    """

    number: int
    uses: tuple[LimitUse, ...]
    left_out: int
    held: int
    counted_by: Literal["worker", "redis", "this_gateway"] = "worker"


class Forgot(msgspec.Struct, frozen=True, tag_field="event", tag="forgot"):
    """The worker has let go of keys, and what it had made of them is in its key file, as far as `upto`.

    `upto` is None where nobody writes to that file; `failure` says why the worker could not see to it.
    """

    number: int
    upto: int | None
    failure: str | None = None


FromWorker = Loaded | LoadFailed | Ready | NotReady | Drained | Report | Heard | LimitsShown | Forgot

# Control -> supervisor


class Logging(msgspec.Struct, frozen=True):
    """How the operational log is written."""

    form: Literal["text", "json"] = "text"
    level: str = "info"


class Begin(msgspec.Struct, frozen=True, tag_field="do", tag="begin"):
    """Lock this directory, listen on this address and start the workers: the configuration is good.

    `console` is control's own listener, which it is told again when it has died.
    """

    data_dir: str
    listen: str
    node: str
    workers: int
    console: str | None
    logging: Logging


class Publish(msgspec.Struct, frozen=True, tag_field="do", tag="publish"):
    """Put this snapshot in force on every worker, or on none; `secrets` None means those given last.

    Answered by `published` or `publish_failed`. `drain` is how long a drain may take from now on.
    """

    snapshot: str
    digest: str
    secrets: Secrets | None
    drain: float
    logging: Logging


FromControl = Begin | Publish | ShowLimits | OpenVault | Forget

# Supervisor -> control


class WorkerState(msgspec.Struct, frozen=True):
    """What is known of one worker. `started_at` is a Unix time; `reason` says why it is not ready."""

    index: int
    pid: int | None
    ready: bool
    reason: str | None
    digest: str | None
    restarts: int
    started_at: float
    report: Report | None = None


class Begun(msgspec.Struct, frozen=True, tag_field="event", tag="begun"):
    """The directory is locked and the address is ours; `supervisor` is the process that holds them."""

    supervisor: int


class Published(msgspec.Struct, frozen=True, tag_field="event", tag="published"):
    """The snapshot is in force on every worker."""

    digest: str


class PublishFailed(msgspec.Struct, frozen=True, tag_field="event", tag="publish_failed"):
    """The snapshot is in force on no worker."""

    digest: str
    reason: str


class WorkerChanged(msgspec.Struct, frozen=True, tag_field="event", tag="worker_changed"):
    """A worker as it is now. One at a time: sixty-four with the reports of a hundred targets would be no message."""

    worker: WorkerState


class LimitsAsked(msgspec.Struct, frozen=True, tag_field="event", tag="limits_asked"):
    """These workers were asked for the use of their limits."""

    number: int
    workers: tuple[int, ...]


class LimitsOf(msgspec.Struct, frozen=True, tag_field="event", tag="limits_of"):
    """What one of them said."""

    worker: int
    shown: LimitsShown


class VaultOpened(msgspec.Struct, frozen=True, tag_field="event", tag="vault_opened"):
    """What the workers seal with: told first to a control process that takes over."""

    vault: Vault


class ForgetAsked(msgspec.Struct, frozen=True, tag_field="event", tag="forget_asked"):
    """These workers were asked to let go of keys."""

    number: int
    workers: tuple[int, ...]


class ForgotBy(msgspec.Struct, frozen=True, tag_field="event", tag="forgot_by"):
    """What one of them said."""

    worker: int
    forgot: Forgot


class ReloadRequested(msgspec.Struct, frozen=True, tag_field="event", tag="reload_requested"):
    """The supervisor got a SIGHUP: read the configuration again."""


class StopRequested(msgspec.Struct, frozen=True, tag_field="event", tag="stop_requested"):
    """The workers have gone: seal the log and end."""


ToControl = (
    Begun
    | Published
    | PublishFailed
    | WorkerChanged
    | LimitsAsked
    | LimitsOf
    | VaultOpened
    | ForgetAsked
    | ForgotBy
    | ReloadRequested
    | StopRequested
)
