"""docs/threat-model.md names code and tests that exist."""

import pytest
from pages import ROOT, prose_of, quoted, rows

PAGE = "docs/threat-model.md"
THREATS = rows(PAGE, "threat", "what stops it", "where, and the test")


@pytest.mark.parametrize("row", THREATS, ids=[row[0] for row in THREATS])
def test_what_stops_a_threat_is_there_and_tested(row):
    code, test = quoted(row[2])
    assert (ROOT / code).is_file(), code
    assert (ROOT / test).is_file(), test
    assert test.startswith(("tests/", "tools/"))


def test_the_threats_of_every_boundary_are_listed():
    headings = [line for line in prose_of(PAGE).splitlines() if line.startswith("## ")]
    assert headings[-1] == "## What remains"
    assert len(THREATS) >= 20
