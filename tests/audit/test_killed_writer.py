"""`kill -9` of a writer: whatever it said was durable is there afterwards, whole."""

import random
import signal
import subprocess
import sys
from pathlib import Path

from audit.logs import bodies, closed, open_log, records, request_of

ROUNDS = 8
PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from audit.logs import closed, open_log, opened

async def caller(log, name):
    number = 0
    while True:
        call = f"{name}{number}"
        await log.wait(opened(log, call, size=400))
        os.write(1, f"call.opened {call}\\n".encode())
        frame = log.append_body(call, {"response": b"first piece of " + call.encode()})
        await log.wait(closed(log, call, frames=[frame], bodies={"response": b"answer to " + call.encode()}))
        os.write(1, f"call.closed {call}\\n".encode())
        number += 1

async def main():
    log, found = open_log(Path(sys.argv[1]))
    for call in found.open_calls:
        await log.wait(closed(log, call.call, kind="call.abandoned", frames=call.bodies))
    os.write(1, b"ready -\\n")
    await asyncio.gather(*(caller(log, f"{sys.argv[2]}-{n}-") for n in range(8)))

asyncio.run(main())
"""


def test_every_acknowledged_record_survives_kill_9_whole(tmp_path):
    directory, chance, acknowledged = tmp_path / "log", random.Random(11), []
    for round_ in range(ROUNDS):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(directory), f"r{round_}"],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parent.parent,
        )
        assert process.stdout is not None
        with process.stdout as said:
            lines = [said.readline() for _ in range(1 + chance.randrange(300))]
            process.send_signal(signal.SIGKILL)
            lines += said.readlines()
        assert process.wait(20) == -signal.SIGKILL
        acknowledged += [tuple(line.decode().split()) for line in lines if line.endswith(b"\n")]

    log, found = open_log(directory)
    for call in found.open_calls:
        closed(log, call.call, kind="call.abandoned", frames=call.bodies)
    log.close_sync()

    stored = records(directory)
    assert [record.index for record in stored] == list(range(len(stored)))
    by_name = {(record.type, record.id.removeprefix("end-of-")): record for record in stored}
    for kind, call in acknowledged:
        if kind == "call.opened":
            assert bodies(directory, by_name[kind, call]) == [{"request": request_of(call, 400)}]
        elif kind == "call.closed":
            first, last = bodies(directory, by_name[kind, call])
            assert first == {"response": b"first piece of " + call.encode()}
            assert last == {"response": b"answer to " + call.encode()}
    assert len(acknowledged) > ROUNDS * 20
    ended = [record.id.removeprefix("end-of-") for record in stored if record.type in ("call.closed", "call.abandoned")]
    assert sorted(ended) == sorted(record.id for record in stored if record.type == "call.opened")
