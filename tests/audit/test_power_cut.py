"""A power cut: what was flushed is there, and of what was not, any sectors or none."""

import asyncio
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.logs import SETTINGS, bodies, closed, open_log, opened, records, request_of
from trunkline.audit.files.disk import Disk

SECTOR = 512


class TracingDisk(Disk):
    """Writes for real, and keeps in order what was written, flushed, named and acknowledged."""

    def __init__(self) -> None:
        self.trace = []
        self._names = {}

    def create(self, path):
        fd = super().create(path)
        self._names[fd] = os.fstat(fd).st_ino
        self.trace.append(("create", self._names[fd], path.name))
        return fd

    def open(self, path):
        fd = super().open(path)
        self._names[fd] = os.fstat(fd).st_ino
        return fd

    def allocate(self, fd, size):
        super().allocate(fd, size)
        self.trace.append(("allocate", self._names[fd], size))

    def write(self, fd, data, offset):
        super().write(fd, data, offset)
        self.trace.append(("write", self._names[fd], offset, bytes(data)))

    def write_durably(self, fd, data, offset):
        self.trace.append(("write", self._names[fd], offset, bytes(data)))
        super().write_durably(fd, data, offset)
        self.trace.append(("flush", self._names[fd], offset, len(data)))

    def truncate(self, fd, size):
        super().truncate(fd, size)
        self.trace.append(("truncate", self._names[fd], size))

    def sync(self, fd):
        super().sync(fd)
        self.trace.append(("sync", self._names[fd]))

    def rename(self, source, target):
        self.trace.append(("rename", source.stat().st_ino, target.name))
        super().rename(source, target)
        self.trace.append(("renamed", target.stat().st_ino, target.name))


class Remains:
    """One file: what is durable, and what the disk had been told since."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.pending = []  # (offset, sector) or a length to cut to
        self.names = []  # old name first; a rename in progress leaves either

    def put(self, offset, piece):
        self.data.extend(bytes(max(0, offset + len(piece) - len(self.data))))
        self.data[offset : offset + len(piece)] = piece

    def settle(self, start=0, length=1 << 60):
        left = []
        for change in self.pending:
            if isinstance(change, int):
                if length == 1 << 60:
                    del self.data[change:]
                else:
                    left.append(change)
            elif start <= change[0] < start + length:
                self.put(*change)
            else:
                left.append(change)
        self.pending = left


def sectors(offset, data):
    """Cut a write where sectors begin: each of them reaches the disk whole or not at all."""
    at = 0
    while at < len(data):
        size = SECTOR - (offset + at) % SECTOR
        yield offset + at, data[at : at + size]
        at += size


def rebuild(trace, directory: Path, chosen) -> list[tuple[str, str]]:
    """Write the files as they may be after a cut behind this trace; return what had been acknowledged."""
    files, acknowledged = {}, []
    for kind, file, *rest in trace:
        if kind == "acknowledged":
            acknowledged.append((file, *rest))
            continue
        remains = files.setdefault(file, Remains())
        if kind == "create":
            remains.names = [rest[0]]
        elif kind == "allocate":
            remains.put(rest[0] - 1, b"\0")
        elif kind == "write":
            remains.pending.extend(sectors(*rest))
        elif kind == "flush":
            remains.settle(*rest)
        elif kind == "truncate":
            remains.pending.append(rest[0])
        elif kind == "sync":
            remains.settle()
        elif kind == "rename":
            remains.names = [remains.names[-1], rest[0]]
        elif kind == "renamed":
            remains.names = rest
    directory.mkdir(mode=0o700)
    for remains in files.values():
        remains.pending = [change for change in remains.pending if chosen()]
        remains.settle()
        (directory / remains.names[-1 if chosen() else 0]).write_bytes(remains.data)
    return acknowledged


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    directory, disk = tmp_path_factory.mktemp("power") / "log", TracingDisk()

    async def caller(log, name):
        for number in range(20):
            call = f"{name}{number}"
            await log.wait(opened(log, call, size=900))
            disk.trace.append(("acknowledged", "call.opened", call))
            await log.wait(closed(log, call, bodies={"response": b"answer to " + call.encode()}))
            disk.trace.append(("acknowledged", "call.closed", call))

    async def story():
        log, _ = open_log(directory, disk=disk)
        await asyncio.gather(*(caller(log, name) for name in "abc"))
        await log.close()

    asyncio.run(story())
    assert len(list(directory.glob("*.seg"))) > 2
    return disk.trace


@given(st.data())
@settings(deadline=None, max_examples=80)
def test_nothing_acknowledged_is_lost_in_a_power_cut(traced, tmp_path_factory, data):
    at = data.draw(st.integers(1, len(traced)))
    chance = random.Random(data.draw(st.integers(0, 1 << 30)))
    share = data.draw(st.sampled_from([0.0, 0.5, 0.9, 1.0]))
    directory = tmp_path_factory.mktemp("after") / "log"
    acknowledged = rebuild(traced[:at], directory, lambda: chance.random() < share)
    log, _ = open_log(directory, SETTINGS)
    log.close_sync()
    stored = {(record.type, record.id.removeprefix("end-of-")): record for record in records(directory)}
    for kind, call in acknowledged:
        (body,) = bodies(directory, stored[kind, call])
        assert body in ({"request": request_of(call, 900)}, {"response": b"answer to " + call.encode()})
