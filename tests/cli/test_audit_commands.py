"""`trunkline audit` as an auditor uses it: against a gateway that runs, and against files alone."""

import http.client
import json
import re
import shutil
import subprocess
import time

import pytest
from running_gateway import COMMAND, PATIENCE, SECRET, command, gateway, write_configuration

from audit import independent
from audit.logs import opened
from audit.proven import BEGAN, SECOND, Place, filled
from trunkline.model.ids import prefix_of, uuid7
from trunkline.simulator import Simulator

MINUTE_LATER = BEGAN // SECOND + 60
CALL, RUNNING, UNKNOWN = (uuid7(prefix_of(MINUTE_LATER * 1000), f"{number:019x}") for number in range(3))


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """A directory that was signed to its end, with one call that has an id as real ones have, and one that runs on."""

    def story(place: Place) -> None:
        while place.clock.now < MINUTE_LATER * SECOND:
            place.clock.later(12)
            for log in place.logs.values():
                log.heartbeat()
        place.calls("worker-1", CALL)
        opened(place.logs["worker-1"], RUNNING)

    path = tmp_path_factory.mktemp("data")
    place = filled(path, story)
    place.end()
    return place


def run(place, *words, cwd):
    return command(cwd, "audit", *words, "--data-dir", str(place.path))


def test_an_intact_directory_is_said_to_be_intact(signed, tmp_path):
    verified = run(signed, "verify", cwd=tmp_path)
    assert (verified.returncode, verified.stderr) == (0, ""), verified.stdout
    assert re.fullmatch(
        r"intact: 3 logs with \d+ records, 0\.\d MB; \d+ signed roots and \d+ tiles hold;"
        r" 0 records are not signed yet, 1 calls are open\n",
        verified.stdout,
    )


def test_an_hour_in_which_a_log_that_runs_says_nothing_is_told_with_exit_code_2(tmp_path):
    place = filled(tmp_path / "data", lambda place: place.clock.later(3600))
    place.calls("worker-0", "after")
    place.end()
    verified = run(place, "verify", cwd=tmp_path)
    assert verified.returncode == 2
    assert "could not tell" in verified.stdout
    assert "3,604.0 s lie between this record and the one before, though the log ran" in verified.stdout


def test_a_proof_convinces_the_command_and_a_verifier_that_shares_nothing_with_us(signed, tmp_path):
    made = run(signed, "prove", f"chatcmpl-{CALL}", "--output", "call.json", cwd=tmp_path)
    assert (made.returncode, made.stdout) == (0, ""), made.stderr
    keys = run(signed, "keys", cwd=tmp_path).stdout.split()
    checked = command(tmp_path, "audit", "check-proof", "call.json", "--public-key", keys[0])
    assert checked.returncode == 0, checked.stdout
    assert [line.split()[1] for line in checked.stdout.splitlines()] == ["call.opened", "call.closed"]
    bundle = json.loads((tmp_path / "call.json").read_text())
    name, public = independent.key_of(keys[0])
    assert name == signed.data_dir.deployment
    assert {independent.key_of(key)[1] for key in keys} == {public}
    for one in bundle["records"]:
        origin, _, index = independent.proven(one["proof"], one["record"].encode(), public)
        assert origin in [independent.key_of(key)[0] for key in keys]
        assert json.loads(one["record"])["index"] == index


def test_a_proof_of_which_a_byte_was_changed_proves_nothing(signed, tmp_path):
    key = signed.path / "audit.pub"
    proof = run(signed, "prove", CALL, cwd=tmp_path).stdout
    changes = [
        ("harbor", "harbop"),
        ("call.closed", "call.opened"),
        (CALL, RUNNING),
        ("@v1", "@v2"),
        ("index 1", "index 2"),
    ]
    for number, (what, instead) in enumerate(changes):
        assert what in proof
        file = tmp_path / f"{number}.json"
        file.write_text(proof.replace(what, instead))
        checked = command(tmp_path, "audit", "check-proof", str(file), "--public-key", str(key))
        assert (checked.returncode, checked.stdout.partition(":")[0]) == (1, "not proven")


def test_a_call_that_runs_is_proven_as_opened(signed, tmp_path):
    (tmp_path / "p.json").write_text(run(signed, "prove", RUNNING, cwd=tmp_path).stdout)
    checked = command(tmp_path, "audit", "check-proof", "p.json", "--public-key", str(signed.path / "audit.pub"))
    assert checked.returncode == 0
    assert "the call had not ended when this was made" in checked.stdout


