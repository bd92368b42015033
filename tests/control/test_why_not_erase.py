"""Who may be erased: nobody under a hold, and where the tenant says so nobody whose records have to be kept."""

from datetime import UTC, datetime

import pytest

from trunkline.control.answers import Erase
from trunkline.control.holds import why_not_erase
from trunkline.control.state import HoldPlaced
from trunkline.model.snapshot import Tenant

YEAR = 365 * 86_400.0
NOW = datetime(2027, 6, 15, tzinfo=UTC).timestamp()
NAMES = {"u~a": "ann", "s~c": "client-9"}


class InForce:
    """What is in force: a tenant, and how long its records are kept."""

    def __init__(self, *, early):
        self.tenants = {"acme": Tenant(name="acme", erase_before_retention=early)}

    def retention_of(self, tenant):
        assert tenant == "acme"
        return YEAR


def known(written):
    return {one: NAMES[one] for one in written if one in NAMES}


def why_not(asked, *holds, early=True, months=(202705,)):
    return why_not_erase(holds, known, InForce(early=early), NOW, asked, months)


@pytest.mark.parametrize(
    ("hold", "asked", "kept"),
    [
        (HoldPlaced("h", "acme", "me", "case 17"), Erase("acme", None, "joe"), True),
        (HoldPlaced("h", "acme", "me", "case 17", user="u~a"), Erase("acme", None, "ann"), True),
        (HoldPlaced("h", "acme", "me", "case 17", user="u~a"), Erase("acme", None, "joe"), False),
        (HoldPlaced("h", "acme", "me", "case 17", user="u~a"), Erase("acme", "client-9", None), True),
        (HoldPlaced("h", "acme", "me", "case 17", subject="s~c"), Erase("acme", "client-9", None), True),
        (HoldPlaced("h", "acme", "me", "case 17", subject="s~c"), Erase("acme", "client-8", None), False),
        (HoldPlaced("h", "other", "me", "case 17"), Erase("acme", None, "ann"), False),
    ],
)
def test_a_hold_that_may_be_about_a_person_keeps_them(hold, asked, kept):
    reason = why_not(asked, hold)
    assert reason == ("h keeps it (case 17); `trunkline audit hold list` shows what is held" if kept else None)


def test_several_holds_are_counted():
    holds = [HoldPlaced(f"h{number}", "acme", "me", "case") for number in range(3)]
    assert why_not(Erase("acme", None, "ann"), *holds).startswith("h0, and 2 more keeps it")


@pytest.mark.parametrize(
    ("months", "until"), [((202605,), None), ((202606,), "2027-07-01"), ((202505, 202612), "2028-01-01"), ((), None)]
)
def test_a_tenant_that_keeps_for_its_time_keeps_the_last_month_for_so_long(months, until):
    asked = Erase("acme", None, "ann")
    assert why_not(asked, months=months) is None
    reason = why_not(asked, early=False, months=months)
    if until is None:
        assert reason is None
    else:
        assert (
            reason == f"records of acme are kept until {until}; `erase_before_retention` of the tenant could allow it"
        )
