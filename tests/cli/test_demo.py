"""The demo, played once into a pipe: real processes, and what a person reads of them."""

import dataclasses
import io
import re
import signal
import subprocess

import pytest
from rich.console import Console
from running_gateway import COMMAND

from trunkline.cli.demo import advice
from trunkline.cli.demo.advisors import ADVISORS, BO, CLEO, directory_file
from trunkline.cli.demo.command import play
from trunkline.cli.demo.commands import output_of, written
from trunkline.cli.demo.narration import WIDTH, Narrator
from trunkline.cli.demo.promises import DemoFailed, expect
from trunkline.cli.demo.stage import LIMITED, USER_LIMIT, Stage, StageFailed, simulated

LONG = 120.0
SCENES = [
    "Three advisors of two teams",
    "A call",
    "A stream",
    "A tool call",
    "A failover at peak",
    "Who spent what?",
    "What happened to that call?",
    "What was said?",
    "Anything else?",
    "A limited advisor",
    advice.TITLE,
    "The record",
    "Can it be shown?",
]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """What one run of the demo did: it is watched by several tests."""
    directory = tmp_path_factory.mktemp("temporary")
    result = subprocess.run(
        [*COMMAND, "demo", "--once"],
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(directory)},
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    return result, directory


def scene(played, title: str) -> str:
    """Return what the demo shows from this scene's title to the next one's."""
    parts = re.split(r"^\d+\. (.*?) ─+$", played[0].stdout, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title]


def table(text: str, first: str) -> list[list[str]]:
    """Return the cells of the table whose heading begins so, without it."""
    after = text[text.index(f"  {first}") :].partition("\n\n")[0]
    return [re.split(r"\s{2,}", line.strip()) for line in after.splitlines()[1:]]


def test_it_keeps_its_promises_and_leaves_nothing_behind(played):
    result, directory = played
    assert result.returncode == 0, result.stderr
    assert not result.stderr
    assert list(directory.iterdir()) == []


def test_it_is_told_in_numbered_scenes_that_fit_the_page_without_a_colour(played):
    shown = played[0].stdout
    assert re.findall(r"^\d+\. (.*?) ─+$", shown, flags=re.MULTILINE) == SCENES
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert "\x1b" not in shown


def test_the_directory_has_three_advisors_of_two_teams(played):
    assert all(f"  {line}\n" in scene(played, "Three advisors of two teams") for line in directory_file().splitlines())
    assert len(ADVISORS) == 3
    assert len({who.team for who in ADVISORS}) == 2


def test_at_peak_who_was_speaking_goes_on_and_all_others_are_answered_by_the_second_provider(played):
    calls = table(scene(played, "A failover at peak"), "user")
    assert [row[1:3] for row in calls] == [
        *[["before", "openai"]] * 3,
        ["at the 429", "anthropic"],
        *[["after", "anthropic"]] * 6,
    ]
    assert {row[4] for row in calls} == {"answered"}


def test_costs_are_those_of_the_calls_by_team_and_user(played):
    shown = scene(played, "Who spent what?")
    assert "  $ trunkline costs --by team,user\n" in shown
    rows = {row[1]: row for row in table(shown, "team")[:-1]}
    assert {user: row[:3] for user, row in rows.items()} == {
        "ann": ["wealth", "ann", "5"],
        "bo": ["wealth", "bo", "6"],
        "cleo": ["trusts", "cleo", "4"],
    }


def test_the_story_is_that_of_the_call_that_met_the_refusal(played):
    call = re.search(r"x-trunkline-call: (\S+)", scene(played, "A failover at peak"))
    shown = scene(played, "What happened to that call?")
    assert call is not None
    assert f"  $ trunkline calls show {call[1]}\n" in shown
    assert f"    user: {CLEO.user}\n" in shown
    assert re.findall(r"^  \d\S*\s+(\w+(?: \w+)*)", shown, flags=re.MULTILINE) == [
        "admitted",
        "opened",
        "asked",
        "failed",
        "asked",
        "first token",
        "answered",
        "settled",
    ]


def test_the_transcript_has_the_tool_its_result_and_what_was_heard(played):
    shown = scene(played, "What was said?")
    assert f"  $ trunkline sessions show {BO.session('review')}\n" in shown
    told = [shown.index(words) for words in ("tool call get_allocation", "tool result get_allocation", "heard: ")]
    assert told == sorted(told)


def test_sql_counts_the_attempts_that_the_calls_made(played):
    rows = table(scene(played, "Anything else?"), "provider")
    assert ["openai", "answered", "-", "8"] in rows
    assert ["anthropic", "answered", "-", "7"] in rows
    assert {row[1] for row in rows} == {"answered", "failed", "skipped"}


