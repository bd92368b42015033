import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.audit.format.bodies import decode_body, encode_body, parts_of, reference_of
from trunkline.audit.format.codecs import PLAIN, ZSTD, ZSTD_LEAST, BadBody, Codec, unpack, zstd_codec
from trunkline.audit.format.frames import BODY, Frame, decode_frame, encode_frame
from trunkline.audit.format.references import decode_reference, encode_reference

CODEC = zstd_codec()
CALL = "0192f0c1-1111-7abc-8def-001122334455"
names = st.from_regex(r"[0-9]?[a-z_.]{1,20}", fullmatch=True)
parts = st.dictionaries(names, st.binary(max_size=2000) | st.lists(st.binary(max_size=300), max_size=8), max_size=5)


def joined(part):
    return part if isinstance(part, bytes) else b"".join(part)


def read(frame):
    return decode_body(decode_frame(frame, 0, 0))


@given(parts)
@settings(deadline=None, max_examples=100)
def test_parts_come_back_whole_and_by_name(made):
    frame, reference = encode_body(CALL, made, CODEC)
    body = read(frame)
    assert body.call == CALL
    assert parts_of(body) == {name: joined(part) for name, part in made.items()}
    named = json.loads(reference)
    assert named["digest"] == "sha256:" + hashlib.sha256(body.stored).hexdigest()
    assert named["size"] == len(body.stored)
    assert {name: length for name, (_, length) in named["parts"].items()} == {
        n: len(joined(p)) for n, p in made.items()
    }


def test_a_long_body_is_compressed_and_a_short_one_is_not():
    for length, codec, label in ((ZSTD_LEAST - 1, PLAIN, "none"), (ZSTD_LEAST, ZSTD, "zstd")):
        frame, reference = encode_body(CALL, {"request": b"x" * length}, CODEC)
        assert read(frame).codec == codec
        assert json.loads(reference)["codec"] == label
    assert len(read(frame).stored) < 50


def test_a_codec_of_another_kind_fits_in():
    turned = Codec(77, "turned", 0, lambda data: data[::-1])
    frame, reference = encode_body(CALL, {"request": b"abc"}, turned)
    assert read(frame).stored == b"cba"
    assert json.loads(reference)["codec"] == "turned"
    with pytest.raises(BadBody, match="codec 77"):
        parts_of(read(frame))


def test_a_reference_made_from_the_frame_is_the_one_in_the_record():
    frame, reference = encode_body(CALL, {"request": b"q" * 700, "response": b"abc"}, CODEC)
    rebuilt = json.loads(encode_reference(reference_of(read(frame), 40)))
    assert rebuilt == json.loads(reference) | {"segment": 40}
    assert decode_reference(reference, 40).key == read(frame).digest


@given(st.binary(max_size=400))
@settings(deadline=None, max_examples=100)
def test_any_payload_is_a_body_or_a_bad_one(payload):
    try:
        parts_of(decode_body(Frame(BODY, ZSTD, payload, 0)))
    except BadBody:
        return
    assert payload


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_a_changed_body_is_never_taken_for_the_one_that_was_stored(data):
    frame, _ = encode_body(CALL, {"request": b"hello " * 200}, CODEC)
    good = read(frame)
    payload = bytearray(decode_frame(frame, 0, 0).payload)
    at = data.draw(st.integers(len(payload) - len(good.stored), len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadBody, match="digest"):
        parts_of(decode_body(decode_frame(encode_frame(BODY, good.codec, bytes(payload)), 0, 0)))


def test_parts_that_overlap_or_leave_gaps_are_refused():
    frame, _ = encode_body(CALL, {"request": b"abcdef"}, CODEC)
    good = read(frame)
    for table in ({"a": (0, 3), "b": (2, 4)}, {"a": (0, 3), "b": (4, 2)}, {"a": (0, 7)}, {"a": (0, -1)}):
        with pytest.raises(BadBody):
            parts_of(good._replace(parts=table))


def test_nothing_is_allocated_for_a_compressed_frame_that_claims_another_size():
    zipped = CODEC.pack(bytes(1 << 20))
    with pytest.raises(BadBody, match="another size"):
        unpack(ZSTD, zipped, 10)
    with pytest.raises(BadBody, match="decompressed"):
        unpack(ZSTD, zipped[:-3] + b"abc", 1 << 20)
