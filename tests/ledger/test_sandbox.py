"""Without the gate, what stands behind it still lets nothing out, and nothing in."""

import os

import pytest

from ledger.logs import Machine, closed, follow, open_index, opened, tables
from ledger.test_user_sql import ATTACKS
from trunkline.ledger import sandbox
from trunkline.ledger.sandbox import Task, answer

WORDS = ("/etc/", "{secret}", "http", "SET ", "RESET", "INSERT", "UPDATE", "DELETE", "DROP")
HARMFUL = [attack for attack in ATTACKS if any(word in attack for word in WORDS)]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.write(opened(1))
    machine.write(closed(1))
    machine.stop()
    made = open_index(machine.path)
    follow(made, machine.path)
    yield made
    made.close()


@pytest.mark.parametrize("attack", HARMFUL)
def test_an_attack_that_got_through_the_gate_fails_too(index, tmp_path, monkeypatch, attack):
    secret = tmp_path / "secret"
    secret.write_text("1,2\n")
    before = tables(index)
    monkeypatch.setattr(sandbox, "refusal", lambda _tree: None)
    with index.lent() as path, index.people.listed() as names:
        answered = answer(Task(str(path), names, attack.format(secret=secret, port=9), 64, 5, 10, 1 << 20))
    assert answered.error is not None
    assert answered.rows == []
    assert os.listdir(tmp_path) == ["secret"]
    assert tables(index) == before
