"""The review queue as the index makes it of control's log, broken records included."""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.logs import Machine, call_id, closed, follow, open_index, opened, tables
from ledger.rows import Book, second
from trunkline.audit.format.sealing import NO_KEYS
from trunkline.control.reads import AuditRead
from trunkline.control.reviews import ReviewDecided, ReviewSampled
from trunkline.ledger.answers import Misunderstood, Period, Unanswerable
from trunkline.ledger.archive import Archive
from trunkline.ledger.review_answers import (
    DecideQuestion,
    QueueQuestion,
    ReadsQuestion,
    ReportQuestion,
    SampleQuestion,
)
from trunkline.ledger.reviews import HELD, MOST_OPEN, Reviews
from trunkline.ledger.schema import FACTS
from trunkline.model.records import Finding

SAMPLE = "01a214f8-0000-7000-8000-00000000000a"
AGAIN = "01a214f8-0000-7000-8000-00000000000b"
SOON = 4e9
FINDING = Finding(
    policy="p", policy_version="v", rule="r", stage="output", action="flag", where="x", start=0, end=1, ms=1.0
)


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    yield machine
    machine.stop()


@pytest.fixture
def index(machine):
    index = open_index(machine.path)
    yield index
    index.close()


def note(machine, record, record_id, bodies=None):
    fields = msgspec.to_builtins(record)
    machine.log("control").append(fields.pop("type"), record_id, json.dumps(fields).encode(), bodies)


def sampled(machine, record_id, calls, why="drawn"):
    record = ReviewSampled(
        who="jane (supervisor)", until="2027-01-01T00:00:00Z", percent="5", seed="s", population=9,
        population_sha256="0" * 64, flagged=0, rest=9, drawn=len(calls), queued=len(calls), known=0, running=0,
    )  # fmt: skip
    rows = "\n".join(json.dumps({"call": call_id(number), "why": why}) for number in calls)
    note(machine, record, record_id, {"calls": rows.encode()})


def decided(machine, number, verdict, record_id, sample=SAMPLE, supersedes=None):
    record = ReviewDecided(
        who="jane (supervisor)", call=call_id(number), sample=sample, verdict=verdict, supersedes=supersedes
    )
    note(machine, record, record_id, {"note": b"why"})


def calls(machine, count, **fields):
    for number in range(1, count + 1):
        machine.write(opened(number, user=f"user-{number % 2}"))
        machine.write(closed(number, **fields))


def states(reviews):
    return {row[0][-2:]: (row[8], row[10]) for row in reviews.listed(QueueQuestion(), SOON).rows}


def test_the_queue_is_a_fold_of_control_s_log_however_it_is_read(machine, index):
    calls(machine, 4)
    sampled(machine, SAMPLE, [1, 2, 3])
    decided(machine, 1, "violation", "01a214f8-0000-7000-8000-000000000001")
    decided(machine, 2, "ok", "01a214f8-0000-7000-8000-000000000002")
    decided(machine, 1, "ok", "01a214f8-0000-7000-8000-000000000003")
    machine.flush()
    follow(index, machine.path, most=1)
    reviews = Reviews(index, Archive(machine.path, NO_KEYS))
    assert states(reviews) == {"01": ("decided", "ok"), "02": ("decided", "ok"), "03": ("open", None)}
    assert reviews.left() == 1
    assert index.ask("SELECT why, verdict, decisions FROM reviews WHERE call_id = ?::UUID", [call_id(1)]) == [
        ("drawn", "ok", 2)
    ]
    history = reviews.history(call_id(1))
    assert [(one.verdict, one.note) for one in history.decisions] == [("violation", "why"), ("ok", "why")]
    before = tables(index)
    index.clear()
    follow(index, machine.path)
    assert tables(index) == before


