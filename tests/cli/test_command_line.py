"""The command line as a user meets it: exit codes, one line of error, nothing else."""

import json
import os
import subprocess
import sys

import pytest
from running_gateway import COMMAND, command_process, write_configuration

from trunkline import __version__
from trunkline.audit.files.data_dir import open_data_dir
from trunkline.cli.becoming import plainly_asked
from trunkline.cli.command_line import COMMANDS, run


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """A working directory with a good configuration."""
    write_configuration(tmp_path)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    "words",
    [
        [],
        ["frobnicate"],
        ["serve", "--no-such-option"],
        ["serve", "too", "many"],
        ["keys"],
        ["keys", "create"],
        ["keys", "revoke"],
        ["keys", "list", "--format", "xml"],
        ["keys", "create", "--tenant", "acme", "--expires", "tomorrow"],
        ["check", "-c"],
    ],
)
def test_misuse_is_64_and_one_line_on_standard_error(words, capsys):
    assert run(words) == 64
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "there is no file" not in err
    assert err.startswith("trunkline: ")


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("words", [["keys", "create", "--tenant", "\udcff"], ["keys", "revoke", "\udcff"], ["\udcff"]])
def test_a_word_that_is_no_text_is_misuse(words, capsys):
    assert run(words) == 64
    assert capsys.readouterr().err == (
        "trunkline: a word of the command line is not text in UTF-8. See `trunkline --help`.\n"
    )


