"""What `limits simulate` asks of the ledger and is answered. Light, as `answers`."""

import msgspec


class SimulationQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What would limits have done from a Unix second on, until another, to the calls of a tenant or of all."""

    since: float
    until: float
    tenant: str | None = None
    most: int = 200


class SimulationStep(msgspec.Struct, frozen=True, tag_field="is", tag="step"):
    """How far a simulation is: so many of so many calls."""

    done: int
    of: int


class Refusals(msgspec.Struct, frozen=True):
    """What one rule would have done to one owner's calls.

    `effect` is `refused`, or `warned` for a budget that does not block. `share` is of the owner's calls, None where too
    many owners were there to count them. `longest_wait` is the longest Retry-After in seconds, None where a call would
    never have fitted. `example` is the id of the first call, None where only its refusal was counted.
    """

    tenant: str
    rule: str
    owner: str
    effect: str
    calls: int
    share: float | None
    first: str
    last: str
    longest_wait: float | None
    example: str | None


class SimulationReport(msgspec.Struct, frozen=True, tag_field="is", tag="report"):
    """What limits would have done: to how many of the calls, and by whom.

    `refused` are calls, `unjudged` those of tenants that the configuration does not have, `left_out` owners beyond the
    most. `behind` is how many bytes of the logs the index has yet to read.
    """

    calls: int
    refused: int
    unjudged: int
    rows: tuple[Refusals, ...]
    left_out: int
    behind: int = 0


class SimulationFailed(msgspec.Struct, frozen=True, tag_field="is", tag="failed"):
    """It cannot go on, for this reason."""

    reason: str


SimulationWord = SimulationStep | SimulationReport | SimulationFailed
