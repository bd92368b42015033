"""The directories that a snapshot names, read from beside it."""

from collections.abc import Mapping
from pathlib import Path

from trunkline.config.canonical import decode_directory, digest_of
from trunkline.model.snapshot import Snapshot
from trunkline.policy.teams import Roster


def read_rosters(snapshot: Snapshot, directory: Path, known: Mapping[str, Roster]) -> dict[str, Roster]:
    """Return the roster of each tenant that has a directory; one that is `known` and has not changed is not read again.

    Raises OSError, or ValueError where a file is not what its name says.
    """
    rosters = {}
    for name, tenant in snapshot.tenants.items():
        if tenant.directory is None:
            continue
        roster, digest = known.get(name), tenant.directory.digest
        if roster is None or roster.digest != digest or roster.time_zone != tenant.time_zone:
            roster = Roster(digest, tenant.time_zone, decode_directory(_read(directory / f"{digest}.users")))
        rosters[name] = roster
    return rosters


def _read(path: Path) -> bytes:
    data = path.read_bytes()
    if digest_of(data) != path.stem:
        raise ValueError(f"{path} is not the directory that its name says")
    return data
