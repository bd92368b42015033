"""The rows of `trunkline keys list`."""

import pytest

from trunkline.cli.keys import _row
from trunkline.control.answers import KeyView


@pytest.mark.parametrize(
    ("expires", "shown"),
    [
        (None, None),
        (1_814_400_000, "2027-07-01T00:00:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
        (253_402_300_800, 253_402_300_800),
        (10**20, 10**20),
        (-(10**12), -(10**12)),
    ],
)
def test_a_time_that_no_calendar_has_is_shown_as_the_number_that_it_is(expires, shown):
    assert _row(KeyView("k1", "acme", None, None, expires, "log", "valid"))["expires"] == shown
