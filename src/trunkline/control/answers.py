"""What is asked of control and what it answers. Light: a command that asks a running gateway needs nothing else."""

import msgspec


class Refused(Exception):
    """What was asked for is not done; the message says why and what to do."""


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What someone asks for. `routes` None means every route; `expires` is the Unix second from which it is refused."""

    tenant: str
    id: str | None = None
    routes: tuple[str, ...] | None = None
    team: str | None = None
    expires: int | None = None


class Apply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Put the file in force; `config` None means the one that the gateway runs on, the only one that it may name."""

    config: str | None = None


class KeyView(msgspec.Struct, frozen=True):
    """A key as it is listed: never its secret nor the digest of it. Times are RFC 3339 or, where unknown, None."""

    id: str
    tenant: str
    team: str | None
    routes: tuple[str, ...] | None
    expires: int | None
    source: str
    status: str
    created_at: str | None = None
    created_by: str | None = None
    revoked_at: str | None = None
    revoked_by: str | None = None


class MadeKey(msgspec.Struct, frozen=True):
    """A new key; the only place where its secret ever stands."""

    key: KeyView
    secret: str

    def __repr__(self) -> str:
        """Say whose it is, not what."""
        return f"MadeKey({self.key.id!r})"


class Applied(msgspec.Struct, frozen=True):
    """What applying the file changed, as lines for a human; `digest` is what is in force now."""

    digest: str
    lines: tuple[str, ...]
