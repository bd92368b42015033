"""The authority in Redis and the one in Python say the same, whatever they are asked."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trunkline.gateway
from gateway.redis_server import RedisServer
from trunkline.policy.leases.authority import Authority
from trunkline.policy.leases.messages import (
    ACCOUNT,
    RETURN,
    SLOTS,
    Answer,
    Ask,
    Correction,
    Counted,
    Report,
    Spent,
    Want,
)

SCRIPT = Path(trunkline.gateway.__file__).with_name("lease_authority.lua").read_text()
# Microseconds that are exact as seconds in binary, so that neither side rounds.
STEP = 15_625
MEMBERS = ("a", "b", "c")
SPANS = st.sampled_from([SLOTS, ACCOUNT, 60, 60, 3600])
UNITS = st.integers(0, 12)

OWNERS = st.sampled_from(["o", "p"])
WANTS = st.builds(
    Want,
    rule=st.just("r"),
    owner=OWNERS,
    span=SPANS,
    limit=st.sampled_from([5, 20, 100]),
    need=UNITS,
    extra=st.sampled_from([0, 0, 30]),
    mark=st.integers(0, 3),
    blocks=st.booleans() | st.just(value=True),
)
CORRECTIONS = st.builds(
    Correction, rule=st.just("r"), owner=OWNERS, span=SPANS, mark=st.integers(0, 60), units=st.integers(-12, 12)
)
COUNTED = st.builds(
    Counted,
    rule=st.just("r"),
    owner=OWNERS,
    span=SPANS,
    mark=st.integers(0, 3),
    shared=st.booleans(),
    pairs=st.lists(
        st.tuples(st.integers(-10, 4000).map(lambda steps: steps * STEP / 1e6), UNITS), min_size=1, max_size=3
    ).map(tuple),
    spent=st.integers(0, 60),
    weighed=st.integers(0, 60),
)
SPENT = st.builds(
    Spent,
    rule=st.just("r"),
    owner=OWNERS,
    mark=st.integers(0, 3),
    limit=st.sampled_from([5, 20, 100]),
    units=st.integers(0, 60),
    weighed=st.integers(0, 60),
)
REPORTS = st.builds(
    Report,
    counted=st.lists(COUNTED, max_size=3).map(tuple),
    names=st.lists(st.sampled_from([*MEMBERS, "d"]), max_size=3, unique=True).map(tuple),
    fresh=st.booleans(),
    first=st.booleans() | st.just(value=True),
    last=st.booleans() | st.just(value=True),
    epoch=st.sampled_from(["", "e", "earlier"]),
    after=st.lists(st.sampled_from([*MEMBERS, "d"]), max_size=2, unique=True).map(tuple),
)
# A step: how long after the last, who, what it knows (epoch, roster, divisor, session), what it says.
STEPS = st.tuples(
    st.one_of(st.integers(0, 100), st.integers(0, 400), st.sampled_from([5000, 86_400 * 64, -50])),
    st.sampled_from(MEMBERS),
    st.sampled_from(["now", "now", "now", "earlier"]),
    st.sampled_from(["told", "told", "nothing"]),
    st.sampled_from([0, 0, 0, -1, 1]),
    st.sampled_from(["in time", "in time", "in time", "in time", "late", "none"]),
    st.none() | st.none() | st.none() | REPORTS,
    st.lists(WANTS, max_size=3, unique_by=lambda want: (want.owner, want.span)).map(tuple),
    st.lists(CORRECTIONS, max_size=2).map(tuple),
    st.sampled_from([False] * 15 + [True]),
    st.lists(SPENT, max_size=2, unique_by=lambda spent: spent.owner).map(tuple),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = RedisServer(tmp_path_factory.mktemp("redis"))
    yield running
    running.kill()


class Both:
    """The same asks to both; a member joins by a report first, as members do."""

    def __init__(self, client) -> None:
        self.script = client.register_script(SCRIPT)
        client.flushall()
        self.at, self.serial = 1000 * 64 * STEP, 0
        self.authority = None
        self.told = dict.fromkeys(MEMBERS, (0, 0, 5))  # roster, divisor, session

    def say(self, ask: Ask) -> Answer:
        if self.authority is None:
            self.authority = Authority("e", self.at, RETURN)
        expected = self.authority.hear(ask, self.at)
        packed = self.script(keys=["{trunkline}"], args=[msgspec.msgpack.encode(ask), "e", self.at])
        answer = msgspec.msgpack.decode(packed, type=Answer)
        assert answer == expected, ask
        return answer

    def step(self, step) -> None:
        later, name, epoch, told, session, by, report, wants, corrections, leaves, spent = step
        self.at += later * STEP
        self.serial += 1
        roster, divisor, known = self.told[name] if told == "told" else (0, 0, self.told[name][2])
        moment = {"in time": self.at + 64 * STEP, "late": max(1, self.at - STEP), "none": 0}[by]
        answer = self.say(
            Ask(
                serial=self.serial,
                member=name,
                session=known + session,
                epoch="e" if epoch == "now" else "earlier",
                by=moment,
                roster=roster,
                divisor=divisor,
                wants=wants,
                corrections=corrections,
                report=report,
                leaves=leaves,
                spent=spent,
            )
        )
        if answer.verdict not in ("report", "late"):
            self.told[name] = answer.roster, answer.divisor, known


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEPS, min_size=5, max_size=40), known=st.booleans())
def test_redis_answers_as_the_authority_does(server, steps, known):
    with server.client() as client:
        both = Both(client)
        if known:  # else it is up to chance who joins
            report = Report((), MEMBERS, fresh=True, first=True, last=True)
            for name in MEMBERS * 2:
                both.step((0, name, "now", "told", 0, "in time", report, (), (), False, ()))
            both.at += RETURN * 64 * STEP
            for name in MEMBERS * 2:
                both.step((0, name, "now", "told", 0, "in time", report, (), (), False, ()))
        for step in steps:
            both.step(step)


def test_money_is_exact_to_ten_million_dollars(server):
    with server.client() as client:
        both = Both(client)
        report = Report((), ("a",), fresh=True, first=True, last=True)
        for _ in range(2):
            both.step((0, "a", "now", "told", 0, "in time", report, (), (), False, ()))
            both.at += RETURN * 64 * STEP
        limit = 9_000_000 * 10**9
        want = Want("r", "o", ACCOUNT, limit, limit - 1, 0, 739_000, blocks=True)
        both.step((1, "a", "now", "told", 0, "in time", report, (want,), (), False, ()))
        want = Want("r", "o", ACCOUNT, limit, 1, 0, 739_000, blocks=True)
        both.step((1, "a", "now", "told", 0, "in time", report, (want,), (), False, ()))
        both.step((1, "a", "now", "told", 0, "in time", report, (want,), (), False, ()))
        assert client.hget("{trunkline}:e:a:1:ro", "739000") == str(limit).encode()


def test_an_emptied_or_restarted_redis_begins_a_new_epoch(tmp_path):
    server = RedisServer(tmp_path)

    def epoch(nonce: str) -> str:
        with server.client() as client:
            ask = msgspec.msgpack.encode(Ask(1, "a", 1, ""))
            packed = client.eval(SCRIPT, 1, "{trunkline}", ask, nonce)
        return msgspec.msgpack.decode(packed, type=Answer).epoch

    try:
        assert [epoch("one"), epoch("two")] == ["one", "one"]
        with server.client() as client:
            client.flushall()
        assert epoch("three") == "three"
        with server.client() as client:
            client.save()
        server.kill()
        server.start()  # with what it knew then, of which nobody can say how long ago it was
        assert epoch("four") == "four"
    finally:
        server.kill()
