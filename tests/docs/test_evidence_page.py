"""docs/evidence.md says what an export has, and its program checks one."""

import json
from hashlib import sha256

from pages import blocks, quoted, rows

from trunkline.control.reads import AuditRead
from trunkline.ledger.export_entries import Entry
from trunkline.ledger.export_lines import Lines

PAGE = "docs/evidence.md"
(PROGRAM,) = blocks(PAGE, "python")


class Kept:
    """A record as an export has it."""

    def __init__(self, exact: bytes, whole: bytes | None = None) -> None:
        self.exact, self.whole = exact, whole or exact
        self.members, self.leaf = json.loads(exact), sha256(b"\0" + exact).hexdigest()
        self.names = {"u~mfrggzdfmztwq2lknnwg23tpoa": "ann"} if b"call.opened" in exact else {}


def entry():
    first = Kept('{"v":1,"type":"call.opened","at":"x","text":"Grüße \\"},"}'.encode())
    last = Kept(b'{"v":1,"type":"call.closed","ms":1.50,"spilled":{}}', b'{"v":1,"more":1}')
    bodies, timings = {"request": b"{}", "raw": b"\xff"}, {"response": [(1, 2)]}
    return Entry("c-1", opened=first, ended=last, lost="gone", bodies=bodies, timings=timings)


def program():
    there: dict = {}
    exec(PROGRAM, there)
    return there


def test_the_program_finds_the_exact_records_of_a_line():
    there, line = program(), Lines.entry(entry())
    assert list(there["records"](line)) == [("opened", entry().opened.exact), ("closed", entry().ended.exact)]
    assert there["is_exact"](line)
    assert not there["is_exact"](line.replace(b"1.50", b"1.51"))
    assert not there["is_exact"](line.replace("Grüße".encode(), b"Gruss"))


def test_every_member_of_a_line_is_on_the_page_and_no_other():
    said = {name for cell, _ in rows(PAGE, "member", "what it is") for name in quoted(cell)}
    assert said == set(json.loads(Lines.entry(entry()))) | {"abandoned", "refused"}


def test_every_field_of_a_look_is_on_the_page_and_no_other():
    said = {name for cell, _ in rows(PAGE, "field", "what it is") for name in quoted(cell)}
    assert said == set(AuditRead.__struct_fields__)
