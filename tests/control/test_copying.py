"""Copying beside all else: at once, again after a failure, and never in the way."""

import json
import os
import time

import pytest

from audit.proven import OWN, Place
from trunkline.audit.files.checkpoint_copies import copies_in
from trunkline.control import copying
from trunkline.control.copying import Copying
from trunkline.operations import OperationalLog

DID_NOT_HANG = 30.0


@pytest.fixture
def said(tmp_path):
    descriptor = os.open(tmp_path / "said.log", os.O_RDWR | os.O_CREAT)
    log = OperationalLog(descriptor, "json", "info", "control")

    def events():
        log.flush()
        return [json.loads(line)["event"] for line in (tmp_path / "said.log").read_text().splitlines()]

    yield log, events
    log.close()
    os.close(descriptor)


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path / "data")
    place.open(OWN)
    place.open("worker-0")
    place.calls("worker-0", "one")
    place.round()
    return place


def until(copier, happened):
    give_up = time.monotonic() + DID_NOT_HANG
    while not happened():
        assert time.monotonic() < give_up
        copier.look()


def desk(place, places, log):
    return Copying(lambda: places, (place.proof(OWN) / "checkpoint").read_text, log)


def test_a_copy_is_made_at_once_and_the_last_at_the_end(place, tmp_path, said):
    to = tmp_path / "elsewhere"
    to.mkdir()
    copier = desk(place, (str(to),), said[0])
    until(copier, lambda: len(list(copies_in(to, place.data_dir.deployment))) == 1)
    place.end()
    copier.finish()
    assert len(list(copies_in(to, place.data_dir.deployment))) == 2
    assert copier.lag_seconds[str(to)] < DID_NOT_HANG
    assert said[1]() == []


def test_a_place_that_fails_is_said_once_and_tried_again(place, tmp_path, said, monkeypatch):
    monkeypatch.setattr(copying, "EVERY", 0.0)
    to = tmp_path / "elsewhere"
    copier = desk(place, (str(to),), said[0])
    until(copier, lambda: said[1]() == ["copy_failed"])
    for _ in range(20):
        copier.look()
    assert said[1]() == ["copy_failed"]
    to.mkdir()
    until(copier, lambda: said[1]() == ["copy_failed", "copied_again"])
    copier.finish()


def test_two_histories_are_an_error_that_is_said(place, tmp_path, said):
    to = tmp_path / "elsewhere"
    to.mkdir()
    first = desk(place, (str(to),), said[0])
    first.finish()
    (path,) = copies_in(to, place.data_dir.deployment)
    os.chmod(path, 0o600)
    path.write_text(path.read_text()[::-1])
    second = desk(place, (str(to),), said[0])
    second.finish()
    assert said[1]() == ["checkpoint_differs"]


def test_without_places_nothing_is_read(said):
    def checkpoint():
        raise AssertionError

    copier = Copying(tuple, checkpoint, said[0])
    copier.look()
    copier.finish()
    assert copier.lag_seconds == {}
