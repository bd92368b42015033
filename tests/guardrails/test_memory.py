from trunkline.guardrails.memory import Cleared


def test_what_was_added_is_known_and_nothing_else():
    cleared = Cleared()
    cleared.add(b"a")
    assert cleared.knows(b"a")
    assert not cleared.knows(b"b")


def test_the_one_that_was_not_used_for_longest_is_forgotten_first():
    cleared = Cleared(most=2)
    cleared.add(b"a")
    cleared.add(b"b")
    assert cleared.knows(b"a")
    cleared.add(b"c")
    assert len(cleared) == 2
    assert [cleared.knows(digest) for digest in (b"a", b"b", b"c")] == [True, False, True]