def test_a_call_that_is_chosen_again_is_open_again_and_its_decisions_stay(machine, index):
    calls(machine, 2)
    sampled(machine, SAMPLE, [1, 2])
    decided(machine, 1, "ok", "01a214f8-0000-7000-8000-000000000001")
    sampled(machine, AGAIN, [1])
    machine.flush()
    follow(index, machine.path)
    reviews = Reviews(index, Archive(machine.path, NO_KEYS))
    assert states(reviews) == {"01": ("open", None), "02": ("open", None)}
    assert reviews.decidable(DecideQuestion(call=call_id(1), verdict="ok"), "x", SOON).sample == AGAIN
    assert len(reviews.history(call_id(1)).decisions) == 1
    decided(machine, 1, "escalate", "01a214f8-0000-7000-8000-000000000002", sample=AGAIN)
    machine.flush()
    follow(index, machine.path)
    assert states(reviews)["01"] == ("decided", "escalate")


def test_a_call_is_its_reviewer_s_for_half_an_hour_and_then_anybody_s(machine, index):
    calls(machine, 2)
    sampled(machine, SAMPLE, [1, 2])
    note(machine, AuditRead(who="jane", action="review", calls=1, call=call_id(1)), SAMPLE[:-1] + "c")
    machine.flush()
    follow(index, machine.path)
    reviews = Reviews(index, Archive(machine.path, NO_KEYS))
    ((at,),) = index.ask(f'SELECT "at" FROM {FACTS}.reads')
    now = at.timestamp() + 1
    assert reviews.next(None, "jane", now).call == call_id(1)
    assert reviews.next(None, "omar", now).call == call_id(2)
    assert reviews.next(None, "omar", now + HELD).call == call_id(1)
    ask = DecideQuestion(call=call_id(1), verdict="ok")
    with pytest.raises(Unanswerable, match="jane is looking at this call"):
        reviews.decidable(ask, "omar", now)
    assert reviews.decidable(ask, "omar", now + HELD) == reviews.decidable(ask, "jane", now)
    with pytest.raises(Unanswerable, match="no call of nobody waits"):
        reviews.next("nobody", "jane", now)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("choose"), st.sets(st.integers(1, 5), min_size=1)),
        st.tuples(st.just("decide"), st.integers(1, 5)),
        st.tuples(st.just("read"), st.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=20, deadline=None)
@given(STEPS)
def test_whatever_was_chosen_and_decided_in_whatever_order_stands_as_the_last_word_says(steps):
    with tempfile.TemporaryDirectory() as directory:
        machine = Machine(Path(directory))
        index = open_index(machine.path)
        model: dict[int, tuple[str, str | None]] = {}  # call -> the sample that chose it last, the decision since
        calls(machine, 5)
        for number, (step, what) in enumerate(steps):
            record = f"01a214f8-0000-7000-8000-{number:012d}"
            if step == "choose":
                sampled(machine, record, sorted(what))
                model |= dict.fromkeys(what, (record, None))
            elif step == "decide" and what in model:
                decided(machine, what, ("ok", "violation")[number % 2], record, sample=model[what][0])
                model[what] = (model[what][0], ("ok", "violation")[number % 2])
            elif step == "read":
                machine.flush()
                follow(index, machine.path)
        machine.flush()
        follow(index, machine.path)
        wanted = {f"{call:02d}": ("decided" if verdict else "open", verdict) for call, (_, verdict) in model.items()}
        assert states(Reviews(index, Archive(machine.path, NO_KEYS))) == wanted
        index.close()
        machine.stop()


def test_flagged_are_calls_with_findings_and_those_whose_outcome_is_a_reason_to_look(machine, index):
    said = [{}, {"findings": (FINDING,)}, {"outcome": "blocked"}, {"outcome": "replaced"}, {"outcome": "refused"}]
    for number, fields in enumerate(said, 1):
        machine.write(opened(number))
        machine.write(closed(number, **fields))
    machine.write(opened(6, judged_call=call_id(1)))
    machine.write(closed(6, outcome="blocked"))
    machine.write(opened(7))
    machine.flush()
    follow(index, machine.path)
    drawn, running = Reviews(index, Archive(machine.path, NO_KEYS)).draw(sample(all_flagged=True), SOON)
    assert drawn.chosen == {call_id(number): "flagged" for number in (2, 3, 4, 5)}
    assert (drawn.population, drawn.flagged, drawn.rest, running) == (5, 4, 1, 1)
    drawn, _ = Reviews(index, Archive(machine.path, NO_KEYS)).draw(sample(percent="100"), SOON)
    assert drawn.chosen == {call_id(number): "drawn" for number in (1, 2, 3, 4, 5)}


