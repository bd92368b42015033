"""A real Redis for a test: on a Unix socket of its own, without a file; it can be killed, emptied and stopped."""

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import redis

REDIS = shutil.which("redis-server") or shutil.which("valkey-server")


class RedisServer:
    """`start`, `kill`, `stop` (as a machine that hangs) and `go_on`; `url` is for the configuration."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        if REDIS is None:
            pytest.fail("redis-server is missing; install the Debian package (tools/setup.sh does as root)")
        directory.mkdir(exist_ok=True)
        self._directory, self._arguments, self._process = directory, arguments, None
        self.path = directory / "redis.sock"
        self.url = f"unix://{self.path}"
        self.start()

    def start(self) -> None:
        command = [REDIS, "--port", "0", "--unixsocket", str(self.path), "--save", "", "--dir", str(self._directory)]
        command += self._arguments
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                with redis.Redis(unix_socket_path=str(self.path)) as client:
                    client.ping()
                return
            except redis.ConnectionError:
                assert time.monotonic() < deadline, "redis-server does not start"

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.path))

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)
