"""Limits played against an index: in the order of time, a stretch at a time, whatever the stretches are."""

import msgspec
import pytest
from msgspec.structs import replace

from ledger.logs import closed, opened, refused
from trunkline.ledger import simulation
from trunkline.ledger.answers import Misunderstood
from trunkline.ledger.fold import Fold, Standing
from trunkline.ledger.index import Index
from trunkline.ledger.limit_answers import SimulationQuestion
from trunkline.ledger.simulation import Simulation
from trunkline.model.records import ErrorSummary
from trunkline.model.snapshot import Budget, Key, Limits, Tenant

DAWN = 1_782_000_000.0
HARBOR = Tenant(name="harbor", enforce="observe", user_limits=Limits(requests_per_minute=3))
KEYS = {"voice-agent": Key(id="voice-agent", tenant="harbor", digests=("0" * 64,))}
DAY = 86_400.0


class Past:
    """Records of the past, written into an index of a time of their own."""

    def __init__(self, directory) -> None:
        self.index = Index(directory)
        self.index.open()
        self._fold = Fold()
        self._count = 0

    def call(self, after: float, **fields) -> None:
        number = self._count = self._count + 1
        ended = fields.pop("ended", {})
        self._take("call.opened", after, opened(number, **fields), id=opened(number).call)
        self._take("call.closed", after + 0.5, closed(number, **ended))

    def refusal(self, after: float, **fields) -> None:
        self._count += 1
        self._take("call.refused", after, refused(self._count, **fields))

    def _take(self, kind: str, after: float, record, **more) -> None:
        at = msgspec.to_builtins(msgspec.json.decode(msgspec.json.encode(DAWN + after), type=float))
        stamp = simulation._moment(at).isoformat().replace("+00:00", "Z")
        said = {"v": 1, "type": kind, "at": stamp} | msgspec.to_builtins(record) | more
        self._fold.take(msgspec.json.encode(said), Standing(1, 0, self._count))

    def written(self) -> Index:
        lines = self._fold.taken()
        assert not lines.unreadable, lines.unreadable
        self.index.add(lines, [], [], [])
        return self.index


@pytest.fixture
def past(tmp_path):
    made = Past(tmp_path)
    yield made
    made.index.close()


def simulated(index: Index, tenant: Tenant = HARBOR, **asked):
    question = SimulationQuestion(**({"since": DAWN, "until": DAWN + 90 * DAY} | asked))
    run = Simulation(index, {"harbor": tenant}, KEYS, question, 0)
    while run.advance():
        step = run.step()
        assert 0 <= step.done <= step.of
    return run.report()


def test_calls_and_refusals_are_judged_in_the_order_of_time(past):
    for second in range(4):
        past.call(second, user="ann")
    limited = {"outcome": "limited", "status": 429, "route": "voice", "key_id": "voice-agent"}
    past.refusal(4, user="ann", count=2, **limited)
    past.refusal(5, user="ann")  # denied: no limit has seen it
    past.call(100, user="ann")
    report = simulated(past.written())
    assert (report.calls, report.refused) == (7, 3)
    (row,) = report.rows
    assert (row.owner, row.rule, row.calls) == ("ann", "user_limits.requests_per_minute", 3)
    assert row.example == opened(4).call


@pytest.mark.parametrize(("most", "first"), [(8, 3600.0), (50, 7.0), (20_000, 3600.0)])
def test_how_it_is_cut_makes_no_difference(past, monkeypatch, most, first):
    for number in range(60):
        past.call(number * 7.3 % 250, user=f"u{number % 4}")
    past.call(40 * DAY, user="u0")
    monkeypatch.setattr(simulation, "MOST_ROWS", most)
    monkeypatch.setattr(simulation, "FIRST", first)
    report = simulated(past.written())
    assert report.calls == 61
    assert {row.owner: row.calls for row in report.rows} == {"u0": 5, "u1": 5, "u2": 5, "u3": 5}


def test_what_still_counted_at_the_beginning_is_counted(past):
    for second in range(3):
        past.call(second, user="ann")
    past.call(30, user="ann")
    index = past.written()
    report = simulated(index, since=DAWN + 20)
    assert (report.calls, report.refused) == (1, 1)
    total = replace(HARBOR, user_limits=None, budget=Budget("0.00005", "total"))
    report = simulated(index, total, since=DAWN + 29)
    assert (report.calls, report.refused) == (1, 1)  # three calls of 0.000017 were long ago


def test_a_sentence_instead_of_an_answer_was_a_refusal_unless_it_was_for_the_fair_share(past):
    error = ErrorSummary("rate_limit_exceeded", "tenant_limit", "m", "user_limits.requests_per_minute", "ann")
    fair = replace(error, rule="fair_share")
    past.call(0, user="ann")
    for second, said in ((1, error), (2, fair)):
        past.call(second, user="ann", ended={"outcome": "limited", "error": said, "usage": None, "cost": None})
    tenant = replace(HARBOR, user_limits=Limits(tokens_per_minute=70))
    report = simulated(past.written(), tenant)
    # The first took 40; the second wants a usual 40 and is refused; the third was let in and used none.
    assert (report.calls, report.refused) == (3, 1)


def test_another_tenants_calls_are_counted_as_unjudged_or_left_out(past):
    past.call(0, user="ann")
    past.call(1, tenant="gone")
    index = past.written()
    assert simulated(index).unjudged == 1
    assert simulated(index, tenant=HARBOR).calls == 1
    question = SimulationQuestion(since=DAWN, until=DAWN + 9, tenant="gone")
    with pytest.raises(Misunderstood, match="no tenant `gone`; it has harbor"):
        Simulation(index, {"harbor": HARBOR}, KEYS, question, 0)


@pytest.mark.parametrize(
    "asked", [{"most": 0}, {"most": 2001}, {"until": DAWN}, {"since": -1e99}, {"until": 1e99}, {"since": float("nan")}]
)
def test_a_question_that_is_none_is_refused(past, asked):
    with pytest.raises(Misunderstood):
        simulated(past.written(), **asked)


def test_rows_beyond_the_most_are_counted(past):
    for user in ("ann", "bo", "cleo"):
        for second in range(5):
            past.call(second, user=user)
    report = simulated(past.written(), most=2)
    assert [row.owner for row in report.rows] == ["ann", "bo"]
    assert report.left_out == 1


def test_an_index_without_calls_has_nothing_to_judge(past):
    report = simulated(past.written())
    assert (report.calls, report.refused, report.rows) == (0, 0, ())


def test_a_judge_s_call_takes_no_request_or_slot_of_the_caller_s_but_tokens(past):
    past.call(0, user="ann")
    past.call(0.1, user="ann", judged_call=opened(1).call)
    index = past.written()
    for limits in (Limits(requests_per_minute=1), Limits(concurrent_requests=1)):
        assert simulated(index, replace(HARBOR, user_limits=limits)).refused == 0
    assert simulated(index, replace(HARBOR, user_limits=Limits(tokens_per_minute=50))).refused == 1
    assert simulated(index, replace(HARBOR, route_limits={"voice": Limits(requests_per_minute=1)})).refused == 1
