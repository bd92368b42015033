"""`pip install .` in a place of its own, as a user does it: nothing of the development environment is there."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGED = {"src", "setup.py", "pyproject.toml", "README.md", "LICENSE"}

pytestmark = pytest.mark.soak


def wheel(directory: Path, **environment: str) -> set[str]:
    """Return the names in the wheel that pip builds of the files that git knows."""
    source = directory / "source"
    source.mkdir()
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, files.decode().split("\0")):
        if (ROOT / name).exists() and name.partition("/")[0] in {
            "src",
            "setup.py",
            "pyproject.toml",
            "README.md",
            "LICENSE",
        }:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(directory), str(source)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(directory), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = directory.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_pip_compiles_the_path_of_a_call(tmp_path):
    names = wheel(tmp_path, TRUNKLINE_COMPILE="1")
    assert "trunkline/compiled.json" in names
    compiled = {name.partition(".")[0] for name in names if name.endswith(".so") and name.startswith("trunkline/")}
    assert {"trunkline/gateway/exchange", "trunkline/wire/pool", "trunkline/dialects/sse"} <= compiled
    assert {name + ".py" for name in compiled} <= names


def test_without_a_compiler_pip_installs_it_interpreted(tmp_path):
    names = wheel(tmp_path, CC="/bin/false")
    assert not [name for name in names if name.endswith(".so")]
    assert "trunkline/compiled.json" not in names
    assert "trunkline/gateway/exchange.py" in names
