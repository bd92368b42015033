"""What a log needs of a vault: where its keys are kept, the root keys, and how what it wrote before is opened."""

from pathlib import Path
from typing import NamedTuple

from trunkline.audit.files.vault.key_file import key_file_path
from trunkline.audit.files.vault.stored_keys import StoredKeys
from trunkline.model.vault import Vault, VaultKeys


class LogVault(NamedTuple):
    """The vault of one log; `seals` says whether its bodies are encrypted, or only those of before can be opened."""

    key_file: Path
    keys: VaultKeys
    opening: StoredKeys
    seals: bool = True


def log_vault(data_dir: Path, node: str, process: str, vault: Vault) -> LogVault | None:
    """Return the vault of a process's log, None where there are no keys."""
    keys = vault.keys
    if keys is None:
        return None
    return LogVault(key_file_path(data_dir, node, process), keys, StoredKeys(data_dir, lambda: keys), vault.seals)
