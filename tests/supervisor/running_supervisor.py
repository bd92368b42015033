"""A supervisor in this process, over stand-ins for its children."""

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

from trunkline.operations import OperationalLog
from trunkline.supervisor.supervisor import Commands, Supervisor

STAND_INS = [sys.executable, str(Path(__file__).with_name("stand_ins.py"))]


class Lines:
    """The log and what control prints, read as they come."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def until(self, wanted: str, **facts: object) -> dict:
        """Read on until this event, or this line, comes."""
        while True:
            line = (await self._reader.readline()).decode()
            assert line, f"ended without {wanted}"
            if line.strip() == wanted:
                return {}
            said = json.loads(line) if line.startswith("{") else {}
            if said.get("event") == wanted and said | facts == said:
                return said


@asynccontextmanager
async def supervising(directory: Path, digests: list[str], worker: str = "usual"):
    """Run a supervisor; yields it, its run and its lines. It is stopped at the end."""
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb"))
    log = OperationalLog(writing, "json", "info", "supervisor")
    # What the stand-ins print goes to the same pipe.
    shell = ["/bin/sh", "-c", f'exec "$@" >/proc/{os.getpid()}/fd/{writing} 2>/dev/null', "sh"]
    manner = ",".join([str(directory / "data"), *digests])
    commands = Commands([*shell, *STAND_INS, "control", manner], [*STAND_INS, "worker", worker])
    supervisor = Supervisor("trunkline.yaml", log, commands)
    running = asyncio.create_task(supervisor.run())
    try:
        async with asyncio.timeout(30):
            yield supervisor, running, Lines(reader)
            if not running.done():
                os.kill(os.getpid(), signal.SIGTERM)
            await running
    finally:
        if not running.done():
            for _ in range(2):
                supervisor._signal(signal.SIGTERM)
            await running
        log.close()
        os.close(writing)
        transport.close()
