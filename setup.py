"""Builds the package, and compiles the path of a call with mypyc where there is a C compiler.

What is compiled, and what is not and why, is listed in `pyproject.toml` under `tool.trunkline.compiled`. The variable
TRUNKLINE_COMPILE decides: 0 compiles nothing, 1 makes it an error if that cannot be done; without it the package is
installed interpreted where it cannot be compiled, and says so.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import sys
import sysconfig
import tomllib
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, CompileError, ExecError, PlatformError

SOURCE = Path("src")
PACKAGE = SOURCE / "trunkline"
BUILD = Path("build")  # where mypyc writes its C
RECORD = "compiled.json"  # in the package: the digests of the sources that were compiled
METADATA = frozenset({"egg_info", "dist_info"})  # what pip asks for before it builds
WANTED = os.environ.get("TRUNKLINE_COMPILE", "")


def compiled_sources() -> list[str]:
    """Return the files to compile, in the order of the list."""
    listed = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["trunkline"]["compiled"]
    found = [PACKAGE / module for module in listed["modules"]]
    for package in listed["packages"]:
        found += sorted(path for path in (PACKAGE / package).glob("*.py") if path.name != "__init__.py")
    return [str(path) for path in found if str(path.relative_to(PACKAGE)) not in listed["interpreted"]]


def obstacle() -> str | None:
    """Return what is missing for compiling, None if nothing is."""
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    if shutil.which(compiler.split()[0]) is None:
        return f"there is no C compiler ({compiler.split()[0]})"
    if importlib.util.find_spec("mypyc") is None:
        return "mypy is missing"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return "Python's headers are missing (Debian: python3-dev)"
    return None


def to_c() -> list[Extension]:
    """Have mypyc turn the sources into C, and return what is to be built of it."""
    from mypyc.build import mypycify  # noqa: PLC0415  only where something is compiled

    # Many files, so that all processors have work and an edit compiles little anew; -O3 takes longer for no gain.
    try:
        return mypycify(
            compiled_sources(),
            opt_level="2",
            debug_level="0",
            multi_file=True,
            group_name="trunkline",
            target_dir=str(BUILD),
        )
    except SystemExit as error:  # how mypycify says that the types do not hold, after it has said where
        raise CompileError(f"mypyc found mistakes ({error})") from None


def digests() -> dict[str, str]:
    """Return the SHA-256 of each source that is compiled."""
    return {
        str(Path(path).relative_to(PACKAGE)): hashlib.sha256(Path(path).read_bytes()).hexdigest()
        for path in compiled_sources()
    }


def remove_machine_code(root: Path = SOURCE, but: Collection[str] = ()) -> None:
    """Remove what was compiled in place but these: a module of the list of yesterday would hide its source."""
    (root / "trunkline" / RECORD).unlink(missing_ok=True)
    for path in root.rglob("*.so"):
        if str(path) not in but and str(path.absolute()) not in but:
            path.unlink()


def stays_interpreted(reason: str) -> None:
    """Say that the package works, and why it could be faster."""
    sys.stderr.write(f"trunkline: the path of a call stays interpreted, which costs speed: {reason}\n")


class Compile(build_ext):
    """Turns the listed sources into C, and that into one library with a small module for each source."""

    def finalize_options(self) -> None:
        """Wait with it: what there is to compile is known once mypyc has run, and only a build needs to know."""
        self.extensions = self.distribution.ext_modules or []

    def run(self) -> None:
        """Turn the sources into C, compile that, and record what it was made of."""
        try:
            self.distribution.ext_modules = to_c() if self.extensions else []
            super().finalize_options()
            self.parallel = os.cpu_count()
            remove_machine_code(self._root(), but={self.get_ext_fullpath(ext.name) for ext in self.extensions or ()})
            super().run()
        except (CCompilerError, ExecError, PlatformError) as error:
            if WANTED == "1":
                raise
            stays_interpreted(f"the compiler failed ({error})")
            self.extensions = []
            remove_machine_code(self._root())
        if self.extensions:
            (self._root() / "trunkline" / RECORD).write_text(json.dumps(digests(), indent=1) + "\n")

    def _root(self) -> Path:
        """Return where the machine code goes."""
        built: str | None = self.build_lib or self.get_finalized_command("build").build_lib
        return SOURCE if self.inplace or built is None else Path(built)

    def build_extension(self, ext: Extension) -> None:
        """Compile one extension: the library, of all the C, with every processor."""
        if len(ext.sources) > 1:
            self._compile_sources_in_parallel()
        super().build_extension(ext)

    def _compile_sources_in_parallel(self) -> None:
        """Have the compiler take several sources at once, and none whose object is newer than it and every header."""
        one_by_one = self.compiler.compile
        headers = max((path.stat().st_mtime for path in BUILD.rglob("*.h")), default=0.0)

        def compile_one(source: str, output_dir: str, **options: Any) -> list[str]:
            objects: list[str] = self.compiler.object_filenames([source], output_dir=output_dir)
            newest = max(headers, Path(source).stat().st_mtime)
            if all(Path(path).exists() and Path(path).stat().st_mtime > newest for path in objects):
                return objects
            return one_by_one([source], output_dir=output_dir, **options)

        def compile_all(sources: list[str], output_dir: str, **options: Any) -> list[str]:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                compiled = pool.map(lambda source: compile_one(source, output_dir, **options), sources)
                return [path for objects in compiled for path in objects]

        self.compiler.compile = compile_all


def extensions() -> list[Extension]:
    """Return one that stands for all of them: what they are is known only once mypyc has run."""
    missing = obstacle()
    if WANTED == "1" and missing is not None:
        sys.exit(f"trunkline: cannot be compiled: {missing}")
    if WANTED == "0":
        return []
    if missing is not None:
        if METADATA.isdisjoint(sys.argv):
            stays_interpreted(missing)
        return []
    return [Extension("trunkline", sources=[])]


setup(ext_modules=extensions(), cmdclass={"build_ext": Compile})
