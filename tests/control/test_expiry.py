"""What has expired is deleted, and what remains is as provable as before."""

import asyncio
import shutil
from itertools import count

import pytest

from audit.logs import opened, records
from audit.proven import BEGAN, NODE, OWN, SECOND, Place
from trunkline.audit.files.key_file import read_public_key
from trunkline.audit.files.proving import prove
from trunkline.audit.files.segments import first_index_of, segments_of
from trunkline.audit.files.verification import Verification
from trunkline.audit.format.bundles import check_bundle
from trunkline.audit.format.expiry import EXPIRED, decode_expired
from trunkline.control.configuration import Configuration
from trunkline.control.expiry import DAY, Expiry, step
from trunkline.control.state import HoldPlaced
from trunkline.model.ids import prefix_of, uuid7

FILE = """\
version: 1
data_dir: {data}
node: gw-1
audit: {{retention: 30d}}
providers:
  openai: {{dialect: openai, base_url: "http://127.0.0.1:9/v1", api_key: sk-one, models: [gpt-4o-mini]}}
routes:
  fast: {{targets: [{{provider: openai, model: gpt-4o-mini}}]}}
tenants:
  harbor: {{keys: {{app: {{secret: 9f3c5a7be1d24860c7f2a9d83b6e4f10}}}}}}
  acme: {{retention: 90d}}
"""
MONTH = 30 * DAY
NUMBERS = count()


