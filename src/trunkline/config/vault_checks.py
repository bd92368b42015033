"""The section of the vault: one source of its key, and that a key."""

from trunkline.config.places import Problems
from trunkline.config.schema import Vault
from trunkline.config.sources import Sources, Unreadable
from trunkline.model.vault import HOW, BadKey, KeySettings, parse_key

SOURCES = ("key", "key_file", "service")


def key_settings(section: Vault | None, sources: Sources, problems: Problems) -> KeySettings:
    """Return where the vault's key comes from; report what is wrong with it."""
    if section is None:
        return KeySettings(seals=False)
    named = [name for name in SOURCES if getattr(section, name) is not None]
    for name in named[1:]:
        problems.add(
            section.place.below(name), f"the vault has its key from `{named[0]}` already", "keep one of the two"
        )
    if section.settings and section.service is None:
        problems.add(
            section.place.below("settings"), "has no use without a `service`", "remove it, or name the service"
        )
    return KeySettings(
        seals=True,
        key=section.key if section.key_file is None else _key_in(section, section.key_file, sources, problems),
        previous=section.previous_keys,
        service=section.service,
        service_settings=section.settings or {},
    )


def _key_in(section: Vault, path: str, sources: Sources, problems: Problems) -> bytes | None:
    place = section.place.below("key_file")
    shown = f"the file `{place.written}`"
    try:
        return parse_key(sources.read_file(path))
    except FileNotFoundError:
        problems.add(place, f"there is no file `{place.written}`", f"put it back; a new one: {HOW}")
    except BadKey as bad:
        problems.add(place, f"{shown} is no vault key: it {bad}", HOW)
    except Unreadable as unreadable:
        problems.add(place, f"{shown} {unreadable}", "name a file with a vault key")
    except (OSError, ValueError):
        problems.add(place, f"{shown} cannot be read as text", "name a file with a vault key, and let us read it")
    return None
