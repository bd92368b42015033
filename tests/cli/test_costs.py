"""`trunkline costs` against a real gateway, while it runs and after it has stopped."""

import csv
import io
import json
import signal
from datetime import UTC, datetime
from decimal import Decimal

import openai
import pytest
from running_gateway import PATIENCE, SECRET, command, gateway, write_configuration

from trunkline.ledger.focus import COLUMNS
from trunkline.simulator import Simulator


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory in which a gateway has carried four calls, in two conversations."""
    directory = tmp_path_factory.mktemp("place")
    with Simulator.in_thread() as simulator:
        write_configuration(directory, provider=simulator.openai.port)
        with gateway(directory) as running:
            ask(running.port)
            yield directory, running


def ask(port):
    hello = [{"role": "user", "content": "Hello?"}]
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=SECRET, max_retries=0) as client:
        for user, session in (("ann", "s-1"), ("=cmd()", "s-2"), ("ann", "s-1")):
            client.chat.completions.create(model="fast", messages=hello, user=user, metadata={"session": session})
        assert list(client.chat.completions.create(model="fast", messages=hello, stream=True))


@pytest.fixture(scope="module", params=["while it runs", "in-process"])
def run(request, place):
    directory, running = place
    if request.param == "in-process":
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(PATIENCE)
    return lambda *words: command(directory, *words)


def told(run, *words):
    result = run("costs", *words)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_costs_by_user_add_up_to_the_total_in_every_form(run):
    found = json.loads(told(run, "--by", "user", "--format", "json"))
    assert [row["user"] for row in found["rows"]].count(None) == 1
    assert {row["user"] for row in found["rows"]} == {"ann", "=cmd()", None}
    assert (found["total"]["calls"], found["total"]["conversations"]) == (4, 2)
    total = Decimal(found["total"]["cost"])
    assert total == sum(Decimal(row["cost"]) for row in found["rows"]) > 0
    rows = list(csv.DictReader(io.StringIO(told(run, "--by", "user", "--format", "csv"))))
    assert [row["user"] for row in rows if row["user"].startswith("'")] == ["'=cmd()"]
    assert rows[-1]["user"] == "total"
    assert Decimal(rows[-1]["cost"]) == sum(Decimal(row["cost"]) for row in rows[:-1]) == total
    assert "(none)" in told(run, "--by", "user")


def test_costs_come_by_month_and_beside_the_one_before(run):
    month = datetime.now(UTC).strftime("%Y-%m")
    found = json.loads(told(run, "--by", "month", "--month", month, "--compare", "previous", "--format", "json"))
    assert [row["month"] for row in found["rows"]] == [month]
    assert (found["total"]["total_before"], found["total"]["change"]) == ("0", found["total"]["total"])


def test_the_time_before_a_span_may_begin_before_the_calendar(run):
    found = json.loads(told(run, "--since", "0001-01-01", "--compare", "previous", "--format", "json"))
    assert found["total"]["total_before"] == "0"


def test_focus_is_a_row_for_each_class_of_tokens_and_adds_up(run):
    rows = list(csv.DictReader(io.StringIO(told(run, "--by", "team,user", "--format", "focus"))))
    assert tuple(rows[0]) == COLUMNS
    total = json.loads(told(run, "--format", "json"))["total"]["total"]
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(total)
    assert {"user": "ann"} in [json.loads(row["Tags"]) for row in rows]


def test_a_bill_is_compared_by_day_and_model(run, place):
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    (place[0] / "bill.csv").write_text(f"day,model,amount\n{day},gpt-4o-mini-2024-07-18,5\n{day},gpt-5,1\n")
    lines = json.loads(told(run, "reconcile", "bill.csv", "--format", "json"))
    assert [(line["model"], line["billed"]) for line in lines] == [("gpt-4o-mini", "5"), ("gpt-5", "1"), ("", "6")]
    assert Decimal(lines[0]["difference"]) == 5 - Decimal(lines[0]["counted"])
    assert lines[1]["explanation"].startswith("not counted here")
    (place[0] / "bad.csv").write_text("day,model,amount\nsoon,,much\n")
    refused = run("costs", "reconcile", "bad.csv")
    assert refused.returncode == 1
    assert [line.split(":")[1] for line in refused.stderr.splitlines()[:-1]] == ["2", "2", "2"]


def test_what_is_imported_is_in_the_next_report(run, place):
    note = "running" if place[1].process.poll() is None else "stopped"
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    (place[0] / "phone.csv").write_text(f"at,kind,amount,session,note\n{day},telephony,1.5,s-1,{note}\n")
    before = Decimal(json.loads(told(run, "--since", "2d", "--format", "json"))["total"]["imported"])
    assert told(run, "import", "phone.csv", "--tenant", "acme") == "1 rows of acme imported, together 1.5 USD\n"
    again = run("costs", "import", "phone.csv", "--tenant", "acme")
    assert (again.returncode, "imported at" in again.stderr) == (1, True)
    found = json.loads(told(run, "--by", "user", "--since", "2d", "--format", "json"))
    assert Decimal(found["total"]["imported"]) == before + Decimal("1.5")
    assert {row["user"] for row in found["rows"] if row["imported"] != "0"} <= {"ann", "=cmd()"}
    assert "imported" in told(run, "--since", "2d")
    rows = list(csv.DictReader(io.StringIO(told(run, "--since", "2d", "--by", "user", "--format", "focus"))))
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(found["total"]["total"])
    assert {row["ProviderName"] for row in rows if row["ServiceName"] == "telephony"} == {"imported"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--by", "usr"), "cannot be told apart by"),
        (("--tz", "Mars"), "no time zone"),
        (("--month", "2026-13"), "no month"),
        (("--month", "2026-06", "--since", "7d"), "goes without"),
        (("--since", "2026-06-02", "--until", "2026-06-01"), "ends before it begins"),
        (("--format", "focus", "--compare", "previous"), "focus takes no"),
        (("--by", "user", "reconcile", "bill.csv"), "write options after `reconcile`"),
        (("reconcile", "absent.csv"), "cannot be read"),
    ],
)
def test_words_that_make_no_sense_are_misuse(run, words, says):
    refused = run("costs", *words)
    assert (refused.returncode, says in refused.stderr) == (64, True), refused.stderr
