from hypothesis import given
from hypothesis import strategies as st

from trunkline.control.state import (
    CostsImported,
    HoldPlaced,
    HoldReleased,
    KeyCreated,
    KeyRevoked,
    SnapshotPut,
    State,
    UsersImported,
    UsersRead,
    fold,
)

IDS = st.sampled_from(["a", "b", "c"])
CHANGES = st.one_of(
    st.builds(SnapshotPut, digest=st.text("0f", min_size=1, max_size=3), who=st.just("me"), why=st.just("x")),
    st.builds(KeyCreated, key=IDS, tenant=st.just("acme"), digest=st.text("0f", min_size=1, max_size=3), who=IDS),
    st.builds(KeyRevoked, key=IDS, who=IDS),
    st.builds(UsersRead, tenant=IDS, digest=IDS, users=st.integers(0, 3), who=IDS),
    st.builds(CostsImported, tenant=IDS, digest=IDS, rows=st.just(1), amount=st.just("1"), who=IDS),
    st.builds(UsersImported, tenant=IDS, digest=IDS, users=st.integers(0, 3), who=IDS),
    st.builds(HoldPlaced, hold=IDS, tenant=IDS, who=IDS, reason=IDS, user=st.none() | IDS),
    st.builds(HoldReleased, hold=IDS, who=IDS, reason=IDS),
)
HISTORIES = st.lists(CHANGES, max_size=20).map(lambda changes: [(f"{n:03d}", c) for n, c in enumerate(changes)])


@given(HISTORIES, HISTORIES)
def test_a_fold_can_stop_anywhere_and_go_on(first, second):
    assert fold(fold(State(), first), second) == fold(State(), first + second)


@given(HISTORIES)
def test_a_record_that_comes_twice_is_harmless(history):
    assert fold(State(), [change for change in history for _ in range(2)]) == fold(State(), history)


@given(HISTORIES, HISTORIES)
def test_a_revoked_key_never_works_again(first, second):
    revoked = {name for name, entry in fold(State(), first).keys.items() if entry.revoked}
    assert not revoked & {key.id for key in fold(State(), first + second).valid_keys()}


@given(HISTORIES)
def test_a_valid_key_is_one_that_was_made_and_not_revoked_after(history):
    valid = set()
    made = set()
    for _, change in history:
        if isinstance(change, KeyCreated) and change.key not in made:
            made.add(change.key)
            valid.add(change.key)
        elif isinstance(change, KeyRevoked):
            valid.discard(change.key)
    assert {key.id for key in fold(State(), history).valid_keys()} == valid


@given(HISTORIES)
def test_folding_leaves_the_state_it_began_with_as_it_was(history):
    before = fold(State(), [("0", KeyCreated("a", "acme", "00", "me"))])
    fold(before, history)
    assert before.keys.keys() == {"a"}
    assert before.keys["a"].revoked is None


@given(HISTORIES)
def test_the_last_import_of_a_tenant_counts_and_an_empty_one_leaves_nothing(history):
    last = {change.tenant: change for _, change in history if isinstance(change, UsersImported)}
    imported = fold(State(), history).imported
    assert {tenant: (directory.digest, directory.users) for tenant, directory in imported.items()} == {
        tenant: (change.digest, change.users) for tenant, change in last.items() if change.users
    }


@given(HISTORIES)
def test_every_directory_that_the_log_has_is_known(history):
    recorded = {change.digest for _, change in history if isinstance(change, UsersImported | UsersRead)}
    assert fold(State(), history).directories == recorded


@given(HISTORIES, HISTORIES)
def test_a_hold_that_was_released_is_never_in_force_again(first, second):
    released = {name for name, entry in fold(State(), first).holds.items() if entry.released}
    assert not released & {hold.hold for hold in fold(State(), first + second).holds_in_force()}
