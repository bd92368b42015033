"""`trunkline serve` with its real processes: start, signals, deaths, reloads."""

import http.client
import json
import os
import signal
import socket
import threading
from pathlib import Path

from running_gateway import PATIENCE, SECRET, Gateway, gateway, gone, write_configuration

from trunkline.cli.control_client import SOCKET_NAME


def refused(directory: Path) -> str:
    """Start a gateway that does not come up; return what it said."""
    other = Gateway(directory)
    try:
        assert other.ended() == 1
    finally:
        other.process.stderr.close()
    return "\n".join(other.lines)


def test_it_serves_until_sigterm_and_leaves_no_process(tmp_path):
    write_configuration(tmp_path)
    with gateway(tmp_path) as running:
        assert running.get("/readyz")[0] == 200
        assert running.get("/v1/models")[1]["data"][0]["id"] == "fast"
        status = running.status()
        assert [worker["ready"] for worker in status["workers"]] == [True]
        assert status["workers"][0]["digest"] == status["snapshot"] == running.ready["snapshot"]
        assert os.getpriority(os.PRIO_PROCESS, status["control"]["pid"]) == 19  # calls have the processor first
        running.process.send_signal(signal.SIGTERM)
        assert running.ended() == 0
        assert gone(status["workers"][0]["pid"])
        assert gone(status["control"]["pid"])


def test_a_second_gateway_on_the_same_data_is_refused_and_all_of_it_is_for_its_owner_alone(tmp_path):
    write_configuration(tmp_path)
    with gateway(tmp_path) as running:
        said = refused(tmp_path)
        assert "in use" in said
        assert "Traceback" not in said
        assert running.get("/readyz")[0] == 200
        data = tmp_path / "data"
        assert data.stat().st_mode & 0o777 == 0o700
        assert (data / SOCKET_NAME).stat().st_mode & 0o777 == 0o600
        assert all(path.stat().st_mode & 0o077 == 0 for path in data.rglob("*"))


