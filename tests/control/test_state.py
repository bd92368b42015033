from hypothesis import given
from hypothesis import strategies as st

from trunkline.control.state import KeyCreated, KeyRevoked, SnapshotPut, State, fold

IDS = st.sampled_from(["a", "b", "c"])
CHANGES = st.one_of(
    st.builds(SnapshotPut, digest=st.text("0f", min_size=1, max_size=3), who=st.just("me"), why=st.just("x")),
    st.builds(KeyCreated, key=IDS, tenant=st.just("acme"), digest=st.text("0f", min_size=1, max_size=3), who=IDS),
    st.builds(KeyRevoked, key=IDS, who=IDS),
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
