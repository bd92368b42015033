"""Ways to damage a data directory: by accident, and by somebody who can write to the disk but has not the key.

Each takes a copy of a directory that was signed to its end, and chance; it returns which file or log it has damaged, or
None where chance chose what changes nothing.
"""

import hashlib
import shutil
from pathlib import Path
from random import Random
from typing import NamedTuple

from trunkline.audit.files.data_dir import LOGS, PROOF
from trunkline.audit.format.checkpoints import Checkpoint, sign_checkpoint
from trunkline.audit.format.frames import BODY, RECORD, encode_frame
from trunkline.audit.format.notes import PublicKey, SigningKey
from trunkline.audit.format.scan import Scan
from trunkline.audit.format.segment import HEADER_BYTES, decode_header
from trunkline.audit.format.tiles import WIDTH, full_tiles, partial_tiles

NODE = "gw-1"
PROCESSES = ("worker-0", "worker-1", "control")


class Damage(NamedTuple):
    """What was damaged: a file, or else all of a log; `record` where the check has to name it."""

    what: str
    process: str
    file: Path | None = None
    record: int | None = None


class Signed(NamedTuple):
    """A copy of a directory, earlier states of it, and its public key."""

    path: Path
    earlier: list[Path]
    key: PublicKey

    def log(self, process: str) -> Path:
        return self.path / LOGS / NODE / process

    def proof(self, process: str) -> Path:
        return self.path / PROOF / NODE / process

    def segments(self, process: str) -> list[Path]:
        return sorted(self.log(process).glob("*.seg"))

    def size(self, process: str) -> int:
        return int((self.proof(process) / "checkpoint").read_text().split("\n")[1])

    def evidence(self, process: str) -> list[Path]:
        tiles = [path for path in (self.proof(process) / "tile").rglob("*") if path.is_file()]
        return [*self.segments(process), *sorted(tiles), self.proof(process) / "checkpoint"]

    def needed_tiles(self, process: str) -> list[Path]:
        size = self.size(process)
        full = [f"tile/{level}/{n:03d}" for level, count in enumerate(full_tiles(size)) for n in range(count)]
        return [self.proof(process) / name for name in [*full, *(tile.path for tile in partial_tiles(size))]]


