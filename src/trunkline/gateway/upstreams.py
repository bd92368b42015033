"""The providers as the gateway reaches them: a pool of connections, a dialect and the account's keys each."""

import hashlib
import itertools
from collections.abc import Mapping

from trunkline.dialects.provider import ProviderDialect
from trunkline.dialects.registry import PROVIDER_DIALECTS
from trunkline.model.snapshot import Provider, ProviderSecrets, Snapshot
from trunkline.policy.fairness.account import Account
from trunkline.policy.health import UNAUTHORIZED_REST
from trunkline.wire.client import Endpoint, Pool

MAX_CONNECTIONS = 8192  # calls at once to one provider, for one worker


class Upstream:
    """One provider: where to send, in which dialect, under which key, and who has used how much of its account."""

    def __init__(self, provider: Provider, secrets: ProviderSecrets, account: Account | None = None) -> None:
        self.provider = provider
        self.account = account or Account(provider.name)
        self.dialect: ProviderDialect = PROVIDER_DIALECTS[provider.dialect]
        self.secrets = secrets
        self.pool = Pool(
            Endpoint(
                base_url=provider.base_url,
                max_connections=MAX_CONNECTIONS,
                keep_warm=provider.keep_warm,
                proxy=secrets.proxy or provider.proxy,
                ca_bundle=provider.ca_bundle,
            )
        )
        extra = "".join(f"{name}: {value}\r\n" for name, value in secrets.headers.items()).encode("latin-1")
        keys = secrets.api_keys or ("",)
        self._headers = {key: self.dialect.headers(key) + extra for key in keys}
        self._keys = tuple(keys)
        self._names = {name_of(key): key for key in keys}
        # Refused keys, for one model or for all (None), and the monotonic second at which each is tried again.
        self._resting: dict[tuple[str, str | None], float] = {}
        self._turn = itertools.count()

    def __repr__(self) -> str:
        return f"Upstream({self.provider.name}, {self.provider.dialect}, keys={len(self._headers)})"

    def next_key(self, model: str, now: float) -> str:
        """Return the account key for the next call of this model, in turn; one that was refused comes last of all."""
        keys = self._keys if not self._resting else self._usable(model, now) or self._keys
        return keys[0] if len(keys) == 1 else keys[next(self._turn) % len(keys)]

    def headers(self, key: str) -> bytes:
        """Return the header lines that carry this key."""
        return self._headers[key]

    def refuse_key(self, key: str, model: str, now: float, *, everywhere: bool) -> bool:
        """Let a key rest that the provider refused, for one model or `everywhere`; return whether another one is left.

        The last one is asked with nevertheless: the target's rest, not an empty list, decides when that is.
        """
        self._resting[key, None if everywhere else model] = now + UNAUTHORIZED_REST
        return bool(self._usable(model, now))

    def refuse_named(self, name: str, model: str | None, now: float) -> None:
        """Let the key with this name (see `name_of`) rest, as another worker has found it refused."""
        key = self._names.get(name)
        if key is not None:
            self._resting[key, model] = now + UNAUTHORIZED_REST

    def restore_keys(self) -> None:
        """Let all keys be used again."""
        self._resting.clear()

    def _usable(self, model: str, now: float) -> list[str]:
        self._resting = resting = {place: until for place, until in self._resting.items() if until > now}
        return [key for key in self._keys if (key, None) not in resting and (key, model) not in resting]


def name_of(key: str) -> str:
    """Return what stands for a key between workers: its SHA-256."""
    return hashlib.sha256(key.encode()).hexdigest()


class Upstreams:
    """All providers of the snapshot in force; those that a reload does not change keep their connections."""

    def __init__(self) -> None:
        self._by_name: dict[str, Upstream] = {}

    def prepare(self, snapshot: Snapshot, secrets: Mapping[str, ProviderSecrets]) -> dict[str, Upstream]:
        """Return the upstreams for a snapshot, leaving those in force alone; raises ValueError if one can't be made."""
        prepared = {}
        for name, provider in snapshot.providers.items():
            current = self._by_name.get(name)
            wanted = secrets.get(name, ProviderSecrets())
            unchanged = current is not None and current.provider == provider and current.secrets == wanted
            # What has been used of an account stays used, whatever else changes.
            prepared[name] = (
                current
                if unchanged and current is not None
                else Upstream(provider, wanted, current.account if current is not None else None)
            )
        return prepared

    def adopt(self, prepared: dict[str, Upstream]) -> list[Upstream]:
        """Put the prepared ones in force; return those that are out of use, for the caller to close."""
        retired = [
            upstream for upstream in self._by_name.values() if prepared.get(upstream.provider.name) is not upstream
        ]
        self._by_name = dict(prepared)
        return retired

    def all(self) -> list[Upstream]:
        """Return the upstreams in force."""
        return list(self._by_name.values())