def test_a_port_that_is_taken_is_said_and_ends_the_start(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        write_configuration(tmp_path, port=other.getsockname()[1])
        assert "is in use by another process; stop it, or change `listen`" in refused(tmp_path)


def test_every_mistake_of_a_bad_file_is_said_and_nothing_is_started(tmp_path):
    path = write_configuration(tmp_path, more="rooutes: {}\n")
    path.write_text(path.read_text().replace("[gpt-4o-mini]", "[gpt-4o-mini, no-such-model]"))
    said = refused(tmp_path)
    assert "trunkline.yaml:12:1 rooutes" in said
    assert "no-such-model" in said
    assert said.splitlines()[-2].endswith('reason="the configuration is not good; mend what is named above"')
    assert not (tmp_path / "data").exists()


def test_calls_go_on_while_control_is_dead_and_it_is_replaced(tmp_path):
    write_configuration(tmp_path)
    with gateway(tmp_path) as running:
        before = running.status()
        os.kill(before["control"]["pid"], signal.SIGKILL)
        assert running.get("/v1/models")[0] == 200
        assert running.until("control_died")["status"] == -signal.SIGKILL
        assert running.keys()["app"]["status"] == "valid"  # waits for the new one
        after = running.status()
        assert after["control"]["pid"] != before["control"]["pid"]
        # What a worker reports of itself comes when it comes.
        states = [[worker | {"report": None} for worker in told["workers"]] for told in (before, after)]
        assert states[0] == states[1]


def test_a_file_that_has_become_bad_does_not_keep_a_new_control_from_its_work(tmp_path):
    path = write_configuration(tmp_path)
    with gateway(tmp_path) as running:
        path.write_text("data_dir: ./data\nversion: 2\n")  # where the data is, commands can still find
        os.kill(running.status()["control"]["pid"], signal.SIGKILL)
        assert "`providers` is missing" in running.until("configuration_problem")["problem"]
        made = running.command("keys", "create", "--tenant", "acme", "--id", "late")
        assert made.returncode == 0, made.stderr
        assert running.get("/v1/models", made.stdout.strip())[0] == 200
        path.unlink()
        write_configuration(tmp_path)
        assert running.command("apply").returncode == 0
        assert running.get("/v1/models", made.stdout.strip())[0] == 200


def test_a_connection_that_waits_while_the_worker_is_dead_is_answered_by_the_next(tmp_path):
    write_configuration(tmp_path)
    with gateway(tmp_path) as running:
        os.kill(running.status()["workers"][0]["pid"], signal.SIGKILL)
        # The port stays ours: nobody is refused or reset, whenever he comes.
        assert running.get("/v1/models")[0] == 200
        assert running.until("worker_died")["status"] == -signal.SIGKILL
        assert running.status()["workers"][0]["restarts"] == 1


def test_workers_and_control_end_when_the_supervisor_is_killed(tmp_path):
    write_configuration(tmp_path)
    with gateway(tmp_path) as running:
        status = running.status()
        running.process.kill()
        assert gone(status["workers"][0]["pid"])
        assert gone(status["control"]["pid"])
        running.process.wait()
    with gateway(tmp_path) as running:
        assert running.get("/readyz")[0] == 200


def test_sighup_puts_a_changed_file_in_force_and_a_bad_one_changes_nothing(tmp_path):
    path = write_configuration(tmp_path)
    with gateway(tmp_path) as running:
        good = path.read_text()
        path.write_text(good.replace("fast:", "faster:"))
        running.process.send_signal(signal.SIGHUP)
        assert running.until("reloaded")["changes"] == 2
        assert running.get("/v1/models")[1]["data"][0]["id"] == "faster"
        path.write_text(good.replace("provider: openai", "provider: opnai"))
        running.process.send_signal(signal.SIGHUP)
        assert "did you mean `openai`?" in running.until("configuration_problem")["problem"]
        running.until("reload_failed")
        assert running.get("/v1/models")[1]["data"][0]["id"] == "faster"


ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()


def call(port: int, answers: list[int]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    body = json.dumps({"model": "fast", "messages": [{"role": "user", "content": "Hello"}]})
    headers = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}
    try:
        connection.request("POST", "/v1/chat/completions", body, headers)
        answers.append(connection.getresponse().status)
    except OSError:
        answers.append(0)
    finally:
        connection.close()


def test_a_second_sigterm_does_not_wait_for_the_calls_in_flight(tmp_path):
    answers: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as provider:
        provider.settimeout(PATIENCE)
        write_configuration(tmp_path, provider=provider.getsockname()[1])
        with gateway(tmp_path) as running:
            calling = threading.Thread(target=call, args=(running.port, answers))
            calling.start()
            asked, _ = provider.accept()  # the call is in flight, and this provider never answers
            with asked:
                running.process.send_signal(signal.SIGTERM)
                running.until("draining", "supervisor")
                running.until("drain", "worker-0")
                status, body = running.get("/readyz")
                assert (status, body["reason"]) == (503, "draining")
                assert not answers
                running.process.send_signal(signal.SIGTERM)
                assert running.until("cut")["workers"] == 1
                assert running.ended() == 1
            calling.join(PATIENCE)
    assert answers == [0]


def test_a_drain_keeps_its_calls_whatever_is_to_be_put_in_force(tmp_path):
    answers: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as provider:
        provider.settimeout(PATIENCE)
        write_configuration(tmp_path, provider=provider.getsockname()[1])
        with gateway(tmp_path) as running:
            calling = threading.Thread(target=call, args=(running.port, answers))
            calling.start()
            asked, _ = provider.accept()
            with asked:
                running.process.send_signal(signal.SIGTERM)
                running.until("draining", "supervisor")
                for words in (["apply"], ["keys", "create", "--tenant", "acme"]):
                    refused = running.command(*words)
                    assert (refused.returncode, refused.stdout) == (1, "")
                    assert "draining" in refused.stderr
                running.process.send_signal(signal.SIGHUP)
                assert "draining" in running.until("reload_failed")["reason"]
                assert not answers
                asked.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER))
                assert running.ended() == 0
            calling.join(PATIENCE)
    assert answers == [200]
