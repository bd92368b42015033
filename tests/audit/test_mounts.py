from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.audit.files.mounts import filesystem_of, network_filesystem

MOUNTINFO = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /proc rw - proc proc rw
30 22 0:45 / /mnt/share rw - nfs4 server:/share rw
31 22 0:46 / /mnt/share/local rw shared:3 master:1 - xfs /dev/vdb rw
32 22 0:47 / /mnt/with\040space rw - cifs //server/x rw
33 22 0:48 / /data rw - tmpfs none rw
34 33 0:49 / /data rw - fuse.sshfs host:/ rw
not a line of it
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/var/lib/trunkline", "ext4"),
        ("/mnt/share", "nfs4"),
        ("/mnt/share/deep/er", "nfs4"),
        ("/mnt/shared", "ext4"),
        ("/mnt/share/local/x", "xfs"),
        ("/mnt/with space/x", "cifs"),
        ("/data/x", "fuse.sshfs"),
    ],
)
def test_the_deepest_and_last_mount_over_a_path_counts(path, kind):
    assert filesystem_of(PurePosixPath(path), MOUNTINFO) == kind


@given(st.text(max_size=200))
@settings(deadline=None, max_examples=50)
def test_any_text_is_read_without_fault(text):
    assert filesystem_of(PurePosixPath("/x"), text) is None or " - " in text


def test_this_machine_s_own_table_can_be_read(tmp_path):
    assert filesystem_of(PurePosixPath(tmp_path.resolve()), Path("/proc/self/mountinfo").read_text()) is not None
    assert network_filesystem(tmp_path) is None


def test_without_a_table_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("trunkline.audit.files.mounts.MOUNTINFO", tmp_path / "missing")
    assert network_filesystem(tmp_path) is None
