"""The vault of a running gateway: changed by the keeper, and the workers told of it."""

import asyncio

from trunkline.channel.link import Link
from trunkline.channel.messages import OpenVault, ToControl
from trunkline.control.answers import Erase, Erasure, Rotated
from trunkline.control.configuration import Configuration
from trunkline.control.vault_keeper import VaultKeeper
from trunkline.model.vault import Vault


class VaultDesk:
    """Has the keeper do what is asked, and tells the workers of new keys."""

    def __init__(self, keeper: VaultKeeper, configuration: Configuration, link: Link[ToControl]) -> None:
        self._keeper, self._configuration, self._link = keeper, configuration, link

    async def erase(self, asked: Erase, who: str) -> Erasure:
        """Erase a person. Raises Refused, Unrecorded, OSError."""
        return await self._keeper.erase(asked, who)

    async def rotate(self, who: str) -> Rotated:
        """Change the key-encryption key. Raises ConfigInvalid, VaultUnusable, Unrecorded."""
        settings = (await asyncio.to_thread(self._configuration.compile)).vault
        changed = await self._keeper.rotate(settings, who)
        self._link.send(OpenVault(Vault(changed.keys, settings.seals)))
        return Rotated(changed.before, changed.after)
