"""`trunkline review` and `audit reads`, with a gateway that runs and without one."""

import json
import re
from pathlib import Path

import pytest
from reviewing import ME, reviewed
from running_gateway import command, gateway


@pytest.fixture
def place(tmp_path):
    with reviewed(tmp_path) as place:
        yield place


@pytest.fixture(params=["while it runs", "in-process"])
def chosen(request, place):
    """Four calls: two plain ones, one with a finding that was let through, one that was blocked; and how to go on."""
    calls = {
        "plain": place.call("Hello?"),
        "other": place.call("Hello?", user="bob"),
        "flagged": place.call("Hello?", guardrails="promises"),
        "blocked": place.call("You damned machine", guardrails="curses"),
    }
    if request.param == "in-process":
        place.stop()
    return place, calls


def test_a_sample_has_all_flagged_calls_and_the_percent_of_the_rest(chosen):
    place, calls = chosen
    said = place.run("review", "sample", "--all-flagged", "--percent", "50", "--seed", "s-1")
    assert said.startswith("3 calls are in the queue now, by the sample ")
    assert "of 4 calls from " in said
    assert "2 of them flagged, 1 drawn of 2 with the seed s-1" in said
    queue = place.listed("review", "list")
    assert [(one["call"], one["why"], one["state"]) for one in queue][:2] == [
        (calls["flagged"], "flagged", "open"),
        (calls["blocked"], "flagged", "open"),
    ]
    assert queue[2]["call"] in {calls["plain"], calls["other"]}
    (record,) = place.records("review.sampled")
    assert (record["who"], record["population"], record["rest"], record["seed"]) == (ME, 4, 2, "s-1")
    # The same draw puts nothing in twice; the rest comes with the rest.
    again = place.run("review", "sample", "--all-flagged", "--percent", "50", "--seed", "s-1")
    assert again.startswith("0 calls are in the queue now")
    assert "3 more of it were before" in again
    assert place.run("review", "sample", "--percent", "100").startswith("1 calls are in the queue now")
    assert len(place.listed("review", "list")) == 4
    samples = place.listed("review", "samples")
    assert [one["queued"] for one in samples] == [1, 0, 3]
    assert samples[2]["population_sha256"] == record["population_sha256"]


def test_an_examiner_draws_a_sample_again_by_what_the_page_says(chosen):
    place, _ = chosen
    for percent in ("30", "60"):
        place.run("review", "sample", "--all-flagged", "--percent", percent)
    page = (Path(__file__).parents[2] / "docs" / "review.md").read_text()
    query, program = (re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL)[1] for kind in ("sql", "python"))
    functions: dict = {}
    exec(program, functions)
    had: set[str] = set()
    for sample in reversed(place.listed("review", "samples")):
        asked = query.replace("2027-06-29T00:00:00Z", sample["since"]).replace("2027-06-30T00:00:00Z", sample["until"])
        rows = place.listed("sql", asked)
        assert functions["digest"]([row["id"] for row in rows]) == sample["population_sha256"]
        chosen_again = functions["drawn"](
            [row["id"] for row in rows if not row["flagged"]], sample["seed"], sample["percent"]
        ) | {row["id"] for row in rows if row["flagged"]}
        queued = place.listed("sql", f"SELECT call_id FROM reviews WHERE sample_id = '{sample['sample']}'")
        assert {row["call_id"] for row in queued} == chosen_again - had
        had |= chosen_again


