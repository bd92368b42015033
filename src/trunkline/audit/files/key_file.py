"""The key that signs checkpoints: a file that nobody but us may read, and beside the logs the public key for others."""

import os
import stat
from pathlib import Path

from trunkline.audit.files.disk import FILE_MODE, sync_directory
from trunkline.audit.format.notes import KEY_BYTES, BadKey, PublicKey, SigningKey

KEY_FILE = "audit.key"
PUBLIC_KEY_FILE = "audit.pub"
MAX_BYTES = 4096
OTHERS = 0o077


class KeyUnusable(Exception):
    """There is no key, or none that can be used; the message says why and what to do."""


def read_key(path: Path, deployment: str) -> SigningKey:
    """Return the key of a deployment; raises KeyUnusable."""
    try:
        with path.open("rb") as file:
            mode, data = os.fstat(file.fileno()).st_mode, file.read(MAX_BYTES)
    except FileNotFoundError:
        raise KeyUnusable(f"there is no key {path}: put it back, or make one with `trunkline audit keys`") from None
    except OSError as error:
        raise KeyUnusable(f"the key {path} cannot be read: {error.strerror}") from None
    if stat.S_IMODE(mode) & OTHERS:
        raise KeyUnusable(f"others may read the key {path}: run `chmod 600 {path}`")
    try:
        key = SigningKey.parse(data.decode().strip())
    except (BadKey, UnicodeDecodeError) as error:
        raise KeyUnusable(f"{path} is no key that signs logs: {error}") from None
    if key.public.name != deployment:
        raise KeyUnusable(f"the key {path} is that of {key.public.name}, these are the logs of {deployment}")
    return key


def make_key(path: Path, deployment: str) -> SigningKey:
    """Make a key where there is none, and return it; raises KeyUnusable."""
    key = SigningKey(deployment, os.urandom(KEY_BYTES))
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        _write(draft, key.text)
        try:
            os.link(draft, path)  # unlike a rename it replaces no key that has been made meanwhile
        finally:
            draft.unlink()
        sync_directory(path.parent)
    except FileExistsError:
        return read_key(path, deployment)
    except OSError as error:
        raise KeyUnusable(f"the key {path} cannot be made: {error.strerror}") from None
    return key


def publish_key(data_dir: Path, key: PublicKey) -> None:
    """Put the public key beside the logs. Raises OSError, or KeyUnusable if there is another one."""
    path = data_dir / PUBLIC_KEY_FILE
    if path.exists():
        if read_public_key(data_dir).key != key.key:
            raise KeyUnusable(f"the logs are signed with another key, {path}: put that key back")
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    _write(draft, key.text)
    draft.rename(path)
    sync_directory(data_dir)


def read_public_key(data_dir: Path) -> PublicKey:
    """Return the public key that stands beside the logs; raises KeyUnusable."""
    path = data_dir / PUBLIC_KEY_FILE
    try:
        return PublicKey.parse(path.read_bytes()[:MAX_BYTES].decode().strip())
    except FileNotFoundError:
        raise KeyUnusable(f"there is no public key {path}: these logs have not been signed yet") from None
    except OSError as error:
        raise KeyUnusable(f"the public key {path} cannot be read: {error.strerror}") from None
    except (BadKey, UnicodeDecodeError) as error:
        raise KeyUnusable(f"{path} is no public key: {error}") from None


def _write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        os.write(fd, f"{text}\n".encode())
        os.fsync(fd)
    finally:
        os.close(fd)
