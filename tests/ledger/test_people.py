"""Names that stand in no record and no row: what is shown has them, from the key store, until they are erased."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from ledger.logs import Machine, call_id, closed, opened, refused
from trunkline.audit.files.vault.key_file import destroy, key_files
from trunkline.audit.files.vault.opening import open_vault, unlock
from trunkline.audit.files.vault.stored_keys import StoredKeys
from trunkline.audit.format.pseudonyms import digest_in
from trunkline.ledger.answers import CallsQuestion, Period, SessionsQuestion, SqlQuestion
from trunkline.ledger.cost_answers import CostsQuestion, PaidQuestion, Span
from trunkline.ledger.evidence_answers import ExportData, ExportQuestion
from trunkline.ledger.ledger import Ledger
from trunkline.ledger.limit_answers import SimulationQuestion
from trunkline.model.names import PSEUDONYM
from trunkline.model.snapshot import Key, Limits, Tenant
from trunkline.model.vault import KeySettings, Vault

USER, SUBJECT = "Ann Canary-Usher", "Client Canary-Sable"
SPAN = Span(0.0, 4_000_000_000.0)


class Office:
    """A data directory with a vault: calls of three people, some of before it had one."""

    def __init__(self, directory: Path) -> None:
        self.machine = Machine(directory)
        self.path = self.machine.path
        self._old()
        self.machine.vault = Vault(open_vault(self.path, KeySettings()).keys, seals=True)
        self.keys = StoredKeys(self.path, lambda: unlock(self.path, KeySettings()))
        self._new()
        self.machine.flush()
        self.ledger = self.opened()

    def opened(self) -> Ledger:
        def damaged(error: Exception) -> None:
            raise error

        ledger = Ledger(self.path, damaged, self.keys)
        ledger.open()
        ledger.catch_up()
        return ledger

    def _old(self) -> None:
        """Write a call as it was before there was a vault: with the names."""
        self._call(1, "bob", "client-2", "worker-9")
        self.machine.stop()

    def _new(self) -> None:
        for number, (user, subject) in enumerate([(USER, SUBJECT), (USER, USER), ("bob", SUBJECT), ("bob", None)], 2):
            log = f"worker-{number % 2}"
            writer = self.machine.log(log)
            written = writer.written("harbor", "user", user)
            about = subject and (written if subject == user else writer.written("harbor", "subject", subject))
            self._call(number, written, about, log)
        over = f"The user `{self.pseudonym('user', USER)}` may have 1 requests per minute."
        ann = self.pseudonym("user", USER)
        self.machine.write(
            refused(9, user=ann, owner=ann, rule="user_limits.requests_per_minute", outcome="limited", message=over)
        )

    def _call(self, number: int, user: str, subject: str | None, log: str) -> None:
        record = opened(number, user=user, subject=subject, session=f"s-{number}")
        self.machine.write(record, log, {"request": b"asked"})
        self.machine.write(closed(number), log, {"response": b"said"})

    def pseudonym(self, kind: Any, name: str) -> str:
        return self.keys.written("harbor", kind, name)

    def erase(self, kind: Any, name: str) -> None:
        """Destroy what the key store has of a person."""
        digest = digest_in(self.pseudonym(kind, name))
        gone = [entry for path in key_files(self.path) for entry in destroy(path, lambda e: e.person == digest, None)]
        assert gone

    def calls(self, **asked: Any) -> list[tuple[str, Any, Any]]:
        table = self.ledger.calls(CallsQuestion(**asked))
        who = [table.columns.index(name) for name in ("id", "user", "subject")]
        return sorted(tuple(row[n] for n in who) for row in table.rows)

    def users_of(self, by: str) -> dict[str, int]:
        rows = self.ledger.costs(CostsQuestion(span=SPAN, by=(by,))).rows
        return {row.group[0]: row.calls for row in rows}

    def raw(self, name: str) -> list[Path]:
        return [p for p in self.path.rglob("*") if p.is_file() and name.encode() in p.read_bytes()]


@pytest.fixture
def office(tmp_path):
    made = Office(tmp_path)
    yield made
    made.ledger.close()
    made.machine.stop()


def test_lists_have_names_and_are_asked_by_them(office):
    assert office.calls() == [
        (call_id(1), "bob", "client-2"),
        (call_id(2), USER, SUBJECT),
        (call_id(3), USER, USER),
        (call_id(4), "bob", SUBJECT),
        (call_id(5), "bob", "bob"),
        (call_id(9), USER, None),
    ]
    assert [call for call, *_ in office.calls(user="bob")] == [call_id(1), call_id(4), call_id(5)]
    assert [call for call, *_ in office.calls(subject=SUBJECT)] == [call_id(2), call_id(4)]
    assert [call for call, *_ in office.calls(user=USER)] == [call_id(2), call_id(3), call_id(9)]
    assert [call for call, *_ in office.calls(user=office.pseudonym("user", USER))] == [
        call_id(2),
        call_id(3),
        call_id(9),
    ]
    assert office.calls(user="nobody") == []
    sessions = office.ledger.sessions(SessionsQuestion(subject=SUBJECT))
    assert sorted(row[:4] for row in sessions.rows) == [
        ["s-2", "harbor", USER, SUBJECT],
        ["s-4", "harbor", "bob", SUBJECT],
    ]


def test_what_a_person_cost_is_one_row_whichever_form_their_calls_have(office):
    assert office.users_of("user") == {"bob": 3, USER: 2}
    assert office.users_of("subject") == {"client-2": 1, SUBJECT: 2, USER: 1, "bob": 1}
    rows = office.ledger.costs(CostsQuestion(span=SPAN, by=("session",), user="bob")).rows
    assert sorted(row.group[0] for row in rows) == ["s-1", "s-4", "s-5"]


def test_what_was_paid_is_told_apart_by_names(office):
    rows = office.ledger.paid(PaidQuestion(span=SPAN, by=("user", "subject"))).rows
    assert {row.group for row in rows} == {
        ("bob", "client-2"),
        (USER, SUBJECT),
        (USER, USER),
        ("bob", SUBJECT),
        ("bob", "bob"),
    }


def test_limits_are_played_against_persons_by_their_names(office):
    tenant = Tenant(name="harbor", enforce="observe", user_limits=Limits(requests_per_minute=1))
    keys = {"voice-agent": Key(id="voice-agent", tenant="harbor", digests=("0" * 64,))}
    now = time.time()
    run = office.ledger.simulation({"harbor": tenant}, keys, SimulationQuestion(since=now - 3600, until=now + 60))
    while run.advance():
        pass
    assert {(row.owner, row.calls) for row in run.report().rows} == {("bob", 2), (USER, 1)}


def test_views_have_names_in_a_query_of_ones_own(office):
    asked = "SELECT user_id, count(*) FROM calls GROUP BY 1 ORDER BY 1"
    assert office.ledger.sql(SqlQuestion(asked, 10)).rows == [[USER, 2], ["bob", 3]]
    asked = f"SELECT count(*) FROM calls WHERE subject = '{SUBJECT}'"
    assert office.ledger.sql(SqlQuestion(asked, 10)).rows == [[2]]
    assert office.ledger.sql(SqlQuestion("SELECT user_id, owner FROM refusals", 10)).rows == [[USER, USER]]
    asked = "SELECT user_id, subject FROM sessions WHERE session = 's-2'"
    assert office.ledger.sql(SqlQuestion(asked, 10)).rows == [[USER, SUBJECT]]


def test_a_call_is_shown_with_names(office):
    story = office.ledger.call(call_id(2), bodies=False)
    assert (story.facts["user_id"], story.facts["subject"]) == (USER, SUBJECT)
    assert story.opened["user"] == USER
    assert f"user {USER}, subject {SUBJECT}" in story.timeline[0].detail
    over = office.ledger.call(call_id(9), bodies=False)
    assert (over.facts["user_id"], over.facts["owner"]) == (USER, USER)
    assert f"The user `{USER}` may have" in over.note


def exported(office: Office, form: Any, **asked: Any) -> str:
    words = office.ledger.export(ExportQuestion(period=Period(), format=form, **asked)).words("me")
    return b"".join(word.data for word in words if isinstance(word, ExportData)).decode()


def test_an_export_has_the_records_as_they_are_and_beside_them_the_names(office):
    (line,) = [json.loads(line) for line in exported(office, "jsonl", subject=SUBJECT, user="bob").splitlines()]
    assert PSEUDONYM.fullmatch(line["opened"]["user"])
    assert line["names"] == {line["opened"]["user"]: "bob", line["opened"]["subject"]: SUBJECT}
    assert SUBJECT in exported(office, "html", subject=SUBJECT)


def test_no_name_is_on_the_disk_before_or_after_an_index_is_made_again(office):
    assert office.raw("Canary") == []
    office.ledger.clear()
    office.ledger.catch_up()
    assert office.raw("Canary") == []
    assert len(office.calls(user=USER)) == 3
    office.ledger.close()
    assert office.raw("Canary") == []
    office.ledger.open()


def test_who_has_been_erased_is_a_pseudonym_everywhere(office):
    ann = office.pseudonym("user", USER)
    office.erase("user", USER)
    for _ in range(2):
        assert office.calls(user=USER) == []
        assert office.calls(user=ann) == [(call_id(2), ann, SUBJECT), (call_id(3), ann, ann), (call_id(9), ann, None)]
        assert office.users_of("user") == {"bob": 3, ann: 2}
        rows = office.ledger.sql(SqlQuestion("SELECT DISTINCT user_id FROM calls ORDER BY 1", 10)).rows
        assert rows == [["bob"], [ann]]
        assert office.ledger.call(call_id(2), bodies=False).facts["user_id"] == ann
        assert USER not in exported(office, "html", user=ann)
        assert USER not in exported(office, "jsonl", user=ann)
        office.ledger.close()  # and after a restart
        office.ledger = office.opened()


def test_where_the_key_is_not_at_hand_pseudonyms_are_shown(office):
    office.ledger.close()
    (office.path / "vault.key").rename(office.path / "elsewhere")
    office.keys = StoredKeys(office.path, lambda: unlock(office.path, KeySettings()))
    office.ledger = office.opened()
    users = {user for _, user, _ in office.calls()}
    assert len(users) == 3
    assert sum(PSEUDONYM.fullmatch(user) is not None for user in users) == 2
    (office.path / "elsewhere").rename(office.path / "vault.key")
    assert {user for _, user, _ in office.calls()} == {"bob", USER}


def test_a_name_that_comes_while_the_index_is_open_is_there_with_its_first_call(office):
    writer = office.machine.log("worker-1")
    office._call(7, writer.written("harbor", "user", "Zoë Canary"), None, "worker-1")
    office.machine.flush()
    assert office.calls(user="Zoë Canary") == [(call_id(7), "Zoë Canary", "Zoë Canary")]


@pytest.mark.parametrize("name", ['O"Neil \\ Canary', "u~canary", "李雷 Canary", "{}", "n" * 512])
def test_a_name_is_shown_as_it_is_whatever_is_in_it(office, name):
    writer = office.machine.log("worker-1")
    office._call(7, writer.written("harbor", "user", name), None, "worker-1")
    office.machine.flush()
    assert office.calls(user=name) == [(call_id(7), name, name)]
    assert office.ledger.call(call_id(7), bodies=False).opened["user"] == name
    (line,) = exported(office, "jsonl", user=name).splitlines()
    assert name in json.loads(line)["names"].values()