def sample(**fields):
    return SampleQuestion(period=Period(), seed="s", **fields)


def test_a_population_of_several_pages_is_drawn_from_as_a_whole(machine, index, monkeypatch):
    calls(machine, 25)
    machine.flush()
    follow(index, machine.path)
    reviews = Reviews(index, Archive(machine.path, NO_KEYS))
    whole = reviews.draw(sample(percent="20"), SOON)
    monkeypatch.setattr("trunkline.ledger.reviews.PAGE", 7)
    assert reviews.draw(sample(percent="20"), SOON) == whole
    assert (whole[0].population, whole[0].drawn) == (25, 5)


def test_the_queue_is_bounded(tmp_path):
    book = Book(tmp_path)
    for _ in range(3):
        book.add()
    book.index.ask(
        f'INSERT INTO {FACTS}.chosen (call, sample, "at", why, n)'
        f" SELECT gen_random_uuid(), '{SAMPLE}', now(), 'drawn', n FROM range({MOST_OPEN - 2}) r(n)"
    )
    reviews = Reviews(book.index, tmp_path)
    with pytest.raises(Unanswerable, match="9,998 calls are open and 3 would come on top, but the queue takes 10,000"):
        reviews.draw(sample(percent="100"), SOON)
    assert len(reviews.draw(sample(percent="50"), SOON)[0].chosen) == 2
    book.close()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (sample(), "nothing would be chosen"),
        (sample(percent="101"), "is no percent"),
        (SampleQuestion(period=Period(since=10.0), seed="s", percent="5"), "begin before it ends"),
        (SampleQuestion(period=Period(since=-1e30), seed="s", percent="5"), "no such time"),
        (SampleQuestion(period=Period(), seed="a\nb", percent="5"), "printable"),
    ],
)
def test_a_sample_that_makes_no_sense_is_refused(tmp_path, asked, said):
    book = Book(tmp_path)
    with pytest.raises(Misunderstood, match=said):
        Reviews(book.index, tmp_path).draw(asked, 10.0)
    book.close()


def test_records_that_are_none_are_counted_as_unreadable_and_change_nothing(machine, index):
    calls(machine, 1)
    sampled(machine, SAMPLE, [1])
    broken = [
        ("review.sampled", {"who": "x"}, None),
        ("review.decided", {"who": "x", "call": "no id", "sample": SAMPLE, "verdict": "ok"}, None),
        ("audit.read", {"who": "x", "action": "bodies"}, None),
    ]
    record = msgspec.to_builtins(
        ReviewSampled(
            who="x", until="2027-01-01T00:00:00Z", percent="5", seed="s", population=1, population_sha256="0",
            flagged=0, rest=1, drawn=1, queued=1, known=0, running=0,
        )
    )  # fmt: skip
    broken.append((record.pop("type"), record | {"since": "soon"}, None))
    for number, (kind, fields, bodies) in enumerate(broken):
        machine.log("control").append(kind, SAMPLE[:-1] + str(number), json.dumps(fields).encode(), bodies)
    machine.log("control").append("review.sampled", AGAIN, json.dumps(record).encode(), {"calls": b'{"call": "no id"}'})
    machine.flush()
    follow(index, machine.path)
    ((unreadable,),) = index.ask(f'SELECT count(DISTINCT (log, segment, "offset")) FROM {FACTS}.unreadable')
    assert unreadable == len(broken) + 1
    assert states(Reviews(index, Archive(machine.path, NO_KEYS))) == {"01": ("open", None)}