def test_what_cannot_be_proven_is_said_in_one_line(signed, tmp_path):
    for words, status, reason in (
        (["prove", UNKNOWN], 1, "no log has a call"),
        (["prove", "nonsense"], 64, "no id of a call"),
    ):
        done = run(signed, *words, cwd=tmp_path)
        assert (done.returncode, len(done.stderr.splitlines())) == (status, 1)
        assert reason in done.stderr
    for words, reason in (
        (["check-proof", "missing", "--public-key", str(signed.path / "audit.pub")], "no such file"),
        (["check-proof", str(signed.path / "audit.pub"), "--public-key", "nonsense"], "no public key"),
        (["verify", "--data-dir", "missing"], "no directory"),
        (["verify"], "no file"),
    ):
        done = command(tmp_path, "audit", *words)
        assert done.returncode == 64, done.stderr
        assert reason.split()[-1] in done.stderr


def test_damage_is_named_by_file_offset_and_record_with_exit_code_1(signed, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(signed.path, copy)
    path = sorted((copy / "log/gw-1/worker-0").glob("*.seg"))[1]
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[6000] ^= 1
    path.write_bytes(data)
    verified = subprocess.run(
        [*COMMAND, "audit", "verify", "--data-dir", str(copy)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert verified.returncode == 1
    first = next(line for line in verified.stdout.splitlines() if line.startswith("damaged"))
    assert re.search(rf"{re.escape(str(path))} at offset \d+, record \d+: ", first)
    assert verified.stdout.splitlines()[-1].startswith("damaged: 3 logs")


def test_another_key_than_the_one_that_signed_is_damage_and_none_at_all_cannot_tell(signed, tmp_path):
    other = Place(tmp_path / "other")
    given = run(signed, "verify", "--public-key", other.key.public.named(signed.data_dir.deployment).text, cwd=tmp_path)
    assert given.returncode == 1
    assert "cannot be trusted" in given.stdout
    copy = tmp_path / "copy"
    shutil.copytree(signed.path, copy)
    (copy / "audit.pub").unlink()
    nothing = command(tmp_path, "audit", "verify", "--data-dir", str(copy))
    assert nothing.returncode == 2
    assert nothing.stdout.startswith("could not tell: there is no public key")


def test_an_empty_directory_is_no_data_directory(tmp_path):
    done = command(tmp_path, "audit", "verify", "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert done.stdout.startswith("could not tell: ")


def test_the_key_of_the_configuration_is_made_by_command_and_signs(tmp_path):
    write_configuration(tmp_path, more="audit: {key_file: keys/audit.key}\n")
    (tmp_path / "keys").mkdir()
    assert command(tmp_path, "check").returncode == 1
    made = command(tmp_path, "audit", "keys")
    assert made.returncode == 0, made.stderr
    assert made.stdout == (tmp_path / "data/audit.pub").read_text()
    assert command(tmp_path, "audit", "keys").stdout == made.stdout
    assert command(tmp_path, "check").returncode == 0
    assert not (tmp_path / "data/audit.key").exists()


def test_a_gateway_that_runs_can_be_verified_and_its_calls_proven(tmp_path):
    with Simulator.in_thread() as simulator:
        write_configuration(tmp_path, provider=simulator.openai.port)
        with gateway(tmp_path) as running:
            call = ask(running)
            deadline = time.monotonic() + PATIENCE
            while (proof := running.command("audit", "prove", call)).returncode:  # control signs within ten seconds
                assert time.monotonic() < deadline, proof.stderr
            (tmp_path / "proof.json").write_text(proof.stdout)
            verified = running.command("audit", "verify")
            assert verified.returncode == 0, verified.stdout
            assert verified.stdout.startswith("intact: 2 logs")
    checked = command(tmp_path, "audit", "check-proof", "proof.json", "--public-key", str(tmp_path / "data/audit.pub"))
    assert checked.returncode == 0
    assert [line.split()[1] for line in checked.stdout.splitlines()] == ["call.opened", "call.closed"]


def ask(running):
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE)
    body = json.dumps({"model": "fast", "messages": [{"role": "user", "content": "Hello"}]})
    connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {SECRET}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200
    return answer.getheader("x-trunkline-call")
