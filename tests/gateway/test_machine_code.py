"""What is compiled is what the list in pyproject.toml says, and was made of the sources that are there."""

import ast
import hashlib
import importlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from trunkline.gateway.machine_code import compiled

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "trunkline"
LIST = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["trunkline"]["compiled"]
RECORD = SOURCE / "compiled.json"
REMEDY = "run `make compiled`, or `make pure` to do without"


def modules_of(package):
    return {str(path.relative_to(SOURCE)) for path in (SOURCE / package).glob("*.py")} - {f"{package}/__init__.py"}


def listed():
    whole = set().union(*(modules_of(package) for package in LIST["packages"]))
    return (whole | set(LIST["modules"])) - set(LIST["interpreted"])


def waits_while_handling(tree):
    """The lines where a coroutine may be suspended while an exception is handled, or while one is on its way out."""
    waits = ast.Await | ast.AsyncFor | ast.AsyncWith | ast.Yield | ast.YieldFrom
    for node in ast.walk(tree):
        if isinstance(node, ast.Try):
            bodies = [handler.body for handler in node.handlers] + [node.finalbody]
            for inner in (inner for body in bodies for statement in body for inner in ast.walk(statement)):
                if isinstance(inner, waits):
                    yield inner.lineno


def compiled_on_disk():
    return {str(path.relative_to(SOURCE)).partition(".")[0] + ".py" for path in SOURCE.rglob("*.so")}


def imported(path):
    name = "trunkline." + path.removesuffix(".py").replace("/", ".")
    return importlib.import_module(name)


def test_the_list_names_modules_that_exist():
    assert [path for path in (*LIST["modules"], *LIST["interpreted"]) if not (SOURCE / path).exists()] == []


def test_a_module_that_stays_interpreted_is_in_a_listed_package_and_says_why():
    packages = set(LIST["packages"])
    assert {str(Path(path).parent) for path in LIST["interpreted"]} <= packages
    assert all(len(reason) > 10 for reason in LIST["interpreted"].values())


def test_all_of_the_list_is_compiled_or_nothing_is():
    expected = listed() if compiled() else set()
    assert compiled_on_disk() == expected, REMEDY
    assert {path for path in listed() if imported(path).__file__.endswith(".so")} == expected


@pytest.mark.skipif(not compiled(), reason="nothing is compiled")
def test_machine_code_was_made_of_the_sources_that_are_there():
    now = {path: hashlib.sha256((SOURCE / path).read_bytes()).hexdigest() for path in sorted(listed())}
    assert json.loads(RECORD.read_text()) == now, REMEDY


def build(tmp_path, **environment):
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "src").symlink_to(ROOT / "src")
    return subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_ext", "--build-lib", "out", "--build-temp", "temp"],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_without_a_compiler_the_package_is_built_interpreted_and_says_so(tmp_path):
    built = build(tmp_path, CC="no-such-compiler", TRUNKLINE_COMPILE="")
    assert built.returncode == 0
    assert built.stderr.count("stays interpreted, which costs speed: there is no C compiler") == 1
    assert not list(tmp_path.rglob("out/**/*.so"))


def test_without_a_compiler_demanding_machine_code_is_an_error(tmp_path):
    built = build(tmp_path, CC="no-such-compiler", TRUNKLINE_COMPILE="1")
    assert built.returncode != 0
    assert "cannot be compiled: there is no C compiler" in built.stderr


def test_machine_code_that_is_not_wanted_is_not_made(tmp_path):
    built = build(tmp_path, TRUNKLINE_COMPILE="0")
    assert (built.returncode, built.stderr) == (0, "")
    assert not list(tmp_path.rglob("out/**/*.so"))


def test_no_compiled_coroutine_waits_while_it_handles_an_exception():
    """It would leave that exception behind, and each one left so would hold on to the one before."""
    found = {path: list(waits_while_handling(ast.parse((SOURCE / path).read_text()))) for path in listed()}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_a_wait_while_an_exception_is_handled_is_found():
    source = "async def f():\n try:\n  pass\n except E:\n  await g()\n finally:\n  await h()\n"
    assert list(waits_while_handling(ast.parse(source))) == [5, 7]
