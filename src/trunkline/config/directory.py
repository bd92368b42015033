"""A directory of users: CSV text -> who belongs to which team, from when to when; or every mistake of it.

A row is `user,name,team,cost_center,from,to`: the columns in any order, `user` and `team` at least. Days are as in
`2026-06-30`, both included, an empty one is open. A user may have several rows, whose days do not overlap.
"""

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import msgspec

from trunkline.config.canonical import digest_of, encode_directory
from trunkline.config.csv_rows import CsvFile
from trunkline.config.kinds import NODE
from trunkline.config.places import TooManyProblems
from trunkline.config.problems import ConfigInvalid
from trunkline.model.directory import Member, Membership
from trunkline.model.names import CONTROL, NAME_LIMIT

COLUMNS = ("user", "name", "team", "cost_center", "from", "to")
NEEDED = ("user", "team")
MOST_ROWS = 250_000
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
# What most names are, told in one step: the rules below say what is wrong with another one.
GOOD = re.compile(r"[A-Za-z0-9._@+-]+(?: [A-Za-z0-9._@+-]+){0,8}", re.ASCII)
DAYS_REMEMBERED = 4096


class Roll(NamedTuple):
    """A directory that was read: its canonical bytes, their SHA-256 (hexadecimal), and how many users it has."""

    data: bytes
    digest: str
    users: int


class _Row(msgspec.Struct, gc=False):
    line: int
    membership: Membership


def read_directory(text: str, file: str) -> Roll:
    """Return what a file says; raises ConfigInvalid with every mistake of it.

    A problem's column is the field, in the order of `COLUMNS`.
    """
    reader = _Reader(file)
    try:
        members = reader.members(text)
    except TooManyProblems:
        members = []
    if reader.problems.found:
        raise ConfigInvalid(reader.problems.found)
    data = encode_directory(members)
    return Roll(data, digest_of(data), len(members))


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = CsvFile(file, COLUMNS, NEEDED, MOST_ROWS)
        self.problems, self.report = self._file.problems, self._file.report
        self._teams: set[str] = set()

    def members(self, text: str) -> list[Member]:
        rows: dict[str, _Row] = {}
        more: dict[str, list[_Row]] = {}  # of those who have several: a list for each of all would be what takes long
        for line, fields in self._file.rows(text):
            row = _Row(line, self._membership(line, fields))
            first = rows.setdefault(fields[0], row)
            if first is not row:
                more.setdefault(fields[0], [first]).append(row)
        histories = {user: self._in_order(user, found) for user, found in more.items()}
        return [Member(user, histories.get(user) or (row.membership,)) for user, row in rows.items()]

    def _membership(self, line: int, fields: Sequence[str]) -> Membership:
        user, name, team, cost_center, first, last = fields
        self._check_name(line, "user", user)
        if name:
            self._check_name(line, "name", name)
        if team not in self._teams:
            self._check_team(line, team)
        if cost_center:
            self._check_name(line, "cost_center", cost_center)
        if first or last:
            self._check_days(line, first, last)
        return Membership(team, name or None, cost_center or None, first or None, last or None)

    def _check_name(self, line: int, column: str, value: str) -> None:
        if len(value) <= NAME_LIMIT and GOOD.fullmatch(value):
            return
        if not value:
            self.report(line, column, "is empty", "write who it is, as calls name the user")
        elif len(value) > NAME_LIMIT:
            self.report(line, column, f"has more than {NAME_LIMIT} characters", "shorten it")
        elif CONTROL.search(value):
            self.report(line, column, "has a control character in it, or one that turns the writing", "remove it")
        elif value[0].isspace() or value[-1].isspace():
            self.report(line, column, "has a space at its beginning or end", "remove it")

    def _check_team(self, line: int, team: str) -> None:
        if NODE.fullmatch(team):
            self._teams.add(team)
        elif not team:
            self.report(line, "team", "is empty", "name the team, or remove the row")
        else:
            self.report(line, "team", "must be letters, digits, `.`, `_` and `-`, at most 64", "choose another name")

    def _check_days(self, line: int, first: str, last: str) -> None:
        good = [self._good_day(line, "from", first), self._good_day(line, "to", last)]
        if first and last and all(good) and last < first:
            self.report(line, "to", "is before `from`", "put the two days in order")

    def _good_day(self, line: int, column: str, day: str) -> bool:
        if not day or is_day(day):
            return True
        self.report(line, column, "is no day of the calendar", "write it like 2026-06-30, or nothing")
        return False

    def _in_order(self, user: str, rows: list[_Row]) -> tuple[Membership, ...]:
        rows.sort(key=lambda row: (row.membership.first or "", row.line))
        for before, after in pairwise(rows):
            last = before.membership.last
            if last is None or (after.membership.first or "") <= last:
                message = f"`{user[:100]}` is on line {before.line} too, on some of the same days"
                self.report(after.line, "user", message, "end one before the other begins, or remove one")
        return tuple(row.membership for row in rows)


@lru_cache(DAYS_REMEMBERED)
def is_day(text: str) -> bool:
    """Whether it is a day, as in 2026-06-30; files name the same few thousand again and again."""
    if not DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
