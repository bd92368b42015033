"""Files of this machine as a configuration may name them."""

import os
import re

import pytest

from trunkline.config.problems import ConfigInvalid
from trunkline.config.sources import Unreadable
from trunkline.control.machine import MAX_FILE, read_configuration, read_file


def test_a_file_is_read_to_its_end(tmp_path):
    path = tmp_path / "one"
    path.write_text("ä" * (MAX_FILE // 2))
    assert len(read_file(str(path))) == MAX_FILE // 2


def test_what_nobody_writes_is_not_waited_for(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    for odd in (path, "/dev/zero"):
        with pytest.raises(Unreadable, match="is not a regular file"):
            read_file(str(odd))


@pytest.mark.parametrize(
    ("content", "named", "itself"),
    [
        (b"a" * (MAX_FILE + 1), "is larger than 32,000,000 bytes", "is larger than 1,000,000 bytes"),
        (b"version: 1\xff", "is not text in UTF-8", "is not text in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_called_what_it_is(content, named, itself, tmp_path):
    path = tmp_path / "trunkline.yaml"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=named):
        read_file(str(path))
    with pytest.raises(ConfigInvalid, match=re.escape(f"{path}:1:1: the file {itself}; name another with --config")):
        read_configuration(str(path))


def test_a_name_that_is_none_is_a_problem_like_others():
    with pytest.raises(ConfigInvalid, match="is no path"):
        read_configuration("a\0b")
