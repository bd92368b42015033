"""The whole way from text to what is in force: read, check, build."""

from collections.abc import Mapping as Map
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

from msgspec.structs import replace

from trunkline.config import build
from trunkline.config.canonical import digest_of, encode_snapshot
from trunkline.config.checks import check
from trunkline.config.compiled import Compiled, Console
from trunkline.config.directories import Directories, read_all
from trunkline.config.document import Mapping, Node, compose
from trunkline.config.guardrail_checks import check_guardrails
from trunkline.config.key_checks import check_keys
from trunkline.config.limit_checks import check_limits
from trunkline.config.notes import notes_of
from trunkline.config.places import Place, Problems, TooManyProblems
from trunkline.config.priced import price_all
from trunkline.config.prices import current
from trunkline.config.problems import ConfigInvalid
from trunkline.config.readers import BAD
from trunkline.config.references import resolve
from trunkline.config.schema import Console as ConsoleSection
from trunkline.config.schema import Root
from trunkline.config.section import SectionReader
from trunkline.config.sources import Sources
from trunkline.config.strength import digest
from trunkline.config.vault_checks import key_settings
from trunkline.model.operators import ADMIN, Operator
from trunkline.model.snapshot import Directory, Key, Snapshot
from trunkline.model.vault import KeySettings


def load(
    text: str,
    file: str,
    sources: Sources,
    *,
    keys: Sequence[Key] = (),
    directories: Map[str, Directory] = MappingProxyType({}),
) -> Compiled:
    """Return what the text of a configuration file says.

    `file` is its name as problems show it; `keys` are the valid ones of control's log, `directories` those that were
    imported there, by tenant. Raises `ConfigInvalid` with every mistake that the file, or one that it names, has.
    """
    node, found = compose(text, file)
    if node is None and found:
        raise ConfigInvalid(found)
    problems = Problems(file, found)
    try:
        compiled = _load(node or Mapping(1, 1, ()), sources, keys, directories, problems)
    except TooManyProblems:
        compiled = None
    if problems.found or compiled is None:
        raise ConfigInvalid(problems.found)
    return compiled


def _load(
    node: Node, sources: Sources, keys: Sequence[Key], imported: Map[str, Directory], problems: Problems
) -> Compiled | None:
    root = SectionReader(Root)(Place("", resolve(Place("", node), sources, problems)), problems)
    if root is BAD:
        return None
    check(root, sources, problems)
    check_keys(root, keys, problems)
    check_limits(root, problems)
    guardrails = check_guardrails(root, problems)
    vault = key_settings(root.audit.vault, sources, problems)
    prices = price_all(root, partial(current, sources.now), sources.now, problems)
    directories = read_all(root, sources, imported, problems)
    if problems.found:
        return None
    snapshot = build.snapshot(root, root.node or sources.host_name, keys, prices, directories.of_tenants)
    return _compiled(root, sources, replace(snapshot, guardrails=guardrails), directories, vault)


def _compiled(
    root: Root, sources: Sources, snapshot: Snapshot, directories: Directories, vault: KeySettings
) -> Compiled:
    canonical = encode_snapshot(snapshot)
    console = Console(root.console.listen, _operators(root.console)) if root.console else None
    return Compiled(
        snapshot=snapshot,
        secrets=build.secrets(root),
        digest=digest_of(canonical),
        canonical=canonical,
        data_dir=Path(root.data_dir),
        console=console,
        notes=notes_of(root, sources.cores),
        directories=directories.data,
        vault=vault,
    )


def _operators(console: ConsoleSection) -> dict[str, Operator]:
    """Return who may ask the admin API, by the digests of their tokens."""
    named = {digest(one.token): Operator(name, one.role) for name, one in (console.operators or {}).items()}
    return {digest(console.admin_token): Operator(ADMIN, "admin"), **named}