def test_a_call_is_read_decided_and_corrected_and_every_step_is_on_record(chosen):
    place, calls = chosen
    place.run("review", "sample", "--all-flagged")
    before = len(place.records("audit.read"))
    shown = place.run("review", "next")
    assert shown.splitlines()[1:] == place.run("review", "next").splitlines()[1:]  # it stays theirs
    for said in (
        f"call {calls['flagged']}, flagged at ",
        "  user: ann\n",
        "  route: fast\n",
        "  prompt fingerprint: ",
        "Asked\n  user: Hello?\n",
        "Answered\n  assistant: It cannot lose \\x9b31m money, I >>>promise<<<.\n",
        "promises found promise: flag, in choices[0].message.content, characters 29 to 36\n",
    ):
        assert said in shown, shown
    assert "\x9b" not in shown
    reads = place.records("audit.read")[before:]
    assert [(one["who"], one["action"], one["call"]) for one in reads] == [(ME, "review", calls["flagged"])] * 2
    note = "Says \x1b[31mit cannot lose\nTalked to Ann."
    said = place.run("review", "decide", calls["flagged"], "--as", "violation", "--note", note)
    assert said.startswith(f"{calls['flagged']}: violation, on record as ")
    (first,) = place.records("review.decided")
    assert (first["who"], first["call"], first["verdict"]) == (ME, calls["flagged"], "violation")
    assert "cannot lose" not in json.dumps(first)  # what was noted is a body, not a part of the record
    refused = place.run("review", "decide", calls["flagged"], "--as", "ok", status=1)
    assert f"decided already, as violation by {ME}" in refused
    place.run("review", "decide", f"chatcmpl-{calls['flagged']}", "--as", "escalate", "--correct")
    assert place.records("review.decided")[1]["supersedes"] == first["id"]
    history = place.run("review", "show", calls["flagged"])
    assert (
        f"violation by {ME}, decision {first['id']}\n    Says \\x1b[31mit cannot lose\n    Talked to Ann.\n" in history
    )
    assert f", in place of {first['id']}\n" in history
    assert place.records("audit.read")[-1]["action"] == "notes"
    (row,) = place.listed("review", "list", "--state", "decided")
    assert (row["verdict"], row["reviewer"], row["why"]) == ("escalate", ME, "flagged")
    columns = "verdict, reviewer, why, decisions"
    (row,) = place.listed("sql", f"SELECT {columns} FROM reviews WHERE call_id = '{calls['flagged']}'")
    assert tuple(row.values()) == ("escalate", ME, "flagged", 2)
    assert f"call {calls['blocked']}, " in place.run("review", "next")
    assert "(withheld" not in place.run("review", "next")
    place.run("review", "decide", calls["blocked"], "--as", "ok")
    assert "no call waits for you" in place.run("review", "next", status=1)


def test_what_cannot_be_done_is_one_line_and_leaves_no_record(chosen):
    place, calls = chosen
    before = len(place.records("review.sampled")), len(place.records("audit.read"))
    for words, status, said in (
        (("sample",), 64, "nothing would be chosen"),
        (("sample", "--percent", "many"), 64, "is no percent"),
        (("sample", "--percent", "5", "--since", "2030-01-01"), 64, "begin before it ends"),
        (("sample", "--percent", "5", "--seed", ""), 64, "a name has"),
        (("next",), 1, "no call waits for you"),
        (("decide", calls["plain"], "--as", "ok"), 1, "is not in the queue"),
        (("decide", "nothing", "--as", "ok"), 64, "is no call id"),
        (("decide", calls["plain"], "--as", "fine"), 64, "--as"),
        (("decide", calls["plain"], "--as", "ok", "--note", "x" * 4001), 64, "at most 4,000 characters"),
        (("show", calls["plain"]), 1, "never chosen"),
        (("list", "--limit", "0"), 64, "the limit"),
        (("report", "--since", "7d", "--by", "mood"), 64, "a report is made by"),
    ):
        result = command(place.directory, "review", *words)
        assert (result.returncode, result.stdout) == (status, ""), (words, result.stderr)
        assert said in result.stderr
        assert result.stderr.count("\n") == 1
    assert (len(place.records("review.sampled")), len(place.records("audit.read"))) == before


def test_a_report_says_what_was_reviewed_of_whose_calls(chosen):
    place, calls = chosen
    place.run("review", "sample", "--all-flagged", "--percent", "100", "--user", "ann")
    place.run("review", "decide", calls["flagged"], "--as", "violation")
    place.run("review", "decide", calls["plain"], "--as", "ok")
    rows = place.listed("review", "report", "--since", "1h", "--by", "user")
    counts = ("user", "calls", "chosen", "flagged", "drawn", "reviewed", "open", "ok", "violation", "share")
    assert [tuple(row[name] for name in counts) for row in rows] == [
        ("ann", 3, 3, 2, 1, 2, 1, 1, 1, 66.667),
        ("bob", 1, 0, 0, 0, 0, 0, 0, 0, 0.0),
        ("(all)", 4, 3, 2, 1, 2, 1, 1, 1, 50.0),
    ]
    assert rows[0]["wait_h"] <= rows[0]["longest_h"] < 1
    by_reviewer = place.listed("review", "report", "--since", "1h", "--by", "reviewer", "--tenant", "acme")
    assert [(row["reviewer"], row["reviewed"], row["open"]) for row in by_reviewer] == [
        (ME, 2, 0), (None, 0, 1), ("(all)", 2, 1)
    ]  # fmt: skip
    assert place.run("review", "report", "--since", "1h", "--format", "csv").startswith("tenant,user,calls,chosen,")


