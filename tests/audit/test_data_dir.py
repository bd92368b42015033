import json
import stat
from pathlib import Path

import pytest

from trunkline.audit.files import data_dir as module
from trunkline.audit.files.data_dir import DataDirError, open_data_dir, read_deployment


def test_a_new_directory_is_private_and_keeps_its_name(tmp_path):
    made = open_data_dir(tmp_path / "a" / "data")
    assert stat.S_IMODE((tmp_path / "a" / "data").stat().st_mode) == 0o700
    assert [path.name for path in made.path.iterdir()] == ["FORMAT"]
    assert stat.S_IMODE((made.path / "FORMAT").stat().st_mode) == 0o600
    assert len(made.deployment) == 10
    assert open_data_dir(made.path) == made
    assert read_deployment(made.path) == made.deployment
    assert open_data_dir(tmp_path / "other").deployment != made.deployment


def test_another_format_is_refused(tmp_path):
    made = open_data_dir(tmp_path / "data")
    (made.path / "FORMAT").write_text(json.dumps({"format": 2, "deployment": "x"}))
    with pytest.raises(DataDirError, match="format 2, this build reads format 1"):
        open_data_dir(made.path)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "1"}'])
def test_a_damaged_format_file_is_refused_and_not_replaced(tmp_path, text):
    made = open_data_dir(tmp_path / "data")
    (made.path / "FORMAT").write_text(text)
    with pytest.raises(DataDirError, match="cannot be read"):
        open_data_dir(made.path)
    assert (made.path / "FORMAT").read_text() == text


def test_a_directory_that_others_may_look_into_is_refused(tmp_path):
    made = open_data_dir(tmp_path / "data")
    made.path.chmod(0o750)
    with pytest.raises(DataDirError, match="chmod 700"):
        open_data_dir(made.path)


def test_a_network_file_system_is_refused(tmp_path, monkeypatch):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"40 1 0:50 / {tmp_path}/data rw - nfs4 server:/x rw\n")
    monkeypatch.setattr("trunkline.audit.files.mounts.MOUNTINFO", mounts)
    with pytest.raises(DataDirError, match=r"network file system \(nfs4\)"):
        open_data_dir(tmp_path / "data")
    open_data_dir(tmp_path / "local")


def test_a_place_that_cannot_be_a_directory_is_said_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirError, match="cannot be used"):
        open_data_dir(tmp_path / "file" / "data")
    with pytest.raises(DataDirError, match="no FORMAT file"):
        read_deployment(tmp_path)


def test_the_lock_is_held_until_it_is_released(tmp_path):
    made = open_data_dir(tmp_path / "data")
    with made.lock(), pytest.raises(DataDirError, match="in use by another process"):
        made.lock()
    lock = made.lock()
    lock.release()
    lock.release()
    made.lock().release()


def test_logs_are_named_after_machine_and_process(tmp_path):
    made = open_data_dir(tmp_path / "data")
    assert made.origin("gw-1", "worker-0") == f"{made.deployment}/gw-1/worker-0"
    assert made.log_directory("gw-1", "worker-0") == made.path / "log" / "gw-1" / "worker-0"


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a b", "-x", "x" * 129, "näme"])
def test_a_name_that_cannot_be_part_of_a_path_is_refused(tmp_path, name):
    made = open_data_dir(tmp_path / "data")
    with pytest.raises(DataDirError, match="cannot name a log"):
        made.log_directory(name, "worker-0")
    with pytest.raises(DataDirError, match="cannot name a log"):
        made.origin("gw-1", name)


def test_of_two_processes_that_begin_at_once_the_first_names_the_directory(tmp_path, monkeypatch):
    path = Path(tmp_path / "data")
    first = open_data_dir(path)
    monkeypatch.setattr(module, "_read", _once_missing(module._read))
    assert open_data_dir(path) == first


def _once_missing(read):
    answers = iter([None])
    return lambda path: next(answers) if (answers.__length_hint__()) else read(path)


def test_a_directory_of_another_user_is_refused(tmp_path, monkeypatch):
    made = open_data_dir(tmp_path / "data")
    monkeypatch.setattr("os.geteuid", lambda: made.path.stat().st_uid + 1)
    with pytest.raises(DataDirError, match="belongs to another user"):
        open_data_dir(made.path)


def test_a_format_file_that_cannot_be_read_is_said(tmp_path):
    (tmp_path / "data" / "FORMAT").mkdir(parents=True)
    with pytest.raises(DataDirError, match="cannot be used"):
        read_deployment(tmp_path / "data")
