"""The keys of a vault where no running control has them: from the configuration file, when they are first needed."""

from pathlib import Path

from trunkline.audit.files.vault.key_encryption import VaultUnusable
from trunkline.audit.files.vault.opening import unlock
from trunkline.audit.files.vault.stored_keys import StoredKeys
from trunkline.config.document import Mapping, compose
from trunkline.config.places import Place, Problems
from trunkline.config.problems import ConfigInvalid
from trunkline.config.readers import BAD, is_null
from trunkline.config.references import resolve
from trunkline.config.schema import Vault
from trunkline.config.section import Switchable
from trunkline.config.vault_checks import key_settings
from trunkline.control.configuration import Configuration
from trunkline.control.machine import read_configuration, sources
from trunkline.model.vault import KeySettings, VaultKeys


def stored_keys(configuration: Configuration, data_dir: Path) -> StoredKeys:
    """Return what opens the bodies in the logs of a data directory."""

    def keys() -> VaultKeys:
        try:
            settings = key_settings_of(configuration.path)
        except ConfigInvalid as invalid:
            reason = str(invalid.problems[0])
            raise VaultUnusable(f"the vault key is missing, for audit.vault is not good: {reason}") from None
        return unlock(data_dir, settings)

    return StoredKeys(data_dir, keys)


def key_settings_of(path: str) -> KeySettings:
    """Return where the vault's key comes from, whatever else is wrong with a configuration. Raises ConfigInvalid."""
    node, problems = compose(read_configuration(path), path)
    if node is None and problems:
        raise ConfigInvalid(problems)
    audit = node.get("audit") if isinstance(node, Mapping) else None
    vault = audit.get("vault") if isinstance(audit, Mapping) else None
    if vault is None or is_null(Place("audit.vault", vault)):
        return KeySettings()
    found, here = Problems(path), sources()
    section = Switchable(Vault)(Place("audit.vault", resolve(Place("audit.vault", vault), here, found)), found)
    settings = key_settings(section, here, found) if section is not BAD else KeySettings()
    if found.found:
        raise ConfigInvalid(found.found)
    return settings