def test_who_has_looked_can_be_listed(chosen):
    place, calls = chosen
    place.run("review", "sample", "--all-flagged")
    place.run("review", "next")
    place.run("calls", "show", calls["plain"], "--bodies")
    place.run("sessions", "show", "s-1")
    place.run("audit", "export", "--since", "1h", "--tenant", "acme", "--user", "ann", "--out", "ann.jsonl")
    looks = place.listed("audit", "reads")
    assert [(one["action"], one["calls"], one["call"]) for one in looks] == [
        ("export", 3, None), ("session", 4, None), ("bodies", 1, calls["plain"]), ("review", 1, calls["flagged"])
    ]  # fmt: skip
    assert {one["who"] for one in looks} == {ME}
    assert looks[0]["filter"]["user"] == "ann"
    for words, actions in (
        (("--action", "bodies"), ["bodies"]),
        (("--call", calls["plain"]), ["export", "session", "bodies"]),
        (("--call", calls["other"]), ["session"]),
        (("--call", calls["flagged"], "--limit", "9"), ["export", "session", "review"]),
        (("--who", "nobody"), []),
        (("--until", "1h"), []),
    ):
        assert [one["action"] for one in place.listed("audit", "reads", *words)] == actions, words
    assert place.run("audit", "reads", "--format", "csv").count("\n") == 5


def test_the_queue_is_the_same_after_a_rebuild_and_a_restart(place):
    calls = [place.call("Hello?") for _ in range(6)]
    place.run("review", "sample", "--percent", "100")
    place.run("review", "next")
    place.run("review", "decide", calls[1], "--as", "ok", "--note", "fine")
    listed, samples = place.listed("review", "list"), place.listed("review", "samples")
    assert [one["state"] for one in listed].count("taken") == 1
    place.run("index", "rebuild")
    assert place.listed("review", "list") == listed
    place.stop()
    place.run("index", "rebuild")
    assert (place.listed("review", "list"), place.listed("review", "samples")) == (listed, samples)
    with gateway(place.directory) as running:
        place.running = running
        assert place.listed("review", "list") == listed
        held = next(one["call"] for one in listed if one["state"] == "taken")
        assert f"call {held}, " in place.run("review", "next")


def test_what_was_withheld_is_shown_with_the_place_where_it_was_found(place):
    call = place.call("Hello?", guardrails="quiet")
    place.run("review", "sample", "--all-flagged")
    shown = place.run("review", "next")
    assert "Answered\n  assistant: It cannot I may not say.\n" in shown
    withheld = "Withheld: what the provider had answered (37 characters came, 24 were released; quiet)\n"
    assert f"{withheld}  provider: It cannot >>>lose<<< \\x9b31m money, I promise.\n" in shown
    assert json.loads(place.run("review", "next", "--format", "json"))["call"] == call


def test_a_call_that_was_decided_comes_again_only_where_that_is_asked_for(place):
    call = place.call("Hello?")
    place.run("review", "sample", "--percent", "100")
    assert place.run("review", "sample", "--percent", "100", "--again").startswith("0 calls")  # it is open
    place.run("review", "decide", call, "--as", "ok")
    assert place.run("review", "sample", "--percent", "100").startswith("0 calls")
    assert place.run("review", "sample", "--percent", "100", "--again").startswith("1 calls")
    assert f"call {call}, drawn" in place.run("review", "next")
    place.run("review", "decide", call, "--as", "violation")
    assert "decision" in place.run("review", "show", call)
    (row,) = place.listed("review", "list")
    assert row["verdict"] == "violation"
