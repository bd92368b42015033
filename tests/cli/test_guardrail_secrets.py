"""What a guardrail's service knows a gateway by: sent to it, changed by `trunkline apply`, and shown nowhere."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai
from running_gateway import PATIENCE, SECRET, command, gateway

from trunkline.simulator import Script, Simulator

OLD, NEW = "old-9f3c5a7be1d24860c7f2", "new-a9d83b6e4f10c7f29f3c"
CONFIGURATION = """\
version: 1
data_dir: ./data
node: gw-1
listen: 127.0.0.1:0
log: {{format: json}}
providers:
  openai: {{dialect: openai, base_url: "{openai}", api_key: "sk-one"}}
routes:
  fast: {{targets: [{{provider: openai, model: gpt-4o-mini}}], guardrails: [asks]}}
guardrails:
  asks: {{check: webhook, url: "{hook}", on: [output], action: redact,
          headers: {{authorization: "Bearer ${{file:./hook-key}}"}}}}
tenants:
  acme: {{keys: {{app: {{secret: "{secret}"}}}}}}
"""


@contextmanager
def service(told: list[str]) -> Iterator[str]:
    """Run a guardrail service that finds every text, and tells in its findings what it was told."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["content-length"])))
            told.append(self.headers["authorization"])
            found = {"rule": "tone", "why": f"asked by {self.headers['authorization']}", "end": len(question["text"])}
            answer = json.dumps({"findings": [found]}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/check"
        finally:
            server.shutdown()
            thread.join(PATIENCE)


def test_a_service_s_key_is_sent_and_changed_and_shown_nowhere(tmp_path):
    told: list[str] = []
    shown: list[str] = []

    def done(*words: str) -> str:
        result = command(tmp_path, *words)
        assert result.returncode == 0, result.stderr
        shown.extend((result.stdout, result.stderr))
        return result.stdout

    key = tmp_path / "hook-key"
    key.write_text(f"{OLD}\n")
    with Simulator.in_thread(openai=Script(text="Sixty percent.")) as simulator, service(told) as hook:
        text = CONFIGURATION.format(openai=simulator.openai.url, hook=hook, secret=SECRET)
        (tmp_path / "trunkline.yaml").write_text(text)
        done("check")
        with gateway(tmp_path) as running:
            url = f"http://127.0.0.1:{running.port}/v1"
            with openai.OpenAI(base_url=url, api_key=SECRET, max_retries=0, timeout=PATIENCE) as client:
                for secret in (OLD, NEW):
                    key.write_text(f"{secret}\n")
                    assert done("apply").startswith("no change but what secrets may stand for\n")
                    messages = [{"role": "user", "content": "How much?"}]
                    answer = client.chat.completions.create(model="fast", messages=messages)  # type: ignore[arg-type]
                    assert answer.choices[0].message.content == "[TONE]"
                    call = answer.id
            assert told == [f"Bearer {OLD}", f"Bearer {NEW}"]
            story = json.loads(done("calls", "show", call, "--bodies", "--format", "json"))
            assert story["ended"]["findings"][0]["why"] == "asked by (hidden)"
            done("calls", "list")
            report = json.loads(done("guardrails", "scan", "--since", "1h", "--format", "json"))
            assert (report["not_run"], report["calls"]) == (["asks"], 2)
            (tmp_path / "trunkline.yaml").write_text(text.replace("authorization:", "host:"))
            wrong = command(tmp_path, "apply")
            assert wrong.returncode == 1
            shown.extend((wrong.stdout, wrong.stderr))
        shown.extend(running.lines)
    kept = [path.read_bytes().decode("latin-1") for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert kept
    assert not [one for one in (*shown, *kept) if OLD in one or NEW in one]
