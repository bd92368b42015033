import google_crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.audit.format import frames
from trunkline.audit.format.frames import BODY, RECORD, BadFrame, decode_frame, decode_frames, encode_frame

written = st.lists(st.tuples(st.sampled_from(sorted(frames.KINDS)), st.integers(0, 255), st.binary(max_size=200)))


def test_the_checksum_is_that_of_rfc_3720():
    # The vectors of RFC 3720, B.4.
    assert google_crc32c.value(bytes(32)) == 0x8A9136AA
    assert google_crc32c.value(bytes([255]) * 32) == 0x62A8AB43


def test_a_frame_is_laid_out_as_documented():
    head = bytes.fromhex("03000000" + "02" + "00" + "0000")
    assert encode_frame(RECORD, 0, b"abc") == head + b"abc" + google_crc32c.value(head + b"abc").to_bytes(4, "little")


@given(written, st.integers(0, 1 << 40))
@settings(deadline=None, max_examples=100)
def test_frames_come_back_as_they_were_written(made, base):
    data = b"".join(encode_frame(*frame) for frame in made)
    found = list(decode_frames(data, base))
    assert [(frame.kind, frame.codec, frame.payload) for frame in found] == made
    ends = [base, *(frame.end for frame in found)]
    assert [frame.offset for frame in found] == ends[:-1]
    assert ends[-1] == base + len(data)


@given(st.binary(max_size=80), st.data())
@settings(deadline=None, max_examples=200)
def test_no_change_of_one_byte_goes_unnoticed(payload, data):
    frame = bytearray(encode_frame(BODY, 1, payload))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadFrame) as caught:
        decode_frame(bytes(frame), 0, 4096)
    assert caught.value.offset == 4096


@given(st.binary(max_size=300))
@settings(deadline=None, max_examples=200)
def test_any_bytes_are_frames_or_a_bad_frame(junk):
    try:
        found = list(decode_frames(junk, 0))
    except BadFrame:
        return
    assert b"".join(encode_frame(frame.kind, frame.codec, frame.payload) for frame in found) == junk


def test_a_payload_above_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(frames, "MAX_PAYLOAD", 10)
    with pytest.raises(ValueError, match="above the limit"):
        encode_frame(RECORD, 0, bytes(11))
