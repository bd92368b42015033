"""docs/ledger.md has every view with every column, in their order, and no other."""

import pytest
from pages import quoted, rows

from trunkline.ledger.schema import VIEWS

PAGE = "docs/ledger.md"


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_of_a_view_is_on_the_page_in_its_order(view):
    said = [quoted(column)[0] for column, _ in rows(PAGE, f"column of `{view}`", "what it is")]
    assert said == list(VIEWS[view])
