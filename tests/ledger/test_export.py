"""Exports have every call that was asked for, exactly, and can be trusted to say what they lack."""

import hashlib
import json
from datetime import UTC, datetime
from html.parser import HTMLParser

import msgspec
import pytest

from ledger.logs import Machine, abandoned, call_id, closed, opened, refused
from trunkline.audit.files.reader import read_records
from trunkline.audit.format.timing import encode_timing
from trunkline.ledger import export as exporting
from trunkline.ledger.answers import Forget, Misunderstood, Period, Unanswerable
from trunkline.ledger.evidence_answers import ExportData, ExportEnd, ExportQuestion, ExportStep, Missing
from trunkline.ledger.ledger import Ledger
from trunkline.model.records import ErrorSummary, Finding

ALL = ExportQuestion(period=Period())


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    yield machine
    machine.stop()


@pytest.fixture
def ledger(machine):
    ledger = Ledger(machine.path, lambda _: None)
    ledger.open()
    yield ledger
    ledger.close()


def asked(ledger: Ledger, **words) -> tuple[bytes, ExportEnd, list[ExportStep]]:
    ledger.catch_up()
    return taken(ledger.export(msgspec.structs.replace(ALL, **words)).words("me"))


def taken(words) -> tuple[bytes, ExportEnd, list[ExportStep]]:
    *some, end = words
    data = b"".join(word.data for word in some if isinstance(word, ExportData))
    assert isinstance(end, ExportEnd)
    assert end.size == len(data)
    return data, end, [word for word in some if isinstance(word, ExportStep)]


def lines(data: bytes) -> list[dict]:
    return [json.loads(line) for line in data.splitlines()]


def calls_in(data: bytes) -> list[str | None]:
    return [line["call"] for line in lines(data)]


def write(machine: Machine, number: int, name: str = "worker-0", **bodies: bytes) -> None:
    machine.write(opened(number), name, {"request": bodies.pop("request", b'{"messages": []}')})
    machine.write(closed(number), name, bodies or {"response": b"{}"})


def test_every_call_is_a_line_with_its_records_byte_for_byte(machine, ledger):
    write(machine, 1, response=b"Gr\xc3\xbc\xc3\x9fe", response_timing=encode_timing([(3, 2), (4, 5)]), raw=b"\xff\x00")
    machine.flush()
    data, end, _ = asked(ledger)
    (line,) = data.splitlines()
    first, last = [one.bytes for one in read_records(machine.data_dir.log_directory("gw", "worker-0"), upto="whole")][
        1:3
    ]
    assert line.startswith(b'{"call":"%b","opened":%b,"closed":%b,' % (call_id(1).encode(), first, last))
    found = json.loads(line)
    leaf = hashlib.sha256(b"\0" + first).hexdigest()
    assert found["leaves"] == {"opened": leaf, "closed": hashlib.sha256(b"\0" + last).hexdigest()}
    assert found["bodies"] == {"request": '{"messages": []}', "response": "Grüße", "raw": {"base64": "/wA="}}
    assert found["timings"] == {"response": [[3, 2], [4, 5]]}
    assert (end.calls, end.refusals, end.lost, end.missing) == (1, 0, 0, Missing(0, 0, 0))


def test_a_record_that_was_spilled_is_there_as_it_stands_and_whole(machine, ledger):
    machine.write(opened(1, parameters={"stop": ["x" * 70_000]}))
    machine.write(closed(1))
    machine.flush()
    ((line,), end, _) = (lines(asked(ledger)[0]), *asked(ledger)[1:])
    assert "spilled" in line["opened"]
    assert line["whole"]["opened"]["parameters"] == {"stop": ["x" * 70_000]}
    assert list(line["whole"]) == ["opened"]
    assert end.lost == 0


def test_calls_of_several_logs_come_in_the_order_of_their_time_each_once(machine, ledger, monkeypatch):
    monkeypatch.setattr(exporting, "PAGE", 7)
    for number in range(60):
        write(machine, number, f"worker-{number % 3}")
        if number % 10 == 0:
            machine.write(refused(1000 + number), f"worker-{number % 2}")
    machine.flush()
    data, end, steps = asked(ledger)
    found = lines(data)
    times = [next(line[name]["at"] for name in ("opened", "refused") if name in line) for line in found]
    assert times == sorted(times)
    calls = [line["call"] for line in found]
    assert sorted(calls) == sorted([call_id(n) for n in range(60)] + [call_id(1000 + n) for n in range(0, 60, 10)])
    assert (end.calls, end.refusals) == (60, 6)
    assert [(step.done, step.of) for step in steps] == [(64, 66), (66, 66)]


