import uuid

from hypothesis import given
from hypothesis import strategies as st

from trunkline.model.ids import RANDOM_DIGITS, prefix_of, uuid7

MILLISECONDS = st.integers(0, 2**48 - 1)
RANDOM = st.text("0123456789abcdef", min_size=RANDOM_DIGITS, max_size=RANDOM_DIGITS)


@given(MILLISECONDS, RANDOM)
def test_an_id_is_a_uuid_of_version_7_that_says_its_millisecond(millisecond, random):
    made = uuid.UUID(uuid7(prefix_of(millisecond), random))
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == millisecond


@given(MILLISECONDS, RANDOM, RANDOM)
def test_two_ids_of_a_millisecond_differ_where_their_random_bits_do(millisecond, one, other):
    kept = [digits[:3] + str(int(digits[3], 16) % 4) + digits[4:] for digits in (one, other)]
    prefix = prefix_of(millisecond)
    assert (uuid7(prefix, one) == uuid7(prefix, other)) == (kept[0] == kept[1])
