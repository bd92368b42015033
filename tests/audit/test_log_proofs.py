"""Tiles and checkpoints on disk: an outsider finds there the tree of what the logs say, whatever dies in between."""

import json

import pytest

from audit import independent
from audit.disks import FailingDisk
from audit.logs import records
from audit.proven import OWN, Place, filled
from audit.test_recovery import flip
from trunkline.audit.files.key_file import KEY_FILE, PUBLIC_KEY_FILE, KeyUnusable, make_key, publish_key, read_key
from trunkline.audit.files.log_proofs import LogProofs
from trunkline.audit.files.segments import segments_of
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.log_of_logs import CHECKPOINTS, decode_checkpoints
from trunkline.audit.format.notes import SigningKey
from trunkline.audit.format.segment import HEADER_BYTES

PROCESSES = ("worker-0", "worker-1", OWN)


def tiles_on_disk(place, process):
    root = place.proof(process)
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in (root / "tile").rglob("*") if path.is_file()
    }


def checkpoint_of(place, process):
    note = (place.proof(process) / "checkpoint").read_text()
    return independent.checkpoint_of(note, independent.key_of((place.path / PUBLIC_KEY_FILE).read_text().strip())[1])


def leaves(place, process):
    return [independent.leaf_of(record.bytes) for record in records(place.log(process))]


def assert_proven(place):
    """Hold what is on disk against a tree that is built from the records, by the texts."""
    for process in PROCESSES:
        found = leaves(place, process)
        assert checkpoint_of(place, process) == (place.origin(process), len(found), independent.tree_hash(found))
        for path, data in independent.tiles_of(found).items():
            assert tiles_on_disk(place, process)[path] == data


def test_what_is_on_disk_is_the_signed_tree_of_every_log(tmp_path):
    place = filled(tmp_path)
    place.end()
    assert place.stopped == []
    assert len(segments_of(place.log("worker-0"))) > 2
    assert_proven(place)


def test_many_records_make_full_tiles_and_leave_no_partial_ones_of_them(tmp_path):
    place = Place(tmp_path)
    place.open(OWN)
    place.open("worker-0")
    for part in range(7):
        place.calls("worker-0", *(f"{part}-{number}" for number in range(50)))
        place.round(most=100)
    place.open("worker-1")
    place.end()
    assert_proven(place)
    names = tiles_on_disk(place, "worker-0").keys()
    assert {"tile/0/000", "tile/0/001", "tile/1/000.p/2"} <= names
    assert not [name for name in names if name.startswith(("tile/0/000.p", "tile/0/001.p"))]


def test_controls_log_says_which_logs_there_are_and_when_they_began_and_ended(tmp_path):
    place = filled(tmp_path)
    place.end()
    said = {process: [] for process in PROCESSES}
    for record in records(place.log(OWN), CHECKPOINTS):
        for signed in decode_checkpoints(record.bytes):
            said[signed.checkpoint.split("\n")[0].rpartition("/")[2]].append(signed)
    own = [int(one.checkpoint.split("\n")[1]) for one in said[OWN]]
    assert own == sorted(set(own))
    assert checkpoint_of(place, OWN)[1] > own[-1] > 0
    for process in ("worker-0", "worker-1"):
        kinds = [record.type for record in records(place.log(process))]
        assert [index for one in said[process] for index in one.started] == [0]
        sealed = [index for index, kind in enumerate(kinds) if kind == "log.sealed"]
        assert [index for one in said[process] for index in one.sealed] == sealed
        sizes = [int(one.checkpoint.split("\n")[1]) for one in said[process]]
        assert sizes == sorted(sizes)
        assert {index + 1 for index in sealed} <= set(sizes)  # at every seal
        assert sizes[-1] == len(kinds)


@pytest.mark.parametrize("operation", ["create", "write", "sync", "rename"])
@pytest.mark.parametrize("after", [0, 1, 4, 9])
def test_whatever_fails_on_the_way_the_next_start_goes_on_from_what_is_there(tmp_path, operation, after):
    place = Place(tmp_path)
    place.open(OWN)
    for process in ("worker-0", "worker-1"):
        place.open(process)
        place.calls(process, *(f"{process}-{number}" for number in range(140)))
    disk = FailingDisk(operation, after)
    place.follow(disk)
    with pytest.raises(OSError, match="Input/output"):
        place.round(most=50)
    place.proofs.close()
    assert disk.failed
    place.follow()
    place.end()
    assert place.stopped == []
    assert_proven(place)


def test_control_that_is_killed_between_recording_and_publishing_signs_nothing_else(tmp_path):
    place = filled(tmp_path)
    place.calls("worker-0", "more")
    place.proofs.step(10_000)
    signed = place.proofs.sign()
    said = {"checkpoints": [{"checkpoint": signed[0].checkpoint}]}
    place.logs[OWN].append(CHECKPOINTS, "id", json.dumps(said).encode())
    place.logs[OWN].flush()
    place.follow()  # without publishing
    place.end()
    assert place.stopped == []
    assert_proven(place)


