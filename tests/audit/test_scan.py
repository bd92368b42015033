import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from audit.images import SALT, image, images, outcome, read_image
from trunkline.audit.format.frames import BODY, RECORD, encode_frame
from trunkline.audit.format.scan import CHUNK, DurableBytesLost, Scan
from trunkline.audit.format.segment import HEADER_BYTES, SEAL_BYTES, BatchHead, encode_batch_head

TWO = [[(RECORD, b"first"), (BODY, b"body")], [(RECORD, b"second")]]


def claimed_before(made, position):
    """Whether some batch, mark or seal that lies wholly behind this position claims what stands at it."""
    hit = next((n for n, (start, end) in enumerate(made.spans) if start <= position < end), None)
    if hit is None:
        return False
    return hit < len(made.spans) - 1 or made.end != "free"


@given(images)
@settings(deadline=None, max_examples=100)
def test_what_was_written_is_read(made):
    found, scan, torn = read_image(made.data)
    assert found == made.payloads
    assert (torn, scan.fault) == (0, None)
    assert (scan.seal is not None) == (made.end == "seal")


@given(images, st.data())
@settings(deadline=None, max_examples=200)
def test_a_cut_anywhere_keeps_every_batch_before_it(made, data):
    at = data.draw(st.integers(HEADER_BYTES, len(made.data)))
    kind, found = outcome(made.data[:at])
    assert kind != "corrupt"
    assert found == made.payloads[: sum(end <= at for _, end in made.spans)]


@given(images, st.data())
@settings(deadline=None, max_examples=300)
def test_a_flipped_byte_is_a_torn_tail_only_where_nothing_claims_it(made, data):
    at = data.draw(st.integers(HEADER_BYTES, len(made.data) - 1))
    broken = bytearray(made.data)
    broken[at] ^= data.draw(st.integers(1, 255))
    kind, found = outcome(bytes(broken))
    if claimed_before(made, at):
        assert kind == "corrupt"
    else:
        hit = next((n for n, (start, end) in enumerate(made.spans) if start <= at < end), len(made.spans))
        assert kind != "corrupt"
        assert found == made.payloads[:hit]


@given(images, st.data())
@settings(deadline=None, max_examples=200)
def test_overwritten_bytes_never_become_other_records(made, data):
    start = data.draw(st.integers(HEADER_BYTES, len(made.data) - 1))
    junk = data.draw(st.one_of(st.binary(min_size=1, max_size=300), st.integers(1, 300).map(bytes)))
    broken = (made.data[:start] + junk + made.data[start + len(junk) :])[: len(made.data)]
    assume(broken != made.data)
    kind, found = outcome(broken)
    assert found == made.payloads[: len(found)]
    untouched = [end <= start for _, end in made.spans]
    if kind != "corrupt":
        assert len(found) >= sum(untouched)


@given(images, st.data())
@settings(deadline=None, max_examples=100)
def test_a_batch_copied_elsewhere_is_not_read_there(made, data):
    assume(len(made.spans) >= 2)
    source, target = data.draw(st.permutations(range(len(made.spans))))[:2]
    batch = made.data[slice(*made.spans[source])]
    at = made.spans[target][0]
    broken = (made.data[:at] + batch + made.data[at + len(batch) :])[: len(made.data)]
    _, found = outcome(broken)
    assert found == made.payloads[: len(found)]
    assert len(found) <= target


@given(st.binary(max_size=2000))
@settings(deadline=None, max_examples=100)
def test_any_bytes_at_all_are_a_torn_tail(junk):
    header = image([]).data[:HEADER_BYTES]
    kind, found = outcome(header + junk)
    assert found == []
    assert kind == ("torn" if junk.strip(b"\0") else "clean")


def test_a_hole_of_zeros_before_a_later_batch_is_corruption():
    made = image(TWO)
    start, end = made.spans[0]
    with pytest.raises(DurableBytesLost) as caught:
        read_image(made.data[:start] + bytes(end - start) + made.data[end:])
    assert caught.value.fault.offset == start
    assert caught.value.witness == made.spans[1][0]


def test_the_bad_frame_is_named_by_its_own_offset():
    made = image(TWO)
    place = made.data.index(b"body")
    broken = made.data[:place] + b"BODY" + made.data[place + 4 :]
    with pytest.raises(DurableBytesLost, match=f"checksum is wrong at offset {place - 8}"):
        read_image(broken)


def test_a_batch_head_that_a_caller_smuggled_into_a_body_is_no_witness():
    made = image(TWO)
    at = made.spans[-1][1]
    forged = encode_batch_head(BatchHead(at + 300, at + 300, 9, 0, 0), bytes(16))
    torn = bytearray(made.data)
    torn[at + 64 : at + 64 + 12] = b"torn remains"
    torn[at + 300 : at + 300 + len(forged)] = forged
    assert outcome(bytes(torn)) == ("torn", made.payloads)


def test_a_witness_far_behind_the_damage_is_found_wherever_it_lies():
    for distance in (CHUNK - 70, CHUNK - 64, CHUNK - 63, CHUNK - 20, CHUNK, 2 * CHUNK + 5):
        at = HEADER_BYTES + distance
        head = encode_batch_head(BatchHead(at, at, 7, 0, 0), SALT)
        data = bytes(HEADER_BYTES + distance) + head + bytes(100)
        scan = Scan(lambda offset, length, data=data: data[offset : offset + length], SALT, index=0)
        assert list(scan.batches()) == []
        with pytest.raises(DurableBytesLost):
            scan.tail()


def test_a_batch_whose_index_does_not_follow_is_not_read():
    made = image([[(RECORD, b"first")]])
    scan = Scan(lambda offset, length: made.data[offset : offset + length], SALT, index=5)
    assert list(scan.batches()) == []
    assert scan.fault is not None
    assert "out of order" in scan.fault.reason


def test_a_batch_that_claims_more_than_is_before_it_is_corruption():
    start = HEADER_BYTES
    frame = encode_frame(RECORD, 0, b"x")
    head = encode_batch_head(BatchHead(start, start + 500, 0, len(frame), 1), SALT)
    with pytest.raises(DurableBytesLost):
        read_image(bytes(start) + head + frame + bytes(600))


def test_a_batch_with_another_number_of_records_than_its_head_says_is_damaged():
    start = HEADER_BYTES
    frame = encode_frame(RECORD, 0, b"x")
    data = bytes(start) + encode_batch_head(BatchHead(start, start, 0, len(frame), 2), SALT) + frame
    assert outcome(data) == ("torn", [])


def test_reading_can_begin_at_any_batch():
    made = image(TWO, "seal")
    scan = Scan(lambda offset, length: made.data[offset : offset + length], SALT, made.spans[1][0])
    assert [[frame.payload for frame in batch.frames] for batch in scan.batches()] == [[b"second"]]
    assert scan.claimed == len(made.data) == scan.end + SEAL_BYTES
