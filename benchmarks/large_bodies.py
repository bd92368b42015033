"""What a stream feels of somebody else's large bodies: `python benchmarks/large_bodies.py [SECONDS] [MB]`.

A real `trunkline serve`; a caller streams at 50 deltas a second, alone first, then while another one sends and receives
JSON bodies of 10 MB as fast as it can. Each delta carries when its provider sent it, so that the delay between there
and the caller is the gateway's, with what the machine adds. The target is that none is later than 20 ms; whatever else
runs on the machine counts too, so look at the p99 first where it is not idle.
"""

import contextlib
import http.client
import json
import os
import random
import secrets
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from failover import free_port, gateway

TARGET_MS = 20.0
MB = 1_000_000
RATE = 50  # deltas a second
PATIENCE = 60.0
BEHIND = 10  # how nice the large bodies' own caller and provider are: it is the gateway that is measured
CONFIG = """\
version: 1
data_dir: ./data
node: large
listen: 127.0.0.1:{port}
log: {{format: json, level: error}}
providers:
  voice: {{dialect: openai, base_url: "http://127.0.0.1:{voice}/v1", api_key: sk-bench}}
  bulk: {{dialect: openai, base_url: "http://127.0.0.1:{bulk}/v1", api_key: sk-bench}}
prices:
  voice/any: {{input_per_million: 1, output_per_million: 1}}
  bulk/any: {{input_per_million: 1, output_per_million: 1}}
routes:
  voice: {{targets: [{{provider: voice, model: any}}], timeouts: {{total: 10m}}}}
  bulk: {{targets: [{{provider: bulk, model: any}}]}}
tenants:
  bench: {{keys: {{caller: {{secret: "${{BENCH_KEY}}"}}}}}}
"""


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    size = int(float(sys.argv[2]) * MB) if len(sys.argv) > 2 else 10 * MB
    key, port = secrets.token_hex(32), free_port()
    with tempfile.TemporaryDirectory(prefix="trunkline-large-") as name, providers(size) as ports:
        (Path(name) / "trunkline.yaml").write_text(CONFIG.format(port=port, **ports))
        with gateway(Path(name), port, key):
            report("alone", streamed(port, key, seconds), None)
            with bulk(port, key, size) as answered:
                began = time.monotonic()
                delays = streamed(port, key, seconds)
                took = time.monotonic() - began
            report(f"beside {size / MB:g} MB", delays, len(answered) / took)


def report(what: str, delays: list[float], calls: float | None) -> None:
    ordered = sorted(delays)
    p50, p99, most = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], ordered[-1]
    print(f"{what:13} delay of a delta: p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   most {most:6.2f} ms", end="   ")
    print(f"{calls:.1f} large calls/s   {'met' if most <= TARGET_MS else 'missed'}" if calls is not None else "")


def streamed(port: int, key: str, seconds: float) -> list[float]:
    """Stream for so long; returns each delta's delay in milliseconds."""
    body = {"model": "voice", "stream": True, "messages": [{"role": "user", "content": f"{seconds:g}"}]}
    delays = []
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        for line in answer:
            now = time.monotonic()
            if line.startswith(b"data: {"):
                choices = json.loads(line[6:])["choices"]
                said = choices[0]["delta"].get("content") if choices else None
                if said:
                    delays.append((now - float(said)) * 1000)
    assert len(delays) > seconds * RATE / 2
    return delays


@contextlib.contextmanager
def bulk(port: int, key: str, size: int) -> Iterator[list[float]]:
    """Send and receive large bodies in a process of its own; yields the times of the answers so far."""
    ours, theirs = get_context("fork").Pipe()
    caller = get_context("fork").Process(target=call_all_the_time, args=(theirs, port, key, size), daemon=True)
    caller.start()
    answered: list[float] = []

    def count() -> None:
        with contextlib.suppress(EOFError):
            while True:
                answered.append(ours.recv())

    assert ours.poll(PATIENCE)
    counting = threading.Thread(target=count, daemon=True)
    counting.start()
    try:
        yield answered
    finally:
        caller.terminate()
        caller.join()
    assert len(answered) > 1


def call_all_the_time(said: Connection, port: int, key: str, size: int) -> None:
    os.nice(BEHIND)
    body = json.dumps({"model": "bulk", "messages": [{"role": "user", "content": prose(size)}]}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    while True:
        connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status == 200, data[:1000]
        said.send(time.monotonic())


def prose(size: int) -> str:
    """Words that compress about as prose does."""
    chance = random.Random(7)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(5000)]
    return " ".join(chance.choices(words, k=size // 6))[: size - 500]


@contextlib.contextmanager
def providers(size: int) -> Iterator[dict[str, int]]:
    """Run a provider that streams the time, and one whose answer is as large as what it is asked."""
    text = prose(size)
    whole = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "any",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    answer = json.dumps(whole).encode()
    listeners = {"voice": socket.create_server(("127.0.0.1", 0)), "bulk": socket.create_server(("127.0.0.1", 0))}
    fork = get_context("fork")
    running = [
        fork.Process(target=accept, args=(listeners["voice"], stream_times, b""), daemon=True),
        fork.Process(target=accept, args=(listeners["bulk"], answer_whole, answer), daemon=True),
    ]
    for process in running:
        process.start()
    try:
        yield {name: listener.getsockname()[1] for name, listener in listeners.items()}
    finally:
        for process in running:
            process.terminate()
            process.join()
        for listener in listeners.values():
            listener.close()


def accept(listener: socket.socket, serve, answer: bytes) -> None:
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(client, answer), daemon=True).start()


def requests(client: socket.socket) -> Iterator[bytes]:
    """Yield the bodies of a connection's requests."""
    file = client.makefile("rb")
    while line := file.readline():
        length = 0
        while (line := file.readline()).strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        yield file.read(length)


def answer_whole(client: socket.socket, answer: bytes) -> None:
    os.nice(BEHIND)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(answer)
    with contextlib.suppress(ConnectionError):  # as its caller ends, so does the call
        for _ in requests(client):
            client.sendall(head + answer)


def stream_times(client: socket.socket, _: bytes) -> None:
    for request in requests(client):
        deltas = int(float(json.loads(request)["messages"][0]["content"]) * RATE)
        client.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        began = time.monotonic()
        for number in range(deltas):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            say(client, {"role": "assistant", "content": f"{time.monotonic():.6f}"}, None)
        say(client, {}, "stop")
        data = b"data: [DONE]\n\n"
        client.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))


def say(client: socket.socket, delta: dict[str, str], finish: str | None) -> None:
    chunk = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "created": 1, "model": "any"}
    data = (
        b"data: %b\n\n"
        % json.dumps(chunk | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).encode()
    )
    client.sendall(b"%x\r\n%b\r\n" % (len(data), data))


if __name__ == "__main__":
    main()
