"""The keys of a vault where no running control has them: from the configuration file, when they are first needed."""

from pathlib import Path

from trunkline.audit.files.vault.key_encryption import VaultUnusable
from trunkline.audit.files.vault.opening import unlock
from trunkline.audit.files.vault.stored_keys import StoredKeys
from trunkline.config.problems import ConfigInvalid
from trunkline.control.configuration import Configuration
from trunkline.model.vault import KeySettings, VaultKeys


def stored_keys(configuration: Configuration, data_dir: Path) -> StoredKeys:
    """Return what opens the bodies in the logs of a data directory."""

    def keys() -> VaultKeys:
        try:
            settings = configuration.compile().vault
        except ConfigInvalid as invalid:
            return _by_file(data_dir, str(invalid.problems[0]))
        return unlock(data_dir, settings)

    return StoredKeys(data_dir, keys)


def _by_file(data_dir: Path, problem: str) -> VaultKeys:
    """Return the keys by the key that is made where none is configured: an examiner may have no good configuration."""
    try:
        return unlock(data_dir, KeySettings())
    except VaultUnusable:
        reason = f"the vault key is missing, for the configuration is not good: {problem}"
        raise VaultUnusable(reason) from None