def test_filters_choose_and_refusals_come_where_they_could_be_meant(machine, ledger):
    found = Finding(
        policy="pii", policy_version="1", rule="ssn", stage="output", action="block", where="x", start=0, end=1, ms=1.0
    )
    for number, (first, last) in enumerate(
        [
            ({"tenant": "a", "user": "ann", "subject": "s-1", "session": "one"}, {}),
            ({"tenant": "a", "user": "bob", "subject": "s-2", "session": "two"}, {"outcome": "blocked"}),
            ({"tenant": "b", "user": "ann", "subject": "s-1", "session": "one"}, {"findings": (found,)}),
        ]
    ):
        machine.write(opened(number, **first))
        machine.write(closed(number, **last))
    machine.write(refused(9, tenant="a", user="ann"))
    machine.flush()
    numbers = {call_id(number): number for number in (0, 1, 2, 9)}

    def chosen(**words) -> list[int]:
        return sorted(numbers[call] for call in calls_in(asked(ledger, **words)[0]))

    assert chosen() == [0, 1, 2, 9]
    assert chosen(tenant="a") == [0, 1, 9]
    assert chosen(user="ann") == [0, 2, 9]
    assert chosen(subject="s-1") == [0, 2]
    assert chosen(session="two") == [1]
    assert chosen(outcome="blocked") == [1]
    assert chosen(outcome="denied") == [9]
    assert chosen(finding="pii") == chosen(finding="ssn") == [2]
    assert chosen(tenant="a", user="bob", session="two") == [1]
    assert chosen(tenant="none") == []
    now = datetime.now(UTC).timestamp()
    assert chosen(period=Period(since=now - 3600, until=now + 3600)) == [0, 1, 2, 9]
    assert chosen(period=Period(until=now - 3600)) == chosen(period=Period(since=now + 3600)) == []
    with pytest.raises(Misunderstood):
        asked(ledger, outcome="splendid")


def test_what_ends_while_it_is_made_is_not_in_it(machine, ledger):
    for number in range(3):
        write(machine, number)
    machine.write(opened(7, tenant="x"))
    machine.flush()
    ledger.catch_up()
    words = ledger.export(ALL).words("me")
    other = ledger.export(msgspec.structs.replace(ALL, tenant="harbor"))
    machine.write(closed(7))
    write(machine, 8)
    machine.flush()
    ledger.catch_up()
    data, end, _ = taken(words)
    assert calls_in(data) == [call_id(number) for number in range(3)]
    assert end.missing.running == 1
    assert taken(other.words("me"))[1].missing.running == 0
    assert len(calls_in(asked(ledger)[0])) == 5


def test_an_index_that_is_changed_meanwhile_ends_it(machine, ledger, monkeypatch):
    monkeypatch.setattr(exporting, "PAGE", 2)
    monkeypatch.setattr(exporting, "SAID_EVERY", 1)
    for number in range(6):
        write(machine, number)
    machine.flush()
    ledger.catch_up()
    words = ledger.export(ALL).words("me")
    assert isinstance(next(words), ExportData)
    ledger.forget(Forget(datetime.now(UTC).timestamp() + 60))
    with pytest.raises(Unanswerable, match="changed meanwhile"):
        list(words)


def test_what_the_log_has_lost_is_said_of_each_call(machine, ledger):
    for number in range(4):
        write(machine, number, response=b"said in call %d" % number)
    machine.write(refused(9))
    machine.stop()
    ledger.catch_up()
    (segment,) = machine.data_dir.log_directory("gw", "worker-0").glob("*.seg")
    segment.chmod(0o600)
    segment.write_bytes(segment.read_bytes().replace(b"said in call 2", b"SAID in call 2"))
    data, end, _ = asked(ledger)
    assert end.lost == 1
    assert [("lost" in line, line["call"]) for line in lines(data)][2] == (True, call_id(2))
    assert b"its bodies cannot be read" in data
    page, *_ = asked(ledger, format="html")
    assert page.count(b'class="lost"') == 1
    segment.unlink()
    data, end, _ = asked(ledger)
    assert end.lost == 5
    assert all("does not have its records" in line["lost"] for line in lines(data))
    page, *_ = asked(ledger, format="html")
    assert page.count(b'class="lost"') == 5