def write(path: Path, data: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(data)


def chosen(signed: Signed, chance: Random) -> tuple[str, Path, bytes]:
    """Some file that is evidence; segments more often, for they are most of it."""
    process = chance.choice(PROCESSES)
    files = chance.choice([signed.segments(process), signed.segments(process), signed.evidence(process)])
    path = chance.choice(files)
    return process, path, path.read_bytes()


def span(data: bytes, chance: Random) -> tuple[int, int]:
    start = chance.randrange(len(data))
    return start, min(len(data), start + chance.choice([1, 2, 16, 64, 300, 3000]))


def flip(signed: Signed, chance: Random) -> Damage | None:
    process, path, data = chosen(signed, chance)
    place = chance.randrange(len(data))
    write(path, data[:place] + bytes([data[place] ^ chance.randrange(1, 256)]) + data[place + 1 :])
    return Damage("flip", process, path)


def drop(signed: Signed, chance: Random) -> Damage | None:
    process, path, data = chosen(signed, chance)
    start, end = span(data, chance)
    write(path, data[:start] + data[end:])
    return Damage("drop", process, path)


def duplicate(signed: Signed, chance: Random) -> Damage | None:
    process, path, data = chosen(signed, chance)
    start, end = span(data, chance)
    write(path, data[:end] + data[start:end] + data[end:])
    return Damage("duplicate", process, path)


def swap(signed: Signed, chance: Random) -> Damage | None:
    process, path, data = chosen(signed, chance)
    length = chance.choice([1, 4, 32, 200])
    if len(data) < 2 * length:
        return None
    first = chance.randrange(len(data) - 2 * length + 1)
    second = chance.randrange(first + length, len(data) - length + 1)
    one, other = data[first : first + length], data[second : second + length]
    if one == other:
        return None
    write(path, data[:first] + other + data[first + length : second] + one + data[second + length :])
    return Damage("swap", process, path)


def truncate(signed: Signed, chance: Random) -> Damage | None:
    process, path, data = chosen(signed, chance)
    write(path, data[: chance.randrange(len(data))])
    return Damage("truncate", process, path)


def swap_segments(signed: Signed, chance: Random) -> Damage | None:
    process = chance.choice(PROCESSES[:2])
    one, other = chance.sample(signed.segments(process), 2)
    first, second = one.read_bytes(), other.read_bytes()
    write(one, second)
    write(other, first)
    return Damage("swap segments", process)


def segment_of_another_log(signed: Signed, chance: Random) -> Damage | None:
    path = chance.choice(signed.segments("worker-0"))
    write(path, chance.choice(signed.segments("worker-1")).read_bytes())
    return Damage("segment of another log", "worker-0", path)


def remove_segment(signed: Signed, chance: Random) -> Damage | None:
    process = chance.choice(PROCESSES)
    path = chance.choice(signed.segments(process))
    path.unlink()
    return Damage("remove segment", process)


def extra_segment(signed: Signed, chance: Random) -> Damage | None:
    process = chance.choice(PROCESSES)
    path = chance.choice(signed.segments(process))
    number = chance.randrange(signed.size(process) + 50)
    target = path.with_name(f"{number:020d}.seg")
    if target.exists():
        return None
    shutil.copyfile(path, target)
    return Damage("extra segment", process)


def remove_log(signed: Signed, chance: Random) -> Damage | None:
    process = chance.choice(PROCESSES)
    shutil.rmtree(signed.log(process))
    return Damage("remove log", process)


def remove_log_and_proof(signed: Signed, chance: Random) -> Damage | None:
    process = chance.choice(PROCESSES)
    shutil.rmtree(signed.log(process))
    shutil.rmtree(signed.proof(process))
    # Without control's log it is the others whose checkpoints nobody vouches for.
    return Damage("remove log and proof", "worker-0" if process == "control" else process)


def remove_proof(signed: Signed, chance: Random) -> Damage | None:
    process = chance.choice(PROCESSES)
    shutil.rmtree(signed.proof(process))
    return Damage("remove proof", process)


def remove_checkpoint(signed: Signed, chance: Random) -> Damage | None:
    process = chance.choice(PROCESSES)
    (signed.proof(process) / "checkpoint").unlink()
    return Damage("remove checkpoint", process)


def remove_tile(signed: Signed, chance: Random) -> Damage | None:
    process = chance.choice(PROCESSES)
    path = chance.choice(signed.needed_tiles(process))
    path.unlink()
    return Damage("remove tile", process, path)


def foreign_tile(signed: Signed, chance: Random) -> Damage | None:
    process = chance.choice(PROCESSES)
    beyond = signed.size(process) // WIDTH + chance.randrange(1, 9)
    name = chance.choice([f"tile/0/{beyond:03d}", f"tile/0/{beyond:03d}.p/7", "tile/0/abc", "tile/4/000"])
    path = signed.proof(process) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(chance.randbytes(32 * chance.randrange(1, 257)))
    return Damage("foreign tile", process, path)


def old_file(signed: Signed, chance: Random) -> Damage | None:
    """An earlier state of a file that has changed since: a checkpoint, the segment that was being written."""
    process, path, data = chosen(signed, chance)
    if chance.random() < 0.5:
        path = signed.proof(process) / "checkpoint"
        data = path.read_bytes()
    old = chance.choice(signed.earlier) / path.relative_to(signed.path)
    if not old.exists() or old.read_bytes() == data:
        return None
    write(path, old.read_bytes())
    return Damage("old file", process, path)


def old_log(signed: Signed, chance: Random) -> Damage | None:
    """An earlier state of a log together with its proof: in itself all of it fits."""
    process, earlier = chance.choice(PROCESSES), chance.choice(signed.earlier)
    for current in (signed.log(process), signed.proof(process)):
        shutil.rmtree(current)
        shutil.copytree(earlier / current.relative_to(signed.path), current)
    # It is the workers' checkpoints that control's old log does not know.
    return Damage("old log", "worker-0" if process == "control" else process)


def forged_checkpoint(signed: Signed, chance: Random) -> Damage | None:
    process = chance.choice(PROCESSES)
    path = signed.proof(process) / "checkpoint"
    note = path.read_text()
    origin, size, root = note.split("\n")[:3]
    other = SigningKey(signed.key.name, chance.randbytes(32))
    forged = chance.choice(
        [
            sign_checkpoint(Checkpoint(origin, chance.randrange(int(size) + 9), chance.randbytes(32)), other),
            note.replace(f"\n{size}\n", f"\n{int(size) - 1}\n"),
            note.replace(root, root[::-1]),
            (signed.proof("worker-1" if process == "worker-0" else "worker-0") / "checkpoint").read_text(),
            note.split("\n\n")[0] + "\n\n",
            "",
        ]
    )
    path.write_text(forged)
    return Damage("forged checkpoint", process, path)


def _frames(path: Path, kind: int) -> list:
    data = path.read_bytes()
    header = decode_header(data[:HEADER_BYTES])
    scan = Scan(lambda at, length: data[at : at + length], header.salt)
    return [(batch, frame) for batch in scan.batches() for frame in batch.frames if frame.kind == kind]


def _replace_frame(path: Path, frame, payload: bytes) -> None:
    """Put another payload of the same length into a frame, with a checksum that fits."""
    data = path.read_bytes()
    write(path, data[: frame.offset] + encode_frame(frame.kind, frame.codec, payload) + data[frame.end :])


def changed_record(signed: Signed, chance: Random) -> Damage | None:
    """A record in which one digit or letter has become another, with a checksum that fits: no accident."""
    process = chance.choice(PROCESSES)
    path = chance.choice(signed.segments(process))
    _, frame = chance.choice(_frames(path, RECORD))
    place = chance.randrange(len(frame.payload))
    char = frame.payload[place : place + 1]
    if not char.isalnum():
        return None
    other = b"%d" % ((int(char) + 1) % 10) if char.isdigit() else (b"q" if char != b"q" else b"r")
    _replace_frame(path, frame, frame.payload[:place] + other + frame.payload[place + 1 :])
    before = [found for at, found in _frames(path, RECORD) if found.offset < frame.offset]
    return Damage("changed record", process, path, int(path.stem) + len(before))


def swapped_records(signed: Signed, chance: Random) -> Damage | None:
    """Two records of the same length in each other's place, each with the index of its new one."""
    process = chance.choice(PROCESSES)
    path = chance.choice(signed.segments(process))
    frames = [frame for _, frame in _frames(path, RECORD)]
    one, other = chance.choice(frames), chance.choice(frames)
    if len(one.payload) != len(other.payload) or one.offset >= other.offset:
        return None
    _replace_frame(path, one, other.payload)
    _replace_frame(path, other, one.payload)
    return Damage("swapped records", process, path)


def changed_body(signed: Signed, chance: Random) -> Damage | None:
    """A body of which a byte is another one, with a checksum and, every other time, a digest that fit."""
    process = chance.choice(PROCESSES[:2])
    path = chance.choice(signed.segments(process))
    bodies = _frames(path, BODY)
    if not bodies:
        return None
    _, frame = chance.choice(bodies)
    payload = frame.payload[:-1] + bytes([frame.payload[-1] ^ 1])
    if chance.random() < 0.5:
        start = 38 + int.from_bytes(payload[32:34], "little") + int.from_bytes(payload[34:38], "little")
        payload = hashlib.sha256(payload[start:]).digest() + payload[32:]
    _replace_frame(path, frame, payload)
    return Damage("changed body", process, path)


DAMAGES = (
    flip, flip, flip, drop, duplicate, swap, truncate, swap_segments, segment_of_another_log, remove_segment,
    extra_segment, remove_log, remove_log_and_proof, remove_proof, remove_checkpoint, remove_tile, foreign_tile,
    old_file, old_file, old_log, forged_checkpoint, changed_record, changed_record, swapped_records, changed_body,
)  # fmt: skip
