"""What holds for every page: links lead somewhere, snippets are what they seem."""

import json
import re
import shlex
from pathlib import Path

import pytest
from pages import NAMES, PAGES, ROOT, blocks, prose_of, text_of

from trunkline.cli.command_line import COMMANDS, run
from trunkline.config.compile import load
from trunkline.config.sources import Sources

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_its_links_lead_somewhere(name):
    page = ROOT / name
    for link in LINK.findall(prose_of(name)):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_linked_from_the_readme():
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in LINK.findall(prose_of("README.md"))}
    assert [str(page) for page in PAGES if page.name != "README.md" and page.resolve() not in linked] == []


def test_every_document_of_the_readme_is_a_page_that_is_tested():
    linked = {link.partition("#")[0] for link in LINK.findall(prose_of("README.md")) if link.endswith(".md")}
    assert linked <= set(NAMES)


def everything_set() -> Sources:
    class Environment(dict):
        def __contains__(self, name):
            return True

        def get(self, name, default=None):
            return self[name]

        def __missing__(self, name):
            return "tl-" + "".join(f"{ord(letter) * 2654435761 % 2**32:08x}" for letter in name)[:64]

    return Sources(Environment(), lambda path: Path(path).read_text(), "host", 1_790_000_000.0)


@pytest.mark.parametrize(
    "text",
    [text_of("examples/trunkline.yaml"), *(text for name in NAMES for text in blocks(name, "yaml"))],
)
def test_every_configuration_that_is_shown_loads(text):
    compiled = load(text, "page", everything_set())
    assert compiled.snapshot.routes


@pytest.mark.parametrize("text", [text for name in NAMES for text in blocks(name, "json")])
def test_every_json_that_is_shown_is_json(text):
    assert json.loads(text)


@pytest.mark.parametrize("text", [text for name in NAMES for text in blocks(name, "python")])
def test_every_python_that_is_shown_compiles(text):
    assert compile(text, "page", "exec")


def command_lines() -> list[tuple[str, str]]:
    """Every line of every shell snippet with its page; continued lines are joined."""
    return [
        (name, line)
        for name in NAMES
        for block in blocks(name, "sh")
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip()
    ]


@pytest.mark.parametrize(("name", "line"), command_lines())
def test_every_command_that_is_shown_exists(name, line, capsys):
    words = shlex.split(line, comments=True)
    match words[0]:
        case "trunkline":
            check_trunkline(words[1:], capsys)
        case "make":
            assert re.search(rf"^{words[1]}:", text_of("Makefile"), re.MULTILINE), line
        case "pip":
            assert words == ["pip", "install", "."]
            assert (ROOT / "pyproject.toml").exists()
        case "cp" | "python":
            assert (ROOT / words[1]).exists()
        case "export" | "curl" | "set" | ".":  # test_own_configuration.py and test_quick_start.py carry them out
            assert name in ("README.md", "docs/quick-start.md")
        case _:
            pytest.fail(f"nobody checks {line}")


def check_trunkline(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    named = words[0] == "costs" and not words[1].startswith("-")
    groups = {"keys", "users", "calls", "sessions", "index", "limits", "guardrails", "audit", "review"}
    deep = words[:2] == ["audit", "hold"]
    path = words[:3] if deep else words[:2] if named or words[0] in groups else words[:1]
    assert path[0] in COMMANDS
    assert run([*path, "--help"]) == 0
    known = capsys.readouterr().out
    for option in (word for word in words if word.startswith("-")):
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", known), option


def test_no_page_names_a_target_of_make_that_is_not_there():
    for name in NAMES:
        for target in re.findall(r"`make ([a-z]+)`", prose_of(name)):
            assert re.search(rf"^{target}:", text_of("Makefile"), re.MULTILINE), (name, target)


def test_contributing_names_every_target_of_make():
    targets = re.search(r"^\.PHONY: (.+)$", text_of("Makefile"), re.MULTILINE)
    assert targets is not None
    assert [t for t in targets[1].split() if f"`make {t}`" not in prose_of("CONTRIBUTING.md")] == []
