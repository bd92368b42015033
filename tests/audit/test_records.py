import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.audit.format.bodies import decode_body, parts_of
from trunkline.audit.format.codecs import zstd_codec
from trunkline.audit.format.composer import Composer
from trunkline.audit.format.frames import decode_frames
from trunkline.audit.format.heads import BadRecord, decode_head
from trunkline.audit.format.records import MAX_RECORD, SPILLED_PART, Envelope, Timestamps, call_of, restore
from trunkline.audit.format.references import BodyRef

AT = 1_795_464_000_123_456_789
CALL = "0192f0c1-1111-7abc-8def-001122334455"
ENVELOPE = ["v", "type", "id", "at", "log", "index"]
values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x, max_size=3))
payloads = st.dictionaries(st.text(min_size=1).filter(lambda n: n not in (*ENVELOPE, "bodies", "call")), values)


def compose(payload, *, kind="call.opened", bodies=None, kept=None, index=7):
    composer = Composer("d/n/w", zstd_codec())
    draft = composer.draft(kind, CALL, payload, bodies, kept)
    record = composer.record(draft, AT, index)
    return draft, record, composer.whole_record(draft, record, AT, index)


@given(payloads)
@settings(deadline=None, max_examples=100)
def test_the_envelope_stands_before_the_payload(payload):
    _, record, whole = compose(json.dumps(payload).encode(), kind="score")
    found = json.loads(record)
    assert list(found) == [*ENVELOPE, *payload]
    assert found == {"v": 1, "type": "score", "id": CALL, "at": found["at"], "log": "d/n/w", "index": 7} | payload
    assert whole is record


@given(st.integers(0, 4_102_444_800_000_000_000))
@settings(deadline=None, max_examples=100)
def test_times_are_rfc_3339_with_nine_decimals(now):
    text = Timestamps().text(now).decode()
    second = datetime.strptime(text[:19] + "+0000", "%Y-%m-%dT%H:%M:%S%z")
    assert int(second.timestamp()) == now // 1_000_000_000
    assert text[19:] == f".{now % 1_000_000_000:09d}Z"


def test_the_kept_second_does_not_stick():
    times = Timestamps()
    assert [times.text(s * 10**9)[16:19] for s in (1, 2, 61, 1)] == [b":01", b":02", b":01", b":01"]
    assert times.text(AT).decode().startswith(datetime.fromtimestamp(AT // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S."))


def test_odd_ids_and_origins_stay_json():
    record = Envelope('a"b\\c\n').wrap("x", 'i"d', AT, 0, b"}")
    assert (json.loads(record)["log"], json.loads(record)["id"]) == ('a"b\\c\n', 'i"d')


def test_an_empty_payload_may_have_bodies():
    _, record, _ = compose(b"{}", kind="snapshot", bodies={"snapshot": b"s"})
    assert list(json.loads(record)) == [*ENVELOPE, "bodies"]


def test_bodies_kept_earlier_stand_before_the_record_s_own():
    kept = [BodyRef("sha256:" + c * 64, "none", 3, {"response": (0, 3)}, 40) for c in "ab"]
    _, record, _ = compose(b'{"call":"%b"}' % CALL.encode(), kind="call.closed", bodies={"response": b"x"}, kept=kept)
    head = decode_head(record)
    assert head.bodies[:2] == tuple(kept)
    assert (head.bodies[2].segment, head.bodies[2].parts) == (None, {"response": (0, 1)})


@given(st.integers(MAX_RECORD - 3000, MAX_RECORD * 2), st.booleans())
@settings(deadline=None, max_examples=50)
def test_no_record_is_above_the_limit_and_none_loses_a_byte(size, with_bodies):
    payload = b'{"call":"%b","text":"%b"}' % (CALL.encode(), b"x" * size)
    draft, record, whole = compose(payload, bodies={"request": b"abc"} if with_bodies else None)
    assert len(record) <= MAX_RECORD
    assert json.loads(whole)["text"] == "x" * size
    head = decode_head(record)
    assert head.call == CALL
    if head.spilled is not None:
        stored = [decode_body(frame) for frame in decode_frames(draft.frames, 0)]
        spilled = next(body for body in stored if body.digest == head.spilled.key)
        assert restore(record, parts_of(spilled)[SPILLED_PART]) == whole
    else:
        assert record == whole


def test_a_spilled_record_about_no_call_is_restored_too():
    payload = json.dumps({"text": "x" * MAX_RECORD}).encode()
    draft, record, whole = compose(payload, kind="snapshot")
    assert list(json.loads(record)) == [*ENVELOPE, "spilled"]
    body = next(decode_body(frame) for frame in decode_frames(draft.frames, 0))
    assert restore(record, parts_of(body)[SPILLED_PART]) == whole


def test_a_call_is_named_by_its_opened_record_s_id_and_by_a_member_of_the_others():
    assert call_of("call.opened", "c1", b'{"anything":1}') == "c1"
    assert call_of("call.closed", "r9", b'{"call":"c1","x":2}') == "c1"
    assert call_of("call.abandoned", "r9", b'{"call":"c1"}') == "c1"
    assert call_of("call.refused", "r9", b'{"call":"c1"}') is None
    assert call_of("call.closed", "r9", b'{ "x": 2, "call": "c1" }') == "c1"
    with pytest.raises(ValueError, match="has to name its call"):
        call_of("call.closed", "r9", b'{"x":2}')


@given(st.binary(max_size=100))
@settings(deadline=None, max_examples=50)
def test_bytes_that_are_no_record_are_said_to_be_none(junk):
    with pytest.raises(BadRecord):
        decode_head(junk)
