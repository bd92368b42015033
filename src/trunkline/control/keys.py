"""Virtual keys: what may be made, and making one."""

import hashlib
import re
import secrets

import msgspec

from trunkline.config.kinds import NODE
from trunkline.config.places import nearest
from trunkline.config.units import LATEST_EXPIRY
from trunkline.control.answers import KeyView, NewKey, Refused
from trunkline.control.state import KeyCreated, KeyEntry, State
from trunkline.model.snapshot import Key, Snapshot

# 32 random bytes are 43 characters of base64url.
SECRET_BYTES = 32
SECRET_PREFIX = "tl-"
MAX_KEYS = 20_000
MAX_ROUTES = 200


def make(asked: NewKey, state: State, snapshot: Snapshot, now: float, who: str) -> tuple[KeyCreated, str]:
    """Return the record of a new key, and its secret. Raises Refused."""
    key_id = asked.id if asked.id is not None else f"key-{secrets.token_hex(6)}"
    check(asked, key_id, state, snapshot, now)
    secret = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return KeyCreated(key_id, asked.tenant, digest, who, asked.routes, asked.team, asked.expires), secret


def check(asked: NewKey, key_id: str, state: State, snapshot: Snapshot, now: float) -> None:
    """Refuse a key that could not be used, or whose id has been used: records name keys by it for years."""
    for what, name in (("id", key_id), ("team", asked.team)):
        if name is not None and not re.fullmatch(NODE, name):
            raise Refused(f"a key's {what} is made of letters, digits, `.`, `_` and `-`, at most 64 of them")
    if key_id in snapshot.keys or key_id in state.keys:
        raise Refused(f"there is or was a key `{key_id}`; choose another id")
    if asked.tenant not in snapshot.tenants:
        raise Refused(f"there is no tenant `{asked.tenant[:100]}`; {nearest(asked.tenant, snapshot.tenants)}")
    if asked.expires is not None and asked.expires <= now:
        raise Refused("the key would have expired already; name a later date")
    if asked.expires is not None and asked.expires > LATEST_EXPIRY:
        raise Refused(f"`expires` is a Unix second, at most {LATEST_EXPIRY} (the end of the year 9999)")
    if len(state.valid_keys()) >= MAX_KEYS:
        raise Refused(f"there are {MAX_KEYS:,} keys; revoke some first")
    if asked.routes is not None and not 0 < len(asked.routes) <= MAX_ROUTES:
        raise Refused(f"name one to {MAX_ROUTES} routes, or none for every route")
    for name in asked.routes or ():
        _check_route(name, snapshot)


def _check_route(name: str, snapshot: Snapshot) -> None:
    if name in snapshot.routes:
        return
    provider, _, model = name.partition("/")
    if provider not in snapshot.providers or model not in snapshot.providers[provider].models:
        raise Refused(f"there is no route or listed model `{name[:100]}`; {nearest(name, snapshot.routes)}")


def views(state: State, snapshot: Snapshot, now: float) -> list[KeyView]:
    """Return all keys, those of the file first; revoked ones too."""
    of_file = [_view(key, now) for key in snapshot.keys.values() if key.source == "file"]
    return of_file + [view_of(entry, now) for entry in state.keys.values()]


def view_of(entry: KeyEntry, now: float) -> KeyView:
    """Return a key of the log with its story."""
    revoked = entry.revoked
    made_at, made_by = _second(entry.created_at), entry.created.who
    view = msgspec.structs.replace(_view(entry.key, now), created_at=made_at, created_by=made_by)
    if revoked is None:
        return view
    return msgspec.structs.replace(view, status="revoked", revoked_at=_second(entry.revoked_at), revoked_by=revoked.who)


def _second(at: str | None) -> str | None:
    """Cut a time to its second: the log has nanoseconds, the reader of a list has no use for them."""
    return f"{at[:19]}Z" if at is not None else None


def _view(key: Key, now: float) -> KeyView:
    expired = key.expires is not None and key.expires <= now
    status = "expired" if expired else "valid"
    return KeyView(key.id, key.tenant, key.team, key.routes, key.expires, key.source, status)
