"""What a record has of a released answer, as chunks with their times, and why it may have none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.logs import Machine, abandoned, call_id, closed, opened, refused
from trunkline.audit.format.timing import encode_timing
from trunkline.ledger.answers import Misunderstood, Unanswerable
from trunkline.ledger.archive import Piece
from trunkline.ledger.evidence_answers import Chunk, ReplayEnd
from trunkline.ledger.ledger import Ledger
from trunkline.ledger.replay import ABANDONED, MOST_BYTES, chunks_of

ENDED = {"timings": {"first_byte_ms": 12.5, "total_ms": 99.0}}
marked = st.lists(st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=40)), min_size=1, max_size=6))


@given(marked)
def test_chunks_are_the_bytes_in_their_order_with_their_times(frames):
    pieces = [
        Piece(b"".join(data for _, data in frame), encode_timing([(ms, len(data)) for ms, data in frame]))
        for frame in frames
    ]
    found = list(chunks_of(iter(pieces), ENDED, stream=True))
    assert found == [Chunk(ms, data) for frame in frames for ms, data in frame if data]


def test_a_piece_without_times_comes_at_once_when_the_rest_of_the_record_says():
    pieces = [Piece(b"one", None), Piece(b"two", encode_timing([(20, 3)])), Piece(b"three", None)]
    assert [chunk.ms for chunk in chunks_of(iter(pieces), ENDED, stream=True)] == [12.5, 20, 20]
    assert [chunk.ms for chunk in chunks_of(iter(pieces[:1]), ENDED, stream=False)] == [99.0]
    assert [chunk.ms for chunk in chunks_of(iter(pieces[:1]), {}, stream=True)] == [0.0]


def test_a_large_piece_is_handed_on_bit_by_bit():
    data = bytes(range(256)) * (MOST_BYTES // 100)
    found = list(chunks_of(iter([Piece(data, None)]), ENDED, stream=False))
    assert max(len(chunk.data) for chunk in found) == MOST_BYTES
    assert b"".join(chunk.data for chunk in found) == data


@pytest.mark.parametrize("timing", [b"[[1,2]]", b"[[1,4]]", b"[]", b"{}", b"nonsense", b"[[1,4],[2,-1]]"])
def test_times_that_are_not_those_of_the_bytes_are_no_times(timing):
    with pytest.raises(ValueError, match=r"timing|times"):
        list(chunks_of(iter([Piece(b"abc", timing)]), ENDED, stream=True))


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    yield machine
    machine.stop()


def ledger_of(machine: Machine) -> Ledger:
    def damaged(error: Exception) -> None:
        raise error

    machine.flush()
    ledger = Ledger(machine.path, damaged)
    ledger.open()
    ledger.catch_up()
    return ledger


CASES = [
    ("has not ended", opened(1), None, None),
    ("left before the first byte", opened(1), closed(1, outcome="cancelled_before", status=499), b"never sent"),
    ("was not recorded", opened(1), closed(1), None),
    ("its worker died", opened(1, stream=False), abandoned(1), b"would have been said"),
    ("its worker died", opened(1, stream=True), abandoned(1), None),
    ("was not let in", None, refused(1), None),
    ("no call", None, closed(2), None),
]


@pytest.mark.parametrize(("why", "first", "last", "response"), CASES, ids=[case[0] for case in CASES])
def test_why_nothing_can_be_replayed_is_said(machine, why, first, last, response):
    for record in (first, last):
        if record is not None:
            machine.write(record, bodies={"response": response} if response and record is last else None)
    ledger = ledger_of(machine)
    try:
        with pytest.raises(Unanswerable, match=why):
            ledger.replay(call_id(1))
        with pytest.raises(Misunderstood):
            ledger.replay("none")
    finally:
        ledger.close()


def test_what_an_abandoned_stream_had_released_comes_with_a_note(machine):
    ended = abandoned(1)
    machine.write(opened(1, stream=True))
    machine.write(type(ended)(call=ended.call, tenant="harbor", outcome="abandoned", cost=ended.cost, released_bytes=5),
                  bodies={"response": b"half,"})  # fmt: skip
    ledger = ledger_of(machine)
    try:
        assert list(ledger.replay(call_id(1)).words()) == [Chunk(0.0, b"half,"), ReplayEnd(5, ABANDONED)]
    finally:
        ledger.close()


def test_a_damaged_body_ends_a_replay_with_the_reason(machine):
    machine.write(opened(1))
    machine.write(closed(1), bodies={"response": b"Something unique was said here."})
    ledger = ledger_of(machine)
    try:
        found = ledger.replay(call_id(1))
        (segment,) = (machine.path / "log" / "gw" / "worker-0").glob("*.seg")
        damaged = segment.read_bytes().replace(b"Something unique", b"Something forged")
        segment.chmod(0o600)
        segment.write_bytes(damaged)
        with pytest.raises(Unanswerable, match="cannot be read"):
            list(found.words())
    finally:
        ledger.close()
