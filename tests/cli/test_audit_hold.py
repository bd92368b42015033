"""`trunkline audit hold` against a running gateway, and without one."""

import json

from running_gateway import command, gateway, write_configuration

from trunkline.audit.files.reader import read_records

PLACE = ("audit", "hold", "place", "--tenant", "acme", "--reason", "case 17")


def holds(listed) -> list[dict]:
    return json.loads(listed.stdout)


def test_a_hold_is_placed_listed_and_released_with_a_gateway_and_without(tmp_path):
    write_configuration(tmp_path)
    with gateway(tmp_path) as running:
        made = running.command(*PLACE, "--user", "ann", "--since", "2027-01-01", "--call", "chatcmpl-17")
        assert made.returncode == 0, made.stderr
        (hold,) = holds(running.command("audit", "hold", "list", "--format", "json"))
        assert made.stdout.startswith(f"{hold['id']} keeps records of acme since ")
        assert (hold["user"], hold["since"], hold["call"]) == ("ann", "2027-01-01T00:00:00Z", "17")
        assert (hold["reason"], "uid" in hold["placed_by"]) == ("case 17", True)
    assert command(tmp_path, *PLACE).returncode == 0
    first, second = holds(command(tmp_path, "audit", "hold", "list", "--format", "json"))
    assert (first["id"], second["user"]) == (hold["id"], None)
    released = command(tmp_path, "audit", "hold", "release", hold["id"], "--reason", "settled")
    assert released.stdout == f"{hold['id']} of acme is released\n"
    assert [one["id"] for one in holds(command(tmp_path, "audit", "hold", "list", "--format", "json"))] == [
        second["id"]
    ]
    every = holds(command(tmp_path, "audit", "hold", "list", "--all", "--format", "json"))
    assert (every[0]["released_because"], every[1]["released_at"]) == ("settled", None)
    kinds = [record.type for record in read_records(tmp_path / "data" / "log" / "gw-1" / "control")]
    assert [kind for kind in kinds if kind.startswith("hold.")] == ["hold.placed", "hold.placed", "hold.released"]


def test_what_cannot_be_held_or_released_is_said(tmp_path):
    write_configuration(tmp_path)
    nobody = command(tmp_path, "audit", "hold", "place", "--tenant", "acmee", "--reason", "x")
    assert (nobody.returncode, nobody.stderr) == (1, "trunkline: there is no tenant `acmee`; did you mean `acme`?\n")
    none = command(tmp_path, "audit", "hold", "release", "hold-1", "--reason", "x")
    assert (none.returncode, "there is no hold `hold-1`" in none.stderr) == (1, True)
    when = command(tmp_path, *PLACE, "--since", "soon")
    assert (when.returncode, "'soon' is no time" in when.stderr) == (64, True)


def test_who_is_held_cannot_be_erased_and_no_name_stands_in_the_record(tmp_path):
    write_configuration(tmp_path)
    hold = command(tmp_path, *PLACE, "--user", "ann-of-the-first-desk").stdout.split()[0]
    erase = ("audit", "erase", "--tenant", "acme", "--yes", "--user")
    refused = command(tmp_path, *erase, "ann-of-the-first-desk")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"trunkline: {hold} keeps it (case 17)")
    assert command(tmp_path, *erase, "joe").returncode == 0
    (listed,) = holds(command(tmp_path, "audit", "hold", "list", "--format", "json"))
    assert listed["user"] == "ann-of-the-first-desk"
    files = [path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert not any(b"ann-of-the-first-desk" in data for data in files)
    assert command(tmp_path, "audit", "hold", "release", hold, "--reason", "settled").returncode == 0
    assert command(tmp_path, *erase, "ann-of-the-first-desk").returncode == 0
