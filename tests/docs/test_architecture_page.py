"""docs/architecture.md has the packages that are there, and the imports that the contracts allow."""

import re
import tomllib

import pytest
from pages import ROOT, prose_of, quoted, rows, text_of

PAGE = "docs/architecture.md"
SOURCE = ROOT / "src" / "trunkline"
CONTRACTS = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
ROWS = {quoted(package)[0]: (job, allowed) for package, job, allowed in rows(PAGE, "package", "its job", "may import")}
PURE, *TABLE = CONTRACTS


def short(module: str) -> str:
    return module.removeprefix("trunkline.")


def packages_on_disk() -> set[str]:
    found = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    found |= {path.stem for path in SOURCE.glob("*.py")} - {"__init__", "__main__"}
    within_audit = {f"audit.{path.parent.name}" for path in (SOURCE / "audit").glob("*/__init__.py")}
    return found - {"audit"} | within_audit


def forbidden(package: str) -> set[str]:
    (contract,) = [one for one in TABLE if [short(module) for module in one["source_modules"]] == [package]]
    return {short(module) for module in contract["forbidden_modules"]}


def test_the_table_has_every_package_and_no_other():
    assert sorted(ROWS) == sorted(packages_on_disk())


@pytest.mark.parametrize("package", sorted(ROWS))
def test_a_package_may_import_what_the_contracts_do_not_forbid(package):
    _, allowed = ROWS[package]
    if allowed == "everything":
        assert package not in [short(module) for one in TABLE for module in one["source_modules"]]
    else:
        assert set(quoted(allowed)) == set(ROWS) - forbidden(package) - {package}
        assert quoted(allowed) or len(allowed) == 1  # a dash


def test_every_package_has_a_job():
    assert [package for package, (job, _) in ROWS.items() if len(job) < 20] == []


def test_the_pure_packages_and_what_they_may_not_touch_are_those_of_the_contract():
    said = re.search(r"Seven of them are pure: (.+?) may not import (.+?)\.\n", prose_of(PAGE), re.DOTALL)
    assert said is not None
    assert set(quoted(said[1])) == {short(module) for module in PURE["source_modules"]}
    assert set(quoted(said[2])) == set(PURE["forbidden_modules"])


def test_files_that_are_named_exist():
    named = [name for name in quoted(prose_of(PAGE)) if re.fullmatch(r"[\w./-]+/[\w.-]+\.(py|md|toml)", name)]
    assert named
    assert [name for name in named if not (ROOT / name).exists() and not (SOURCE / name).exists()] == []
