"""The simulator in a thread and as a process."""

import json
import signal
import socket
import subprocess
import sys

import anthropic
import openai
import pytest

from trunkline.simulator import ErrorAnswer, Script, Settings, Simulator, Stall
from trunkline.simulator.__main__ import MISUSE, main

ASK = [{"role": "user", "content": "How is Henderson?"}]


def ask(url, **options):
    with openai.OpenAI(base_url=url, api_key="sk-test", max_retries=0, **options) as client:
        return client.chat.completions.create(model="gpt-4o-mini", messages=ASK).choices[0].message.content


def test_callers_without_an_event_loop_use_it_in_a_thread():
    with Simulator.in_thread(Script(text="Fine."), Script(text="Well.")) as simulator:
        assert ask(simulator.openai.url) == "Fine."
        with anthropic.Anthropic(base_url=simulator.anthropic.url, api_key="k", max_retries=0) as client:
            answer = client.messages.create(model="claude-haiku-4-5", max_tokens=50, messages=ASK)
        assert answer.content[0].text == "Well."
        simulator.openai.play(Script(fault=ErrorAnswer(status=500)))
        with pytest.raises(openai.InternalServerError):
            ask(simulator.openai.url)
        assert [call.status for call in simulator.openai.wait_for_calls(2)] == [200, 500]
        simulator.openai.stop_listening()
        with pytest.raises(openai.APIConnectionError):
            ask(simulator.openai.url)
        simulator.openai.listen()
        assert len(simulator.openai.calls) == 2


def test_a_thread_sees_who_left_and_gives_up_waiting_in_time():
    with Simulator.in_thread(Script(fault=Stall())) as simulator:
        with pytest.raises(TimeoutError):
            simulator.openai.wait_until_left(timeout=0.001)
        with pytest.raises(openai.APITimeoutError):
            ask(simulator.openai.url, timeout=0.2)
        (left,) = simulator.openai.wait_until_left()
        assert left.client_left


def test_a_port_that_is_taken_is_an_error_at_once():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="Address already in use"):
            Simulator(settings=Settings(openai_port=port))
        with pytest.raises(OSError, match="Address already in use"):
            Simulator.in_thread(settings=Settings(openai_port=port)).__enter__()


def test_settings_do_not_show_keys():
    assert "sk-good" not in repr(Settings(openai_key="sk-good", anthropic_key="sk-good"))


def process(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "trunkline.simulator", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_prints_its_ports_serves_scripts_and_ends_on_a_signal(tmp_path, number):
    file = tmp_path / "script.json"
    file.write_text('{"openai": [{"text": "From a file."}, {"fault": {"kind": "error_answer", "status": 429}}]}')
    with process("--openai-port", "0", "--anthropic-port", "0", "--script", str(file)) as running:
        try:
            places = json.loads(running.stdout.readline())
            assert places["openai"]["url"] == f"http://127.0.0.1:{places['openai']['port']}/v1"
            assert ask(places["openai"]["url"]) == "From a file."
            with pytest.raises(openai.RateLimitError):
                ask(places["openai"]["url"])
        finally:
            running.send_signal(number)
        _, said = running.communicate(timeout=20)
        assert (running.returncode, said) == (0, b"")


def test_a_script_with_a_mistake_is_misuse(tmp_path, capsys):
    file = tmp_path / "script.json"
    file.write_text('{"openai": {"txt": "x"}}')
    assert main(["--script", str(file)]) == MISUSE
    assert main(["--script", str(tmp_path / "none.json")]) == MISUSE
    assert "txt" in capsys.readouterr().err