def ids(place, number):
    return [uuid7(prefix_of(place.clock.now // 1_000_000), f"{next(NUMBERS):019x}") for _ in range(number)]


@pytest.fixture
def place(tmp_path):
    """Two workers' logs of two hundred days, of some segments each; every day or so a heartbeat, signed as it goes."""
    place = Place(tmp_path / "data")
    for process in (OWN, "worker-0", "worker-1"):
        place.open(process)
    for _ in range(5):
        for process in ("worker-0", "worker-1"):
            place.calls(process, *ids(place, 60))
        place.round()
        place.clock.later(40 * DAY)
    (tmp_path / "trunkline.yaml").write_text(FILE.format(data=tmp_path / "data"))
    return place


def expiry(place, holds=(), now=None):
    snapshot = Configuration(str(place.path.parent / "trunkline.yaml")).compile().snapshot
    return Expiry(place.path, snapshot, holds, place.clock.now / SECOND if now is None else now)


def expire(place, holds=(), now=None):
    async def record(kind, payload):
        place.logs[OWN].append(kind, "expired", payload)
        place.logs[OWN].flush()

    gone = asyncio.run(step(expiry(place, holds, now), record, "me", asyncio.to_thread))
    return {log.log: log for log in gone}


def report(place):
    found = Verification(place.path, read_public_key(place.path), place.clock.now, lambda _: None).run()
    return {(finding.kind, finding.reason) for finding in found.findings if "s lie between" not in finding.reason}


def starts(place, process):
    return [first_index_of(path) for path in segments_of(place.log(process))]


def test_what_has_expired_goes_and_all_that_was_signed_still_holds(place):
    before = {process: starts(place, process) for process in ("worker-0", "worker-1", OWN)}
    assert len(before["worker-0"]) > 5
    gone = expire(place)
    assert set(gone) == {f"{NODE}/worker-0", f"{NODE}/worker-1"}
    log = gone[f"{NODE}/worker-0"]
    assert (log.first, log.tenants) == (0, ["harbor"])
    assert 256 < log.following == starts(place, "worker-0")[0]
    assert starts(place, OWN) == before[OWN]
    for record in records(place.log("worker-0")):
        assert record.index >= log.following
    place.end()
    assert report(place) == set()


def test_the_record_of_it_says_what_went_before_it_goes(place):
    sizes = {path: path.stat().st_size for path in segments_of(place.log("worker-0"))}
    log = expire(place)[f"{NODE}/worker-0"]
    (told,) = [
        word
        for word in (decode_expired(record.bytes) for record in records(place.log(OWN), EXPIRED))
        if word.origin == place.origin("worker-0")
    ]
    assert (told.following, told.who, told.tenants) == (log.following, "me", ["harbor"])
    assert [(one.first, one.size) for one in told.segments] == [
        (first_index_of(path), size) for path, size in sizes.items() if first_index_of(path) < log.following
    ]
    assert all(len(one.sha256) == 64 for one in told.segments)


def test_a_call_that_remains_is_proved_as_before(place):
    (call,) = ids(place, 1)
    place.calls("worker-0", call)
    place.round()
    assert expire(place)
    key = read_public_key(place.path)
    assert [one.head.type for one in check_bundle(prove(place.path, call, key), key)] == ["call.opened", "call.closed"]


def test_the_log_goes_on_and_is_followed_on_after_a_restart(place):
    place.proofs.close()
    expire(place)
    place.close("worker-0")
    place.open("worker-0")
    place.follow()
    place.calls("worker-0", *ids(place, 10))
    place.end()
    assert place.stopped == []
    assert report(place) == set()


def test_one_segment_more_that_somebody_removes_is_missed(place):
    log = expire(place)[f"{NODE}/worker-0"]
    place.end()
    segments_of(place.log("worker-0"))[0].unlink()
    kinds = {kind for kind, reason in report(place) if reason.startswith(f"records {log.following} to ")}
    assert kinds == {"damage"}


def test_segments_that_go_without_a_word_of_it_are_missed(place):
    place.end()
    segments_of(place.log("worker-1"))[0].unlink()
    assert any(kind == "damage" and reason.startswith("records 0 to ") for kind, reason in report(place))


def test_a_hash_of_what_has_expired_that_was_changed_is_found(place):
    expire(place)
    place.end()
    tile = place.proof("worker-0") / "tile" / "0" / "000"
    data = bytearray(tile.read_bytes())
    data[40] ^= 1
    tile.write_bytes(data)
    assert any(kind == "damage" for kind, _ in report(place))
    tile.unlink()
    assert ("damage", "a tile is missing or short whose records have expired") in report(place)


def test_what_a_killed_run_left_is_said_and_deleted_by_the_next(place, tmp_path):
    kept = tmp_path / "kept"
    shutil.copytree(place.log("worker-0"), kept)
    log = expire(place)[f"{NODE}/worker-0"]
    for path in segments_of(kept):
        if 0 < first_index_of(path) < log.following:
            shutil.copy2(path, place.log("worker-0"))
    left = "it has expired and is still there: run `trunkline audit retention --apply` again"
    place.round()
    assert ("doubt", left) in report(place)
    assert expire(place)[f"{NODE}/worker-0"].first == log.following
    assert starts(place, "worker-0")[0] > log.following
    assert ("doubt", left) not in report(place)


def test_a_hold_keeps_the_segment_and_all_that_follows(place):
    second = segments_of(place.log("worker-0"))[1]
    held = next(record for record in records(place.log("worker-0"), "call.opened") if record.segment > 0)
    assert held.segment == first_index_of(second)
    hold = HoldPlaced("hold-1", "harbor", "me", "a dispute", call=held.id)
    found = {log.log: log for log in expiry(place, [hold]).found()}
    assert (found[f"{NODE}/worker-0"].segments, found[f"{NODE}/worker-0"].holds) == (1, ["hold-1"])
    assert found[f"{NODE}/worker-1"].segments > 1
    assert expire(place, [hold])[f"{NODE}/worker-0"].following == held.segment
    assert expire(place)[f"{NODE}/worker-0"].first == held.segment


def test_a_tenant_that_keeps_longer_keeps_what_stands_beside(place):
    place.clock.now = BEGAN  # a log of its own, from the beginning
    place.open("worker-2")
    (call,) = ids(place, 1)
    opened(place.logs["worker-2"], call, tenant="acme")
    place.calls("worker-2", *ids(place, 200))
    found = {log.log: log for log in expiry(place, now=BEGAN / SECOND + 60 * DAY).found()}
    assert found[f"{NODE}/worker-2"].segments == 0
    assert found[f"{NODE}/worker-2"].until.startswith("2026-12-")
    found = {log.log: log for log in expiry(place, now=BEGAN / SECOND + 92 * DAY).found()}
    assert found[f"{NODE}/worker-2"].segments > 0


def test_nothing_goes_before_its_time(place):
    assert expire(place, now=BEGAN / SECOND + MONTH) == {}
