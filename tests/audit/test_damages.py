"""Whatever is done to a data directory that was signed, the check finds it and says where; untouched it is intact."""

import shutil
from collections import Counter
from random import Random

import pytest

from audit.damages import DAMAGES, PROCESSES, Signed
from audit.proven import NODE, OWN, SECOND, Place
from trunkline.audit.files.verification import Verification
from trunkline.audit.format.log_of_logs import CHECKPOINTS, encode_checkpoints

HOUR = 3600 * SECOND


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A directory that was signed to its end, copies of it on the way there, and the time of the last record."""
    path = tmp_path_factory.mktemp("signed")
    place = Place(path / "data")
    place.open(OWN)
    for process in PROCESSES[:2]:
        place.open(process)
    earlier = []
    for part in range(4):
        for process in PROCESSES[:2]:
            place.calls(process, *(f"{process}-{part}-{number}" for number in range(18 + 17 * (process == "worker-0"))))
        if part == 1:
            place.crash("worker-1")
            for _ in range(5):  # a minute in which the others say that they are there
                place.clock.later(12)
                for log in place.logs.values():
                    log.heartbeat()
            place.open("worker-1")
        place.round()
        earlier.append(path / f"earlier-{part}")
        shutil.copytree(place.path, earlier[-1])
        place.clock.later(4)
    place.end()
    return Signed(place.path, earlier, place.key.public), place.clock.now


def check(signed, now):
    return Verification(signed.path, signed.key, now, lambda _: None).run()


def damaged(original, directory, seed):
    """Damage a copy by chance, and return what was done and what the check says."""
    source, now = original
    chance = Random(seed)
    while True:
        signed = source._replace(path=directory / "data")
        shutil.copytree(source.path, signed.path)
        damage = chance.choice(DAMAGES)(signed, chance)
        if damage is not None:
            return damage, check(signed, now + HOUR), signed
        shutil.rmtree(signed.path)


def assert_found(damage, report, signed, seed):
    about = f"seed {seed}: {damage}: {report.findings}"
    if report.intact is None:
        # Two things look like what a crash leaves: a checkpoint that is the last but one of control's own log, and a
        # seal, which no root covers, that is not whole.
        assert damage.file is not None, about
        assert damage.file.name == "checkpoint" or damage.file == signed.segments(damage.process)[-1], about
        assert all("no checkpoint" in found.reason or "seal" in found.reason for found in report.findings), about
    else:
        assert report.intact is False, about
    of_log = [found for found in report.findings if found.log.endswith(f"/{NODE}/{damage.process}")]
    if damage.file is not None and damage.process != OWN:
        near = [found for found in of_log if found.file == damage.file]
        # What has gone from a segment is missed where the next one, or the end, is; a root names what it was signed of.
        assert near or of_log, about
    assert of_log or (damage.process == OWN and report.findings), about
    if damage.record is not None and damage.process != OWN:
        assert [found for found in of_log if found.record == damage.record and found.file == damage.file], about


def test_the_untouched_directory_is_intact_at_any_later_time(original):
    signed, now = original
    for later in (0, SECOND, HOUR, 10_000 * HOUR):
        report = check(signed, now + later)
        assert report.findings == []
        assert report.intact is True
    assert report.records > 400
    assert report.checkpoints > 30


@pytest.mark.parametrize("part", range(8))
def test_a_damage_of_any_kind_is_found_and_named(original, tmp_path, part):
    for seed in range(part * 30, part * 30 + 30):
        damage, report, signed = damaged(original, tmp_path, seed)
        assert_found(damage, report, signed, seed)
        shutil.rmtree(signed.path)


@pytest.mark.soak
def test_ten_thousand_damages_are_found_and_named(original, tmp_path):
    kinds = Counter()
    for seed in range(1_000, 11_000):
        damage, report, signed = damaged(original, tmp_path, seed)
        assert_found(damage, report, signed, seed)
        kinds[damage.what] += 1
        shutil.rmtree(signed.path)
    assert len(kinds) == len(set(DAMAGES))


def test_what_was_recorded_and_not_put_in_place_before_control_was_killed_is_no_damage(tmp_path):
    place = Place(tmp_path / "data")
    for process in (OWN, "worker-0"):
        place.open(process)
    place.calls("worker-0", "a", "b")
    place.round()
    place.calls("worker-0", "c")
    while place.proofs.step(100):
        pass
    own = place.logs[OWN]
    own.append(CHECKPOINTS, "checkpoints", encode_checkpoints(place.proofs.sign()))
    own.flush()
    place.crash(OWN)
    place.close("worker-0")
    place.open(OWN).append("audit.read", "read", b'{"who":"mara","action":"export"}')  # a command, with no gateway
    place.close(OWN)
    report = check(Signed(place.path, [], place.key.public), place.clock.now + HOUR)
    assert report.intact is None, report.findings
    place.open(OWN)
    place.follow()
    place.end()
    report = check(Signed(place.path, [], place.key.public), place.clock.now + HOUR)
    assert report.intact, report.findings


def test_a_checkpoint_that_was_put_back_is_found_behind_a_clean_end(tmp_path):
    place = Place(tmp_path / "data")
    for process in (OWN, "worker-0"):
        place.open(process)
    place.calls("worker-0", "a", "b")
    place.round()
    checkpoint = place.proof("worker-0") / "checkpoint"
    earlier = checkpoint.read_bytes()
    place.calls("worker-0", "c")
    place.end()
    checkpoint.write_bytes(earlier)
    report = check(Signed(place.path, [], place.key.public), place.clock.now + HOUR)
    assert report.intact is False
    assert any("an older checkpoint" in found.reason for found in report.findings)