def test_a_log_that_lost_signed_records_is_signed_no_more_and_the_others_are(tmp_path):
    place = filled(tmp_path)
    place.end()
    segments_of(place.log("worker-0"))[-1].unlink()
    before = checkpoint_of(place, "worker-0")
    place.follow()
    place.open(OWN)
    place.open("worker-1")
    place.calls("worker-1", "after")
    place.round()
    (stopped,) = place.stopped
    assert "have been signed and are missing" in stopped.reason
    assert checkpoint_of(place, "worker-0") == before
    assert checkpoint_of(place, "worker-1")[1] == len(leaves(place, "worker-1"))


def test_a_worker_does_not_go_on_in_a_log_that_lost_signed_records(tmp_path):
    place = filled(tmp_path)
    place.crash("worker-1")
    place.end()
    sealed, open_one = place.log("worker-0"), place.log("worker-1")
    segments_of(sealed)[-1].unlink()
    last = segments_of(open_one)[-1]
    last.write_bytes(last.read_bytes()[:HEADER_BYTES].ljust(place.settings.segment_bytes, b"\0"))
    for process in ("worker-0", "worker-1"):
        with pytest.raises(CorruptLog, match="have been signed and are missing"):
            place.open(process)
    for path in segments_of(sealed):
        path.unlink()
    with pytest.raises(CorruptLog, match="records 0 to"):
        place.open("worker-0")
    (place.proof("worker-0") / "checkpoint").unlink()
    place.open("worker-0").close_sync()


def test_a_beginning_that_is_gone_or_another_log_in_its_place_is_not_signed(tmp_path):
    for number, spoil in enumerate((lambda place: segments_of(place.log("worker-1"))[0].unlink(), swap)):
        place = Place(tmp_path / f"{number}")
        place.open(OWN)
        for process in ("worker-0", "worker-1"):
            place.open(process)
            place.calls(process, *(f"{process}-{part}" for part in range(60)))
            place.close(process)
        spoil(place)
        place.round()
        assert place.stopped
        assert not (place.proof("worker-1") / "checkpoint").exists()


def follow_all(place):
    while place.proofs.step(10_000):
        pass


def swap(place):
    for path in segments_of(place.log("worker-1")):
        path.unlink()
    for path in segments_of(place.log("worker-0")):
        (place.log("worker-1") / path.name).write_bytes(path.read_bytes())


def test_nothing_is_signed_over_a_tile_or_checkpoint_that_was_changed(tmp_path):
    for name, reason in (
        ("checkpoint", "cannot be trusted"),
        ("tile/1/000.p/1", "do not lead to the checkpoint's root"),
    ):
        place = Place(tmp_path / name)
        place.open(OWN)
        place.open("worker-0")
        place.calls("worker-0", *(f"{number}" for number in range(150)))
        place.round()
        flip(place.proof("worker-0") / name, 30)
        place.follow()
        place.round()
        (stopped,) = place.stopped
        assert reason in stopped.reason
    place = Place(tmp_path / "full")
    place.open(OWN)
    place.open("worker-0")
    place.calls("worker-0", *(f"{number}" for number in range(130)))
    follow_all(place)
    flip(place.proof("worker-0") / "tile/0/000", 30)
    place.follow()
    follow_all(place)
    assert "not that of the log's records" in place.stopped[0].reason


def test_control_of_a_machine_that_was_renamed_signs_the_log_that_it_had_before(tmp_path):
    place = filled(tmp_path)
    place.logs[OWN].append("score", "id", b"{}")
    place.crash(OWN)
    new = place.data_dir.log_directory("gw-2", OWN)
    proofs = LogProofs(tmp_path, new, place.key, place.stopped.append, place.disk)
    while proofs.step(10_000):
        pass
    signed = [one.checkpoint.split("\n")[0] for one in proofs.sign()]
    assert place.origin(OWN) in signed
    proofs.publish()
    assert checkpoint_of(place, OWN)[1] == len(leaves(place, OWN))
    assert place.stopped == []


def test_a_key_is_made_once_for_nobody_else(tmp_path):
    key = make_key(tmp_path / KEY_FILE, "deployment")
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert (
        make_key(tmp_path / KEY_FILE, "deployment").text == key.text == read_key(tmp_path / KEY_FILE, "deployment").text
    )
    publish_key(tmp_path, key.public)
    publish_key(tmp_path, key.public)
    with pytest.raises(KeyUnusable, match="signed with another key"):
        publish_key(tmp_path, SigningKey("deployment", bytes(32)).public)
    with pytest.raises(KeyUnusable, match="cannot be made"):
        make_key(tmp_path / "missing" / KEY_FILE, "deployment")


def test_a_key_that_cannot_be_used_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / KEY_FILE
    with pytest.raises(KeyUnusable, match="trunkline audit keys"):
        read_key(path, "deployment")
    make_key(path, "deployment")
    with pytest.raises(KeyUnusable, match="that of deployment, these are the logs of other"):
        read_key(path, "other")
    path.chmod(0o640)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        read_key(path, "deployment")
    path.chmod(0o600)
    path.write_text("PRIVATE+KEY+nonsense")
    with pytest.raises(KeyUnusable, match="no key that signs logs"):
        read_key(path, "deployment")
    with pytest.raises(KeyUnusable, match="cannot be read"):
        read_key(tmp_path, "deployment")
