"""`apply` and `keys` against one running gateway, the console's port, and the same without a gateway."""

import json
import re

import pytest
from running_gateway import SECRET, TOKEN, Gateway, command, gateway, write_configuration

from trunkline.audit.files.reader import read_records


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    directory = tmp_path_factory.mktemp("gateway")
    write_configuration(directory, more=f'console: {{listen: "127.0.0.1:0", admin_token: "{TOKEN}"}}\n')
    with gateway(directory) as running:
        yield running


def changed(running: Gateway, before: str, after: str) -> str:
    path = running.directory / "trunkline.yaml"
    good = path.read_text()
    path.write_text(good.replace(before, after))
    return good


def test_a_key_works_as_soon_as_it_is_made_and_stops_as_soon_as_it_is_revoked(running):
    made = running.command("keys", "create", "--tenant", "acme", "--id", "new", "--route", "fast", "--team", "desk")
    assert made.returncode == 0
    secret = made.stdout.strip()
    assert re.fullmatch(r"tl-[A-Za-z0-9_-]{43}", secret)
    assert running.get("/v1/models", secret)[0] == 200
    listed = running.keys()["new"]
    assert (listed["team"], listed["routes"], listed["status"], listed["source"]) == ("desk", ["fast"], "valid", "log")
    assert "uid" in listed["created_by"]
    assert running.command("keys", "revoke", "new").returncode == 0
    assert running.get("/v1/models", secret)[0] == 401
    assert running.keys()["new"]["status"] == "revoked"
    again = running.command("keys", "revoke", "new")
    assert (again.returncode, again.stderr) == (0, "")


def test_a_secret_is_shown_once_and_written_nowhere(running):
    secret = running.command("keys", "create", "--tenant", "acme", "--id", "once").stdout.strip().encode()
    assert secret
    written = [path.read_bytes() for path in (running.directory / "data").rglob("*") if path.is_file()]
    assert written
    assert not any(secret in data or b"sk-one" in data for data in written)
    assert secret.decode() not in running.command("keys", "list", "--format", "json").stdout


def test_a_key_that_could_not_be_used_is_not_made(running):
    refused = running.command("keys", "create", "--tenant", "acmee")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "trunkline: there is no tenant `acmee`; did you mean `acme`?\n"


def test_a_key_of_the_file_is_revoked_in_the_file(running):
    refused = running.command("keys", "revoke", "app")
    assert refused.returncode == 1
    assert "take it out there and run `trunkline apply`" in refused.stderr
    assert running.get("/v1/models")[0] == 200


def test_apply_prints_what_changes_and_it_is_in_force(running):
    good = changed(running, "fast:", "swift:")
    applied = running.command("apply")
    assert applied.returncode == 0, applied.stderr
    assert {"- route fast", "+ route swift"} <= set(applied.stdout.splitlines())
    assert running.get("/v1/models")[1]["data"][0]["id"] == "swift"
    (running.directory / "trunkline.yaml").write_text(good)
    assert running.command("apply").returncode == 0


def test_apply_of_a_bad_file_says_every_mistake_and_changes_nothing(running):
    good = changed(running, "provider: openai", "provider: opnai, wieght: 2")
    refused = running.command("apply")
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 3
    assert "did you mean `openai`?" in refused.stderr
    assert "did you mean `weight`?" in refused.stderr
    assert running.get("/v1/models")[1]["data"][0]["id"] == "fast"
    (running.directory / "trunkline.yaml").write_text(good)


def test_apply_refuses_what_only_a_restart_changes(running):
    good = changed(running, "127.0.0.1:0\nlog", "127.0.0.1:1\nlog")
    refused = running.command("apply")
    assert refused.returncode == 1
    assert "restart the gateway, or put it back" in refused.stderr
    (running.directory / "trunkline.yaml").write_text(good)


def test_apply_refuses_another_file_than_the_gateways(running):
    other = running.directory / "other.yaml"
    other.write_text((running.directory / "trunkline.yaml").read_text())
    refused = running.command("apply", "-c", "other.yaml")
    assert refused.returncode == 1
    assert "apply that file" in refused.stderr


def test_every_change_is_in_controls_log_with_its_snapshot(running):
    records = list(read_records(running.directory / "data" / "log" / "gw-1" / "control"))
    by_type = {record.type: json.loads(record.bytes) for record in records}
    assert by_type["key.created"]["who"] == by_type["key.revoked"]["who"]
    snapshots = [json.loads(record.bytes) for record in records if record.type == "snapshot"]
    assert snapshots
    assert all(len(snapshot["digest"]) == 64 and snapshot["bodies"] for snapshot in snapshots)


def test_without_a_gateway_the_same_commands_work_and_the_next_start_knows(tmp_path):
    write_configuration(tmp_path)
    secret = command(tmp_path, "keys", "create", "--tenant", "acme", "--id", "early").stdout.strip()
    gone = command(tmp_path, "keys", "create", "--tenant", "acme", "--id", "gone").stdout.strip()
    assert command(tmp_path, "keys", "revoke", "gone").returncode == 0
    applied = command(tmp_path, "apply")
    assert applied.returncode == 0, applied.stderr
    assert "no gateway runs" in applied.stdout
    listed = command(tmp_path, "keys", "list", "--format", "csv").stdout
    assert [line.split(",")[4] for line in listed.splitlines()] == ["status", "valid", "valid", "revoked"]
    with gateway(tmp_path) as running:
        assert [running.get("/v1/models", s)[0] for s in (SECRET, secret, gone)] == [200, 200, 401]
