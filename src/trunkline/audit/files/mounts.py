"""Which kind of file system a path is on, as far as Linux tells in /proc/self/mountinfo (proc(5))."""

import re
from pathlib import Path, PurePosixPath

MOUNTINFO = Path("/proc/self/mountinfo")

# Over a network a flush, a lock or an append may not mean what it says.
NETWORK = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "coda", "ceph", "lustre", "glusterfs", "davfs"),
        *("gfs", "gfs2", "ocfs2", "gpfs", "beegfs", "orangefs", "pvfs2"),
        *("fuse.sshfs", "fuse.s3fs", "fuse.goofys", "fuse.gcsfuse", "fuse.rclone", "fuse.glusterfs", "fuse.ceph-fuse"),
        *("fuse.davfs", "fuse.davfs2", "fuse.curlftpfs", "fuse.juicefs", "fuse.mount-s3", "fuse.blobfuse"),
        *("fuse.blobfuse2", "fuse.geesefs", "fuse.seaweedfs", "fuse.lizardfs", "fuse.moosefs", "fuse.mfs"),
    }
)

_ESCAPE = re.compile(r"\\([0-7]{3})")


def filesystem_of(path: PurePosixPath, mountinfo: str) -> str | None:
    """Return the type of the file system that holds an absolute, resolved path; None if the text does not say."""
    best, found = -1, None
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        place = PurePosixPath(_ESCAPE.sub(lambda match: chr(int(match.group(1), 8)), fields[4]))
        depth = len(place.parts)
        if depth >= best and path.is_relative_to(place):  # of two at one place the later one hides the other
            best, found = depth, after.split(" ")[0]
    return found


def network_filesystem(path: Path) -> str | None:
    """Return the type of the network file system that a path is on, None if it is on none that we know."""
    try:
        mountinfo = MOUNTINFO.read_text(errors="replace")
    except OSError:
        return None
    kind = filesystem_of(PurePosixPath(path.resolve()), mountinfo)
    return kind if kind in NETWORK else None
