"""Opening a vault with the key-encryption key that is configured, or with the one in the data directory."""

import os
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, NamedTuple

from trunkline.audit.files.vault.key_encryption import (
    KeyEncryption,
    LocalKeyEncryption,
    VaultUnusable,
    encode_key,
    read_key,
    write_new,
)
from trunkline.audit.files.vault.root_keys import make_roots, open_roots, read_roots, roots_path
from trunkline.model.vault import KEY_BYTES, NO_VAULT, KeySettings, Vault, VaultKeys

KEY_FILE: Final = "vault.key"
NEXT_KEY_FILE: Final = "vault.key.next"  # while the one beside the logs is being replaced
PLUGINS: Final = "trunkline.key_encryption"


class KeyEncryptions(NamedTuple):
    """The key-encryption key that wraps, and all that unwrap, by their ids."""

    current: KeyEncryption
    known: dict[str, KeyEncryption]


def key_encryptions(data_dir: Path, settings: KeySettings, *, may_make: bool) -> KeyEncryptions:
    """Return the keys that are configured, else the one in the data directory; raises VaultUnusable.

    Where there is neither that nor anything wrapped with it, it is made if it may be.
    """
    previous: list[KeyEncryption] = [LocalKeyEncryption(key) for key in settings.previous]
    if settings.service is not None:
        current = _service(settings.service, settings.service_settings)
    elif settings.key is not None:
        current = LocalKeyEncryption(settings.key)
    else:
        current, *ours = _beside_logs(data_dir, may_make=may_make)
        previous += ours
    return KeyEncryptions(current, {key.id: key for key in (*previous, current)})


def open_vault(data_dir: Path, settings: KeySettings) -> Vault:
    """Return the vault of a data directory, made where there is none; raises VaultUnusable.

    Where nothing is to be encrypted, what was encrypted before is read if its key is at hand.
    """
    if not settings.seals:
        try:
            return Vault(unlock(data_dir, settings), seals=False)
        except VaultUnusable:
            return NO_VAULT
    keys = key_encryptions(data_dir, settings, may_make=True)
    path = roots_path(data_dir)
    return Vault(open_roots(read_roots(path) or make_roots(path, keys.current), keys.known), seals=True)


def unlock(data_dir: Path, settings: KeySettings) -> VaultKeys:
    """Return the keys of the vault that there is; raises VaultUnusable."""
    found = read_roots(roots_path(data_dir))
    if found is None:
        raise VaultUnusable(f"{data_dir} has no key store: restore its backup")
    return open_roots(found, key_encryptions(data_dir, settings, may_make=False).known)


def _beside_logs(data_dir: Path, *, may_make: bool) -> list[KeyEncryption]:
    path = data_dir / KEY_FILE
    if may_make and not path.exists() and read_roots(roots_path(data_dir)) is None:
        try:
            write_new(path, f"{encode_key(os.urandom(KEY_BYTES))}\n".encode())
        except FileExistsError:
            pass
        except OSError as error:
            raise VaultUnusable(f"the vault key {path} cannot be made: {error.strerror}") from None
    following = data_dir / NEXT_KEY_FILE
    keys = [read_key(path), *([read_key(following)] if following.exists() else [])]
    return [LocalKeyEncryption(key) for key in keys]


def _service(name: str, settings: dict[str, object]) -> KeyEncryption:
    """Return what a plugin makes of its settings: an entry point that is called with them."""
    found = tuple(entry_points(group=PLUGINS, name=name))
    if len(found) != 1:
        there = ", ".join(sorted(entry_points(group=PLUGINS).names)) or "none is installed"
        raise VaultUnusable(f"there is no one plugin `{name}` that wraps keys ({there}): audit.vault.service")
    try:
        make: Callable[[dict[str, object]], KeyEncryption] = found[0].load()
        return make(settings)
    except Exception as error:  # noqa: BLE001 - a plugin's fault, whatever it is
        raise VaultUnusable(f"the plugin `{name}` cannot be used: {type(error).__name__}: {error}") from None
