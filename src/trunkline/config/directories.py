"""The directories of the tenants: those that the file names, and those of `trunkline users import`."""

from collections.abc import Mapping
from dataclasses import dataclass

from trunkline.config.checks import names_of
from trunkline.config.directory import Roll
from trunkline.config.places import Place, Problems
from trunkline.config.problems import ConfigInvalid
from trunkline.config.schema import Root
from trunkline.config.sources import Sources, Unreadable
from trunkline.model.snapshot import Directory

EMPTY_IT = "empty that one first: `trunkline users import --tenant {tenant}` with a file of the first line alone"


@dataclass(frozen=True)
class Directories:
    """By tenant what a snapshot says of its directory, and by digest the bytes of those that the file names."""

    of_tenants: Mapping[str, Directory]
    data: Mapping[str, bytes]


def read_all(root: Root, sources: Sources, imported: Mapping[str, Directory], problems: Problems) -> Directories:
    """Return the directories in force; report every mistake in them, and a tenant that has two."""
    found, data = dict(imported), {}
    for name in imported.keys() - set(names_of(root, "tenants")):
        fix = f"put it back, or {EMPTY_IT.format(tenant=name)}"
        problems.add(root.place.below("tenants"), f"the tenant `{name}` has imported users and is not in the file", fix)
    for name, tenant in (root.tenants or {}).items():
        if tenant.directory is None:
            continue
        place = tenant.place.below("directory")
        if name in imported:
            fix = f"take this out, or {EMPTY_IT.format(tenant=name)}"
            problems.add(place, "the tenant has users of `trunkline users import` already", fix)
        roll = _read(place, tenant.directory, sources, problems)
        if roll is not None:
            found[name] = Directory(roll.digest, roll.users, "file")
            data[roll.digest] = roll.data
    return Directories(found, data)


def _read(place: Place, path: str, sources: Sources, problems: Problems) -> Roll | None:
    try:
        return sources.read_directory(sources.read_file(path), path)
    except ConfigInvalid as invalid:
        for problem in invalid.problems:
            problems.take(problem)
    except FileNotFoundError:
        problems.add(place, f"there is no file `{place.written}`", "create it, or name another")
    except Unreadable as unreadable:
        problems.add(place, f"the file `{place.written}` {unreadable}", "name a CSV file")
    except (OSError, ValueError):
        problems.add(place, f"the file `{place.written}` cannot be read as text", "name a readable CSV file")
    return None
