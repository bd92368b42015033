"""docs/configuration.md says what the types say."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from config_samples import STRONG, compiled, machine

from trunkline.config.document import Mapping, compose
from trunkline.config.places import Place, Problems
from trunkline.config.schema import Root
from trunkline.config.section import DEFAULT, EMPTY, READER, REQUIRED, Section, settings

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
ROWS = dict(re.findall(r"^\| `([^`|]+)` \|([^|]*)\|[^|]*\|$", PAGE, re.MULTILINE))
LATER = dict(re.findall(r"^\| (top level|`[^`|]+`) \| ((?:`[a-z_]+`(?:, )?)+) \|$", PAGE, re.MULTILINE))
# Their defaults are not values of the file.
COMPUTED = {"node": "the host name", "providers.NAME.base_url": "the dialect's own"}


def sections_in(annotation: Any, path: str) -> Iterator[tuple[type[Section], str]]:
    """The sections that a value of a type holds, with the paths to them."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation, path
    origin = getattr(annotation, "__origin__", None)
    suffix = {dict: ".NAME", tuple: "[]"}.get(origin, "")
    for inner in get_args(annotation):
        yield from sections_in(inner, path + suffix)


def known(kind: type[Section] = Root, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every key of the types with its field."""
    hints = get_type_hints(kind)
    for item in settings(kind):
        below = f"{path}.{item.name}" if path else item.name
        yield below, item
        for inner, where in sections_in(hints[item.name], below):
            yield from known(inner, where)


def later(kind: type[Section] = Root, path: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    if kind.LATER:
        yield path, kind.LATER
    hints = get_type_hints(kind)
    for item in settings(kind):
        for inner, where in sections_in(hints[item.name], f"{path}.{item.name}" if path else item.name):
            yield from later(inner, where)


KNOWN = dict(known())


def test_every_key_is_on_the_page_and_no_other():
    assert sorted(ROWS) == sorted(KNOWN)


@pytest.mark.parametrize("path", sorted(KNOWN))
def test_the_page_has_the_true_default(path):
    default, said = KNOWN[path].metadata[DEFAULT], ROWS[path].strip()
    if path in COMPUTED:
        assert (default, said) == (None, COMPUTED[path])
    elif default is REQUIRED:
        assert said == "required"
    elif default is EMPTY:
        assert said == ""
    elif default is None:
        assert said == "none"
    else:
        node, _ = compose(f"key: {said.strip('`')}", "page")
        assert isinstance(node, Mapping)
        assert KNOWN[path].metadata[READER](Place("key", node).below("key"), Problems("page")) == default


def test_the_page_lists_what_is_not_supported_yet():
    said = {
        where.strip("`").replace("top level", ""): tuple(re.findall(r"`([a-z_]+)`", keys))
        for where, keys in LATER.items()
    }
    assert said == dict(later())


def test_the_file_on_the_page_loads():
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert compiled(text, machine({"OPENAI_API_KEY": "sk-x", "ACME_KEY": STRONG})).snapshot.routes.keys() == {
        "assistant"
    }