def test_records_and_logs_that_cannot_be_read_are_counted(machine, ledger):
    write(machine, 1)
    machine.write_raw("call.closed", "odd", json.dumps({"call": call_id(5), "outcome": "answered"}).encode())
    for number in range(10, 200):  # more than one segment
        write(machine, number, "worker-1")
    machine.flush()
    segment = sorted(machine.data_dir.log_directory("gw", "worker-1").glob("*.seg"))[1]
    data = bytearray(segment.read_bytes())
    data[5000] ^= 1
    segment.chmod(0o600)
    segment.write_bytes(data)
    _, end, _ = asked(ledger)
    assert (end.missing.unreadable, end.missing.damaged) == (1, 1)
    page, *_ = asked(ledger, format="html")
    assert b"Unreadable" in page
    assert b"Damaged" in page


def test_it_comes_piece_by_piece(machine, ledger):
    for number in range(40):
        write(machine, number, response=b'"%b"' % (b"x" * 20_000))
    machine.flush()
    ledger.catch_up()
    sizes = [len(word.data) for word in ledger.export(ALL).words("me") if isinstance(word, ExportData)]
    assert len(sizes) > 3
    assert max(sizes) <= exporting.MOST_BYTES


class Seen(HTMLParser):
    """What a browser would make of a page: its elements, their attributes, its text."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.open: list[str] = []
        self.said: list[str] = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes |= {(tag, name) for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said.append(data)


HOSTILE = '</div></section><script>alert("1")</script><img src=x onerror=alert(2)>\'"&lt;\x1b[31m\u202e<!--'
ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "p", "dl", "dt", "dd", "section",
    "time", "span", "div", "b", "pre", "mark", "table", "thead", "tbody", "tr", "th", "td", "footer",
}  # fmt: skip
ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class", "dir"}


def test_a_hostile_answer_cannot_break_the_page(machine, ledger):
    message = {"role": HOSTILE, "content": HOSTILE, "tool_call_id": HOSTILE}
    tool = {"id": HOSTILE, "function": {"name": HOSTILE, "arguments": HOSTILE}}
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": HOSTILE, "tool_calls": [tool]}}]}
    request = json.dumps({"messages": [message, {"role": "assistant", "content": "x", "tool_calls": [tool]}]}).encode()
    provider = json.dumps({"choices": [{"index": 0, "message": {"content": f"Other: {HOSTILE}"}}]}).encode()
    finding = Finding(policy=HOSTILE, policy_version=HOSTILE, rule=HOSTILE, stage=HOSTILE, action=HOSTILE,
                      where="choices[0].message.content", start=3, end=30, ms=1.0, why=HOSTILE)  # fmt: skip
    said = dict.fromkeys(
        ("tenant", "team", "user", "user_source", "subject", "session", "route", "model_asked"), HOSTILE
    )
    said |= {"tags": {HOSTILE: HOSTILE}, "tools": (HOSTILE,), "guardrails": (HOSTILE,), "cost_center": HOSTILE}
    machine.write(opened(1, **said), bodies={"request": request})
    error = ErrorSummary(HOSTILE, HOSTILE, HOSTILE)
    told = dict.fromkeys(("guardrail", "provider", "model", "finish_reason"), HOSTILE)
    parts = {"response": json.dumps(answer).encode(), "1.provider_response": provider}
    machine.write(closed(1, findings=(finding,), error=error, **told), bodies=parts)
    machine.write(opened(2), bodies={"request": HOSTILE.encode()})
    machine.write(closed(2, outcome="failed"), bodies={"response": HOSTILE.encode() + b"\xff"})
    machine.write(refused(3, tenant=HOSTILE, user=HOSTILE, message=HOSTILE, rule=HOSTILE, owner=HOSTILE))
    machine.flush()
    page, end, _ = asked(ledger, format="html")
    seen = Seen(page)
    assert seen.open == []
    assert seen.elements == ELEMENTS
    assert {name for _, name in seen.attributes} <= ATTRIBUTES
    assert page.count(b"<section>") == 3
    text = "".join(seen.said)
    assert text.count("<script>") > 20
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert page.endswith(b"</html>\n")
    assert end.lost == 0
    assert b"default-src 'none'" in page


def test_an_abandoned_call_is_told_without_an_answer_that_nobody_had(machine, ledger):
    machine.write(opened(1), bodies={"request": b"{}"})
    machine.write(abandoned(1), bodies={"response": b"would have been said"})
    machine.flush()
    page, *_ = asked(ledger, format="html")
    assert b"would have been said" not in page
    assert b"Nothing that is on record went to the client" in page
    (line,) = lines(asked(ledger)[0])
    assert list(line)[:3] == ["call", "opened", "abandoned"]
