import importlib
import sys

import pytest

from trunkline.guardrails.check import CheckKind
from trunkline.guardrails.registry import UnknownCheck, check_kind, check_names, make_check

PLUGIN = """
import msgspec
from trunkline.guardrails.check import CheckKind, Found
from trunkline.guardrails.scanners import scanner_of

class Settings(msgspec.Struct, forbid_unknown_fields=True):
    word: str

class Check:
    def __init__(self, settings):
        self.word, self.version = settings.word, settings.word
    def scanner(self, hold):
        return scanner_of(hold, lambda text, before: [Found("said", 0, 1)] if self.word in text else [])

KIND = CheckKind(Settings, Check)
OTHER = 5
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Install a package that offers checks, as `pip` would."""

    def install(**offered):
        (tmp_path / "a_plugin.py").write_text(PLUGIN)
        info = tmp_path / "a_plugin-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: a-plugin\nVersion: 1.0\n")
        lines = "".join(f"{name} = {value}\n" for name, value in offered.items())
        (info / "entry_points.txt").write_text(f"[trunkline.checks]\n{lines}")
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()

    yield install
    sys.modules.pop("a_plugin", None)


def test_checks_that_come_with_trunkline_are_found_by_name():
    assert "patterns" in check_names()
    assert isinstance(check_kind("patterns"), CheckKind)


def test_every_check_that_comes_with_trunkline_can_be_loaded():
    for name in check_names():
        assert check_kind(name).stages
        assert check_kind(name).actions


def test_a_check_of_a_plugin_is_found_as_ours_are(plugin):
    plugin(mine="a_plugin:KIND")
    assert "mine" in check_names()
    scanner = make_check("mine", {"word": "bad"}).scanner("sentence")
    assert [one.rule for one in scanner.feed("It is bad.", True)] == ["said"]


def test_a_check_that_is_not_there_is_said_with_those_that_are():
    with pytest.raises(UnknownCheck, match=r"no check `paterns`; there are .*patterns"):
        check_kind("paterns")


def test_a_plugin_that_cannot_be_loaded_is_said_to_be(plugin):
    plugin(gone="a_plugin:NOWHERE", number="a_plugin:OTHER", patterns="a_plugin:KIND")
    with pytest.raises(UnknownCheck, match="cannot be loaded: AttributeError"):
        check_kind("gone")
    with pytest.raises(UnknownCheck, match="is no `CheckKind`"):
        check_kind("number")
    with pytest.raises(UnknownCheck, match="more than one package"):
        check_kind("patterns")
