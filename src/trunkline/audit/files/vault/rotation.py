"""Changing the key-encryption key: the root keys are wrapped anew in one file, which is replaced whole.

Where the key is ours, beside the logs, the new one is first put beside the old: whatever a crash leaves, one of the two
opens the root keys, and doing it again finishes it.
"""

import os
from pathlib import Path
from typing import NamedTuple

from trunkline.audit.files.disk import sync_directory
from trunkline.audit.files.vault.key_encryption import (
    KeyEncryption,
    LocalKeyEncryption,
    VaultUnusable,
    encode_key,
    read_key,
    write_new,
)
from trunkline.audit.files.vault.key_file import locked
from trunkline.audit.files.vault.opening import KEY_FILE, NEXT_KEY_FILE, key_encryptions
from trunkline.audit.files.vault.root_keys import (
    VAULT,
    RootFile,
    is_wrapped_by,
    open_roots,
    read_roots,
    rewrapped,
    roots_path,
    write_roots,
)
from trunkline.model.vault import KEY_BYTES, KeySettings, VaultKeys


class Rotation(NamedTuple):
    """What came of it: the root keys as they are now, and the ids of the key-encryption keys before and after."""

    keys: VaultKeys
    before: tuple[str, ...]
    after: str


def rotate(data_dir: Path, settings: KeySettings) -> Rotation:
    """Wrap the root keys with the key that is configured now, or with a new one of ours. Raises VaultUnusable."""
    try:
        with locked(data_dir / VAULT):
            path = roots_path(data_dir)
            found = read_roots(path)
            if found is None:
                raise VaultUnusable(f"{data_dir} has no key store: there is nothing to rotate")
            before = tuple(sorted({wrapped.by for wrapped in (*found.roots, found.persons)}))
            ours = settings.key is None and settings.service is None
            known = key_encryptions(data_dir, settings, may_make=False)
            current = _next_of_ours(data_dir) if ours else known.current
            if not ours and is_wrapped_by(found, current):
                raise VaultUnusable(
                    "the key store is wrapped with the configured key already: make a new one with"
                    " `openssl rand -base64 32`, put it in audit.vault, and the present one among its previous_keys"
                )
            made = _wrapped_anew(path, found, {**known.known, current.id: current}, current)
            if ours:
                (data_dir / NEXT_KEY_FILE).rename(data_dir / KEY_FILE)
                sync_directory(data_dir)
            return Rotation(open_roots(made, {current.id: current}), before, current.id)
    except OSError as error:
        raise VaultUnusable(f"the key store in {data_dir} cannot be changed: {error.strerror}") from None


def _wrapped_anew(path: Path, found: RootFile, known: dict[str, KeyEncryption], current: KeyEncryption) -> RootFile:
    if is_wrapped_by(found, current):  # a rotation of ours that was cut off behind this
        return found
    made = rewrapped(found, known, current)
    write_roots(path, made)
    return made


def _next_of_ours(data_dir: Path) -> KeyEncryption:
    path = data_dir / NEXT_KEY_FILE
    if not path.exists():
        write_new(path, f"{encode_key(os.urandom(KEY_BYTES))}\n".encode())
    return LocalKeyEncryption(read_key(path))