@pytest.mark.parametrize("command", ["create", "list", "revoke"])
def test_the_help_of_a_command_says_what_to_write_not_what_type_it_has(command, capsys):
    assert run(["keys", command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: trunkline keys {command} [OPTIONS]")
    assert "[str]" not in shown
    assert " <str>  " not in shown.partition("Options:")[2]


@pytest.mark.usefixtures("configured")
def test_a_key_may_last_as_long_as_the_calendar(capsys):
    assert run(["keys", "create", "--tenant", "acme", "--id", "k1", "--expires", "9999-12-31"]) == 0
    assert run(["keys", "list", "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert [key["expires"] for key in listed] == [None, "9999-12-31T23:59:59Z"]


@pytest.mark.usefixtures("configured")
def test_a_check_does_not_wait_for_a_pipe_that_nobody_writes(capsys):
    os.mkfifo("pipe")
    assert run(["check", "-c", "pipe"]) == 1
    assert capsys.readouterr().err.startswith("pipe:1:1: the file is not a regular file; name another with --config\n")
    with open("trunkline.yaml") as file:
        text = file.read()
    with open("trunkline.yaml", "w") as file:
        file.write(text.replace("9f3c5a7be1d24860c7f2a9d83b6e4f10", "${file:pipe}"))
    assert run(["check"]) == 1
    assert "the file pipe is not a regular file; name a text file with the value alone" in capsys.readouterr().err


@pytest.mark.usefixtures("configured")
def test_a_date_that_is_none_says_how_to_write_one(capsys):
    run(["keys", "create", "--tenant", "acme", "--expires", "tomorrow"])
    assert "write a date like 2027-06-30" in capsys.readouterr().err


def test_the_version_is_the_packages(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"trunkline {__version__}\n"


@pytest.mark.parametrize("words", [[], *([name] for name in ("serve", "check", "apply", "keys"))])
def test_help_is_there_for_everything(words, capsys):
    assert run([*words, "--help"]) == 0
    assert "--help" in capsys.readouterr().out


def test_help_names_every_command(capsys):
    run(["--help"])
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)


def test_commands_that_are_not_asked_for_are_not_imported(tmp_path):
    program = (
        "import sys; from trunkline.cli.command_line import run; run(['serve', '--help']);"
        "print([m for m in ('fastapi', 'openai', 'ruamel.yaml', 'asyncio') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_the_supervisor_imports_nothing_heavy():
    program = (
        "import sys; import trunkline.supervisor.__main__;"
        "heavy = ('typer', 'rich', 'pydantic', 'fastapi', 'uvicorn', 'ruamel.yaml', 'genai_prices', 'zstandard');"
        "print([m for m in heavy if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "config"),
    [
        (["serve"], "./trunkline.yaml"),
        (["serve", "-c", "a.yaml"], "a.yaml"),
        (["serve", "--config", "a.yaml"], "a.yaml"),
        (["serve", "--help"], None),
        (["serve", "--config=a.yaml"], None),
        (["serve", "-c"], None),
        (["serve", "-c", "--help"], None),
        (["check"], None),
        ([], None),
    ],
)
def test_serve_as_it_is_usually_written_needs_no_parser(words, config):
    assert plainly_asked(words) == config


def test_check_says_every_mistake_and_ends_with_1(tmp_path):
    path = write_configuration(tmp_path, more="rooutes: {}\n")
    path.write_text(path.read_text().replace("provider: openai", "provider: opnai").replace("9f3c5a7b", "${NOT_SET}"))
    result = command_process(tmp_path, "check")
    assert (result.returncode, result.stdout) == (1, "")
    said = result.stderr.splitlines()
    assert [line.split(" ")[0] for line in said] == [
        "./trunkline.yaml:9:31",
        "./trunkline.yaml:11:31",
        "./trunkline.yaml:12:1",
        "trunkline:",
    ]
    assert "NOT_SET" in said[1]


def test_check_of_a_good_file_shows_the_digest_that_will_be_in_force(tmp_path):
    write_configuration(tmp_path)
    result = command_process(tmp_path, "check")
    assert (result.returncode, result.stderr) == (0, "")
    assert "1 providers, 1 routes, 1 tenants, 1 keys; snapshot" in result.stdout


@pytest.mark.parametrize("words", [["serve"], ["check"], ["apply"], ["keys", "list"], ["keys", "revoke", "one"]])
@pytest.mark.parametrize("named", [[], ["-c", "other.yaml"]])
def test_a_file_that_is_not_there_is_misuse(words, named, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run([*words, *named]) == 64
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"there is no file {named[1] if named else './trunkline.yaml'}; name one with --config." in err
    assert list(tmp_path.iterdir()) == []


def test_serve_of_a_file_that_is_not_there_is_misuse_the_short_way_too(tmp_path):
    result = command_process(tmp_path, "serve", "-c", "nowhere.yaml")
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (64, "", 1)


@pytest.mark.parametrize(("words", "asked"), [([], "trunkline"), (["keys"], "trunkline keys")])
def test_nothing_asked_for_names_the_help_that_there_is(words, asked, capsys):
    assert run(words) == 64
    assert capsys.readouterr().err == f"trunkline: Missing command. See `{asked} --help`.\n"


@pytest.mark.parametrize(
    "words", [["apply"], ["keys", "list"], ["keys", "create", "--tenant", "acme"], ["keys", "revoke", "one"]]
)
def test_a_bad_file_leaves_no_directory_behind(words, tmp_path, capsys, monkeypatch):
    path = write_configuration(tmp_path, more="rooutes: {}\n")
    monkeypatch.chdir(tmp_path)
    assert run(words) == 1
    assert "rooutes" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]


def test_what_nobody_foresaw_is_one_line_too(capsys, monkeypatch, tmp_path):
    write_configuration(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("trunkline.control.machine.compose", lambda *_: 1 / 0)
    assert run(["keys", "list"]) == 70
    assert capsys.readouterr().err == "trunkline: a fault of trunkline's own: ZeroDivisionError: division by zero\n"


def test_a_data_directory_that_others_may_read_is_not_used(tmp_path, capsys, monkeypatch):
    write_configuration(tmp_path)
    (tmp_path / "data").mkdir(mode=0o755)
    (tmp_path / "data").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert run(["keys", "list"]) == 1
    assert "chmod 700" in capsys.readouterr().err


def test_a_lock_without_an_answer_is_said(tmp_path, capsys, monkeypatch):
    write_configuration(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("trunkline.cli.office.PATIENCE", 0.0)
    with open_data_dir(tmp_path / "data").lock():
        assert run(["keys", "list"]) == 1
    assert "its control process does not answer" in capsys.readouterr().err


def test_a_reader_that_has_had_enough_is_no_fault():
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run([*COMMAND, "--version"], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert result.stderr == b""
