"""What comes out of a configuration file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trunkline.model.operators import Operator
from trunkline.model.snapshot import Secrets, Snapshot
from trunkline.model.vault import KeySettings


@dataclass(frozen=True, slots=True)
class Console:
    """The admin API's listener; of a token only the SHA-256 (hexadecimal) is kept, by which `operators` are found."""

    listen: str
    operators: Mapping[str, Operator]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A whole, valid configuration.

    `digest` is the SHA-256 of `canonical`, the snapshot's canonical bytes. `data_dir` is as written: a relative one is
    relative to the directory that the command runs in. `console` is None where no console listens. `notes` name the
    settings that have no effect in this version. `directories` has the canonical bytes of those that the file names,
    by their digest. `vault` says where the key of the vault comes from; no worker is told.
    """

    snapshot: Snapshot
    secrets: Secrets = field(repr=False)
    digest: str
    canonical: bytes = field(repr=False)
    data_dir: Path
    console: Console | None
    notes: tuple[str, ...] = ()
    directories: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    vault: KeySettings = field(default=KeySettings(), repr=False)
