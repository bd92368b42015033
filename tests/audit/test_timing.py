import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.audit.format.timing import decode_timing, encode_timing


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9))))
@settings(deadline=None, max_examples=50)
def test_timing_comes_back(marks):
    assert decode_timing(encode_timing(marks)) == marks


@pytest.mark.parametrize("part", [b"", b"{}", b"[[1]]", b'[["a",2]]'])
def test_a_timing_that_is_none_is_refused(part):
    with pytest.raises(ValueError, match="not a timing part"):
        decode_timing(part)
