"""Erasing persons and changing keys, with a gateway that carries calls meanwhile and without one."""

import http.client
import json
import signal
import threading
from pathlib import Path

import pytest
from running_gateway import PATIENCE, SECRET, command, gateway, write_configuration

from trunkline.audit.files.reader import read_records
from trunkline.simulator import Script, Simulator

CANARY = "canary-7f3a9"
SUBJECT, OTHER = "client-118", "client-240"


def asked(port: int, subject: str) -> str:
    """Make a call about somebody; return its id."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        body = {"model": "fast", "messages": [{"role": "user", "content": f"{CANARY} of {subject}"}]}
        headers = {"authorization": f"Bearer {SECRET}", "x-trunkline-subject": subject}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        response.read()
        return response.headers["x-trunkline-call"]
    finally:
        connection.close()


def shown(directory: Path, call: str) -> dict:
    found = command(directory, "calls", "show", call, "--bodies", "--format", "json")
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def done(directory: Path, *words: str) -> str:
    found = command(directory, *words)
    assert found.returncode == 0, found.stderr
    return found.stdout


def recorded(directory: Path, kind: str) -> list[dict]:
    log = directory / "data" / "log" / "gw-1" / "control"
    return [json.loads(one.bytes) for one in read_records(log, upto="whole") if one.type == kind]


def test_a_person_is_erased_while_calls_run_and_others_are_read_as_before(tmp_path):
    with Simulator.in_thread(Script(text=f"{CANARY} said")) as simulator:
        write_configuration(tmp_path, provider=simulator.openai.port)
        with gateway(tmp_path) as running:
            first, other = asked(running.port, SUBJECT), asked(running.port, OTHER)
            assert f"{CANARY} of {SUBJECT}" in shown(tmp_path, first)["bodies"]["request"]
            done(tmp_path, "audit", "keys", "backup", "--out", "backup.tar")

            stop, during = threading.Event(), []

            def call_on() -> None:
                while not stop.is_set():
                    during.append(asked(running.port, SUBJECT))

            calling = threading.Thread(target=call_on)
            calling.start()
            erase = ("audit", "erase", "--tenant", "acme", "--subject", SUBJECT)
            assert done(tmp_path, *erase, "--dry-run").startswith("would destroy 1 data keys of ")
            refused = command(tmp_path, *erase)
            assert (refused.returncode, "--yes" in refused.stderr) == (1, True)
            assert done(tmp_path, *erase, "--yes").startswith("destroyed 1 data keys of ")
            stop.set()
            calling.join()
            after = asked(running.port, SUBJECT)

            story = shown(tmp_path, first)
            assert (story["bodies"], "erased" in story["note"]) == ({}, True)
            assert CANARY in shown(tmp_path, other)["bodies"]["response"]
            # What was said when the command had returned is sealed with a key of its own, which is there.
            assert CANARY in shown(tmp_path, after)["bodies"]["request"]
            replay = command(tmp_path, "replay", first)
            assert (replay.returncode, "erased" in replay.stderr) == (1, True)
            export = command(tmp_path, "audit", "export", "--since", "2020-01-01", "--out", "calls.jsonl")
            assert (export.returncode, "are not whole" in export.stderr) == (1, True)
            lines = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
            (line,) = [line for line in lines if line["call"] == first]
            assert "erased" in line["lost"]
            (erasure,) = recorded(tmp_path, "erasure")
            assert (erasure["tenant"], erasure["kind"], erasure["keys"]) == ("acme", "subject", 1)
            assert SUBJECT not in json.dumps(erasure)

            before = (tmp_path / "data" / "vault.key").read_bytes()
            assert "the vault was wrapped with the key" in done(tmp_path, "audit", "keys", "rotate")
            assert (tmp_path / "data" / "vault.key").read_bytes() != before
            assert len(recorded(tmp_path, "vault.rotated")) == 1
            new = asked(running.port, "client-300")
            assert CANARY in shown(tmp_path, new)["bodies"]["request"]
            assert CANARY in shown(tmp_path, other)["bodies"]["response"]

            refused = command(tmp_path, "audit", "keys", "restore", "backup.tar")
            assert (refused.returncode, "stop the gateway" in refused.stderr) == (1, True)
            running.process.send_signal(signal.SIGTERM)
            assert running.ended() == 0
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]
    assert command(tmp_path, "audit", "verify").returncode == 0
    assert "erased" in shown(tmp_path, first)["note"]
    assert CANARY in shown(tmp_path, new)["bodies"]["request"]

    # Without the store nothing can be read; its backup brings back all but who was erased.
    for path in (tmp_path / "data" / "vault").glob("*/worker-0.keys"):
        path.unlink()
    assert "restore its backup" in shown(tmp_path, other)["note"]
    assert "2 of them erased again" in done(tmp_path, "audit", "keys", "restore", "backup.tar")
    assert CANARY in shown(tmp_path, other)["bodies"]["response"]
    assert "erased" in shown(tmp_path, first)["note"]
    listed = json.loads(done(tmp_path, "audit", "keys", "vault", "--format", "json"))
    assert {row["tenant"] for row in listed} >= {"acme"}


@pytest.mark.parametrize("more", ["audit: {vault: off}\n"])
def test_without_a_vault_bodies_are_read_and_nobody_can_be_erased(tmp_path, more):
    with Simulator.in_thread(Script(text=CANARY)) as simulator:
        write_configuration(tmp_path, provider=simulator.openai.port, more=more)
        with gateway(tmp_path) as running:
            call = asked(running.port, SUBJECT)
            assert CANARY in shown(tmp_path, call)["bodies"]["request"]
            refused = command(tmp_path, "audit", "erase", "--tenant", "acme", "--subject", SUBJECT, "--yes")
            assert (refused.returncode, "there is no vault" in refused.stderr) == (1, True)
    assert not (tmp_path / "data" / "vault").exists()


def test_a_weak_or_missing_key_is_an_error_with_its_fix(tmp_path):
    for said, reason in (
        ("{key: aGVsbG8=}", "a vault key must be 32 random bytes, this has 5 bytes"),
        ('{key: "' + "A" * 43 + '="}', "is not random"),
        ("{key_file: nowhere}", "there is no file `nowhere`"),
        ('{key: "${NO_SUCH_VARIABLE}"}', "NO_SUCH_VARIABLE is not set"),
        ("{service: kms, settings: {a: 1}, key_file: x}", "the vault has its key from `key_file` already"),
    ):
        write_configuration(tmp_path, more=f"audit: {{vault: {said}}}\n")
        found = command(tmp_path, "check")
        assert found.returncode != 0
        assert reason in found.stderr + found.stdout, found
