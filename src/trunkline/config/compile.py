"""The whole way from text to what is in force: read, check, build."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from trunkline.config import build
from trunkline.config.canonical import digest_of, encode_snapshot
from trunkline.config.checks import check
from trunkline.config.compiled import Compiled, Console
from trunkline.config.document import Mapping, compose
from trunkline.config.key_checks import check_keys
from trunkline.config.places import Place, Problems
from trunkline.config.priced import price_all
from trunkline.config.prices import current
from trunkline.config.problems import ConfigInvalid
from trunkline.config.readers import BAD
from trunkline.config.references import resolve
from trunkline.config.schema import Root
from trunkline.config.section import SectionReader
from trunkline.config.sources import Sources
from trunkline.config.strength import digest
from trunkline.model.snapshot import Key, Price


def load(text: str, file: str, sources: Sources, *, keys: Sequence[Key] = ()) -> Compiled:
    """Return what the text of a configuration file says.

    `file` is its name as problems show it; `keys` are the valid ones of control's log. Raises `ConfigInvalid` with
    every mistake that the file has.
    """
    node, found = compose(text, file)
    problems = Problems(file, found)
    if node is None and not found:
        node = Mapping(1, 1, ())
    root = _read(Place("", node), sources, problems) if node is not None else None
    prices: dict[str, Price] = {}
    if root is not None:
        check(root, sources, problems)
        check_keys(root, keys, problems)
        prices = price_all(root, partial(current, sources.now), problems)
    if problems.found or root is None:
        raise ConfigInvalid(problems.found)
    return _compiled(root, sources, keys, prices)


def _read(place: Place, sources: Sources, problems: Problems) -> Root | None:
    root = SectionReader(Root)(Place("", resolve(place, sources, problems)), problems)
    return None if root is BAD else root


def _compiled(root: Root, sources: Sources, keys: Sequence[Key], prices: dict[str, Price]) -> Compiled:
    snapshot = build.snapshot(root, root.node or sources.host_name, keys, prices)
    canonical = encode_snapshot(snapshot)
    console = Console(root.console.listen, digest(root.console.admin_token)) if root.console else None
    return Compiled(
        snapshot=snapshot,
        secrets=build.secrets(root),
        digest=digest_of(canonical),
        canonical=canonical,
        data_dir=Path(root.data_dir),
        console=console,
    )
