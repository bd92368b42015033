"""A copy in another place shows what nothing in the directory itself can show: that all of it was put back."""

import os
import shutil

import pytest

from audit.logs import records
from audit.proven import OWN, Place, filled
from trunkline.audit.files.checkpoint_copies import CopyDiffers, copies_in, keep_copy, read_copy
from trunkline.audit.files.key_file import read_public_key
from trunkline.audit.files.verification import Verification
from trunkline.audit.format.checkpoints import Checkpoint, sign_checkpoint

DAY = "2027-06-30"


def copied(place, to, day=DAY):
    note = (place.proof(OWN) / "checkpoint").read_text()
    origin, size, _ = note.split("\n", 2)
    keep_copy(to, origin, int(size), day, note)


def findings(path, copies, now):
    report = Verification(path, read_public_key(path), now, lambda _: None, copies).run()
    return [(finding.kind, finding.log.rpartition("/")[2], finding.reason) for finding in report.findings]


@pytest.fixture
def kept(tmp_path):
    """A directory with two copies elsewhere, and how it was at the first of them."""
    to = tmp_path / "elsewhere"
    to.mkdir()
    place = Place(tmp_path / "data")
    place.open(OWN)
    place.open("worker-0")
    place.calls("worker-0", "one", "two")
    place.round()
    copied(place, to)
    shutil.copytree(place.path, tmp_path / "before")
    place.calls("worker-0", "three")
    place.end()
    copied(place, to, "2027-07-01")
    return place, to, tmp_path / "before"


def test_copies_fit_the_logs_that_they_are_of(kept):
    place, to, _ = kept
    assert len(list(copies_in(to, place.data_dir.deployment))) == 2
    assert findings(place.path, [to], place.clock.now) == []


def test_a_directory_that_was_put_back_to_an_earlier_day_is_found_out(kept):
    place, to, before = kept
    assert findings(before, [], place.clock.now) == []
    ((kind, log, reason),) = findings(before, [to], place.clock.now)
    assert (kind, log) == ("damage", OWN)
    assert "have been signed and are missing: see " in reason
    assert "2027-07-01" in reason


def test_another_history_signed_with_the_same_key_is_found_out(kept):
    place, to, _ = kept
    note = sign_checkpoint(Checkpoint(place.origin(OWN), 4, b"x" * 32), place.key)
    keep_copy(to, place.origin(OWN), 4, DAY, note)
    assert ("damage", OWN, "the log's first 4 records do not have the root that was signed of them") in findings(
        place.path, [to], place.clock.now
    )


def test_a_log_that_only_a_copy_knows_of_is_missing(kept):
    place, to, _ = kept
    shutil.rmtree(place.log(OWN))
    shutil.rmtree(place.proof(OWN))
    assert ("damage", OWN, "the log is missing") in findings(place.path, [to], place.clock.now)


def test_a_copy_is_written_once_and_by_nobody_again(kept):
    place, to, _ = kept
    path = list(copies_in(to, place.data_dir.deployment))[-1]
    assert path.stat().st_mode & 0o777 == 0o400
    note = read_copy(path)
    keep_copy(to, place.origin(OWN), int(path.name), "2027-07-01", note)
    with pytest.raises(CopyDiffers, match=f"another checkpoint of {int(path.name)} records"):
        keep_copy(to, place.origin(OWN), int(path.name), "2027-07-01", note.replace("\n\n", "\nx\n\n"))
    assert read_copy(path) == note


def test_a_copy_that_a_crash_cut_short_is_no_other_history_and_is_said(kept):
    place, to, _ = kept
    path = list(copies_in(to, place.data_dir.deployment))[-1]
    note = read_copy(path)
    os.chmod(path, 0o600)
    path.write_text(note[:20])
    keep_copy(to, place.origin(OWN), int(path.name), "2027-07-01", note)
    ((kind, _, reason),) = findings(place.path, [to], place.clock.now)
    assert (kind, reason.startswith("the copy cannot be trusted")) == ("doubt", True)


def test_a_place_that_is_not_there_is_not_made(kept, tmp_path):
    place, _, _ = kept
    with pytest.raises(FileNotFoundError, match="not mounted"):
        copied(place, tmp_path / "unmounted")
    assert not (tmp_path / "unmounted").exists()
    ((kind, _, reason),) = findings(place.path, [tmp_path], place.clock.now)
    assert (kind, reason) == ("doubt", "there is no copy of this deployment's checkpoints")


def test_copies_of_workers_that_have_gone_on_hold_too(tmp_path):
    to = tmp_path / "elsewhere"
    to.mkdir()
    place = filled(tmp_path / "data")
    for _ in range(3):
        place.round()
        copied(place, to)
        place.calls("worker-0", *(str(number) for number in range(20)))
    place.end()
    assert records(place.log(OWN))
    assert findings(place.path, [to], place.clock.now) == []
