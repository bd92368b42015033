"""What `trunkline init` writes is good as it is, and never in the place of something else."""

import re
from pathlib import Path

import pytest
from running_gateway import command

from trunkline.config.compile import load
from trunkline.config.sources import Sources

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)


def variables(directory: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", (directory / ".env").read_text(), re.MULTILINE))


def compiled(directory: Path):
    environment = dict.fromkeys(KEYS, "sk-x") | {k: v for k, v in variables(directory).items() if v}
    return load((directory / "trunkline.yaml").read_text(), "t", Sources(environment, lambda _: "", "a host", 1.8e9))


@pytest.mark.parametrize(
    ("words", "present", "providers"),
    [
        ((), (), ["openai"]),
        ((), ("ANTHROPIC_API_KEY",), ["anthropic"]),
        ((), KEYS, ["openai", "anthropic"]),
        (("--provider", "anthropic"), ("OPENAI_API_KEY",), ["anthropic"]),
        (("--provider", "anthropic", "--provider", "openai"), (), ["anthropic", "openai"]),
    ],
)
def test_the_file_is_good_with_nothing_but_a_providers_key(tmp_path, monkeypatch, words, present, providers):
    for name in present:
        monkeypatch.setenv(name, "sk-mine")
    said = command(tmp_path, "init", *words)
    assert (said.returncode, said.stderr) == (0, "")
    found = compiled(tmp_path)
    assert list(found.snapshot.providers) == providers
    assert [target.provider for target in found.snapshot.routes["assistant"].targets] == providers
    assert found.notes == ()
    absent = {f"{name.upper()}_API_KEY" for name in providers} - set(present)
    assert {name for name, value in variables(tmp_path).items() if not value} == absent
    assert ("first write your key" in said.stdout) == bool(absent)
    assert "sk-mine" not in (tmp_path / ".env").read_text()


def test_the_keys_are_fresh_and_for_their_owner_alone(tmp_path):
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        command(tmp_path / name, "init")
        assert (tmp_path / name / ".env").stat().st_mode & 0o777 == 0o600
        made += [value for value in variables(tmp_path / name).values() if value]
    assert len(set(made)) == 4


@pytest.mark.parametrize("there", ["trunkline.yaml", ".env"])
def test_what_is_there_is_not_overwritten_and_nothing_is_written_beside_it(tmp_path, there):
    (tmp_path / there).write_text("mine")
    refused = command(tmp_path, "init")
    assert refused.returncode == 1
    assert f"{there} is there already" in refused.stderr
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {there: "mine"}


def test_another_place_and_name_are_said_in_what_is_next(tmp_path):
    (tmp_path / "etc").mkdir()
    said = command(tmp_path, "init", "-c", "etc/gateway.yaml").stdout
    assert said.startswith("etc/gateway.yaml and etc/.env written. Next, in etc:")
    assert "trunkline serve -c gateway.yaml\n" in said
    assert (tmp_path / "etc" / ".env").exists()


def test_a_place_that_is_not_there_and_an_unknown_provider_are_told(tmp_path):
    assert "No such file or directory" in command(tmp_path, "init", "-c", "absent/trunkline.yaml").stderr
    refused = command(tmp_path, "init", "--provider", "gemini")
    assert (refused.returncode, "none of: openai, anthropic" in refused.stderr) == (64, True)
    assert list(tmp_path.iterdir()) == []
