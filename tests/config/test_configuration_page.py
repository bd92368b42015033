"""docs/configuration.md says what the types say."""

import re
from pathlib import Path

import pytest
from config_samples import STRONG, compiled, machine

from trunkline.config.document import Mapping, compose
from trunkline.config.places import Place, Problems
from trunkline.config.reference import APART, COMPUTED, LATER, REGION, TOP, default_of, filled_in, keys, later_keys
from trunkline.config.schema import Root
from trunkline.config.section import DEFAULT, EMPTY, READER, REQUIRED, SAYS, SectionReader

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
KNOWN = dict(keys())


def test_the_tables_are_those_of_the_types():
    assert filled_in(PAGE) == PAGE, "run `python -m trunkline.config.reference docs/configuration.md`"


def test_every_table_is_on_the_page_once():
    assert sorted(match[2] for match in REGION.finditer(PAGE)) == sorted([TOP, LATER, *APART])


def test_every_key_is_in_a_table_once():
    assert sorted(re.findall(r"^\| `([^`|]+)` \|[^|]*\|[^|]*\|$", PAGE, re.MULTILINE)) == sorted(KNOWN)


@pytest.mark.parametrize("path", sorted(KNOWN))
def test_a_key_says_what_it_does_and_its_true_default(path):
    item = KNOWN[path]
    assert item.metadata[SAYS]
    default, said = item.metadata[DEFAULT], default_of(path, item)
    if default is REQUIRED or default is EMPTY or default is None:
        assert said in {"required", "", "none", COMPUTED.get(path)}
    else:
        node, _ = compose(f"key: {said.strip('`')}", "page")
        assert isinstance(node, Mapping)
        assert item.metadata[READER](Place("key", node).below("key"), Problems("page")) == default


def test_what_is_not_supported_yet_is_refused_as_such():
    assert ("", Root.LATER) in list(later_keys())
    for path, names in later_keys():
        if path:
            continue
        for name in names:
            problems = Problems("page")
            node, _ = compose(f"{name}: x", "page")
            SectionReader(Root)(Place("", node), problems)
            assert f"`{name}` is not supported yet" in [problem.message for problem in problems.found]


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(version.*?)```", PAGE, re.DOTALL))
def test_each_file_on_the_page_loads(text):
    good = compiled(text, machine({"OPENAI_API_KEY": "sk-x", "ACME_KEY": STRONG}))
    assert good.snapshot.routes.keys() == {"assistant"}
    assert good.notes == ()
