"""What a hold keeps: more rather than less, and never of another tenant."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.control.answers import NewHold, Refused
from trunkline.control.holds import LONGEST_REASON, Recorded, Scope, covering, keeps, placed
from trunkline.control.state import HoldPlaced, State
from trunkline.model.snapshot import Tenant

DAY = 86_400
BEGAN = datetime(2027, 1, 1, tzinfo=UTC).timestamp()


def moment(second: float) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().replace("+00:00", "Z")


NAMES = st.none() | st.sampled_from(["a", "b"])
SECONDS = st.integers(0, 20).map(lambda days: BEGAN + days * DAY)
HOLDS = st.builds(
    HoldPlaced,
    hold=st.just("hold-1"),
    tenant=st.sampled_from(["acme", "harbor"]),
    who=st.just("me"),
    reason=st.just("a dispute"),
    user=NAMES,
    subject=NAMES,
    session=NAMES,
    call=NAMES,
    since=st.none() | SECONDS.map(moment),
    until=st.none() | SECONDS.map(moment),
)
RECORDS = st.builds(
    Recorded,
    tenant=st.sampled_from(["acme", "harbor"]),
    at=SECONDS,
    user=st.sampled_from(["a", "b"]),
    subject=st.sampled_from(["a", "b"]),
    session=NAMES,
    call=st.sampled_from(["a", "b"]),
)


@given(HOLDS, RECORDS, st.booleans(), st.booleans(), st.integers(0, 3), st.integers(0, 3))
def test_who_takes_away_a_record_that_is_kept_meets_the_hold(hold, record, by_user, by_subject, before, after):
    scope = Scope(
        record.tenant,
        record.user if by_user else None,
        record.subject if by_subject else None,
        record.at - before * DAY if before else None,
        record.at + after * DAY if after else None,
    )
    if keeps(hold, record):
        assert covering([hold], scope) == [hold]


@given(HOLDS, RECORDS)
def test_a_hold_keeps_only_what_is_all_that_it_names(hold, record):
    if keeps(hold, record):
        assert hold.tenant == record.tenant
        for name in ("user", "subject", "session", "call"):
            assert getattr(hold, name) in (None, getattr(record, name))
        assert hold.since is None or datetime.fromisoformat(hold.since).timestamp() <= record.at
        assert hold.until is None or record.at < datetime.fromisoformat(hold.until).timestamp()


def test_a_hold_that_names_nothing_else_keeps_all_of_its_tenant():
    hold = HoldPlaced("hold-1", "acme", "me", "a dispute")
    assert keeps(hold, Recorded("acme", BEGAN))
    assert not keeps(hold, Recorded("harbor", BEGAN))
    assert covering([hold], Scope("acme", user="joe")) == [hold]
    assert covering([hold], Scope("harbor")) == []


def test_a_hold_on_one_user_does_not_keep_another():
    hold = HoldPlaced("hold-1", "acme", "me", "a dispute", user="ann")
    assert covering([hold], Scope("acme", user="joe")) == []
    assert covering([hold], Scope("acme", subject="client-9")) == [hold]  # whom ann may have spoken about


class Standing:
    """What a hold is checked against."""

    def __init__(self):
        self.tenants = {"acme": Tenant(name="acme")}


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (NewHold("acmee", "why"), "did you mean `acme`"),
        (NewHold("acme", "  "), "say why"),
        (NewHold("acme", "x" * (LONGEST_REASON + 1)), "say why"),
        (NewHold("acme", "why", user=""), "the user has 1 to"),
        (NewHold("acme", "why", since="soon"), "`since` is no time"),
        (NewHold("acme", "why", since="2027-01-01T00:00:00"), "`since` is no time"),
        (NewHold("acme", "why", since="2027-01-02T00:00:00Z", until="2027-01-02T00:00:00Z"), "would keep nothing"),
    ],
)
def test_a_hold_that_makes_no_sense_is_refused(asked, why):
    with pytest.raises(Refused, match=why):
        placed(asked, State(), Standing(), "me")
