"""Callers fed by hand: what they count must depend on what came, never on how the bytes were cut."""

import asyncio
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.cli.bench.caller import Caller, Listener
from trunkline.cli.bench.transcript import text, transcript

DELTAS = 9
SAID = transcript(DELTAS)
FRAMES = [SAID.opening, *SAID.later, SAID.closing_with_usage]
STREAM = b"".join(FRAMES)
CUTS = st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=40).map(sorted)


class Ledger:
    """A run of one call that writes down what it is told."""

    request = b"POST / HTTP/1.1\r\n\r\n"
    expected = text(DELTAS)

    def __init__(self) -> None:
        self.left = 1
        self.times: list[tuple[float, float, float, list[float]]] = []
        self.lost = self.replaced = self.retired = 0
        self.failed: list[str] = []

    def another(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def answered(self, *times) -> None:
        self.times.append(times)

    def lose(self) -> None:
        self.lost += 1

    def fail(self, reason, said) -> None:
        self.failed.append(reason)

    def replace(self, caller) -> None:
        self.replaced += 1

    def retire(self, caller) -> None:
        self.retired += 1


class Line(asyncio.Transport):
    """The other end of a caller."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


def told(kind, pieces, *, then_lost=False):
    ledger, line = Ledger(), Line()
    caller = kind(ledger)
    caller.connection_made(line)
    caller.begin()
    for piece in pieces:
        caller.data_received(piece)
    if then_lost:
        caller.connection_lost(None)
    return ledger, line


def cut(data, places):
    edges = [0, *places, len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges) if a < b]


@settings(deadline=None)
@given(CUTS)
def test_a_whole_stream_is_answered_however_it_is_cut(places):
    ledger, line = told(Listener, cut(STREAM, places))
    ((began, first, ended, gaps),) = ledger.times
    assert began <= first <= ended
    assert len(gaps) == DELTAS - 1
    assert all(gap >= 0 for gap in gaps)
    assert (ledger.lost, ledger.failed, ledger.retired, line.closed) == (0, [], 1, True)


def test_each_byte_by_itself_makes_the_same_stream():
    ledger, _ = told(Listener, [STREAM[i : i + 1] for i in range(len(STREAM))])
    assert len(ledger.times[0][3]) == DELTAS - 1


@given(st.integers(min_value=1, max_value=DELTAS - 1))
def test_a_stream_that_lacks_a_delta_is_lost(index):
    ledger, _ = told(Listener, FRAMES[:index] + FRAMES[index + 1 :])
    assert (ledger.lost, ledger.times) == (1, [])


def test_a_stream_without_its_end_mark_is_lost():
    ledger, _ = told(Listener, [STREAM.replace(b"e\r\ndata: [DONE]\n\n\r\n", b"")])
    assert (ledger.lost, ledger.times) == (1, [])


@settings(deadline=None)
@given(st.integers(min_value=len(SAID.opening), max_value=len(STREAM) - 1))
def test_a_stream_that_is_cut_off_is_lost_and_its_connection_replaced(end):
    ledger, line = told(Listener, [STREAM[:end]], then_lost=True)
    assert (ledger.lost, ledger.times, ledger.failed, ledger.replaced) == (1, [], [], 1)
    assert line.closed


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=len(SAID.answer) - 1))
def test_an_answer_that_is_cut_off_has_failed(end):
    ledger, _ = told(Caller, [SAID.answer[:end]], then_lost=True)
    assert (len(ledger.failed), ledger.times, ledger.replaced) == (1, [], 1)


@settings(deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=len(SAID.answer)), max_size=10).map(sorted))
def test_a_whole_answer_is_answered_however_it_is_cut(places):
    ledger, _ = told(Caller, cut(SAID.answer, places))
    assert (len(ledger.times), ledger.failed, ledger.retired) == (1, [], 1)


def test_an_answer_with_another_text_has_failed():
    ledger, _ = told(Caller, [SAID.answer.replace(b"household", b"houseHOLD")])
    assert (ledger.failed, ledger.times) == (["another text"], [])


def test_an_error_is_counted_by_its_status():
    ledger, _ = told(Listener, [b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 2\r\n\r\n{}"])
    assert (ledger.failed, ledger.lost) == (["status 502"], 0)


def test_what_is_no_http_fails_the_call_and_replaces_the_connection():
    ledger, line = told(Caller, [b"SSH-2.0-OpenSSH_9.2\r\n"], then_lost=True)
    assert (ledger.failed, ledger.replaced, line.closed) == (["no HTTP"], 1, True)


def test_a_connection_that_the_other_side_wants_closed_is_replaced():
    ledger, _ = told(Caller, [SAID.answer.replace(b"x-request-id", b"connection: close\r\nx-request-id")])
    assert (len(ledger.times), ledger.replaced, ledger.retired) == (1, 1, 0)
