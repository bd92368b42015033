"""A gateway with policies and operators, calls through it, and the commands of whoever reviews them."""

import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from running_gateway import PATIENCE, SECRET, TOKEN, Gateway, command, gateway, write_configuration

from trunkline.audit.files.reader import read_records
from trunkline.control.users import user_name
from trunkline.simulator import Script, Simulator

ANSWER = "It cannot lose \x9b31m money, I promise."
MORE = f"""console:
  listen: 127.0.0.1:@
  admin_token: {TOKEN}
  operators:
    jane: {{token: 7e90b3d15fa2468c8d07c6e1f4a3b952, role: supervisor}}
    omar: {{token: 2d1f84c07ab3495e8c61f0b2d97e5a34, role: supervisor}}
guardrails:
  promises: {{check: patterns, action: flag, on: [output], rules: [{{name: promise, words: [promise]}}]}}
  curses: {{check: patterns, action: block, on: [input], rules: [{{name: curse, words: [damned]}}]}}
  quiet:
    {{check: patterns, action: replace, with: "I may not say.", on: [output], rules: [{{name: loss, words: [lose]}}]}}
"""
JANE, OMAR = "7e90b3d15fa2468c8d07c6e1f4a3b952", "2d1f84c07ab3495e8c61f0b2d97e5a34"
ME = user_name(os.getuid())


class Place:
    """A directory with a gateway that has carried calls, and its commands."""

    def __init__(self, directory: Path, running: Gateway, console: int) -> None:
        self.directory, self.running, self.console = directory, running, console

    def call(self, text: str, user: str = "ann", guardrails: str | None = None) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.running.port, timeout=PATIENCE)
        try:
            body = {"model": "fast", "messages": [{"role": "user", "content": text}]}
            headers = {"authorization": f"Bearer {SECRET}", "x-trunkline-user": user, "x-trunkline-session": "s-1"}
            headers |= {"x-trunkline-guardrails": guardrails} if guardrails else {}
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            response = connection.getresponse()
            response.read()
            return response.headers["x-trunkline-call"]
        finally:
            connection.close()

    def run(self, *words: str, status: int = 0) -> str:
        result = command(self.directory, *words)
        assert result.returncode == status, (words, result.stdout, result.stderr)
        return result.stdout if status == 0 else result.stderr

    def listed(self, *words: str) -> list[dict[str, Any]]:
        return json.loads(self.run(*words, "--format", "json"))

    def records(self, kind: str) -> list[dict[str, Any]]:
        log = self.directory / "data" / "log" / "gw-1" / "control"
        return [json.loads(one.bytes) for one in read_records(log, upto="whole") if one.type == kind]

    def stop(self) -> None:
        self.running.process.send_signal(signal.SIGTERM)
        self.running.process.wait(PATIENCE)


@contextmanager
def reviewed(directory: Path) -> Iterator[Place]:
    """Run a gateway whose calls are to be reviewed."""
    with Simulator.in_thread(Script(text=ANSWER)) as simulator:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            console = probe.getsockname()[1]
        write_configuration(directory, provider=simulator.openai.port, more=MORE.replace("@", str(console)))
        with gateway(directory) as running:
            yield Place(directory, running, console)
