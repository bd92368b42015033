"""Who a call is made for: user, subject, session, purpose and tags, inside what the key's tenant allows."""

import re
from collections.abc import Mapping
from typing import Final, cast, get_args

from trunkline.errors import InvalidRequest, UserRequired
from trunkline.model.chat import ChatRequest
from trunkline.model.identity import Identity, Purpose, UserSource
from trunkline.model.names import CONTROL, NAME_LIMIT, PSEUDONYM
from trunkline.model.snapshot import Key, Tenant
from trunkline.policy.teams import Roster

TAG_PAIRS, TAG_KEY_LIMIT, TAG_VALUE_LIMIT = 16, 64, 512  # OpenAI's limits for metadata
RESERVED_TAGS: Final = frozenset({"subject", "session"})
PURPOSES: Final = frozenset(get_args(Purpose))
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def assert_identity(
    key: Key,
    tenant: Tenant,
    headers: Mapping[bytes, bytes],
    request: ChatRequest,
    roster: Roster | None = None,
    now: float = 0.0,
) -> Identity:
    """Return the identity of a call from its key, its headers and its body, at Unix second `now`.

    Team and cost centre are the user's by the tenant's `roster`; else the team is the key's.

    Raises UserRequired where the tenant requires a user and none is named, InvalidRequest for a malformed name, tag
    or purpose.
    """
    metadata = request.metadata or {}
    user, source = _user(headers, request)
    if user is None and "user" in tenant.require:
        raise UserRequired(
            "This tenant requires a user on every call: send the header `x-trunkline-user`, or `safety_identifier` "
            "or `user` in the body.",
            param="user",
        )
    place = roster.place_of(user, now) if roster is not None and user is not None else None
    return Identity(
        tenant=key.tenant,
        key_id=key.id,
        team=place.team if place is not None else key.team,
        cost_center=place.cost_center if place is not None else None,
        user=user,
        user_source=source,
        subject=_header(headers, b"x-trunkline-subject") or _name(metadata.get("subject"), "metadata.subject") or user,
        session=_header(headers, b"x-trunkline-session") or _name(metadata.get("session"), "metadata.session"),
        purpose=_purpose(headers),
        tags=_tags(metadata, headers) if metadata or b"x-trunkline-tags" in headers else {},
    )


def trace_context(headers: Mapping[bytes, bytes]) -> tuple[str | None, str | None]:
    """Return W3C `traceparent` and `tracestate`, both None unless the first is well-formed (W3C Trace Context)."""
    raw = headers.get(b"traceparent")
    if raw is None:
        return None, None
    parent = raw.decode("latin-1")
    if not _TRACEPARENT.fullmatch(parent):
        return None, None
    state = headers.get(b"tracestate")
    return parent, state.decode("latin-1")[:NAME_LIMIT] if state else None


def _user(headers: Mapping[bytes, bytes], request: ChatRequest) -> tuple[str | None, UserSource | None]:
    named = _header(headers, b"x-trunkline-user")
    if named:
        return named, "header"
    named = _name(request.safety_identifier, "safety_identifier")
    if named:
        return named, "safety_identifier"
    named = _name(request.user, "user")
    return (named, "body") if named else (None, None)


def _header(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    raw = headers.get(name)
    if not raw:
        return None
    try:
        return _name(raw.decode("utf-8"), name.decode())
    except UnicodeDecodeError:
        raise InvalidRequest(f"The header `{name.decode()}` is not UTF-8.", param=name.decode()) from None


def _name(value: str | None, param: str) -> str | None:
    if not value:
        return None
    if len(value) > NAME_LIMIT or CONTROL.search(value):
        raise InvalidRequest(
            f"`{param}` must be at most {NAME_LIMIT} characters without control characters.", param=param
        )
    if PSEUDONYM.fullmatch(value):  # in a record it would be taken for somebody else's
        raise InvalidRequest(f"`{param}` is a pseudonym of the record log, not a name.", param=param)
    return value


def _purpose(headers: Mapping[bytes, bytes]) -> Purpose:
    raw = headers.get(b"x-trunkline-purpose")
    if raw is None:
        return "production"
    purpose = raw.decode("latin-1")
    if purpose not in PURPOSES:
        known = ", ".join(sorted(PURPOSES))
        raise InvalidRequest(f"`x-trunkline-purpose` must be one of: {known}.", param="x-trunkline-purpose")
    return cast("Purpose", purpose)


def _tags(metadata: Mapping[str, str], headers: Mapping[bytes, bytes]) -> dict[str, str]:
    tags = {name: value for name, value in metadata.items() if name not in RESERVED_TAGS}
    named = _header_text(headers, b"x-trunkline-tags")
    for pair in filter(None, (part.strip() for part in named.split(","))):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise InvalidRequest(
                "`x-trunkline-tags` must be pairs as in `env=prod,channel=phone`.", param="x-trunkline-tags"
            )
        tags[name.strip()] = value.strip()
    if len(tags) > TAG_PAIRS:
        raise InvalidRequest(f"A call may have at most {TAG_PAIRS} tags; this one has {len(tags)}.", param="metadata")
    for name, value in tags.items():
        if len(name) > TAG_KEY_LIMIT or len(value) > TAG_VALUE_LIMIT or CONTROL.search(name + value):
            raise InvalidRequest(
                f"A tag's name may have {TAG_KEY_LIMIT} characters and its value {TAG_VALUE_LIMIT}, "
                "without control characters.",
                param="metadata",
            )
    return tags


def _header_text(headers: Mapping[bytes, bytes], name: bytes) -> str:
    try:
        return headers.get(name, b"").decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest(f"The header `{name.decode()}` is not UTF-8.", param=name.decode()) from None
