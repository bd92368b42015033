"""Where a command is carried out: by the control process of a running gateway, or here where none runs."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from trunkline.audit.files.data_dir import DataDirError, open_data_dir
from trunkline.audit.files.directories import Locked, lock_directory
from trunkline.channel.messages import LimitsQuestion
from trunkline.cli.control_client import Live, NobodyAnswers
from trunkline.cli.failure import Failed, failed_by
from trunkline.cli.ledger_client import LedgerOffice
from trunkline.config.problems import ConfigInvalid
from trunkline.control.answers import (
    Applied,
    Erase,
    Erasure,
    ImportedCosts,
    ImportedUsers,
    KeyView,
    LimitsInUse,
    MadeKey,
    NewCosts,
    NewKey,
    NewUsers,
    ProposedGuardrails,
    Rotated,
    UserList,
    UserQuery,
)
from trunkline.control.machine import data_dir_of
from trunkline.ledger.limit_answers import SimulationQuestion, SimulationReport, SimulationStep

# A gateway that starts, or whose control process is being replaced, answers within this. Seconds.
PATIENCE = 10.0
PAUSE = 0.1
Result = TypeVar("Result")


class Office(Protocol):
    """Where it is done: `running` says whether by a gateway that runs."""

    running: bool

    @property
    def ledger(self) -> LedgerOffice:
        """Who answers questions about past calls."""

    def apply(self) -> Applied:
        """Put the file in force."""

    def keys(self) -> list[KeyView]:
        """Return every key."""

    def create_key(self, asked: NewKey) -> MadeKey:
        """Make a key."""

    def revoke_key(self, key_id: str) -> KeyView:
        """Stop a key."""

    def import_users(self, asked: NewUsers) -> ImportedUsers:
        """Replace a tenant's directory."""

    def import_costs(self, asked: NewCosts) -> ImportedCosts:
        """Add costs that no provider of models charges."""

    def users(self, query: UserQuery) -> UserList:
        """Return rows of the directories."""

    def limits(self, asked: LimitsQuestion) -> LimitsInUse:
        """Return how limits and budgets are used."""

    def simulate(self, asked: SimulationQuestion, on_step: Callable[[SimulationStep], None]) -> SimulationReport:
        """Return what the limits of the file would have done to past calls."""

    def erase(self, asked: Erase) -> Erasure:
        """Destroy the keys and names of a person."""

    def rotate_vault(self) -> Rotated:
        """Change the key-encryption key of the vault."""

    def guardrails(self) -> ProposedGuardrails:
        """Return the policies of the file, and for whose calls they are."""


def carry_out(config: str, work: Callable[[Office], Result]) -> Result:
    """Do the work where it can be done. Raises Failed, or ConfigurationFailed with every problem."""
    try:
        data_dir = data_dir_of(config)
    except ConfigInvalid as invalid:
        raise failed_by(invalid) from None
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            return work(Live(data_dir, config))
        except NobodyAnswers:
            pass
        try:
            return _in_process(config, data_dir, work)
        except Locked:
            if time.monotonic() > give_up:
                raise Failed(
                    f"a gateway runs on {data_dir}, but its control process does not answer;"
                    " its log on standard error says why, and it is replaced by itself: try again"
                ) from None
        time.sleep(PAUSE)


def _in_process(config: str, path: Path, work: Callable[[Office], Result]) -> Result:
    # Only here: a command that asks a running gateway should not wait for the whole of control to be imported.
    from trunkline.cli.in_process import InProcess  # noqa: PLC0415
    from trunkline.control.configuration import Configuration  # noqa: PLC0415

    try:
        if not path.exists():  # a directory is made for a good configuration only
            Configuration(config).compile()
        open_data_dir(path)
        lock = lock_directory(path)
    except Locked:
        raise
    except ConfigInvalid as invalid:
        raise failed_by(invalid) from None
    except DataDirError as error:
        raise Failed(str(error)) from None
    except OSError as error:
        raise Failed(f"the data directory {path} cannot be used: {error.strerror}") from None
    try:
        return work(InProcess(Configuration(config), path))
    finally:
        os.close(lock)