def test_who_asks_too_much_is_limited_and_told_and_the_others_are_served(played):
    shown = scene(played, "A limited advisor")
    rows = {row[0]: [int(cell) for cell in row[1:]] for row in table(shown, "user")}
    asked, answered, limited = rows["ann"]
    assert asked == answered + limited == 2 * USER_LIMIT
    assert USER_LIMIT - 6 <= answered <= USER_LIMIT  # a few of hers were made in the scenes before
    assert (rows["bo"], rows["cleo"]) == ([1, 1, 0], [1, 1, 0])
    assert "429  The user `ann` may have 12 requests per minute (`user_limits.requests_per_minute`)" in shown
    assert re.search(r"^  retry-after: \d+$", shown, flags=re.MULTILINE)
    assert f"  assistant  {LIMITED}\n" in shown
    assert "  $ trunkline limits show --rule user_limits\n" in shown
    assert re.search(r"^  ann +user_limits\.requests_per_minute +100\.0 +12 +12 +0 ", shown, flags=re.MULTILINE)


def test_the_logs_are_checked_a_call_is_proved_and_a_letter_that_was_changed_is_found(played):
    shown = scene(played, "Can it be shown?")
    assert re.search(r"^  intact: 2 logs with \d+ records", shown, flags=re.MULTILINE)
    assert re.search(r"^  proven: call.opened at \S+ is record \d+ of", shown, flags=re.MULTILINE)
    assert re.search(
        r"damaged: tampered/log/demo/worker-0/\d{20}\.seg at offset \d+, record \d+", " ".join(shown.split())
    )


def test_a_recommendation_is_stopped_and_the_approved_sentence_said_and_the_record_tells_why(played):
    shown = scene(played, advice.TITLE)
    sent, heard, told = re.split(r"\n(?=And this is|The record: )", shown)
    assert advice.ANSWER in " ".join(sent.split())
    assert advice.CLEAR + advice.APPROVED in " ".join(heard.split())
    assert advice.FORBIDDEN.strip() not in " ".join(heard.split())
    assert re.search(r"^  replaced: .*\n  finish_reason: stop\n", heard, flags=re.MULTILINE)
    assert f"  trunkline.guardrail: {advice.POLICY}\n" in heard
    hold = re.search(r"^  trunkline.hold_ms: (\S+)$", heard, flags=re.MULTILINE)
    call = re.search(r"x-trunkline-call: (\S+)", heard)
    assert hold is not None
    assert call is not None
    assert float(hold[1]) > 0
    assert f"  $ trunkline calls show {call[1]}\n" in told
    story = " ".join(told.split())
    assert f"{float(hold[1]):g} ms of the time was holding text back for checks" in story
    start = len(advice.CLEAR)
    found = re.search(rf"replace {advice.POLICY} found {advice.RULE} .* characters {start} to (\d+)", story)
    assert found is not None
    assert start < int(found[1]) <= start + len(advice.FORBIDDEN)


def test_the_record_has_every_call(played):
    flood = {row[0]: int(row[2]) for row in table(scene(played, "A limited advisor"), "user")}
    calls = len(re.findall(r"^  \.\.[0-9a-f]{6} ", scene(played, "The record"), flags=re.MULTILINE))
    assert calls == 15 + sum(flood.values()) + 2  # and the two that heard a sentence


def test_real_providers_are_asked_everything_but_to_fail():
    out = io.StringIO()
    with simulated() as stage:
        play(dataclasses.replace(stage, simulator=None), Narrator(Console(file=out, width=WIDTH)))
    titles = re.findall(r"^\d+\. (.*?) ─+$", out.getvalue(), flags=re.MULTILINE)
    staged = {"A failover at peak", "A limited advisor", advice.TITLE, "The record", "Can it be shown?"}
    assert titles == [title for title in SCENES if title not in staged]


def test_a_command_that_fails_fails_the_demo_with_its_own_words(tmp_path):
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as nothing:
        stage = Stage("http://127.0.0.1:9/v1", "no-key", tmp_path, None, nothing)
        with pytest.raises(StageFailed, match=r"`trunkline calls show nonsense` ended with \d+:\ntrunkline: "):
            output_of(stage, ("calls", "show", "nonsense"))
        nothing.send_signal(signal.SIGTERM)


def test_a_promise_that_is_not_kept_fails_the_demo():
    with pytest.raises(DemoFailed, match=r"^This did not happen: all is well\.$"):
        expect(condition=False, promise="all is well")


def test_a_command_line_is_written_as_one_types_it():
    assert written(("sql", "SELECT 1\n  FROM calls")) == 'trunkline sql "SELECT 1\n  FROM calls"'


def test_a_stream_goes_on_beneath_itself():
    out = io.StringIO()
    narrator = Narrator(Console(file=out, width=30))
    narrator.begins_to_say("assistant")
    for piece in ("Up", " 5.8", " percent", " since", " January"):
        narrator.piece(piece)
    narrator.ends_to_say()
    assert out.getvalue() == "  assistant  Up 5.8 percent\n             since January\n"


def test_a_piece_of_several_words_goes_on_beneath_itself_too():
    out = io.StringIO()
    narrator = Narrator(Console(file=out, width=30))
    narrator.begins_to_say("assistant")
    for piece in ("Up 5.8 percent. ", "That is since January. "):
        narrator.piece(piece)
    narrator.ends_to_say()
    shown = [line.rstrip() for line in out.getvalue().splitlines()]
    assert shown == ["  assistant  Up 5.8 percent.", "             That is since", "             January."]
