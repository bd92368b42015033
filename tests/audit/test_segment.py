import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.audit.format.frames import RECORD, encode_frame
from trunkline.audit.format.segment import (
    BATCH_BYTES,
    HEADER_BYTES,
    MAX_ORIGIN,
    SEAL_BYTES,
    BadHeader,
    BatchHead,
    Header,
    Seal,
    decode_batch_head,
    decode_header,
    decode_seal,
    encode_batch_head,
    encode_header,
    encode_seal,
)

SALT = b"salt of sixteen."
u64 = st.integers(0, 2**64 - 1)
headers = st.builds(Header, st.text(max_size=200), u64, st.binary(min_size=16, max_size=16))
heads = st.builds(BatchHead, u64, u64, u64, u64, st.integers(0, 2**32 - 1))
seals = st.builds(Seal, u64, u64, u64)


@given(headers)
@settings(deadline=None, max_examples=50)
def test_a_header_comes_back_from_one_block(header):
    block = encode_header(header)
    assert len(block) == HEADER_BYTES
    assert decode_header(block + b"what follows") == header


@given(headers, st.data())
@settings(deadline=None, max_examples=100)
def test_a_header_with_a_flipped_byte_is_refused(header, data):
    block = bytearray(encode_header(header))
    block[data.draw(st.integers(0, 39 + len(header.origin.encode())))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadHeader):
        decode_header(bytes(block))


@given(st.binary(max_size=HEADER_BYTES + 10))
@settings(deadline=None, max_examples=50)
def test_any_other_block_is_no_header(junk):
    with pytest.raises(BadHeader):
        decode_header(junk)


def test_a_later_version_is_named():
    block = bytearray(encode_header(Header("a/b/c", 1, SALT)))
    block[8] = 9
    with pytest.raises(BadHeader, match="format version 9"):
        decode_header(bytes(block))


def test_an_origin_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="above the limit"):
        encode_header(Header("x" * (MAX_ORIGIN + 1), 1, SALT))


@given(heads)
@settings(deadline=None, max_examples=50)
def test_a_batch_head_counts_only_at_its_own_place_of_its_own_segment(head):
    data = encode_batch_head(head, SALT)
    assert len(data) == BATCH_BYTES
    assert decode_batch_head(data, SALT, head.offset) == head
    assert decode_batch_head(data, SALT, head.offset + 1) is None
    assert decode_batch_head(data, SALT[::-1], head.offset) is None
    assert decode_seal(data, SALT, head.offset) is None


@given(seals)
@settings(deadline=None, max_examples=50)
def test_a_seal_counts_only_at_its_own_place_of_its_own_segment(seal):
    data = encode_seal(seal, SALT)
    assert len(data) == SEAL_BYTES
    assert decode_seal(data, SALT, seal.offset) == seal
    assert decode_seal(data, SALT, seal.offset + 1) is None
    assert decode_seal(data, SALT[::-1], seal.offset) is None
    assert decode_batch_head(data, SALT, seal.offset) is None


def test_a_record_that_looks_like_a_batch_head_is_none():
    payload = encode_batch_head(BatchHead(5, 5, 0, 0, 0), SALT)[8:-4]
    assert decode_batch_head(encode_frame(RECORD, 0, payload), SALT, 5) is None
