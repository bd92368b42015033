"""What guardrails found is a row for each finding, and calls are listed by it."""

from ledger.logs import Machine, asked, call_id, closed, follow, open_index, opened
from trunkline.ledger.answers import CallsQuestion
from trunkline.ledger.ledger import Ledger
from trunkline.model.records import Finding


def finding(rule="R1", policy="no-recommendations", **more):
    said = {"policy_version": "v1", "stage": "output", "action": "replace", "where": "choices[0].message.content"}
    return Finding(policy=policy, rule=rule, start=3, end=9, ms=12.5, **(said | more))


def write_calls(tmp_path) -> Machine:
    machine = Machine(tmp_path)
    for number, findings in enumerate([(), (finding(), finding("R2", action="flag")), (finding("ssn", "pii"),)]):
        machine.write(opened(number))
        machine.write(closed(number, findings=findings))
    machine.stop()
    return machine


def test_each_finding_is_a_row_of_its_view(tmp_path):
    machine = write_calls(tmp_path)
    index = open_index(machine.path)
    follow(index, machine.path)
    columns = 'CAST(call_id AS VARCHAR), policy, policy_version, rule, stage, action, start, "end", ms'
    assert asked(index, f"SELECT {columns} FROM findings ORDER BY call_id, rule") == [
        (call_id(1), "no-recommendations", "v1", "R1", "output", "replace", 3, 9, 12.5),
        (call_id(1), "no-recommendations", "v1", "R2", "output", "flag", 3, 9, 12.5),
        (call_id(2), "pii", "v1", "ssn", "output", "replace", 3, 9, 12.5),
    ]
    index.close()


def test_calls_are_listed_by_rule_or_by_policy(tmp_path):
    ledger = Ledger(write_calls(tmp_path).path, print)
    ledger.open()
    ledger.catch_up()
    names = ("R1", "R2", "pii", "no-recommendations", "x")
    listed = {name: len(ledger.calls(CallsQuestion(finding=name)).rows) for name in names}
    assert listed == {"R1": 1, "R2": 1, "pii": 1, "no-recommendations": 1, "x": 0}
    ledger.close()
