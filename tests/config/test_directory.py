"""CSV -> a directory, or every mistake in it."""

import csv
import io
import random

import pytest
from config_samples import GOOD, compiled, machine, problems_of, the_problem
from hypothesis import given
from hypothesis import strategies as st

from trunkline.config.canonical import decode_directory, digest_of
from trunkline.config.directory import COLUMNS, MOST_ROWS, Roll, read_directory
from trunkline.config.places import MOST_PROBLEMS
from trunkline.config.problems import ConfigInvalid, Problem
from trunkline.model.directory import Member, Membership
from trunkline.model.snapshot import Directory

HEADER = "user,name,team,cost_center,from,to\n"
WITH = GOOD.replace("harbor:\n", "harbor:\n    directory: advisors.csv\n")


def members(text: str) -> list[Member]:
    return list(decode_directory(read_directory(text, "a.csv").data))


def mistakes(text: str) -> list[Problem]:
    with pytest.raises(ConfigInvalid) as invalid:
        read_directory(text, "a.csv")
    return list(invalid.value.problems)


def mistake(row: str) -> Problem:
    (problem,) = mistakes(HEADER + row + "\n")
    return problem


def test_a_row_says_who_is_in_which_team_from_when_to_when():
    rows = "a-2,Bob,desk,,,\na-1,Ann Lee,desk,CC-1,2026-01-01,2026-06-30\na-1,Ann Lee,west,CC-2,2026-07-01,\n"
    assert members(HEADER + rows) == [
        Member(
            "a-1",
            (
                Membership("desk", "Ann Lee", "CC-1", "2026-01-01", "2026-06-30"),
                Membership("west", "Ann Lee", "CC-2", "2026-07-01"),
            ),
        ),
        Member("a-2", (Membership("desk", "Bob"),)),
    ]


def test_columns_come_in_any_order_and_only_user_and_team_are_needed():
    assert members("team,user\ndesk,a\n") == members("\ufeffuser,team\r\n\r\na,desk\r\n") != []
    assert members('user,team,name\n"a,b",desk,"Ann ""Lee"""\n') == [Member("a,b", (Membership("desk", 'Ann "Lee"'),))]


def test_a_file_of_the_first_line_alone_has_no_users():
    assert read_directory(HEADER, "a.csv") == Roll(b"", digest_of(b""), 0)


@pytest.mark.parametrize(
    ("row", "column", "message"),
    [
        (",Ann,desk,,,", "user", "is empty"),
        (f"{'a' * 513},,desk,,,", "user", "more than 512"),
        ("a\u202eb,,desk,,,", "user", "control character"),
        ("a\U000e0062,,desk,,,", "user", "control character"),
        (" a,,desk,,,", "user", "space"),
        ("a,Ann ,desk,,,", "name", "space"),
        ("a,,,,,", "team", "is empty"),
        ("a,,the desk,,,", "team", "must be letters"),
        ("a,,desk,\x1b[0m,,", "cost_center", "control character"),
        ("a,,desk,,2026-02-29,", "from", "no day"),
        ("a,,desk,,01/02/2026,", "from", "no day"),
        ("a,,desk,,,2026-6-30", "to", "no day"),
        ("a,,desk,,2026-07-01,2026-06-30", "to", "before `from`"),
        ("a,,desk,,", "", "has 5 fields and the first line 6"),
        ('a,"b"c,desk,,,', "", "is no CSV"),
    ],
)
def test_a_mistake_is_told_with_its_line_its_field_and_what_to_do(row, column, message):
    problem = mistake(row)
    assert (problem.file, problem.line, problem.path) == ("a.csv", 2, column)
    assert problem.column == (COLUMNS.index(column) + 1 if column else 1)
    assert message in problem.message
    assert problem.fix


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", ["there is no column `user`", "there is no column `team`"]),
        ("user\n", ["there is no column `team`"]),
        ("user,team,temm\n", ["no such column: `temm`"]),
        ("user,team,team\n", ["the column is there twice"]),
        ("user;team\n", ["no such column: `user;team`", "there is no column `team`", "there is no column `user`"]),
    ],
)
def test_a_first_line_that_is_none_is_said_before_any_row(text, messages):
    assert sorted(problem.message for problem in mistakes(text)) == sorted(messages)