def test_a_report_counts_each_call_once_and_hours_of_waiting(tmp_path):
    book = Book(tmp_path)
    for user in ("ann", "ann", "bob", None):
        book.add(user_id=user)
    chosen = [(1, SAMPLE, "00:00"), (1, AGAIN, "02:00"), (2, SAMPLE, "00:00"), (3, SAMPLE, "00:00")]
    for number, sample_id, at in chosen:
        book.index.ask(
            f'INSERT INTO {FACTS}.chosen (call, sample, "at", why, n) VALUES (?::UUID, ?::UUID, ?, ?, 1)',
            [call_id(number), sample_id, f"2026-06-16T{at}:00Z", "flagged" if number == 1 else "drawn"],
        )
    for number, sample_id, at in ((1, SAMPLE, "01:00"), (1, AGAIN, "05:00"), (2, SAMPLE, "01:30")):
        book.index.ask(
            f'INSERT INTO {FACTS}.decisions (id, call, sample, "at", who, verdict)'
            " VALUES (gen_random_uuid(), ?::UUID, ?::UUID, ?, 'jane', 'violation')",
            [call_id(number), sample_id, f"2026-06-16T{at}:00Z"],
        )
    reviews = Reviews(book.index, tmp_path)
    now = datetime(2026, 6, 16, 6, tzinfo=UTC).timestamp()
    found = reviews.report(ReportQuestion(period=Period(second("2026-06-15")), by=("user",)), now)
    assert [dict(zip(found.columns, row, strict=True)) for row in found.rows] == [
        row("ann", 2, 2, 1, 1, 2, 0, violation=2, share=100.0, wait_h=2.25, longest_h=3.0),
        row("bob", 1, 1, 0, 1, 0, 1, share=0.0, wait_h=None, longest_h=6.0),
        row(None, 1, 0, 0, 0, 0, 0, share=0.0, wait_h=None, longest_h=None),
        row("(all)", 4, 3, 1, 2, 2, 1, violation=2, share=50.0, wait_h=2.25, longest_h=6.0),
    ]
    for limit, more in ((2, True), (3, False)):
        short = reviews.report(ReportQuestion(period=Period(), by=("user",), limit=limit), now)
        assert (len(short.rows), short.rows[-1][0], short.more) == (limit + 1, "(all)", more)
    nothing = reviews.report(ReportQuestion(period=Period(until=1.0)), now)
    assert [row[:5] for row in nothing.rows] == [["(all)", None, 0, 0, 0]]
    book.close()


def row(user, calls, chosen, flagged, drawn, reviewed, waiting, **others):
    counts = {
        "calls": calls,
        "chosen": chosen,
        "flagged": flagged,
        "drawn": drawn,
        "reviewed": reviewed,
        "open": waiting,
    }
    return {"user": user, **counts, "ok": 0, "false_alarm": 0, "violation": 0, "escalate": 0, **others}


def test_a_look_by_export_or_scan_counts_for_the_calls_that_its_filter_lets_through(machine, index):
    calls(machine, 2)
    passing = [{}, {"user": "user-1"}, {"route": "voice", "outcome": "answered"}, {"since": "2020-01-01T00:00:00.000Z"}]
    others = [{"user": "user-0"}, {"tenant": "other"}, {"until": "2020-01-01T00:00:00.000Z"}, {"outcome": "blocked"}]
    for number, filters in enumerate([*passing, *others]):
        record = AuditRead(who=f"w{number}", action="export", calls=1, filter=filters, format="jsonl")
        note(machine, record, f"01a214f8-0000-7000-8000-0000000001{number:02d}")
    machine.flush()
    follow(index, machine.path)
    found = Reviews(index, Archive(machine.path, NO_KEYS)).reads(ReadsQuestion(call=call_id(1)))
    assert sorted(row[1] for row in found.rows) == ["w0", "w1", "w2", "w3"]
    assert len(Reviews(index, Archive(machine.path, NO_KEYS)).reads(ReadsQuestion()).rows) == 8
    with pytest.raises(Misunderstood, match="is no call id"):
        Reviews(index, Archive(machine.path, NO_KEYS)).reads(ReadsQuestion(call="x"))