def test_every_mistake_is_told_at_once_up_to_a_bound():
    found = mistakes(HEADER + "a,,,,2026-13-01,x\nb,,desk,,,\n,,desk,,,\n")
    assert [(problem.line, problem.path) for problem in found] == [(2, "team"), (2, "from"), (2, "to"), (4, "user")]
    assert len(mistakes(HEADER + ",,,,,\n" * MOST_PROBLEMS)) == MOST_PROBLEMS


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        (",", ",", True),
        (",2026-06-30", "2026-07-01,", False),
        (",2026-06-30", "2026-06-30,", True),
        ("2026-01-01,", ",2025-12-31", False),
        ("2026-01-01,", ",2026-01-01", True),
        ("2026-01-01,2026-01-31", "2026-03-01,2026-03-31", False),
        ("2026-01-01,2026-12-31", "2026-03-01,2026-03-31", True),
    ],
)
def test_a_user_has_one_team_on_a_day(first, second, overlap):
    text = f"{HEADER}a,,desk,,{first}\nb,,desk,,,\na,,west,,{second}\n"
    if overlap:
        (problem,) = mistakes(text)
        assert (problem.path, "`a` is on line" in problem.message) == ("user", True)
    else:
        assert [len(member.memberships) for member in members(text)] == [2, 1]


def test_too_many_rows_are_refused():
    rows = "".join(f"u{number},desk\n" for number in range(MOST_ROWS + 1))
    (problem,) = mistakes("user,team\n" + rows)
    assert (problem.line, "250,000 rows" in problem.message) == (MOST_ROWS + 2, True)


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)


@given(st.dictionaries(NAMES, st.sampled_from(["desk", "west"]), max_size=50), st.randoms())
def test_what_is_written_is_read_and_the_order_of_rows_does_not_matter(teams, chance: random.Random):
    rows = list(teams.items())
    digests = set()
    for _ in range(2):
        chance.shuffle(rows)
        out = io.StringIO()
        csv.writer(out).writerows([("user", "team"), *rows])
        roll = read_directory(out.getvalue(), "a.csv")
        digests.add(roll.digest)
        found = list(decode_directory(roll.data))
        assert {member.user: member.memberships[0].team for member in found} == teams
        assert roll.users == len(teams)
    assert len(digests) == 1


def test_the_snapshot_names_the_directory_of_a_tenant():
    good = compiled(WITH, machine(files={"advisors.csv": HEADER + "a,,desk,,,\n"}))
    directory = good.snapshot.tenants["harbor"].directory
    assert directory == Directory(digest_of(good.directories[directory.digest]), 1, "file")
    assert list(decode_directory(good.directories[directory.digest])) == [Member("a", (Membership("desk"),))]


def test_mistakes_of_the_file_and_of_the_directory_are_told_together():
    text = WITH.replace("provider: openai", "provider: opnai")
    found = problems_of(text, machine(files={"advisors.csv": HEADER + "a,,,,,\nb,,,,,\n"}))
    assert [(problem.file, problem.line) for problem in found] == [
        ("advisors.csv", 2),
        ("advisors.csv", 3),
        ("t.yaml", 5),
    ]


def test_a_directory_that_is_not_there_is_told_at_its_name():
    problem = the_problem(WITH)
    assert (problem.path, problem.message) == ("tenants.harbor.directory", "there is no file `advisors.csv`")


def test_a_tenant_has_its_users_from_one_place():
    from trunkline.config.compile import load  # noqa: PLC0415

    imported = {"harbor": Directory("00", 3, "log")}
    assert (
        load(GOOD, "t.yaml", machine(), directories=imported).snapshot.tenants["harbor"].directory == imported["harbor"]
    )
    with pytest.raises(ConfigInvalid, match="has users of `trunkline users import` already"):
        load(WITH, "t.yaml", machine(files={"advisors.csv": HEADER}), directories=imported)
    with pytest.raises(ConfigInvalid, match="the tenant `gone` has imported users"):
        load(GOOD, "t.yaml", machine(), directories={"gone": Directory("00", 3, "log")})
